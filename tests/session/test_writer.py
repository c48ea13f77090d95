"""The writer: trials reach the store soon, in order, and a store that fails is told of."""

from time import monotonic, sleep

import pytest

from pytest_evals.ground.errors import StoreError
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import Run
from pytest_evals.session.writer import TrialWriter
from pytest_evals.storage.memory import MemoryRunStore


def result(i):
    """Make a trial."""
    return TrialResult(
        id=f"d.yaml::c{i}[m]", dataset="d", case_id=f"c{i}", model_id="m", sample=0,
        outcome=Outcome.PASSED, started_at=0.0,
    )  # fmt: skip


@pytest.fixture
def store():
    """Return a store in which a run has begun."""
    made = MemoryRunStore()
    made.begin(Run(id="r", started_at=0.0))
    return made


def test_trials_are_kept_without_being_asked_for(store):
    """Soon after they came, while the session goes on; in their order."""
    writer = TrialWriter(store, "r")
    for i in range(200):
        writer.add(result(i).model_dump_json(), result(i))
    until = monotonic() + 10
    while len(list(store.results("r"))) < 200 and monotonic() < until:
        sleep(0.005)
    assert [one.case_id for one in store.results("r")] == [f"c{i}" for i in range(200)]
    writer.close()


def test_all_are_kept_when_it_is_closed(store):
    """The last ones too; it can be closed twice, and without a trial."""
    writer = TrialWriter(store, "r")
    for i in range(50):
        writer.add(result(i).model_dump_json(), result(i))
    writer.close()
    writer.close()
    assert len(list(store.results("r"))) == 50
    TrialWriter(store, "r").close()


@pytest.mark.parametrize("error", [StoreError("the disk is full"), ValueError("odd")])
def test_a_store_that_fails_is_told_of_once(store, error, monkeypatch):
    """Whatever it raises; no trial waits for it."""

    def fail(run_id, trials):
        raise error

    monkeypatch.setattr(store, "append_all", fail)
    writer = TrialWriter(store, "r")
    writer.add("{}", result(0))
    with pytest.raises(StoreError, match=r"full|odd"):
        writer.close()
    writer.add("{}", result(1))
    writer.close()
    assert writer.error is error
