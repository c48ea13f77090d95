"""What is kept of a trial, and how trials are grouped."""

import gc
import tracemalloc
from random import Random

import pytest

from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response, Usage
from pytest_evals.message import ToolCall
from pytest_evals.metrics.metric import Slice
from pytest_evals.metrics.summarize import EXCERPT, excerpt, summarize_trial
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.score import Score, ScoreError
from tests.gates.makers import extend, table, trial

ASKED = Request(messages=(), case_id="a", model_id="m")


def exchange(text="You have 30 days.", *, latency=0.5, source="asked", role="answer", **more):
    """Return one answered question."""
    response = Response(
        text=text,
        latency_s=latency,
        usage=Usage(input_tokens=10, output_tokens=5),
        **more,
    )
    return Exchange(request=ASKED, response=response, source=source, role=role, cost_usd=0.01)


def result(*scores, outcome=Outcome.PASSED, exchanges=None, **more):
    """Return one trial's record."""
    values = {
        "id": "d.yaml::a[m]",
        "dataset": "d",
        "case_id": "a",
        "model_id": "m",
        "sample": 0,
        "outcome": outcome,
        "scores": scores,
        "exchanges": (exchange(),) if exchanges is None else exchanges,
        "case_digest": "c0ffee",
    }
    return TrialResult(**{**values, **more})


def score(name="contains", *, passed=None, value=None, **more):
    """Return one score."""
    return Score(name=name, type="contains", passed=passed, value=value, **more)


def test_a_record_is_taken_apart():
    """Scores, tokens, cost, time, tools, tags and the answer are kept."""
    calls = (ToolCall(name="search", arguments={"q": "x"}), ToolCall(name="pay"))
    one = summarize_trial(
        result(
            score(passed=True),
            score("helpful", value=0.7),
            exchanges=(exchange(tool_calls=calls), exchange("0.7", role="judge:helpful")),
            tags=("refunds",),
            metadata={"region": "eu"},
        )
    )
    assert one.names == ("contains", "helpful")
    assert one.values == (None, 0.7)
    assert one.verdicts == (True, None)
    assert tuple(map(one.number, ("contains", "helpful", "other"))) == (1.0, 0.7, None)
    assert (one.tokens, one.cost_usd, one.latency_s) == (30, 0.02, 0.5)
    assert one.tools == ("search", "pay")
    assert one.answer == "You have 30 days."
    assert one.slice_values("tag") == ("refunds",)
    assert ("eu",) == one.slice_values("metadata.region") == one.slice_values("region")
    assert one.slice_values("tier") == ()


def test_scores_of_one_name_are_taken_together():
    """Two assertions of one name: the mean of the values, and all verdicts must hold."""
    one = summarize_trial(result(score(passed=True, value=1.0), score(passed=False, value=0.5)))
    assert (one.names, one.values, one.verdicts) == (("contains",), (0.75,), (False,))


def test_why_a_trial_failed():
    """Failing votes are named with their reasons; advisory ones are not."""
    one = summarize_trial(
        result(
            score(passed=False, reason="found no\n'30 days'"),
            score("tone", passed=False, advisory=True, reason="rude"),
            ScoreError(name="judge", type="judge", message="no JSON"),
            outcome=Outcome.FAILED,
        )
    )
    assert one.failing == ("contains",)
    assert one.unscored == ("judge",)
    assert one.reasons == ("contains: found no '30 days'", "judge: no JSON")


def test_labels_beside_true_ones():
    """A label whose score's metadata has the true one is kept for classification metrics."""
    one = summarize_trial(
        result(score("tone", passed=True, label="rude", metadata={"expected": "polite"}))
    )
    assert one.labels == (("tone", "polite", "rude"),)


def test_the_same_draw_is_known_again():
    """A stored answer is the draw it was; an equal answer that took another time is another."""
    fresh = summarize_trial(result(score(passed=True))).draw
    assert (
        fresh
        == summarize_trial(result(score(passed=True), exchanges=(exchange(source="stored"),))).draw
    )
    assert (
        fresh
        != summarize_trial(result(score(passed=True), exchanges=(exchange(latency=0.6),))).draw
    )


