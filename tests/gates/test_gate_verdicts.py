"""Verdicts of gates: nothing passes vacuously, and errors and incomplete sets come first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.metrics.compute import compute_metric
from pytest_evals.metrics.metric import Slice
from pytest_evals.result import Outcome
from pytest_evals.verdict.baseline import build_baseline
from pytest_evals.verdict.gate.completeness import model_states
from pytest_evals.verdict.gate.context import GateContext
from pytest_evals.verdict.gate.coverage import gates_cover, is_compared
from pytest_evals.verdict.gate.evaluate import evaluate_gates
from pytest_evals.verdict.gate.grammar import parse_gate
from pytest_evals.verdict.gate.spec import GateVerdict
from pytest_evals.verdict.gate.words import format_number
from tests.gates.makers import drawn, extend, info, table, trial


def verdicts_of(made, *gates, **more):
    """Return the verdicts of gates on a table."""
    return evaluate_gates(
        GateContext(made, info(made, gates=gates, models=made.models or ("m",), **more))
    )


def only(made, *gates, **more):
    """Return the single verdict of a gate on a table."""
    [verdict] = verdicts_of(made, *gates, **more)
    return verdict


def test_a_bar_that_is_met():
    """A verdict has the value, its n and interval, and says them in words."""
    verdict = only(table({f"c{i}": "+" * 5 for i in range(20)}), "pass@1 >= 0.9")
    assert (
        verdict.verdict, verdict.blocking, verdict.value, verdict.n, verdict.cases
    ) == ("passed", False, 1.0, 100, 20)  # fmt: skip
    assert verdict.name == "gate[pass@1 >= 0.9][m]"
    assert verdict.sentence.startswith("PASSED: pass@1 is 1 (95 % interval 0.8")
    assert "(100 samples of 20 cases)" in verdict.sentence
    assert verdict.behind == ()


def test_a_bar_that_is_missed():
    """A failed verdict names the failing cases, the worst first, and their failed trials."""
    verdict = only(table({"a": "++", "b": "+-", "c": "--"}), "pass@1 >= 0.9")
    assert (
        verdict.verdict, verdict.blocking, verdict.value, verdict.bar
    ) == ("failed", True, 0.5, ">= 0.9")  # fmt: skip
    assert verdict.behind == ("c", "b")
    assert verdict.trials == ("d.yaml::c[m-0]", "d.yaml::c[m-1]", "d.yaml::b[m-1]")


@given(st.text("+-", min_size=1, max_size=40), st.integers(1, 99))
def test_a_bar_is_compared_with_the_value(samples, percent):
    """A gate passes exactly where the value is at or above the bar; > fails at the bar itself."""
    made = table({f"c{i}": mark for i, mark in enumerate(samples)})
    passes, bar = samples.count("+"), percent / 100
    at_least = only(made, f"pass@1 >= {bar}").verdict == "passed"
    above = only(made, f"pass@1 > {bar}").verdict == "passed"
    assert (100 * passes >= percent * len(samples)) == at_least
    assert (100 * passes > percent * len(samples)) == above


def test_the_words_never_contradict_the_verdict():
    """A value just under the bar is not rounded up to it."""
    made = table({f"c{i:04}": "+" if i < 8999 else "-" for i in range(10000)})
    assert "pass@1 is 0.8999 " in only(made, "pass@1 >= 0.9").sentence
    assert [
        format_number(0.899999, 0.9), format_number(0.9, 0.9), format_number(1234567.0), format_number(0.000012)
    ] == ["0.899999", "0.9", "1,234,567", "0.000012"]  # fmt: skip


def test_confidence_asks_it_of_the_bound():
    """With a confidence the bound must clear the bar; the value alone does not do."""
    made = table({f"c{i:02}": "-" if i < 2 else "+" for i in range(40)})
    assert only(made, "pass@1 >= 0.9").verdict == "passed"
    verdict = only(made, "pass@1 >= 0.9 with confidence 0.95")
    assert ("failed", pytest.approx(0.9)) == (verdict.verdict, verdict.confidence)
    assert verdict.low < 0.9 < verdict.value
    assert "with 95 % confidence" in verdict.sentence
    assert only(made, "pass@1 >= 0.8 with confidence 0.95").verdict == "passed"


def test_confidence_without_an_interval_is_incomplete():
    """One case has no interval of a mean: that is no wrong answer, and it does not pass."""
    verdict = only(table({"a": "++"}), "score >= 0.5 with confidence 0.9")
    assert (verdict.verdict, verdict.blocking) == ("incomplete", True)
    assert verdict.sentence.startswith("INCOMPLETE: ")
    assert "there is no interval: one case" in verdict.sentence
    assert verdict.behind == ()


def test_a_value_beyond_the_bar_fails_without_an_interval():
    """No bound is better than the value itself, so no more samples are needed to say no."""
    verdict = only(table({"a": "--"}), "score >= 0.5 with confidence 0.9")
    assert (verdict.verdict, verdict.blocking) == ("failed", True)


@pytest.mark.parametrize(("cases", "outcome"), [(58, "incomplete"), (59, "passed")])
def test_a_percentile_that_the_samples_cannot_bound(cases, outcome):
    """The greatest of 58 samples is no bound of p95 with 95 % confidence."""
    made = table({})
    for i in range(cases):
        made.add(trial(f"c{i}", latency_s=1 + i / 100))
    verdict = only(made, "p95(latency_s) <= 2 with confidence 0.95")
    assert (verdict.verdict, verdict.blocking) == (outcome, outcome == "incomplete")
    assert ("59 samples are needed" in verdict.sentence) == (outcome == "incomplete")
    assert only(made, "p95(latency_s) <= 2").verdict == "passed"


def test_too_few_samples():
    """A least n that is not reached fails, whatever the value."""
    verdict = only(table({"a": "+", "b": "+"}), "pass@1 >= 0.5 min n 30")
    assert (
        verdict.verdict, verdict.sentence
    ) == ("failed", "FAILED: pass@1 rests on 2 cases; at least 30 samples are required.")  # fmt: skip


def test_an_absent_value_fails_with_its_reason():
    """pass@3 of one sample does not pass, and says why."""
    verdict = only(table({"a": "+", "b": "+"}), "pass@3 >= 0.5")
    assert (verdict.verdict, verdict.value, verdict.n) == ("failed", None, 0)
    assert "pass@3 is absent: 2 of 2 cases have fewer than k = 3" in verdict.sentence


def test_a_gate_per_slice():
    """Every tag is a verdict of its own, and an empty one fails."""
    made = table({"a": "+", "b": "+"}, tags=("en",))
    extend(made, {"c": "-"}, tags=("de",))
    found = {str(v.slice): v.verdict for v in verdicts_of(made, "pass@1 >= 0.5 per tag")}
    assert found == {"tag=en": "passed", "tag=de": "failed"}
    [none] = verdicts_of(table({"a": "+"}), "pass@1 >= 0.5 per region")
    assert (none.verdict, none.sentence) == ("failed", "FAILED: no recorded case has a region.")
    [empty] = verdicts_of(made, "pass@1 >= 0.5 where tag = fr")
    assert empty.verdict == "failed"
    assert "no trial of these cases was recorded" in empty.sentence


def test_where_and_per_together():
    """A gate per tag inside a selection evaluates only the cases in both."""
    made = table({"a": "+"}, tags=("en",), metadata={"region": "eu"})
    extend(made, {"b": "-"}, tags=("en", "de"), metadata={"region": "us"})
    found = verdicts_of(made, "pass@1 >= 0.5 where region = eu per tag")
    assert [(str(v.slice), v.verdict, v.n) for v in found] == [("tag=en", "passed", 1)]


def test_a_gate_on_a_model():
    """A gate is evaluated on its models only; the others have no verdict."""
    made = extend(table({"a": "+"}), {"a": "-"}, model="n")
    assert [(v.model, v.verdict) for v in verdicts_of(made, "pass@1 > 0 on m")] == [("m", "passed")]
    assert [(v.model, v.verdict) for v in verdicts_of(made, "pass@1 > 0")] == [
        ("m", "passed"),
        ("n", "failed"),
    ]


def test_a_narrowed_set_is_not_verdicts_of():
    """After -k a gate is skipped: it neither passes nor fails."""
    verdict = only(table({"a": "+"}), "pass@1 >= 0.9", planned=10, selected=1)
    assert (verdict.verdict, verdict.blocking) == ("skipped", False)
    assert verdict.sentence == "NOT EVALUATED: only 1 of 10 trials of m were selected."


def test_a_model_that_is_whole_is_verdicts_of():
    """Selecting one of two models leaves that one's set whole."""
    made = table({"a": "+", "b": "+"})
    both = info(made, gates=("pass@1 >= 0.9",), models=("m", "n"), planned=4, selected=2)
    assert [(v.model, v.verdict) for v in evaluate_gates(GateContext(made, both))] == [
        ("m", "passed"),
        ("n", "skipped"),
    ]


