"""What goes wrong with the store's file is said in words: what, where, what to do."""

import re
import resource
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pytest_evals.ground import database
from pytest_evals.ground.errors import StoreError
from pytest_evals.run_record import RunStatus
from pytest_evals.storage.sqlite import SqliteRunStore


def test_no_store_yet(tmp_path: Path) -> None:
    """Reading never makes a file."""
    path = tmp_path / ".evals" / "evals.sqlite"
    with pytest.raises(StoreError, match=f"there is no store at {re.escape(str(path))}"):
        SqliteRunStore(path, write=False)
    assert not path.parent.exists()


def test_not_a_database(tmp_path: Path) -> None:
    """A file that is something else is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes\n" * 100)
    with pytest.raises(StoreError, match=r"it is not a SQLite database .* Nothing was deleted"):
        SqliteRunStore(path)
    assert path.read_text() == "these are my notes\n" * 100


def test_a_database_of_another_program(tmp_path: Path) -> None:
    """Another program's database is not written to."""
    path = tmp_path / "app.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE users (name)")
    db.commit()
    db.close()
    before = path.read_bytes()
    for write in (True, False):
        with pytest.raises(StoreError, match="is a SQLite database of another program"):
            SqliteRunStore(path, write=write)
    assert before == path.read_bytes()


def test_a_newer_schema(tmp_path: Path) -> None:
    """A store of a newer version is refused with what to do."""
    path = tmp_path / "evals.sqlite"
    SqliteRunStore(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.commit()
    db.close()
    with pytest.raises(StoreError, match=r"newer pytest-evals-matrix \(schema 99.*upgrade"):
        SqliteRunStore(path)


def test_an_older_schema_is_brought_up(tmp_path, monkeypatch, make_run) -> None:
    """The migrations that are missing are applied, and what was stored stays."""
    path = tmp_path / "evals.sqlite"
    store = SqliteRunStore(path)
    store.begin(make_run("r"))
    store.close()
    step = ("CREATE TABLE later (x)",)
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, step))
    again = SqliteRunStore(path)
    assert [run.id for run in again.runs()] == ["r"]
    again.close()
    db = sqlite3.connect(path)
    assert len(database.MIGRATIONS) == db.execute("PRAGMA user_version").fetchone()[0]
    assert db.execute("SELECT * FROM later").fetchall() == []
    db.close()


def test_a_broken_migration_changes_nothing(tmp_path, monkeypatch) -> None:
    """A migration is applied as a whole or not at all."""
    path = tmp_path / "evals.sqlite"
    SqliteRunStore(path).close()
    older = len(database.MIGRATIONS)
    step = ("CREATE TABLE later (x)", "CREATE NONSENSE")
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, step))
        with pytest.raises(StoreError, match="could not be opened"):
            SqliteRunStore(path)
    db = sqlite3.connect(path)
    assert older == db.execute("PRAGMA user_version").fetchone()[0]
    assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'later'").fetchall()
    db.close()


def test_a_corrupt_file_is_never_deleted(tmp_path, make_run, make_result) -> None:
    """A damaged file is named, with what may save it, and stays byte for byte."""
    path = tmp_path / "evals.sqlite"
    store = SqliteRunStore(path)
    store.begin(make_run("r"))
    for i in range(200):
        result = make_result(f"case-{i}", output="x" * 500)
        store.append("r", result.model_dump_json(), result)
    store.close()
    whole = bytearray(path.read_bytes())
    for at in range(4096, len(whole), 4096):
        whole[at : at + 64] = b"\xff" * 64
    path.write_bytes(whole)
    store = SqliteRunStore(path)
    with pytest.raises(StoreError, match=r"damaged .*Nothing was deleted. Move it away"):
        list(store.results("r"))
    store.close()
    assert bytes(whole) == path.read_bytes()


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    """A folder is named as such."""
    with pytest.raises(StoreError, match="is a folder; the store is one file"):
        SqliteRunStore(tmp_path)


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    """A path through a file is explained."""
    (tmp_path / "x").write_text("")
    with pytest.raises(StoreError, match=r"could not be opened: .*--evals-store"):
        SqliteRunStore(tmp_path / "x" / "evals.sqlite")


def test_a_locked_file(tmp_path, make_run) -> None:
    """Waiting for another process's lock ends, and says so."""
    path = tmp_path / "evals.sqlite"
    store = SqliteRunStore(path, timeout_s=0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(
        StoreError, match=r"locked by another process for 0.1 s; wait for it or end it"
    ):
        store.begin(make_run("r"))
    other.execute("ROLLBACK")
    store.begin(make_run("r"))
    assert [run.id for run in store.runs()] == ["r"]
    other.close()
    store.close()


def test_opening_waits_for_another_process(tmp_path: Path) -> None:
    """A file that is locked when it is opened is waited for, but not for ever."""
    path = tmp_path / "evals.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked"):
        SqliteRunStore(path, timeout_s=0.1)
    other.close()


