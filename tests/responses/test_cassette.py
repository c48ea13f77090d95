"""CassetteStore: a committed file with small diffs that loses nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.exchange import Response, Usage
from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.redaction import Redactor
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.cassette import CassetteStore
from pytest_evals.responses.cassette_format import parse_line, write_line


def record(path: Path, *answers: StoredAnswer, **options: object) -> None:
    """Record answers in one session."""
    store = CassetteStore(path, **options)
    for answer in answers:
        store.put(answer)
    store.close()


def journals(path: Path) -> list[str]:
    """Return the names of what lies in the folder of journals."""
    folder = path.with_name(f".{path.name}.journals")
    return [p.name for p in folder.glob("*.jsonl")] if folder.exists() else []


def test_lines_are_sorted_and_hold_no_time(tmp_path, make_answer) -> None:
    """One line an answer, sorted by place, whatever the order they came in."""
    path = tmp_path / "cassettes" / "d.jsonl"
    answers = [
        make_answer(f"{c}{s}{t}", case=c, sample=s, turn=t)
        for c in "ab"
        for s in range(2)
        for t in range(2)
    ]
    random.Random(1).shuffle(answers)
    record(path, *answers)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["key"] for line in lines] == sorted(answer.key for answer in answers)
    assert list(lines[0]) == ["case", "model", "key", "parts", "response"]
    assert journals(path) == []


def test_the_same_answers_leave_the_file_alone(tmp_path, make_answer) -> None:
    """Recording again with another latency, usage, cost and request id changes no byte."""
    path = tmp_path / "d.jsonl"
    record(path, make_answer("k"), make_answer("l", case="b"))
    before = path.read_bytes(), path.stat().st_mtime_ns
    again = Response(
        text="thirty days",
        usage=Usage(input_tokens=3, output_tokens=4, cached_tokens=2),
        latency_s=9.9,
        metadata={"request_id": "other"},
    )
    record(path, make_answer("k", response=again, cost_usd=0.1))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_changed_answer_changes_its_line_only(tmp_path, make_answer) -> None:
    """The diff of one changed answer is one line."""
    path = tmp_path / "d.jsonl"
    record(path, *(make_answer(f"k{i}", case=f"c{i}") for i in range(5)))
    before = path.read_text().splitlines()
    record(path, make_answer("k2", "sixty days", case="c2"))
    after = path.read_text().splitlines()
    assert [i for i in range(5) if before[i] != after[i]] == [2]


def test_a_narrowed_session_touches_only_what_ran(tmp_path, make_answer) -> None:
    """Answers that were not asked for stay, also under a changed prompt elsewhere."""
    path = tmp_path / "d.jsonl"
    record(path, make_answer("a1", case="a"), make_answer("b1", case="b"))
    record(path, make_answer("a2", case="a"))
    store = CassetteStore(path)
    assert [key for key in ("a1", "a2", "b1") if store.get(key)] == ["a1", "a2", "b1"]
    store.close()


def test_a_complete_session_drops_what_is_asked_no_longer(tmp_path, make_answer) -> None:
    """Of the places that were asked only the answers that were used stay; others stay whole."""
    path = tmp_path / "d.jsonl"
    record(path, *(make_answer(key, case=key[0]) for key in ("a1", "b1", "c1")))
    store = CassetteStore(path)
    store.put(make_answer("a2", case="a"))
    assert store.get("b1") is not None
    store.complete = True
    store.close()
    kept = [json.loads(line)["key"] for line in path.read_text().splitlines()]
    assert kept == ["a2", "b1", "c1"]


@pytest.mark.parametrize("orderly", [True, False])
def test_complete_counts_what_the_workers_used(tmp_path, make_answer, orderly) -> None:
    """A worker's used answers stay; where a worker did not end well, nothing is dropped."""
    path = tmp_path / "d.jsonl"
    record(path, *(make_answer(key, case=key[0]) for key in ("a1", "a2", "b1")))
    controller = CassetteStore(path)
    worker = CassetteStore(path, merge=False)
    assert worker.get("a1") is not None
    worker.put(make_answer("b2", case="b"))
    if orderly:
        worker.close()
    else:
        assert worker._journal is not None
        os.close(worker._journal._descriptor)
        worker._journal._file_lock.release()
    controller.complete = True
    controller.close()
    kept = [json.loads(line)["key"] for line in path.read_text().splitlines()]
    assert kept == (["a1", "b2"] if orderly else ["a1", "a2", "b1", "b2"])


