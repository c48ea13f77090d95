"""DerivedRun and the merging of shards: recorded, evaluated and sealed like every run."""

import pytest

from pytest_evals.ground.errors import StoreError
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo, Run, RunStatus
from pytest_evals.session.derived_run import DerivedRun
from pytest_evals.session.merging import check_shards, merge_shards, new_merged_run, read_shard
from pytest_evals.storage.sqlite import SqliteRunStore

GATES = ("pass@1 >= 0.5",)


def trial(case, outcome=Outcome.PASSED, *, tolerated=False):
    """Make a trial."""
    return TrialResult(
        id=f"d.yaml::{case}[m]",
        dataset="d",
        case_id=case,
        model_id="m",
        sample=0,
        outcome=outcome,
        score=float(outcome is Outcome.PASSED),
        tolerated=tolerated,
    )


def info(planned, *, gates=GATES):
    """Make a dataset's record."""
    return DatasetInfo(
        name="d", path="d.yaml", digest="x", planned=planned, selected=planned, gates=gates
    )


@pytest.fixture
def store(tmp_path):
    """Open a store."""
    opened = SqliteRunStore(tmp_path / "evals.sqlite")
    yield opened
    opened.close()


def sealed(store, results, planned, *, gates=GATES):
    """Record and seal a run."""
    run = Run(id="derived", started_at=1.0, datasets=(info(planned, gates=gates),))
    with DerivedRun(store, run) as derived:
        for result in results:
            derived.record(result)
        return derived.seal(derived.evaluate({}), ended_at=2.0)


def test_the_gates_decide(store):
    """One of two trials fails; the gate requires half."""
    run = sealed(store, [trial("a"), trial("b", Outcome.FAILED, tolerated=True)], 2)
    assert (RunStatus.COMPLETE, 0) == (run.status, run.exit_status)
    assert ["passed"] == [gate["verdict"] for gate in run.gates]
    assert run == store.run("derived")


def test_a_failed_trial_that_no_gate_covers_decides_too(store):
    """Its record does not have the mark of a tolerated one."""
    run = sealed(store, [trial("a"), trial("b", Outcome.FAILED)], 2)
    assert (1, "reject") == (run.exit_status, run.decision["decision"])


def test_without_gates_every_trial_decides(store):
    """A failed trial fails the run."""
    run = sealed(store, [trial("a"), trial("b", Outcome.FAILED)], 2, gates=())
    assert (RunStatus.COMPLETE, 1, None) == (run.status, run.exit_status, run.decision)


def test_a_missing_trial_interrupts(store):
    """Whatever the recorded trials say, the run fails."""
    run = sealed(store, [trial("a")], 2)
    assert (RunStatus.INTERRUPTED, 1) == (run.status, run.exit_status)


def test_an_exception_leaves_nothing(store):
    """The run is removed from the store."""

    def fail(text):
        raise ZeroDivisionError

    run = Run(id="derived", started_at=1.0, datasets=(info(1),))
    with pytest.raises(ZeroDivisionError), DerivedRun(store, run, redact=fail) as derived:
        derived.record(trial("a"))
    assert [] == store.runs()


def shard(store, number, results, *, digest="x", parts=2):
    """Store the run of a shard; return its id."""
    dataset = info(2).model_copy(update={"selected": len(results), "digest": digest})
    run = Run(
        id=f"shard-{number}-{digest}",
        started_at=float(number),
        datasets=(dataset,),
        options={"shard": f"{number}/{parts}"},
    )
    store.begin(run)
    for result in results:
        store.append(run.id, result.model_dump_json(exclude_defaults=True), result)
    store.seal(run.model_copy(update={"status": RunStatus.COMPLETE, "ended_at": number + 1.0}))
    return read_shard(store, run.id, f"source {number}")


def test_shards_are_merged(store):
    """The union is complete, and begins with the first shard."""
    shards = [shard(store, 1, [trial("a")]), shard(store, 2, [trial("b")])]
    check_shards(shards)
    run = merge_shards(shards, store, new_merged_run(shards), {})
    assert (RunStatus.COMPLETE, 0, 1.0, 3.0) == (
        run.status, run.exit_status, run.started_at, run.ended_at
    )  # fmt: skip
    assert ["shard-1-x", "shard-2-x"] == run.options["merged"]
    assert {"a", "b"} == {result.case_id for result in store.results(run.id)}


def test_shards_of_other_runs_are_errors(store):
    """A missing, a duplicate and a different one; a trial in two of them."""
    first, second = shard(store, 1, [trial("a")]), shard(store, 2, [trial("a")])
    with pytest.raises(StoreError, match="shard 2/2 missing"):
        check_shards([first])
    with pytest.raises(StoreError, match="duplicate shard 2/2: source 2, source 2"):
        check_shards([first, second, second])
    with pytest.raises(StoreError, match="are not of one run: dataset 'd' differs"):
        check_shards([first, shard(store, 2, [trial("b")], digest="y")])
    with pytest.raises(StoreError, match="is in shard 1/2 and in shard 2/2"):
        merge_shards([first, second], store, new_merged_run([first, second]), {})


def test_a_run_that_is_no_shard_is_an_error(store):
    """It has no `--evals-shard`."""
    sealed(store, [trial("a")], 1)
    with pytest.raises(StoreError, match="source: run derived is no shard"):
        read_shard(store, "derived", "source")
