"""How a verdict becomes a stored score, and how whatever cannot be scored becomes an error."""

import asyncio
import math
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from pytest_evals.score import Score, ScoreError
from pytest_evals.scorers.base import ScoreContext, Scorer, ScoringError, Verdict
from pytest_evals.scorers.bound import plain


class Says(Scorer):
    """Says what it is told to say."""

    type: ClassVar[str] = "says"

    verdict: dict = Field(default_factory=dict)
    raises: str | None = None

    def score(self, ctx: ScoreContext) -> Verdict:
        """Say it."""
        if self.raises == "scoring":
            raise ScoringError("no idea", detail="its detail")
        if self.raises:
            raise ValueError(self.raises)
        return Verdict(**self.verdict)


class SaysLater(Says):
    """Says it as a coroutine."""

    type: ClassVar[str] = "says_later"

    async def score(self, ctx: ScoreContext) -> Verdict:
        """Say it, a moment later."""
        await asyncio.sleep(0)
        return Says.score(self, ctx)


class SaysInThread(Says):
    """Says it where it may block."""

    type: ClassVar[str] = "says_in_thread"
    cheap: ClassVar[bool] = False


@pytest.fixture(params=["says", "says_later", "says_in_thread"])
def says(bench, request):
    """Score what a scorer is told to say, for each way a scorer can be called."""
    bench.more = {cls.type: cls for cls in (Says, SaysLater, SaysInThread)}

    def score(verdict=None, *, raises=None, **common):
        options = {"verdict": verdict or {}, "raises": raises}
        return bench.score({"type": request.param, **options, **common}, "answer")

    return score


def test_a_verdict_is_stored_with_its_scorer(says):
    """Name, type, version and weight come from the dataset and the scorer."""
    scored = says({"passed": True, "reason": "yes"}, metric="tone", weight=2.5)
    assert (
        scored.name, scored.weight, scored.passed, scored.reason, scored.version
    ) == ("tone", 2.5, True, "yes", "1")  # fmt: skip


@pytest.mark.parametrize(("value", "passed"), [(0.69, False), (0.7, True), (0.71, True)])
def test_a_threshold_decides_the_verdict(says, value, passed):
    """The value at the bar passes, whatever the scorer itself said."""
    scored = says({"value": value, "passed": not passed}, threshold=0.7)
    assert (passed, ">= 0.7") == (scored.passed, scored.bar)


def test_a_threshold_is_not_missed_by_the_last_bit_of_a_sum(says):
    """0.1 + 0.2 + 0.4 reaches 0.7."""
    assert says({"value": 0.1 + 0.2 + 0.4 - 1e-16}, threshold=0.7).passed


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_an_error(says, value):
    """NaN is never a score, with or without a threshold."""
    for common in ({}, {"threshold": 0.5}):
        scored = says({"value": value, "passed": True}, **common)
        assert isinstance(scored, ScoreError)
        assert "expected a finite number" in scored.message


def test_a_verdict_of_nothing_is_an_error(says):
    """Not even a label."""
    assert "returned no verdict" in says({"reason": "hm"}).message


def test_a_label_alone_is_a_score_that_does_not_vote(says):
    """It is kept for the metrics."""
    scored = says({"label": "angry"})
    assert (scored.label, scored.passed, scored.value) == ("angry", None, None)


def test_a_threshold_without_a_value_is_an_error(says):
    """A scorer that may give a value, and did not."""
    assert "returned no value" in says({"passed": True}, threshold=0.5).message


def test_what_cannot_be_scored_is_an_error_with_its_detail(says):
    """It keeps its weight and never becomes 0."""
    scored = says(raises="scoring", weight=3)
    assert isinstance(scored, ScoreError)
    assert (scored.message, scored.detail, scored.weight) == ("no idea", "its detail", 3.0)


def test_any_other_exception_is_an_error_with_the_users_frames(says):
    """The traceback shows this file and nothing of ours."""
    scored = says(raises="boom")
    assert "ValueError: boom" in scored.message
    assert "test_scorer_bound.py" in scored.detail
    assert 'bound.py"' not in scored.detail.replace("test_scorer_bound.py", "")


def test_a_scorer_that_gives_no_verdict_object_is_an_error(bench):
    """True is no Verdict."""

    class Wrong(Scorer):
        """Gives what it should not."""

        type: ClassVar[str] = "wrong"

        def score(self, ctx):
            """Give a bool."""
            return True

    bench.more = {"wrong": Wrong}
    assert "returned bool, expected a Verdict" in bench.score("wrong").message