def test_workers_journals_are_merged_by_the_controller(tmp_path, make_answer) -> None:
    """Workers leave their journals, the controller merges them, later answers count."""
    path = tmp_path / "d.jsonl"
    controller = CassetteStore(path)
    for n in range(3):
        worker = CassetteStore(path, merge=False)
        worker.put(make_answer(f"k{n}", case=f"c{n}"))
        worker.put(make_answer("shared", f"by {n}"))
        worker.close()
    assert not path.exists()
    controller.close()
    store = CassetteStore(path)
    assert store.get("shared") == make_answer("shared", "by 2")
    assert [n for n in range(3) if store.get(f"k{n}")] == [0, 1, 2]
    assert journals(path) == []
    store.close()


def test_a_living_sessions_journal_is_left_to_it(tmp_path, make_answer) -> None:
    """What another session is still recording is neither merged nor removed, and not lost."""
    path = tmp_path / "d.jsonl"
    one, other = CassetteStore(path), CassetteStore(path)
    one.put(make_answer("k", case="a"))
    other.put(make_answer("l", case="b"))
    one.close()
    other.put(make_answer("m", case="c"))
    other.close()
    kept = [json.loads(line)["key"] for line in path.read_text().splitlines()]
    assert kept == ["k", "l", "m"]
    assert journals(path) == []


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from pytest_evals.exchange import Response
    from pytest_evals.responses.base import StoredAnswer
    from pytest_evals.responses.cassette import CassetteStore

    store = CassetteStore(Path(sys.argv[1]), merge=sys.argv[4] == "merge")
    for i in range(int(sys.argv[3])):
        key = f"{sys.argv[2]}-{i:05}"
        store.put(StoredAnswer(key=key, case=key, model="m", response=Response(text="x" * 2000)))
        print(i, flush=True)
    store.close()
    """
)


def writer(path: Path, name: str, most: int, mode: str) -> subprocess.Popen[str]:
    """Start a process that records answers and prints the number of each when it is kept."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(most), mode],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_kill_loses_no_answer(tmp_path: Path) -> None:
    """Every answer that put returned for is found by the next session, which merges it."""
    path = tmp_path / "d.jsonl"
    process = writer(path, "w", 100_000, "merge")
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 300:
            process.send_signal(signal.SIGKILL)
            break
    told = process.communicate()[0].split("\n")[:-1]
    last = int(told[-1]) if told else 300
    assert not path.exists()
    store = CassetteStore(path)
    assert [i for i in range(last + 1) if store.get(f"w-{i:05}") is None] == []
    store.close()
    assert len(path.read_text().splitlines()) >= last + 1
    assert journals(path) == []


def test_processes_that_merge_at_once(tmp_path: Path) -> None:
    """Four sessions that end together leave one whole file with all their answers."""
    path = tmp_path / "d.jsonl"
    processes = [writer(path, f"w{n}", 50, "merge") for n in range(4)]
    for process in processes:
        process.communicate(timeout=60)
    CassetteStore(path).close()
    kept = [json.loads(line)["key"] for line in path.read_text().splitlines()]
    assert kept == [f"w{n}-{i:05}" for n in range(4) for i in range(50)]


def test_what_was_cut_off_is_no_answer(tmp_path, make_answer) -> None:
    """Half a line at the end of a journal is what its process had not yet returned for."""
    path = tmp_path / "d.jsonl"
    folder = tmp_path / "journals"
    worker = CassetteStore(path, journals=folder, merge=False)
    worker.put(make_answer("k"))
    worker.close()
    (journal,) = folder.glob("*.jsonl")
    journal.write_bytes(journal.read_bytes() + b'{"case":"b","mod')
    store = CassetteStore(path, journals=folder)
    store.close()
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["k"]
    assert (folder / ".gitignore").read_text() == "*\n"


def test_secrets_reach_neither_journal_nor_file(tmp_path, make_answer) -> None:
    """What is recorded passes the redaction, wherever in the answer it stands."""
    path = tmp_path / "d.jsonl"
    secret = 'hunter2-"quoted"-secret'
    redactor = Redactor([secret], ())
    response = Response(text=f"the key is {secret}", data={secret: [secret]})
    store = CassetteStore(path, redact=redactor.redact_json, merge=False)
    store.put(make_answer("k", response=response, identity={"headers": [secret]}))
    found = store.get("k")
    store.close()
    record(path, redact=redactor.redact_json)
    folder = path.with_name(f".{path.name}.journals")
    written = [p.read_text() for p in (path, *folder.iterdir()) if p.is_file()]
    assert [text for text in written if "hunter2" in text] == []
    assert found is not None
    assert found.response.text == "the key is [redacted]"
    assert CassetteStore(path).get("k") == found


