"""Repeats and panels: how several judgements become one."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.errors import AnswerError
from pytest_evals.scorers.judge.opinion import Opinion, agreement, combine_panel, combine_repeats

VALUES = st.lists(st.integers(0, 20).map(lambda i: i / 20), min_size=1, max_size=7)
BARS = st.integers(1, 20).map(lambda i: i / 20)
RULES = st.sampled_from(["majority", "unanimous", "mean", "weighted"])


def opinions(values, bar):
    """Make opinions with their verdicts."""
    return [Opinion(value=value, reason=str(value)).with_verdict(bar) for value in values]


def panel(values, rule, bar, weights=None):
    """Combine values as a panel does."""
    return combine_panel(
        opinions(values, bar), rule, weights=weights or [1.0] * len(values), min_score=bar
    )


@given(VALUES, RULES, BARS, st.randoms())
def test_the_order_of_judges_does_not_matter(values, rule, bar, random):
    """For the value and the verdict."""
    mixed = list(values)
    random.shuffle(mixed)
    one, other = panel(values, rule, bar), panel(mixed, rule, bar)
    assert (one.value, one.passed) == (pytest.approx(other.value), other.passed)


@given(VALUES, RULES, BARS)
def test_a_score_and_its_verdict_never_disagree(values, rule, bar):
    """The value reaches the bar exactly where the panel passes the answer."""
    one = panel(values, rule, bar)
    assert one.passed == (one.value >= bar - 1e-12)


@given(VALUES, BARS)
def test_a_majority_is_more_than_half(values, bar):
    """A tie goes against the answer."""
    votes = sum(value >= bar for value in values)
    assert panel(values, "majority", bar).passed == (2 * votes > len(values))


@given(VALUES, BARS)
def test_the_stricter_rule_passes_less(values, bar):
    """What all pass, most pass."""
    assert panel(values, "majority", bar).passed or not panel(values, "unanimous", bar).passed
    assert panel(values, "unanimous", bar).value == min(values)


@given(VALUES, RULES, BARS, st.integers(0, 20).map(lambda i: i / 20))
def test_a_better_opinion_never_hurts(values, rule, bar, better):
    """Raising one judge's score lowers neither the value nor the verdict."""
    raised = [max(values[0], better), *values[1:]]
    before, after = panel(values, rule, bar), panel(raised, rule, bar)
    assert (after.value >= before.value - 1e-12, after.passed >= before.passed) == (True, True)


@given(st.integers(0, 20).map(lambda i: i / 20), st.integers(1, 7), RULES, BARS)
def test_equal_opinions_are_one(value, n, rule, bar):
    """Whatever the rule."""
    one = panel([value] * n, rule, bar)
    assert (one.value, one.passed) == (pytest.approx(value), value >= bar - 1e-12)


@given(VALUES.filter(lambda v: len(v) > 1), BARS)
def test_a_weight_is_that_many_judges(values, bar):
    """A judge of weight 3 counts as three of weight 1."""
    heavy = panel(values, "weighted", bar, [3.0] + [1.0] * (len(values) - 1))
    many = panel([values[0]] * 2 + values, "mean", bar)
    assert heavy.value == pytest.approx(many.value)


def test_a_tie_of_two_fails():
    """Also where only verdicts are known."""
    two = [Opinion(value=1.0, passed=True), Opinion(value=0.0, passed=False)]
    for rule in ("majority", "mean", "weighted", "unanimous"):
        assert combine_panel(two, rule, weights=[1.0, 1.0], min_score=None).passed is False


def test_half_of_the_judges_seeing_a_required_criterion_missed_fails_the_answer():
    """Even where the mean of the scores reaches the bar."""
    two = [Opinion(value=1.0), Opinion(value=0.9, blocked="unsafe")]
    votes = [opinion.with_verdict(0.5) for opinion in two]
    assert combine_repeats(votes, "mean", min_score=0.5).passed is False


def test_the_reason_is_of_the_winning_side():
    """The opinion nearest to the outcome speaks for it."""
    one = panel([0.1, 0.9, 0.8], "majority", 0.5)
    assert (one.value, one.reason) == (0.8, "2 of 3 pass it: 0.8")