def test_draws_of_errors():
    """An error that is scored is a draw of its own by when it came, but not a scripted one."""

    def draw(source, at):
        error = ErrorInfo(type="content_filtered", message="no")
        asked = Exchange(request=ASKED, error=error, source=source)
        return summarize_trial(
            result(score(passed=True), exchanges=(asked,), error=error, started_at=at)
        ).draw

    assert draw("asked", 1.0) != draw("asked", 2.0)
    assert draw("scripted", 1.0) == draw("scripted", 2.0)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["scripted"], "scripted"),
        (["cassette", "cassette"], "cassette"),
        (["stored", "cassette"], "stored"),
        (["stored", "asked"], "asked"),
    ],
)
def test_where_answers_came_from(sources, expected):
    """The freshest of a conversation's answers counts; judges do not."""
    exchanges = (*(exchange(source=one) for one in sources), exchange(role="judge:x"))
    assert expected == summarize_trial(result(score(passed=True), exchanges=exchanges)).origin


def test_an_excerpt_is_one_harmless_line():
    """New lines become spaces, what cannot be seen is marked, and long texts are cut."""
    assert excerpt("a\n b\tc") == "a b c"
    assert excerpt("x\u202ey\x1b") == "x\ufffdy\ufffd"
    long = excerpt("word " * 1000)
    assert (len(long), long[-1]) == (EXCERPT, ".")
    excerpt("\ud800").encode("utf-8")


def test_slices_of_metadata():
    """A list is in several slices, other values are written as JSON, whatever they are."""
    one = trial("a", metadata={"tier": [1, "x"], "on": True, "odd": {"a": float("nan")}, "tag": 3})
    assert one.slice_values("tier") == ("1", "x")
    assert one.slice_values("on") == ("true",)
    assert one.slice_values("odd") == ("{'a': nan}",)
    assert one.slice_values("metadata.tag") == ("3",)


def test_a_table_groups_its_trials():
    """Cases and samples come in their order, slices by name, and a repeated trial is replaced."""
    made = table({"b": "+-", "a": "+"}, tags=("x", "y"))
    extend(made, {"c": "-"}, model="n", tags=("y",))
    made.add(trial("b", 1, ok=True))
    assert len(made) == 4
    assert made.models == ("m", "n")
    assert [(t.case, t.sample) for t in made.trials("m")] == [("a", 0), ("b", 0), ("b", 1)]
    assert all(one.passed for one in made.trials("m"))
    assert [Slice(key="tag", value="x"), Slice(key="tag", value="y")] == list(made.slices("tag"))
    assert list(made.cases("n", Slice(key="tag", value="y"))) == ["c"]
    assert made.trials("n", Slice(key="tag", value="x")) == []


def test_other_datasets_are_left_out():
    """A run's table has the trials of its dataset alone."""
    records = [result(score(passed=True)), result(score(passed=True), dataset="other")]
    assert len(TrialTable.of("d", records)) == 1


@pytest.mark.heavy
def test_trial_stats_are_small():
    """One of five samples with five scorers and a long answer takes less than a kilobyte."""
    rng = Random(1)
    records = [
        result(
            *(score(f"s{k}", value=rng.random(), passed=True) for k in range(5)),
            id=f"support-bot.yaml::case-{i // 5}[gpt-4.1-mini-{i % 5}]",
            case_id=f"case-{i // 5}",
            sample=i % 5,
            exchanges=(exchange("a long answer " * 100, latency=rng.random()),),
            tags=("refunds", "en"),
        ).model_dump_json()
        for i in range(2000)
    ]
    made = TrialTable("d")
    tracemalloc.start()
    for record in records:
        made.add(summarize_trial(TrialResult.model_validate_json(record)))
    gc.collect()  # in a process with many objects, dropped records wait long for it
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(made) < 1024