def test_a_redaction_that_breaks_the_answer_is_refused(tmp_path, make_answer) -> None:
    """Rather than a broken or an unredacted line there is an error, and nothing is written."""
    store = CassetteStore(tmp_path / "d.jsonl", redact=lambda text: text.replace('"', ""))
    with pytest.raises(StoreError, match=r"of 'm' to 'a' was not recorded: .*evals_redact"):
        store.put(make_answer("k"))
    store.close()
    assert not (tmp_path / "d.jsonl").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("<<<<<<< HEAD", ":2: a conflict marker of git (<<<<<<< HEAD); delete the marker lines"),
        ("=======", ":2: a conflict marker of git (=======)"),
        (">>>>>>> branch", ":2: a conflict marker of git"),
        ("||||||| base", ":2: a conflict marker of git"),
        ("{", ":2: not a recorded answer: Invalid JSON"),
        ('{"key": "k"}', ":2: not a recorded answer: case: Field required"),
        ("[]", ":2: not a recorded answer: Input should be an object"),
    ],
)
def test_a_bad_line_is_named(tmp_path, make_answer, line: str, expected: str) -> None:
    """A line that is no answer is an error with its place, and nothing is changed."""
    path = tmp_path / "d.jsonl"
    record(path, make_answer("k"))
    path.write_text(f"{path.read_text()}{line}\n")
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        CassetteStore(path)
    assert f"{path}{expected}" in str(caught.value)
    assert path.read_bytes() == before


def test_all_bad_lines_are_named(tmp_path: Path) -> None:
    """Every bad line is told at once, up to ten, and how many more there are."""
    path = tmp_path / "d.jsonl"
    path.write_text("x\n" * 14)
    with pytest.raises(StoreError) as caught:
        CassetteStore(path)
    told = str(caught.value).splitlines()
    assert len(told) == 11
    assert told[-1] == "... and 4 more"


def test_lines_that_git_brought_together(tmp_path, make_answer) -> None:
    """Of two lines of one Key the later counts; BOM, CRLF and empty lines are taken."""
    path = tmp_path / "d.jsonl"
    lines = [
        write_line(answer, str).text
        for answer in (make_answer("k", "ours"), make_answer("b", case="b"), make_answer("k"))
    ]
    path.write_bytes(("\ufeff" + "\r\n\r\n".join(lines)).encode())
    record(path, make_answer("c", case="c"))
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["key"] for line in kept] == ["k", "b", "c"]
    assert kept[0]["response"]["text"] == "thirty days"
    assert b"\r" not in path.read_bytes()


def test_not_utf8(tmp_path: Path) -> None:
    """A file in another encoding is named."""
    (tmp_path / "d.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match=r"d\.jsonl is not UTF-8"):
        CassetteStore(tmp_path / "d.jsonl")


def test_only_replaying_writes_nothing(tmp_path, make_answer) -> None:
    """A store that only replays gives answers and refuses new ones."""
    path = tmp_path / "d.jsonl"
    record(path, make_answer("k"))
    store = CassetteStore(path, write=False)
    assert store.get("k") == make_answer("k")
    with pytest.raises(StoreError, match="is only replayed"):
        store.put(make_answer("l"))
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.get("k")
    assert len(path.read_text().splitlines()) == 1


def test_a_file_that_cannot_be_replaced_keeps_the_journal(tmp_path, make_answer) -> None:
    """When the file cannot be written the answers stay in the journal and are merged later."""
    path = tmp_path / "d.jsonl"
    store = CassetteStore(path)
    store.put(make_answer("k"))
    path.mkdir()
    with pytest.raises(StoreError, match="could not be"):
        store.close()
    path.rmdir()
    CassetteStore(path).close()
    assert CassetteStore(path).get("k") == make_answer("k")


def test_a_folder_that_takes_no_journal(tmp_path, make_answer) -> None:
    """An answer that cannot be recorded is an error that names the folder."""
    (tmp_path / "file").write_text("")
    store = CassetteStore(tmp_path / "d.jsonl", journals=tmp_path / "file" / "x")
    with pytest.raises(StoreError, match=r"could not be recorded .*file/x"):
        store.put(make_answer("k"))
    store.close()


@given(
    text=st.text(),
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_any_answer_survives_its_line(text: str, data: object) -> None:
    """A line is one line, without characters that a review would not show, and reads back."""
    response = Response(text=text, data=data, latency_s=0.5)
    answer = StoredAnswer(key="k", case="a", model="m", response=response)
    line = write_line(answer, str)
    assert parse_line(line.text).answer == answer
    hidden = set("\n\r\x1b\x7f\x85\u200b\u202e\u2028\u2029\u2066\ufeff")
    assert hidden.isdisjoint(line.text)
