"""Database: queries and transactions on the SQLite file that the stores share."""

import threading

import pytest

from pytest_evals.ground.database import Database
from pytest_evals.ground.errors import StoreError

INSERT = "INSERT INTO runs (id, status, started_at, record) VALUES (?, 'running', 0, '{}')"
COUNT = "SELECT count(*) FROM runs"


@pytest.fixture
def database(tmp_path):
    """An open database."""
    opened = Database(tmp_path / "evals.sqlite", "the run store")
    yield opened
    opened.close()


def test_a_transaction_is_committed_and_returns_its_value(database, tmp_path):
    """Another connection sees it at once."""
    assert database.write(lambda db: db.execute(INSERT, ("a",)).lastrowid) == 1
    other = Database(tmp_path / "evals.sqlite", "the run store", write=False)
    assert [(1,)] == other.read(COUNT)
    other.close()


@pytest.mark.parametrize("fault", [KeyError("mine"), KeyboardInterrupt()])
def test_a_transaction_that_raises_is_undone(database, fault):
    """The exception is raised as it is, and the next transaction works."""

    def change(db):
        db.execute(INSERT, ("a",))
        raise fault

    with pytest.raises(type(fault)):
        database.write(change)
    assert [(0,)] == database.read(COUNT)
    database.write(lambda db: db.execute(INSERT, ("a",)))
    assert [(1,)] == database.read(COUNT)


def test_an_error_of_sqlite_is_a_store_error_with_its_cause(database):
    """The transaction is undone too."""
    with pytest.raises(StoreError, match="could not be written") as caught:
        database.write(lambda db: [db.execute(INSERT, ("a",)), db.execute("DELETE FROM nowhere")])
    assert "no such table: nowhere" == str(caught.value.__cause__)
    with pytest.raises(StoreError, match="could not be read"):
        database.read("SELECT * FROM nowhere")
    assert [(0,)] == database.read(COUNT)


def test_threads_take_turns(database):
    """Transactions of several threads do not mix."""

    def insert(first):
        for i in range(20):
            database.write(lambda db, i=i: db.execute(INSERT, (f"{first}-{i}",)))

    threads = [threading.Thread(target=insert, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(80,)] == database.read(COUNT)


def test_a_closed_database_says_so(database):
    """With the name of its store; closing twice is allowed."""
    database.close()
    database.close()
    with pytest.raises(StoreError, match=r"the run store .*evals\.sqlite is closed"):
        database.read(COUNT)
    with pytest.raises(StoreError, match="is closed"):
        database.write(lambda db: db.execute(INSERT, ("a",)))