def test_metadata_that_json_cannot_hold_is_written_as_text(bench):
    """A record must cross processes as JSON."""

    class Odd(Scorer):
        """Keeps odd things."""

        type: ClassVar[str] = "odd"

        def score(self, ctx):
            """Keep a set, a path and a key that is no text."""
            return Verdict(passed=True, metadata={"a": {1}, 2: object, "c": (1, [b"x"])})

    bench.more = {"odd": Odd}
    assert {"a": [1], "2": repr(object), "c": [1, ["b'x'"]]} == bench.score("odd").metadata


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_plain_leaves_json_as_it_is(value):
    """What JSON can hold is not changed."""
    assert value == plain(value)


# --- not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ({"contains": "a"}, "abc"),
        ({"contains": "a"}, "xyz"),
        ({"regex": "^a"}, "abc"),
        ({"contains_all": ["a", "x"]}, "abc"),
        ({"any_of": [{"contains": "a"}, "is_json"]}, "abc"),
        ("is_json", "{}"),
        ({"numeric": 3}, "three"),
    ],
)
def test_not_turns_the_verdict_and_the_value_around(bench, written, answer):
    """Whatever the scorer inside."""
    inner, outer = bench.score(written, answer), bench.score({"not": written}, answer)
    assert outer.passed is not inner.passed
    assert f"not_{inner.name}" == outer.name
    assert inner.reason == outer.reason
    assert (None if inner.value is None else 1 - inner.value) == outer.value


def test_not_never_inverts_an_error(bench):
    """A scorer that cannot score is not one that does not hold."""
    scored = bench.score({"not": {"max_latency_s": 1}}, "a")
    assert isinstance(scored, ScoreError)
    assert "is unknown" in scored.message


def test_not_twice_is_the_assertion_itself(bench):
    """Inverting is its own inverse."""
    twice = {"not": {"not": {"contains": "a"}}}
    assert bench.passes(twice, "abc")
    assert not bench.passes(twice, "xyz")


def test_not_keeps_its_metric_weight_and_threshold(bench):
    """They belong to the inverted assertion."""
    written = {
        "not": {"contains_all": ["a", "b"]},
        "metric": "clean",
        "weight": 2,
        "threshold": 0.5,
    }
    scored = bench.score(written, "a")
    assert (scored.name, scored.weight, scored.value, scored.passed) == ("clean", 2.0, 0.5, True)


# --- groups ------------------------------------------------------------------------------

PARTS = [{"contains": "a"}, {"contains": "b", "weight": 2}, {"contains": "c"}]


@pytest.mark.parametrize(
    ("answer", "value", "passed"),
    [("abc", 1.0, (1, 1, 1)), ("ab", 0.75, (0, 1, 1)), ("b", 0.5, (0, 1, 0)), ("", 0.0, (0, 0, 0))],
)
def test_groups_count_what_holds_and_take_the_weighted_mean(bench, answer, value, passed):
    """all_of, any_of and at_least 2 of the same three."""
    groups = [{"all_of": PARTS}, {"any_of": PARTS}, {"at_least": {"n": 2, "of": PARTS}}]
    scored = [bench.score(group, answer) for group in groups]
    assert [value] * 3 == [score.value for score in scored]
    assert list(map(bool, passed)) == [score.passed for score in scored]


def test_a_groups_threshold_is_on_its_weighted_mean(bench):
    """It stands in for the count."""
    assert bench.passes({"all_of": PARTS, "threshold": 0.75}, "ab")
    assert not bench.passes({"any_of": PARTS, "threshold": 0.75}, "b")


def test_an_error_in_a_group_is_an_error_of_the_group(bench):
    """Even where another part would have decided: absent is not zero."""
    scored = bench.score({"any_of": [{"contains": "a"}, {"max_latency_s": 1}]}, "a")
    assert isinstance(scored, ScoreError)
    assert "`max_latency_s`: the latency of the response is unknown" in scored.message


def test_a_group_of_a_bare_metric_needs_its_threshold(bench):
    """A part that neither passes nor fails cannot hold."""
    (problem,) = bench.problems({"all_of": [{"token_f1": "a"}]})
    assert "without a `threshold`" in problem
    assert bench.passes(
        {"all_of": [{"type": "token_f1", "reference": "a b", "threshold": 0.5}]}, "b"
    )