@pytest.mark.parametrize(
    "made",
    [
        table({"a": "+"}),
        extend(table({"a": "+"}), {"b": "!"}, outcome=Outcome.SKIPPED, error="not_run"),
    ],
    ids=["lost", "not run"],
)
def test_a_set_that_was_cut_short_fails(made):
    """A lost worker, a spent budget or -x: what was not run is never green."""
    verdict = only(made, "pass@1 >= 0.9", planned=2, selected=2)
    assert (verdict.verdict, verdict.blocking) == ("incomplete", True)
    assert verdict.sentence == "INCOMPLETE: the run ended with 1 of 2 trials of m."


def test_errors_are_never_tolerated_by_a_gate_on_answers():
    """By default one errored trial leaves answers unevaluated, and fails the error rate."""
    made = table({f"c{i}": "+" for i in range(49)} | {"z": "!"})
    found = {v.gate: v for v in verdicts_of(made, "pass@1 >= 0.9", "cost_usd <= 1")}
    assert {g: v.verdict for g, v in found.items()} == {
        "pass@1 >= 0.9": "incomplete",
        "cost_usd <= 1": "passed",
        "error_rate <= 0": "failed",
    }
    assert "1 of 50 trials of m errored (2 %); at most 0 % are allowed" in (
        found["pass@1 >= 0.9"].sentence
    )
    assert ("z",) == found["pass@1 >= 0.9"].behind == found["error_rate <= 0"].behind
    assert found["pass@1 >= 0.9"].trials == ("d.yaml::z[m-0]",)