def test_a_full_disk_keeps_what_was_stored(tmp_path, make_run, make_result) -> None:
    """When the disk is full the trial is refused, what was kept stays, and later ones go on."""
    path = tmp_path / "evals.sqlite"
    store = SqliteRunStore(path)
    store.begin(make_run("r"))
    first = make_result("a")
    store.append("r", first.model_dump_json(), first)
    db = store._database._connection
    assert db is not None
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 1}")
    large = make_result("b", output="x" * 100_000)
    with pytest.raises(StoreError, match="the disk is full; free some space"):
        store.append("r", large.model_dump_json(), large)
    db.execute("PRAGMA max_page_count = 1000000")
    store.append("r", large.model_dump_json(), large)
    assert [first, large] == list(store.results("r"))
    store.close()


def test_a_file_size_limit_keeps_what_was_stored(tmp_path: Path) -> None:
    """A real refusal by the system, in a process with a limit on the size of files."""
    path = tmp_path / "evals.sqlite"
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from pytest_evals.ground.errors import StoreError
        from pytest_evals.result import Outcome, TrialResult
        from pytest_evals.run_record import Run
        from pytest_evals.storage.sqlite import SqliteRunStore

        store = SqliteRunStore(Path(sys.argv[1]))
        store.begin(Run(id="r", started_at=1.0))
        kept = 0
        try:
            for i in range(1000):
                result = TrialResult(id=f"d::{i}", dataset="d", case_id=f"{i}", model_id="m",
                                     sample=0, outcome=Outcome.PASSED, output="x" * 5000)
                store.append("r", result.model_dump_json(), result)
                kept += 1
        except StoreError as error:
            print(kept, error)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )
    kept, _, message = done.stdout.partition(" ")
    assert f"{path} could not be written: the system refused (SQLITE_IOERR_WRITE)" in message
    store = SqliteRunStore(path, write=False)
    assert int(kept) == len(list(store.results("r"))) > 10
    store.close()


def unprivileged(code: str, *values: object) -> subprocess.CompletedProcess[str]:
    """Run code, after its imports, as a user whom file permissions bind (root is not bound)."""
    code = textwrap.dedent(code).replace(
        "# unprivileged",
        "import os\nif os.geteuid() == 0: os.setresuid(65534, 65534, 65534)",
    )
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, values)], capture_output=True, text=True, check=False
    )


def test_a_folder_that_may_not_be_written(tmp_path_factory, make_run, make_result) -> None:
    """It can be read; writing is refused with what to do."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp())  # tmp_path is closed to other users
    try:
        path = folder / "evals.sqlite"
        store = SqliteRunStore(path)
        store.begin(make_run("r"))
        result = make_result("a")
        store.append("r", result.model_dump_json(), result)
        store.seal(make_run("r", status=RunStatus.COMPLETE))
        store.close()
        path.chmod(0o444)
        folder.chmod(0o555)
        code = """
            import sys
            from pathlib import Path
            from pytest_evals.ground.errors import StoreError
            from pytest_evals.run_record import Run
            from pytest_evals.storage.sqlite import SqliteRunStore
            # unprivileged
            store = SqliteRunStore(Path(sys.argv[1]), write=False)
            print([run.id for run in store.runs()], len(list(store.results("r"))))
            path, run = Path(sys.argv[1]), Run(id="s", started_at=1.0)
            for attempt in (lambda: store.begin(run),
                            lambda: SqliteRunStore(path).begin(run),
                            lambda: SqliteRunStore(path.parent / "new" / "x.sqlite")):
                try:
                    attempt()
                except StoreError as error:
                    print(error)
        """
        done = unprivileged(code, path)
        assert done.stderr == ""
        read, *refused = done.stdout.splitlines()
        assert read == "['r'] 1"
        assert len(refused) == 3
        assert all("--evals-store" in line for line in refused), refused
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_record_of_another_version(tmp_path, make_run) -> None:
    """A run whose record cannot be read is named."""
    path = tmp_path / "evals.sqlite"
    store = SqliteRunStore(path)
    store.begin(make_run("r"))
    store.close()
    db = sqlite3.connect(path)
    db.execute("""UPDATE runs SET record = '{"id": "r"}'""")
    db.commit()
    db.close()
    store = SqliteRunStore(path)
    with pytest.raises(StoreError, match=r"run r in .* cannot be read: Field required; was it"):
        store.run("r")
    store.close()
