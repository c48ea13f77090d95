"""The plan of a trial: which step comes next, when it ends, and with which outcome."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.engine.trial_plan import CallStep, ScoreStep, TrialPlan, trial_outcome
from pytest_evals.exchange import Exchange, Response
from pytest_evals.message import Message
from pytest_evals.result import Outcome
from pytest_evals.score import Score, ScoreError
from tests.engine._fakes import exchange_of, request_of, trial_of

NEVER_SCORED = ("not_run", "stale", "internal", "template", "script_mismatch")
ERRORS = st.sampled_from(("timeout", "provider", "deadline", "content_filtered", *NEVER_SCORED))


@dataclass(frozen=True)
class FakeBound:
    """A scorer as the plan sees it."""

    name: str = "s"
    cheap: bool = True
    scores_errors: bool = False
    max_revisions: int = 0

    @property
    def scorer(self):
        """A scorer that wants a better answer whenever it failed."""
        limit = self.max_revisions
        return SimpleNamespace(
            revision=lambda score: None if score.passed else Message(role="user", content="again"),
            revisions=lambda dataset: limit,
        )


def score(*, passed: bool | None = True, advisory: bool = False) -> Score:
    """Make a score."""
    return Score(name="s", type="s", version="1", passed=passed, advisory=advisory)


def failed_score(*, advisory: bool = False) -> ScoreError:
    """Make the score of a scorer that broke."""
    return ScoreError(name="s", type="s", version="1", message="broke", advisory=advisory)


bounds_lists = st.lists(
    st.builds(
        FakeBound,
        cheap=st.booleans(),
        scores_errors=st.booleans(),
        max_revisions=st.integers(0, 3),
    ),
    max_size=3,
)
verdicts = st.lists(st.booleans(), min_size=12, max_size=12)


@given(
    turns=st.integers(1, 4),
    bounds=bounds_lists,
    error_at=st.one_of(st.none(), st.integers(0, 6)),
    error=ERRORS,
    passed=verdicts,
    can_revise=st.booleans(),
)
def test_laws_of_the_plan(turns, bounds, error_at, error, passed, can_revise):
    """Turns in order, an error ends the calls, no score without an answer, revisions bounded."""
    texts = tuple(f"turn {n}" for n in range(turns))
    plan = TrialPlan(trial_of(input=None, turns=texts), tuple(bounds), can_revise=can_revise)
    passed = iter(passed)
    steps = calls = scorings = 0
    failed = False
    while (step := plan.step) is not None:
        steps += 1
        assert steps < 20, "the plan does not end"
        if isinstance(step, CallStep):
            assert not failed, "a call after an error"
            request = step.request
            assert request.turn == calls
            if calls < turns:
                assert scorings == 0, "scored before the last turn"
                assert request.messages[-1].text == texts[calls]
            else:
                assert request.messages[-1].text == "again"
                assert can_revise
            # Each thread begins with the one before it.
            assert sum(m.role == "user" for m in request.messages) == calls + 1
            calls += 1
            failed = len(plan.exchanges) == error_at
            plan.record_exchange(exchange_of(request, None if failed else "yes", error))
        else:
            scorings += 1
            assert step.exchanges == plan.exchanges
            if failed:
                assert plan.exchanges[-1].error.type not in NEVER_SCORED
                assert all(bound.scores_errors for bound in step.bounds)
                assert step.bounds
            else:
                assert step.bounds == tuple(bounds)
                assert calls >= turns
            plan.record_scores(tuple(score(passed=next(passed)) for _ in step.bounds))
    assert len(plan.exchanges) == calls
    assert plan.revisions == max(0, calls - turns)
    assert (plan.first is None) == (plan.revisions == 0)
    assert plan.revisions <= max([b.max_revisions for b in bounds if not b.cheap], default=0)
    outcome, error = plan.outcome()
    if failed and not plan.scores:
        assert outcome is (Outcome.SKIPPED if error.type == "not_run" else Outcome.ERRORED)
        assert error == plan.exchanges[-1].error
    elif failed and plan.exchanges[-1].error.type == "not_run":
        assert outcome is Outcome.SKIPPED
    elif plan.scores:
        assert outcome is (Outcome.PASSED if all(s.passed for s in plan.scores) else Outcome.FAILED)
    else:
        assert (outcome, error.type) == (Outcome.ERRORED, "internal")


def step_to_the_end(plan, *, reply="yes", passed=True):
    """Carry out a plan with equal replies and scores."""
    while (step := plan.step) is not None:
        if isinstance(step, CallStep):
            plan.record_exchange(exchange_of(step.request, reply))
        else:
            plan.record_scores(tuple(score(passed=passed) for _ in step.bounds))
    return plan


def test_a_prompt_that_does_not_render_ends_the_trial():
    """No call is made, and no scorer runs, even one that scores errors."""
    from tests.engine._fakes import dataset_of, trials_of

    dataset = dataset_of({}, prompt={"messages": [{"role": "user", "content": "{{ x.y }}"}]})
    plan = TrialPlan(trials_of(dataset)[0], (FakeBound(scores_errors=True),), can_revise=True)
    assert plan.step is None
    outcome, error = plan.outcome()
    assert (outcome, error.type) == (Outcome.ERRORED, "template")


def test_a_late_call_ends_the_trial():
    """The deadline is an error like any other: no further call, and it is reported."""
    plan = TrialPlan(trial_of(input=None, turns=("a", "b")), (FakeBound(),), can_revise=True)
    plan.record_exchange(exchange_of(plan.step.request, None, "deadline"))
    assert plan.step is None
    assert plan.outcome()[1].type == "deadline"
    assert len(plan.exchanges) == 1


def test_a_revised_trial_keeps_its_first_outcome():
    """The first try failed, the revision passed; the answer sent back is not counted."""
    plan = TrialPlan(trial_of(), (FakeBound(cheap=False, max_revisions=2),), can_revise=True)
    plan.record_exchange(exchange_of(plan.step.request, "bad"))
    plan.record_scores((score(passed=False),))
    assert plan.step.request.messages[-2:] == (
        Message(role="assistant", content="bad"),
        Message(role="user", content="again"),
    )
    plan.record_exchange(exchange_of(plan.step.request, "good"))
    plan.record_scores((score(passed=True),))
    assert plan.step is None
    assert (plan.first.outcome, plan.outcome()[0], plan.revisions) == (
        Outcome.FAILED,
        Outcome.PASSED,
        1,
    )


def test_the_first_try_is_the_one_before_all_revisions():
    """A second revision does not replace it."""
    plan = TrialPlan(trial_of(), (FakeBound(cheap=False, max_revisions=2),), can_revise=True)
    for passed in (None, False, False):
        plan.record_exchange(exchange_of(plan.step.request, "x"))
        plan.record_scores((score(passed=passed),))
    assert plan.step is None
    assert plan.first.scores == (score(passed=None),)
    assert plan.revisions == 2


def test_cheap_scorers_and_replays_never_revise():
    """A judge is what sends answers back, and a replay has no other answers."""
    for bound, can_revise in (
        (FakeBound(cheap=True, max_revisions=2), True),
        (FakeBound(cheap=False, max_revisions=2), False),
    ):
        plan = TrialPlan(trial_of(), (bound,), can_revise=can_revise)
        assert step_to_the_end(plan, passed=False).revisions == 0


def test_steps_are_recorded_in_their_order():
    """A score for a call, or a call for a score, is a bug of the shell."""
    plan = TrialPlan(trial_of(), (FakeBound(),), can_revise=False)
    with pytest.raises(AssertionError):
        plan.record_scores(())
    plan.record_exchange(exchange_of(plan.step.request, "x"))
    assert isinstance(plan.step, ScoreStep)
    with pytest.raises(AssertionError):
        plan.record_exchange(exchange_of(request_of(), "x"))


OK = exchange_of(request_of(), "yes")


@pytest.mark.parametrize(
    ("scores", "outcome"),
    [
        ((score(passed=True), score(passed=True)), Outcome.PASSED),
        ((score(passed=True), score(passed=False)), Outcome.FAILED),
        ((score(passed=True), score(passed=None)), Outcome.PASSED),
        ((score(passed=True), score(passed=False, advisory=True)), Outcome.PASSED),
        ((score(passed=False), failed_score()), Outcome.ERRORED),
        ((score(passed=True), failed_score(advisory=True)), Outcome.PASSED),
        ((score(passed=None),), Outcome.ERRORED),
        ((), Outcome.ERRORED),
    ],
)
def test_outcomes_of_scores(scores, outcome):
    """A broken scorer is an error, never a failure; advisory scores count for nothing."""
    assert trial_outcome((OK,), scores)[0] is outcome


def test_a_test_function_may_be_the_only_verdict():
    """Then no scorer has to give one."""
    assert trial_outcome((OK,), (), has_other_verdict=True) == (Outcome.PASSED, None)
    plan = TrialPlan(replace(trial_of(), function_digest="f"), (), can_revise=False)
    assert step_to_the_end(plan).outcome() == (Outcome.PASSED, None)


def test_an_unused_script_is_an_error_even_if_all_scores_pass():
    """The recording does not fit the case."""
    response = Response(text="yes", faults=("2 events were not used",))
    exchange = Exchange(request=request_of(), response=response)
    outcome, error = trial_outcome((exchange,), (score(passed=True),))
    assert (outcome, error.type) == (Outcome.ERRORED, "script_unused")


def test_a_trial_that_did_not_run_is_skipped_whatever_its_scores():
    """`not_run` comes from the budget, the breaker or the session's time."""
    exchange = exchange_of(request_of(), None, "not_run")
    assert trial_outcome((exchange,), (score(passed=True),))[0] is Outcome.SKIPPED
