"""``expect: {min_judge_score: …}``: the default judge, among the other expectations."""

import pytest

from pytest_evals.certificate import Certificate, Labels
from pytest_evals.ground.errors import AnswerError

JUDGE = {"model": "a:b", "rubric": "It is kind.", "scale": [0, 1]}
EXPECT = {"expect": {"min_judge_score": 0.7}}


@pytest.fixture
def bench(bench):
    """A bench whose dataset defines the default judge."""
    bench.judges["default"] = JUDGE
    return bench


def kinds(score):
    """The kinds of the failures, in order."""
    return [failure["kind"] for failure in score.metadata.get("failures", ())]


@pytest.mark.parametrize(("said", "passed"), [(0.7, True), (0.69, False), (1, True), (0, False)])
def test_the_default_judge_must_reach_the_bar(bench, said, passed):
    """Its score is brought to 0..1; at the bar it passes."""
    bench.reply({"reasoning": "Kind enough.", "score": said})
    score = bench.score(EXPECT)
    assert passed is score.passed
    assert ([] if passed else ["judge_below_threshold"]) == kinds(score)
    assert said == score.metadata["judge"]["value"]
    assert ["judge:default"] == [asked.role for asked in bench.asked]


def test_it_stands_among_the_other_failures_in_their_order(bench):
    """After the duration and before the error; none hides another."""
    bench.reply({"reasoning": "Rude.", "score": 0.2})
    wanted = {
        "expected_error_type": "timeout",
        "min_judge_score": 0.5,
        "max_duration_ms": 5,
        "final_answer_contains": ["days of"],
    }
    score = bench.score({"expect": wanted}, latency_s=1.0)
    assert kinds(score) == [
        "answer_missing_phrase",
        "duration_exceeded",
        "judge_below_threshold",
        "expected_error_missing",
    ]
    assert "judge_below_threshold: 0.20, at least 0.5: Rude." in score.reason
    assert {"kind": "judge_below_threshold", "threshold": 0.5, "actual": 0.2} in (
        score.metadata["failures"]
    )


def test_a_bar_of_nought_asks_and_always_holds(bench):
    """The score is kept all the same, whatever bar the judge has of its own."""
    bench.judges["default"] = {**JUDGE, "min_score": 0.9}
    bench.reply({"reasoning": "Rude.", "score": 0})
    score = bench.score({"expect": {"min_judge_score": 0}})
    assert (True, 0.0) == (score.passed, score.metadata["judge"]["value"])


def test_the_expected_bar_counts_not_the_judges_own(bench):
    """It is this case's."""
    bench.judges["default"] = {**JUDGE, "min_score": 0.9}
    bench.reply({"reasoning": "Kind.", "score": 0.8})
    assert bench.score(EXPECT).passed is True


@pytest.mark.parametrize("say", ["no JSON", AnswerError("timeout", "too late")])
def test_a_judge_that_cannot_judge_is_an_error(bench, say):
    """Never a failed answer, and never 0."""
    bench.reply(say)
    assert bench.error(EXPECT)


def test_a_judge_without_its_certificate_has_no_vote(bench):
    """The others decide; its score and why it does not count are kept."""
    bench.judges["default"] = {**JUDGE, "requires_certificate": True}
    bench.reply({"reasoning": "Rude.", "score": 0})
    score = bench.score({"expect": {"min_judge_score": 0.7, "final_answer_contains": ["Thirty"]}})
    assert score.passed is True
    assert "it has no certificate" == score.metadata["judge"]["advisory"]
    bench.certificates["default"] = Certificate(
        judge="default", dataset="d", fingerprint="x", labels=Labels(digest="")
    )
    bench.reply("nothing")
    score = bench.score({"expect": {"min_judge_score": 0.7, "final_answer_contains": ["Thirty"]}})
    assert (True, True) == (score.passed, "error" in score.metadata["judge"])


def test_what_is_wrong_is_told_when_the_dataset_is_collected(bench):
    """No default judge, one that is only a model, one whose rubric does not fit the case."""
    assert [] == bench.problems(EXPECT)
    bench.judges["default"] = {**JUDGE, "rubric": "Like {{ sample }}."}
    assert ["sample" in problem for problem in bench.problems(EXPECT)] == [True]
    for judges in ({}, {"default": {"model": "a:b"}}, {"other": JUDGE}):
        bench.judges.clear()
        bench.judges.update(judges)
        (problem,) = bench.problems(EXPECT)
        assert "needs a judge `default`" in problem


def test_the_judges_model_is_known_before_the_first_call(bench):
    """So that its key and price are looked at; and nobody's where no judge is asked."""
    from pytest_evals.case import ScorerSpec
    from pytest_evals.registry import Registry

    def models(written):
        spec = ScorerSpec.model_validate(written)
        return Registry.builtin().bind(spec).scorer.models(bench.context().dataset)

    assert ("a:b",) == models(EXPECT)
    assert () == models({"expect": {"max_duration_ms": 5}})