@pytest.mark.parametrize("how", ["max_error_rate", "a gate"])
def test_errors_within_the_tolerated_rate(how):
    """A tolerated share of errors leaves the gate to be evaluated on the rest."""
    made = table({f"c{i}": "+" for i in range(49)} | {"z": "!"})
    if how == "a gate":
        found = verdicts_of(made, "pass@1 >= 0.9", "error_rate <= 0.02")
    else:
        found = verdicts_of(made, "pass@1 >= 0.9", max_error_rate=0.02)
    assert [(v.gate, v.verdict) for v in found] == [
        ("pass@1 >= 0.9", "passed"),
        ("error_rate <= 0.02", "passed"),
    ]
    assert found[0].notes == ("1 case has no value and is left out.",)


def test_a_scorer_that_could_not_score():
    """Scores that are missing are not dropped: an advisory judge that fails leaves no verdict."""
    made = table({"a": "+"}, names=("helpful",), values=(0.9,), verdicts=(None,))
    made.add(trial("b", unscored=("helpful",)))
    verdict = only(made, "mean(helpful) >= 0.5")
    assert (verdict.verdict, verdict.blocking, verdict.behind) == ("incomplete", True, ("b",))
    assert "helpful could not score 1 of 2 trials" in verdict.sentence


def test_completeness_is_evaluated_on_an_interrupted_run():
    """A gate on completeness is evaluated even if trials are missing."""
    made = table({"a": "+"})
    verdict = only(made, "completeness >= 0.4", planned=2, selected=2)
    assert (verdict.verdict, verdict.value) == ("passed", 0.5)


def test_no_regressions_without_a_baseline():
    """A comparison with nothing fails, but for the run that writes the first baseline."""
    made = table({"a": "+"})
    verdict = only(made, "no regressions")
    assert (verdict.verdict, verdict.blocking) == ("failed", True)
    assert "--evals-update-baseline" in verdict.sentence
    facts = info(made, gates=("no regressions",))
    [first] = evaluate_gates(
        GateContext(made, facts, no_baseline="this run writes the first baseline")
    )
    assert (first.verdict, first.blocking) == ("skipped", False)


def test_no_gates_no_verdicts():
    """Without gates every trial speaks for itself, errors too."""
    assert verdicts_of(table({"a": "!"})) == []


def test_worst_cases_of_costs():
    """Behind a gate on time stand the slowest cases."""
    made = table({"a": "+"}, latency_s=1.0)
    extend(made, {"b": "+"}, latency_s=9.0)
    verdict = only(made, "max(latency_s) <= 5")
    assert (verdict.verdict, verdict.behind, verdict.trials) == ("failed", ("b", "a"), ())
    assert "max(latency_s) is 9 s; <= 5 is required" in verdict.sentence


