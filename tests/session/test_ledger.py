"""The ledger: whatever happens in whatever order, no trial is lost and no run is too complete."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pytest_evals.exchange import ErrorInfo
from pytest_evals.model import Model
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo, Run, RunStatus
from pytest_evals.session.ledger import Ledger

CASES = tuple("abcde")


def trial_id(case: str) -> str:
    """Return the node id of a case's trial."""
    return f"d.yaml::{case}[m]"


def result(case: str, outcome: Outcome = Outcome.PASSED) -> TrialResult:
    """Make a trial; one that is skipped was not run."""
    error = ErrorInfo(type="not_run", message="the budget is used up")
    return TrialResult(
        id=trial_id(case), dataset="d", case_id=case, model_id="m", sample=0, outcome=outcome,
        started_at=0.0, error=error if outcome is Outcome.SKIPPED else None,
    )  # fmt: skip


def info(selected: int, planned: int = len(CASES)) -> DatasetInfo:
    """Make what a run stores of its dataset."""
    models = (Model(id="m", provider="script"),)
    return DatasetInfo(
        name="d", path="d.yaml", digest="0" * 16, models=models, cases=len(CASES),
        planned=planned, selected=selected,
    )  # fmt: skip


def opened(cases: tuple[str, ...] = CASES) -> Ledger:
    """Return a ledger that expects the trials of some cases."""
    ledger = Ledger()
    ledger.open(Run(id="r", started_at=0.0))
    ledger.expect((info(len(cases)),), [trial_id(case) for case in cases])
    return ledger


class Books(RuleBasedStateMachine):
    """Records, duplicates and crashes in any order, beside a plain model of them."""

    @initialize(cases=st.sets(st.sampled_from(CASES), min_size=1))
    def begin(self, cases: set[str]) -> None:
        """Select some of the cases."""
        self.selected = sorted(cases)
        self.ledger = opened(tuple(self.selected))
        self.outcomes: list[tuple[str, Outcome]] = []
        self.crashed: set[str] = set()

    @rule(case=st.sampled_from(CASES), outcome=st.sampled_from(Outcome))
    def record(self, case: str, outcome: Outcome) -> None:
        """Record a trial, possibly again, possibly one that was not planned."""
        self.ledger.record(result(case, outcome))
        self.outcomes.append((case, outcome))

    @rule(case=st.sampled_from(CASES))
    def crash(self, case: str) -> None:
        """Lose the process that runs a trial."""
        self.ledger.crash(trial_id(case))
        self.crashed.add(case)

    @rule(exit_status=st.sampled_from([0, 1, 2]))
    def seal(self, exit_status: int) -> None:
        """Seal, and go on: the run says the same when it is sealed again."""
        first = self.ledger.seal(ended_at=1.0, exit_status=exit_status, notes=("n",))
        assert first == self.ledger.seal(ended_at=1.0, exit_status=exit_status, notes=("n",))
        assert len(self.outcomes) == first.counts.total
        assert self.ledger.status is first.status

    @invariant()
    def every_planned_trial_is_recorded_or_missing(self) -> None:
        """Nothing is both, nothing is neither."""
        recorded = {case for case, _ in self.outcomes}
        expected = [trial_id(case) for case in self.selected if case not in recorded]
        assert expected == self.ledger.missing

    @invariant()
    def no_run_is_more_complete_than_its_trials(self) -> None:
        """Complete means: all planned, all recorded, all run, nothing crashed."""
        not_run = any(outcome is Outcome.SKIPPED for _, outcome in self.outcomes)
        whole = not self.ledger.missing and not not_run and not self.crashed
        narrowed = len(self.selected) < len(CASES)
        status = self.ledger.status
        assert (status is RunStatus.COMPLETE) == (whole and not narrowed)
        assert (status is RunStatus.NARROWED) == (whole and narrowed)

    @invariant()
    def a_session_that_lost_a_trial_fails(self) -> None:
        """Unless it was stopped, a trial without a record is a problem; one not run always is."""
        recorded = {case for case, _ in self.outcomes}
        lost = set(self.selected) - recorded - self.crashed
        not_run = any(outcome is Outcome.SKIPPED for _, outcome in self.outcomes)
        assert bool(lost) + not_run == len(list(self.ledger.problems(stopped=False)))
        assert not_run == len(list(self.ledger.problems(stopped=True)))


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_workers_tell_what_is_planned():
    """Of all collected tests, those of the planned datasets are trials."""
    ledger = Ledger()
    ledger.open(Run(id="r", started_at=0.0))
    function = "test_a.py::test_b"
    ids = ["d.yaml::a[m]", "other.py::test_a[m]", f"{function}[a-m]", "test_a.py::test_c"]
    ledger.expect_collected(ids)
    ledger.expect_infos((info(1), info(1).model_copy(update={"path": function, "name": "f"})))
    assert ["d.yaml::a[m]", f"{function}[a-m]"] == ledger.planned
    ledger.expect_infos((info(5),))
    assert 2 == len(ledger.infos), "the first worker decides"


def test_problems_name_the_first_trials():
    """Five names are enough."""
    ledger = opened()
    ledger.planned = [trial_id(str(i)) for i in range(7)]
    (problem,) = ledger.problems(stopped=False)
    assert problem.startswith("7 of 7 trials have no record, so this session fails: d.yaml::0[m]")
    assert problem.endswith(" ...")