def test_a_group_keeps_its_parts_scores(bench):
    """A report can show each."""
    parts = bench.score({"all_of": PARTS}, "ab").metadata["parts"]
    assert [Score.model_validate(part).passed for part in parts] == [True, True, False]


def test_a_group_of_slow_scorers_is_not_run_on_the_event_loop(bench):
    """A part that may block makes the whole one that may."""
    assert not bench.bind({"all_of": [{"not": "is_python"}]}).cheap
    assert bench.passes({"all_of": [{"not": "is_python"}, {"contains": "d"}]}, "def (")


# --- transforms --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transform", "answer", "found"),
    [
        ("strip", "  a ", "a"),
        ("lower", "ABC", "abc"),
        ("upper", "abc", "ABC"),
        ("normalise", "  The\n  ﬁNAL  ", "the final"),
        ({"regex": "Answer: (.*)"}, "Answer: Paris\nbye", "Paris"),
        ({"regex": r"\d+"}, "a 12 b 34", "12"),
        ({"regex": {"pattern": r"\d+", "last": True}}, "a 12 b 34", "34"),
        ({"regex": {"pattern": "(a)(b)", "group": 2}}, "ab", "b"),
        ({"regex": "(x)?(?P<answer>b)"}, "ab", "b"),
        ("first_number", "it is -1,234.5 or 7", "-1234.5"),
        ("last_number", "it is -1,234.5 or 7.", "7"),
        ("last_number", "GPT4 says 3", "3"),
        ("boxed", r"so \boxed{\frac{1}{2}} it is", r"\frac{1}{2}"),
        ("boxed", r"\boxed{1} or \boxed{2}", "2"),
        ("choice_letter", "The answer is (B).", "B"),
        ({"json": "order.id"}, 'Here: ```json\n{"order": {"id": 7}}\n```', "7"),
        ({"json": "tags"}, '{"tags": ["a"]}', '["a"]'),
        ("json", 'well, {"a": true} it is', '{"a": true}'),
        ({"template": "{{ answer | upper }}!{{ who }}"}, "hi", "HI!you"),
        ("first_line", "\n a \nb", "a"),
        ("last_line", "a\n b \n\n", "b"),
        ("fenced", "x\n```python\nprint(1)\n```\ny", "print(1)"),
        (["boxed", "strip", "lower"], r"\boxed{ ABC }", "abc"),
    ],
)
def test_a_transform_takes_out_what_is_scored(bench, transform, answer, found):
    """The scorer sees what was taken out, and nothing else."""
    scored = bench.score(
        {"type": "equals", "value": found, "transform": transform}, answer, variables={"who": "you"}
    )
    assert scored.passed, scored.reason


@pytest.mark.parametrize(
    "transform",
    ["first_number", "last_number", "boxed", "choice_letter", "json", "fenced", "first_line",
     {"regex": "zzz"}, {"regex": "(z)?a"}, {"json": "nothing"}, ["boxed", "strip"]],
)  # fmt: skip
@pytest.mark.parametrize("answer", ["", " \n", "\\boxed{"])
def test_a_transform_that_finds_nothing_fails_the_answer(bench, transform, answer):
    """Inverted or not: an answer in the wrong form is a wrong answer, not an error."""
    written = {"contains": "x", "transform": transform}
    if transform == "first_line" and answer == "\\boxed{":
        return
    for scored in (bench.score(written, answer), bench.score({"not": written}, answer)):
        assert scored.passed is False
        assert "found nothing" in scored.reason


def test_a_metric_on_nothing_is_zero_and_not_absent(bench):
    """A mean over answers must not skip those that had nothing to measure."""
    written = {"type": "token_f1", "reference": "a", "threshold": 0.5, "transform": "boxed"}
    assert (bench.score(written, "a").value, bench.score(written, "a").passed) == (0.0, False)
    del written["threshold"]
    assert (bench.score(written, "a").value, bench.score(written, "a").passed) == (0.0, None)


def test_a_pattern_that_explodes_in_a_transform_is_an_error(bench):
    """It ends, and says why."""
    scored = bench.score({"contains": "a", "transform": {"regex": "(a|aa)+$"}}, "a" * 60 + "b")
    assert isinstance(scored, ScoreError)
    assert "avoid nested repeats" in scored.message