@given(st.integers(0, 2**32), st.sampled_from(["pass@1 >= 0.7", "pass^2 >= 0.5 per tag"]))
def test_a_verdict_survives_json(seed, gate):
    """A verdict is the same after its round trip."""
    made = drawn([0.5, 0.9, 1.0], 3, seed, tags=("x",))
    for verdict in verdicts_of(made, gate):
        assert verdict == GateVerdict.model_validate_json(verdict.model_dump_json())


@given(st.dictionaries(st.sampled_from("abcdef"), st.text("+-!", min_size=2, max_size=2),
                       min_size=1), st.sampled_from([0.0, 0.2, 1.0]))  # fmt: skip
def test_a_passed_gate_has_its_numbers(outcomes, allowed):
    """Whatever happened, a verdict that passed has a value that meets the bar, and samples."""
    made = table(outcomes)
    for verdict in verdicts_of(made, "pass@1 >= 0.5", max_error_rate=allowed):
        if verdict.verdict == "passed" and verdict.metric == "pass@1":
            assert verdict.n > 0
            assert verdict.value >= 0.5
            assert compute_metric(made, "error_rate", model="m").value is not None
            errors = sum(text.count("!") for text in outcomes.values())
            assert errors <= allowed * len(made) + 1e-9


def test_states_of_models():
    """A model without a record is narrowed or interrupted, never complete."""
    made = table({"a": "+"})
    gates = [parse_gate("pass@1 >= 0.5")]
    for selected, expected in ((1, "narrowed"), (2, "interrupted")):
        facts = info(made, models=("m", "n"), planned=2, selected=selected)
        assert {"m": "complete", "n": expected} == {
            model: state.status for model, state in model_states(made, facts, gates).items()
        }


@pytest.mark.parametrize(
    ("gates", "compared", "expected"),
    [
        (["pass@1 >= 0.9"], False, True),
        (["score >= 0.9"], False, True),
        (["pass@1 >= 0.9 on other"], False, False),
        (["mean(contains) >= 0.9"], False, True),
        (["mean(helpful) >= 0.9"], False, False),
        (["cost_usd <= 1", "error_rate <= 0.1"], False, False),
        (["consistency >= 0.9"], False, False),
        (["pass@1 <= 0.9"], False, False),
        (["no regressions"], True, True),
        (["no regressions"], False, False),
        (["no regressions of helpful"], True, False),
        (["pass@1 >= 0.9 per tag"], False, True),
        (["pass@1 >= 0.9 per region"], False, False),
        (["pass@1 >= 0.9 where tag = x"], False, True),
        (["pass@1 >= 0.9 where tag = y"], False, False),
    ],
)
def test_what_a_gate_answers_for(gates, compared, expected):
    """A failed trial is tolerated only where some gate answers for each assertion that failed."""
    failed = trial("a", ok=False, tags=("x",))
    assert expected == gates_cover([parse_gate(gate) for gate in gates], failed, compared=compared)


def test_what_a_baseline_can_be_compared_with():
    """A case the baseline does not know, or knows by another question, is not compared."""
    made = table({"a": "+"})
    known = build_baseline(made, info(made))
    assert [
        is_compared(known, trial("a")),
        is_compared(known, trial("b")),
        is_compared(known, trial("a", model="n")),
        is_compared(known, trial("a", case_digest="edited")),
        is_compared(known, trial("a", scorers_digest="edited")),
        is_compared(None, trial("a")),
    ] == [True, False, False, False, False, False]


def test_every_failed_assertion_needs_an_answer():
    """Two failed assertions need gates on both."""
    failed = trial("a", ok=False, failing=("contains", "tone"))
    one, two = parse_gate("mean(contains) >= 0.5"), parse_gate("mean(tone) >= 0.5")
    assert [gates_cover(g, failed, compared=False) for g in ([one], [one, two])] == [False, True]


def test_a_slice_is_named():
    """A verdict on a slice has it in its name."""
    [verdict] = verdicts_of(table({"a": "+"}, tags=("x",)), "pass@1 >= 0.5 per tag")
    assert verdict.slice == Slice(key="tag", value="x")
    assert verdict.name == "gate[pass@1 >= 0.5 per tag][m][tag=x]"
