"""Running the scorers of a conversation, and the calls of its judges."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_evals.engine.scorers_digest import scorers_digest
from pytest_evals.engine.scoring import TrialScorer
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.exchange import Exchange, Response, Usage
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message
from pytest_evals.score import Score, ScoreError
from tests.engine._fakes import (
    BUILTIN,
    caller_with,
    clock,
    dataset_of,
    exchange_of,
    provider_class,
    request_of,
    route_to,
    run,
    trial_of,
)


@dataclass
class FakeBound:
    """A scorer made of a function of the context."""

    score: object
    cheap: bool = False
    name: str = "s"
    type: str = "s"
    version: str = "1"
    weight: float = 1.0

    def evaluate_now(self, ctx):
        """Score at once."""
        return self.score(ctx)

    async def evaluate(self, ctx, run_sync):
        """Score, possibly waiting."""
        score = self.score(ctx)
        return await score if asyncio.iscoroutine(score) else score


def passed(**fields):
    """Make a passing score."""
    return Score(name="s", type="s", version="1", passed=True, **fields)


def scorer_with(provider=None):
    """Make a scorer whose judges call one fake provider."""
    route = route_to(provider or provider_class("5"))
    return TrialScorer(caller_with(), lambda trial, judge: route, asyncio.to_thread, Path())


def score(bounds, exchanges=None, *, time=None, scorer=None, judges=None, **options):
    """Score a conversation."""
    exchanges = exchanges or (exchange_of(request_of(), "yes"),)
    coroutine = (scorer or scorer_with()).score(
        trial_of(),
        bounds,
        exchanges,
        time or clock(),
        [] if judges is None else judges,
        **options,
    )
    return run(coroutine)


def test_scorers_run_in_their_order():
    """Cheap ones at once, the others awaited."""
    order = []

    def record(name):
        def run_it(ctx):
            order.append(name)
            return passed(reason=name)

        return run_it

    bounds = [FakeBound(record(n), cheap=n != "b") for n in "abc"]
    assert [s.reason for s in score(bounds)] == ["a", "b", "c"] == order


def test_a_scorer_sees_the_whole_conversation():
    """Sums over the turns, the text of the last answer."""
    seen = []
    bound = FakeBound(lambda ctx: seen.append(ctx) or passed(), cheap=True)
    turns = tuple(
        Exchange(
            request=request_of(turn=n),
            response=Response(text=f"t{n}", latency_s=0.5, usage=Usage(input_tokens=2)),
            cost_usd=0.25,
        )
        for n in range(2)
    )
    score([bound], turns)
    (ctx,) = seen
    assert (ctx.answer, ctx.exchanges, ctx.latency_s, ctx.cost_usd) == ("t1", turns, 1.0, 0.5)
    assert (ctx.usage.input_tokens, ctx.case.id, ctx.model.id) == (4, "c0", "m")


def test_an_unknown_cost_makes_the_sum_unknown():
    """Never a sum of the known part."""
    seen = []
    bound = FakeBound(lambda ctx: seen.append(ctx) or passed(), cheap=True)
    known = Exchange(request=request_of(), response=Response(text="a"), cost_usd=0.25)
    score([bound], (known, exchange_of(request_of(), "b")))
    assert seen[0].cost_usd is None


def test_an_error_has_no_answer():
    """The text of an earlier turn is not the answer."""
    seen = []
    bound = FakeBound(lambda ctx: seen.append(ctx) or passed(), cheap=True)
    exchanges = (exchange_of(request_of(), "first"), exchange_of(request_of(turn=1), None))
    score([bound], exchanges)
    assert (seen[0].answer, seen[0].response, seen[0].error.type) == ("", None, "timeout")
    score([bound], exchanges[1:])
    assert (seen[1].cost_usd, seen[1].latency_s) == (None, None)


def test_a_slow_scorer_uses_up_the_trials_time():
    """Unless its test function counts it."""
    for counts in (True, False):
        time = clock()
        bound = FakeBound(lambda ctx: asyncio.sleep(0.05, passed()))
        score([bound], time=time, counts_time=counts)
        assert time.used_s >= 0.049 if counts else time.used_s == 0.0


def test_a_scorer_that_hangs_is_an_error_within_the_trials_time():
    """The other scorers still run, and it is cancelled."""
    ended = []

    async def hang(ctx):
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def scenario():
        bounds = [FakeBound(hang, name="slow"), FakeBound(lambda ctx: passed(), cheap=True)]
        scores = await scorer_with().score(
            trial_of(), bounds, (exchange_of(request_of(), "x"),), TrialClock(0.03), []
        )
        await asyncio.sleep(0)
        return scores, list(ended)

    (slow, other), ended_in_time = run(scenario())
    assert isinstance(slow, ScoreError)
    message = "the scorer did not end within the trial's 0.03 s (evals_trial_timeout)"
    assert (slow.name, slow.message) == ("slow", message)
    assert other.passed
    assert ended_in_time == [True]


def test_a_judges_call_is_an_exchange_with_its_role():
    """It is limited and counted like any other, and recorded with the trial."""
    provider, judges = provider_class("5"), []

    async def judge(ctx):
        messages = [Message(role="user", content="rate it")]
        exchange = await ctx.ask(messages, model="j", role="judge:j", params={"seed": 1}, sample=3)
        return passed(reason=exchange.response.text)

    (given,) = score([FakeBound(judge)], scorer=scorer_with(provider), judges=judges)
    assert given.reason == "5"
    assert [(e.role, e.request.sample, e.request.case_id) for e in judges] == [("judge:j", 3, "c0")]
    assert provider.calls[0].params == {"seed": 1}


def test_a_judge_without_an_answer_raises_and_is_recorded():
    """Its error is what the scorer sees."""
    judges, errors = [], []

    def answer(request):
        raise AnswerError("invalid_request", "too long", status=400)

    async def judge(ctx):
        try:
            await ctx.ask([Message(role="user", content="rate it")], model="j", role="judge:j")
        except AnswerError as error:
            errors.append((error.type, error.message, error.status))
        return passed()

    score([FakeBound(judge)], scorer=scorer_with(provider_class(answer)), judges=judges)
    assert errors == [("invalid_request", "too long", 400)]
    assert judges[0].error.type == "invalid_request"


CONTAINS = {"type": "contains", "argument": "yes"}


def digest_of(*scorers, **fields):
    """Return the digest of a case with some scorers."""
    dataset = dataset_of({}, scorers=list(scorers), **fields)
    case = dataset.cases[0]
    return scorers_digest(dataset, case, BUILTIN.scorers_of(dataset, case))


def test_a_digest_changes_with_the_assertions_and_not_with_the_case():
    """Options count; the input does not."""
    same = digest_of(CONTAINS)
    assert len(same) == 16
    assert digest_of(CONTAINS, description="other") == same
    assert digest_of({**CONTAINS, "argument": "no"}) != same
    assert digest_of(CONTAINS, CONTAINS) != same
    dataset = dataset_of({}, scorers=[CONTAINS])
    bounds = BUILTIN.scorers_of(dataset, dataset.cases[0])
    assert scorers_digest(dataset, dataset.cases[0], bounds, code="f") != same


@pytest.mark.parametrize("used", [True, False])
def test_judges_count_only_where_a_judge_is_used(used):
    """A cheap case does not change with a rubric of the dataset."""
    judge = {"type": "judge", "options": {"use": "j"}}
    first, second = (
        digest_of(
            *([judge] if used else [CONTAINS]),
            judges={"j": {"model": "script:x", "rubric": rubric, "min_score": 0.5}},
        )
        for rubric in ("a", "b")
    )
    assert (first != second) is used
