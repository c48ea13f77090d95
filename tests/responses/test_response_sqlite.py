"""SqliteResponseStore: threads, processes, kill -9, faults, and how quick it is."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from pytest_evals.exchange import Response
from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.sqlite import COMPRESS_FROM, SqliteResponseStore
from pytest_evals.storage.sqlite import SqliteRunStore

WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from pytest_evals.exchange import Response
    from pytest_evals.responses.base import StoredAnswer
    from pytest_evals.responses.sqlite import SqliteResponseStore

    store = SqliteResponseStore(Path(sys.argv[1]))
    for i in range(int(sys.argv[3])):
        key = f"{sys.argv[2]}-{i}"
        store.put(StoredAnswer(key=key, case=key, model="m", response=Response(text="x" * 3000)))
        print(i, flush=True)
    """
)


def writer(path: Path, name: str, most: int) -> subprocess.Popen[str]:
    """Start a process that stores answers and prints the number of each when it is stored."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(most)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_kill_loses_no_answer(tmp_path: Path) -> None:
    """Every answer that put returned for is there after kill -9."""
    path = tmp_path / ".evals" / "evals.sqlite"
    process = writer(path, "w", 100_000)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 150:
            process.send_signal(signal.SIGKILL)
            break
    told = process.communicate()[0].split("\n")[:-1]
    last = int(told[-1]) if told else 150
    store = SqliteResponseStore(path)
    missing = [i for i in range(last + 1) if store.get(f"w-{i}") is None]
    assert missing == []
    store.close()


def test_processes_share_the_file_with_runs(tmp_path: Path) -> None:
    """Three processes that store answers at once lose none, beside an open run store."""
    path = tmp_path / "evals.sqlite"
    runs = SqliteRunStore(path)
    processes = [writer(path, f"w{n}", 80) for n in range(3)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    store = SqliteResponseStore(path)
    missing = [(n, i) for n in range(3) for i in range(80) if store.get(f"w{n}-{i}") is None]
    assert missing == []
    store.close()
    runs.close()


def test_threads_share_one_store(tmp_path, make_answer) -> None:
    """Many threads put and get through one store."""
    store = SqliteResponseStore(tmp_path / "evals.sqlite")
    wrong: list[str] = []

    def work(n: int) -> None:
        for i in range(60):
            answer = make_answer(f"{n}-{i}", f"text {n} {i}")
            store.put(answer)
            if store.get(answer.key) != answer or store.get("0-0") is None:
                wrong.append(answer.key)

    store.put(make_answer("0-0"))
    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    store.close()


def test_a_waiting_write_holds_up_no_read(tmp_path, make_answer) -> None:
    """Answers are read while another process's write is waited for."""
    path = tmp_path / "evals.sqlite"
    store = SqliteResponseStore(path, timeout_s=5.0)
    store.put(make_answer("k"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = threading.Thread(target=store.put, args=(make_answer("l"),))
    waiting.start()
    begun = time.monotonic()
    found = [store.get("k") for _ in range(10)]
    assert time.monotonic() - begun < 1.0
    assert found == [make_answer("k")] * 10
    other.execute("ROLLBACK")
    waiting.join()
    assert store.get("l") == make_answer("l")
    other.close()
    store.close()


def test_large_answers_are_compressed(tmp_path, make_answer) -> None:
    """A large answer takes less room than its text; a small one is plain text in the file."""
    store = SqliteResponseStore(tmp_path / "evals.sqlite")
    large = make_answer("large", "the refund policy " * COMPRESS_FROM)
    store.put(large)
    store.put(make_answer("small"))
    assert store.get("large") == large
    store.close()
    db = sqlite3.connect(tmp_path / "evals.sqlite")
    kinds = dict(db.execute("SELECT key, typeof(record) FROM responses").fetchall())
    assert kinds == {"large": "blob", "small": "text"}
    db.close()
    assert (tmp_path / "evals.sqlite").stat().st_size < COMPRESS_FROM * 18 / 2


def test_judges_answers_stand_apart(tmp_path, make_answer) -> None:
    """A judge's answer is not the nearest of the model's own."""
    store = SqliteResponseStore(tmp_path / "evals.sqlite")
    store.put(make_answer("j", role="judge:helpful"))
    assert store.nearest("a", "m", "answer", 0, 0) is None
    assert store.nearest("a", "m", "judge:helpful", 0, 0) == make_answer("j", role="judge:helpful")
    store.close()


def test_an_answer_of_another_version(tmp_path, make_answer) -> None:
    """An answer that cannot be read is named, with what to do."""
    store = SqliteResponseStore(tmp_path / "evals.sqlite")
    store.put(make_answer("k"))
    db = sqlite3.connect(tmp_path / "evals.sqlite")
    db.execute("""UPDATE responses SET record = '{"key": 1}'""")
    db.commit()
    with pytest.raises(StoreError, match=r"stored answer k in .* cannot be read .*refresh"):
        store.get("k")
    db.execute("UPDATE responses SET record = x'00ff'")
    db.commit()
    db.close()
    with pytest.raises(StoreError, match=r"stored answer k in .* cannot be read"):
        store.nearest("a", "m", "answer", 0, 0)
    store.put(make_answer("k"))
    assert store.get("k") == make_answer("k")
    store.close()


def test_closed_and_read_only(tmp_path, make_answer) -> None:
    """A closed store says so, and so does one that was opened for reading."""
    path = tmp_path / "evals.sqlite"
    store = SqliteResponseStore(path)
    store.put(make_answer("k"))
    store.close()
    store.close()
    with pytest.raises(StoreError, match=r"the response store .* is closed"):
        store.get("k")
    reader = SqliteResponseStore(path, write=False)
    assert reader.get("k") == make_answer("k")
    with pytest.raises(StoreError, match="is open for reading only"):
        reader.put(make_answer("l"))
    reader.close()
    with pytest.raises(StoreError, match="there is no store"):
        SqliteResponseStore(tmp_path / "none.sqlite", write=False)


def test_get_is_quick(tmp_path) -> None:
    """An answer is found in far less than a millisecond."""
    store = SqliteResponseStore(tmp_path / "evals.sqlite")
    for i in range(500):
        store.put(StoredAnswer(key=f"{i}", case="a", model="m", response=Response(text="x" * 900)))
    took = []
    for i in range(500):
        begun = time.perf_counter()
        assert store.get(f"{i}") is not None
        took.append(time.perf_counter() - begun)
    assert sorted(took)[250] < 0.0003
    store.close()


def test_many_at_once(tmp_path: Path, make_answer) -> None:
    """Any number is kept in one transaction; of one Key the last is kept, and is the nearest."""
    store = SqliteResponseStore(tmp_path / "e.sqlite")
    store.put(make_answer("7", "old"))
    store.put_all([make_answer(str(i), f"text {i}", case=str(i)) for i in range(120)])
    store.put_all([make_answer("7", "first", case="7"), make_answer("7", "last", case="7")])
    store.put_all([])
    texts = {i: store.get(str(i)).response.text for i in range(120)}
    assert {**{i: f"text {i}" for i in range(120)}, 7: "last"} == texts
    assert "last" == store.nearest("7", "m", "answer", 0, 0).response.text
    assert store.nearest("a", "m", "answer", 0, 0) is None
    store.close()


def test_all_or_none(tmp_path: Path, make_answer) -> None:
    """Where one of several cannot be written, none of them is, and the store still works."""
    store = SqliteResponseStore(tmp_path / "e.sqlite")
    bad = make_answer("b").model_copy(update={"cost_usd": object()})
    with pytest.raises(StoreError):
        store.put_all([make_answer("a"), bad])
    assert store.get("a") is None
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("CREATE TRIGGER no BEFORE INSERT ON responses WHEN NEW.key = 'b' "
                      "BEGIN SELECT RAISE(ABORT, 'no'); END")  # fmt: skip
    with pytest.raises(StoreError, match="no"):
        store.put_all([make_answer("a"), make_answer("b")])
    assert store.get("a") is None
    store.put(make_answer("c"))
    assert store.get("c") is not None
    store.close()