def test_self_consistency_is_the_share_of_the_most_common_verdict():
    """Of labels where there is no verdict, of values where there is neither."""
    assert agreement(opinions([0.9, 0.8, 0.1], 0.5)) == pytest.approx(2 / 3)
    assert agreement([Opinion(label="a"), Opinion(label="b"), Opinion(label="a")]) == 2 / 3
    assert agreement([Opinion(value=0.5), Opinion(value=0.25)]) == 0.5


def by_model(**scores):
    """Reply with each model's own score, an error, or unreadable words."""

    def say(asked):
        score = scores[asked.model]
        if isinstance(score, int):
            return Response_(score)
        return score

    return say


def Response_(score):  # noqa: N802 - reads like the reply it makes
    """Make a readable reply."""
    from pytest_evals.exchange import Response

    return Response(text=f'{{"reasoning": "r{score}", "score": {score}}}')


PANEL = {"judge": {"panel": ["a", "b", "c"], "rubric": "r", "min_score": 0.5}}


def test_a_panel_asks_every_model_the_same(bench):
    """One question each, in the order in which they are written."""
    scored = bench.reply(by_model(a=5, b=1, c=4)).score(PANEL)
    assert [asked.model for asked in bench.asked] == ["a", "b", "c"]
    assert len({asked.messages for asked in bench.asked}) == 1
    assert (scored.value, scored.passed, scored.metadata["left_out"]) == (0.75, True, 0)
    assert scored.metadata["agreement"] == pytest.approx(2 / 3)
    assert [one["value"] for one in scored.metadata["judgements"]] == [1.0, 0.0, 0.75]


def test_a_judge_that_errs_is_left_out_and_counted(bench):
    """One gives no answer, one nothing that can be read; the third decides."""
    down = AnswerError("overloaded", "down")
    scored = bench.reply(by_model(a=down, b="dunno", c=4)).score(PANEL)
    assert (scored.value, scored.passed, scored.metadata["left_out"]) == (0.75, True, 2)
    errors = [one.get("error") for one in scored.metadata["judgements"]]
    assert [error is not None for error in errors] == [True, True, False]


def test_two_left_of_three_that_disagree_fail_the_answer(bench):
    """The tie that an error leaves goes against it."""
    scored = bench.reply(by_model(a=AnswerError("timeout", "late"), b=5, c=1)).score(PANEL)
    assert scored.passed is False


def test_a_panel_of_which_nobody_can_judge_is_an_error(bench):
    """With what each of them said."""
    down = AnswerError("overloaded", "down")
    message = bench.reply(by_model(a=down, b="dunno", c=down)).error(PANEL)
    assert message.startswith("none of the 3 judges could judge: the judge 'a' gave no response")
    assert "the judge 'b' gave no verdict in 3 replies" in message


def test_repeats_are_different_questions_and_give_a_self_consistency(bench):
    """By their sample number; two of three agree."""
    written = {"judge": {"model": "a", "rubric": "r", "repeats": 3, "min_score": 0.5}}
    replies = [{"reasoning": "", "score": score} for score in (5, 1, 5)]
    scored = bench.reply(*replies).score(written)
    assert [asked.sample for asked in bench.asked] == [0, 1, 2]
    assert (scored.value, scored.passed) == (pytest.approx(2 / 3), True)
    assert scored.metadata["self_consistency"] == pytest.approx(2 / 3)


def test_a_repeat_that_cannot_be_read_is_an_error_of_the_judge(bench):
    """Leaving it out would let a judge choose which of its opinions count."""
    written = {"judge": {"model": "a", "rubric": "r", "repeats": 2, "attempts": 1}}
    bench.reply({"reasoning": "", "score": 5}, "dunno")
    assert "gave no verdict in 1 reply" in bench.error(written)


def test_labels_without_values_need_a_majority(bench):
    """Two that differ are no opinion."""
    written = {"classifier": {"model": "a", "choices": ["x", "y"], "repeats": 2}}
    bench.reply({"reasoning": "", "label": "x"}, {"reasoning": "", "label": "y"})
    assert "x, y are equally frequent" in bench.error(written)


def test_the_trials_end_ends_its_judges(bench):
    """A cancelled trial leaves no judge behind."""

    async def hang(*args, **kwargs):
        await asyncio.sleep(60)

    from pytest_evals.case import ScorerSpec
    from pytest_evals.registry import Registry

    bound = Registry.builtin().bind(ScorerSpec.model_validate(PANEL))

    async def run():
        await asyncio.wait_for(bound.evaluate(bench.context(ask=hang), None), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(run())
