"""`pytest-evals prune`: old runs go, but none that a baseline names, and nothing silently."""

import json
import sqlite3

import pytest

from pytest_evals.run_record import RunStatus
from pytest_evals.storage.base import HumanScore
from pytest_evals.storage.sqlite import SqliteRunStore
from tests.cli._stored_project import pytest_evals


@pytest.fixture
def store(own_project, evals_cli, monkeypatch):
    """A project's store with three runs; the first one's samples are in the baselines."""
    monkeypatch.chdir(own_project)
    pytest_evals(own_project)
    return own_project / ".evals" / "evals.sqlite"


def ids(path):
    """Return the ids of the runs, the oldest first."""
    opened = SqliteRunStore(path, write=False)
    try:
        return [run.id for run in reversed(opened.runs())]
    finally:
        opened.close()


def counts(path):
    """Return how many rows each table has."""
    db = sqlite3.connect(path)
    try:
        return {
            name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("runs", "run_datasets", "trials", "scores", "labels", "responses")
        }
    finally:
        db.close()


@pytest.fixture
def live_alone(own_project):
    """Leave one baseline: of live answers, whose samples no two runs share."""
    for name in ("support", "plain"):
        (own_project / "baselines" / f"{name}.jsonl").unlink()


@pytest.mark.usefixtures("live_alone")
def test_what_a_baseline_names_stays(store, evals_cli):
    """Of three runs the first stays, whose samples are in git; the second goes whole."""
    first, second, third = ids(store)
    status, out, _ = evals_cli("prune", "--keep", "1")
    assert status == 0
    assert f"{first} stays: baselines/live.jsonl holds samples of it" in out
    assert out.splitlines()[-1] == "1 run to remove; --yes removes them"
    assert ids(store) == [first, second, third]
    before = counts(store)
    status, out, _ = evals_cli("prune", "--keep", "1", "--yes")
    assert status == 0
    assert out.splitlines()[-1].startswith("1 run removed, ")
    assert ids(store) == [first, third]
    after = counts(store)
    assert after["runs"] == 2
    assert after["run_datasets"] == 6
    assert (after["trials"], after["scores"]) < (before["trials"], before["scores"])
    assert after["responses"] == before["responses"]
    assert evals_cli("show", "latest")[0] == 0


def test_of_equal_recorded_answers_the_newest_run_stays(store, evals_cli, own_project):
    """A baseline of recorded answers names every run of them: one is enough."""
    (own_project / "baselines" / "live.jsonl").unlink()
    (own_project / "baselines" / "support.jsonl").unlink()
    _, out, _ = evals_cli("prune", "--keep", "0", "--json")
    told = json.loads(out)
    first, second, third = ids(store)
    assert told["runs"] == [second, first]
    assert told["kept"] == [{"run": third, "reason": "baselines/plain.jsonl holds samples of it"}]
    assert not told["removed"]


@pytest.mark.usefixtures("live_alone")
def test_what_people_have_scored_stays(store, evals_cli):
    """Unless --labelled says that their scores may go too."""
    _, second, _ = ids(store)
    opened = SqliteRunStore(store)
    trial = next(opened.rows(second)).trial
    opened.label(second, trial, HumanScore(rater="ann", name="good", label="pass", at=1.0))
    opened.close()
    _, out, _ = evals_cli("prune", "--keep", "1", "--yes")
    assert f"{second} stays: people have scored it" in out
    assert second in ids(store)
    evals_cli("prune", "--keep", "1", "--yes", "--labelled")
    assert second not in ids(store)
    assert counts(store)["labels"] == 0


@pytest.mark.usefixtures("live_alone")
def test_a_run_that_goes_on_stays(store, evals_cli):
    """A run whose process lives is never old."""
    opened = SqliteRunStore(store)
    try:
        going = opened.runs()[0].model_copy(
            update={"id": "20000101-000000-0000", "status": RunStatus.RUNNING}
        )
        opened.begin(going)
        evals_cli("prune", "--keep", "0", "--yes")
        assert going.id in ids(store)
    finally:
        opened.close()


@pytest.mark.usefixtures("live_alone")
def test_records_that_cannot_be_read_are_named(store, evals_cli):
    """A run with such a trial stays and fails the command; the others go all the same."""
    first, second, _ = ids(store)
    db = sqlite3.connect(store)
    db.execute(
        "UPDATE trials SET record = '{' WHERE seq = (SELECT min(seq) FROM trials WHERE run = "
        "(SELECT seq FROM runs WHERE id = ?))",
        (second,),
    )
    db.commit()
    db.close()
    status, out, _ = evals_cli("prune", "--keep", "0", "--yes")
    assert status == 1
    assert f"{second} stays: it cannot be read: trial " in out
    assert ids(store) == [first, second]


def test_a_baseline_that_cannot_be_read_stops_it(store, evals_cli, own_project):
    """Nobody knows what it names, so nothing goes."""
    path = own_project / "baselines" / "live.jsonl"
    path.write_text(path.read_text()[:-30])
    before = ids(store)
    status, _, err = evals_cli("prune", "--keep", "0", "--yes")
    assert (status, ids(store)) == (1, before)
    assert "the baseline is truncated" in err


@pytest.mark.usefixtures("live_alone")
@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (["--keep", "0"], 2),
        (["--keep", "2"], 0),
        (["--older-than", "1h"], 0),
        (["--older-than", "2999-01-01"], 2),
        (["--keep", "0", "--status", "narrowed"], 0),
        (["--keep", "0", "--dataset", "plain"], 2),
        (["--keep", "1", "--older-than", "2999-01-01"], 1),
    ],
)
def test_which_are_old(store, evals_cli, words, gone):
    """By number, by age, of a dataset, of a status; all of them together."""
    _, out, _ = evals_cli("prune", *words, "--json")
    assert len(json.loads(out)["runs"]) == gone
    assert len(ids(store)) == 3


def test_what_is_not_right(evals_cli):
    """It must be said which runs; a dataset that nobody ran is an error with a suggestion."""
    status, _, err = evals_cli("prune")
    assert (status, "name the runs: --keep N" in err) == (4, True)
    status, _, err = evals_cli("prune", "--keep", "1", "--dataset", "suport")
    assert (status, "Did you mean 'support'?" in err) == (1, True)
