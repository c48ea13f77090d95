"""From trials and a baseline to verdicts and the one word; confirmation decides breaks alone."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_evals.stats.rows import Rules
from pytest_evals.verdict.baseline import build_baseline, update_baseline, write_baseline
from pytest_evals.verdict.decide import decide
from pytest_evals.verdict.evaluate import evaluate_run, plan_run_confirmation, run_side
from pytest_evals.verdict.evaluation import Evaluation, EvaluationInput
from pytest_evals.verdict.gate.spec import GateVerdict
from tests.gates.makers import drawn, extend, info, table, trial

ALL = {f"c{i:02}": "+++++" for i in range(60)}
BROKEN = ("c03", "c17", "c42")


def bench(before, now, *gates, **more):
    """Return a bench with the baseline of one table and another as the run."""
    facts = info(now, gates=gates or ("no regressions",), models=now.models)
    base = build_baseline(before, info(before, models=before.models))
    return EvaluationInput(now, facts, base, "baselines/d.jsonl", **more)


def broken(samples, marks):
    """Return outcomes in which three cases have these marks and the others pass."""
    return {case: marks if case in BROKEN else "+" * samples for case in ALL}


def asked_again(plan, *, ok=False):
    """Return the answers to a plan, all alike."""
    return [
        trial(case, 100 + i, ok=ok, model=model, seed="again")
        for (case, model), n in plan.cells.items()
        for i in range(n)
    ]


def test_three_of_sixty_break_at_five_samples():
    """Asked again they still fail, so the gate says regressed, and names them."""
    here = bench(table(ALL), table(broken(5, "-----"), seed="2"))
    plan = plan_run_confirmation(here)
    assert {(case, "m"): 4 for case in BROKEN} == plan.cells
    found = evaluate_run(here, plan=plan, again=asked_again(plan))
    [gate] = found.gates
    assert (gate.verdict, gate.blocking, gate.behind) == ("failed", True, BROKEN)
    assert gate.sentence.startswith(
        "REGRESSED: c03, c17, c42 passed all 5 baseline samples and failed all 9 now;"
    )
    assert tuple(e.case for e in found.diff.entries if e.blocking) == BROKEN
    assert ("reject", (gate,)) == (found.decision.decision, found.failed)


def test_one_sample_cannot_tell():
    """With one sample the same change is inconclusive, says why, and blocks only when strict."""
    before = table(dict.fromkeys(ALL, "+"))
    here = bench(before, table(broken(1, "-"), seed="2"))
    assert plan_run_confirmation(here).cells == {}
    [gate] = evaluate_run(here, plan=plan_run_confirmation(here)).gates
    assert (gate.verdict, gate.blocking) == ("inconclusive", False)
    assert gate.behind == BROKEN
    assert any("fewer than 3 independent baseline samples" in note for note in gate.notes)
    assert evaluate_run(here).decision.decision == "investigate"
    strict = evaluate_run(replace(here, rules=Rules(strict=True))).gates[0]
    assert (strict.verdict, strict.blocking) == ("inconclusive", True)


def test_a_flickering_case_does_not_block():
    """One case that fails now and then passes the gate, or leaves it open."""
    here = bench(table(ALL), table(ALL | {"c03": "++-+-"}, seed="2"))
    found = evaluate_run(here, plan=plan_run_confirmation(here))
    assert found.gates[0].verdict in {"passed", "inconclusive"}
    assert not found.failed
    assert [(e.case, e.kind) for e in found.diff.entries] == [("c03", "flaky")]


def test_a_break_that_recovers_when_asked_again():
    """Cases that pass when asked again are no breaks."""
    here = bench(table(ALL), table(broken(5, "-----"), seed="2"))
    plan = plan_run_confirmation(here)
    [gate] = evaluate_run(here, plan=plan, again=asked_again(plan, ok=True)).gates
    assert gate.verdict != "failed" or "passed all" not in gate.sentence
    assert any("passed on confirmation" in note for note in gate.notes)


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.booleans())
def test_confirmation_changes_nothing_else(seed, ok):
    """D, its interval, every metric, every other gate and the baseline's bytes stay as they were."""
    rates = [1.0] * 20 + [0.0] * 4
    before = table({f"c{i:03}": "+++" for i in range(24)})
    here = bench(before, drawn(rates, 3, seed), "no regressions", "pass@1 >= 0.9")
    plan = plan_run_confirmation(here)
    bare = evaluate_run(here, plan=plan)
    told = evaluate_run(here, plan=plan, again=asked_again(plan, ok=ok))
    assert bare.metrics == told.metrics
    assert bare.gates[1] == told.gates[1]
    for one, two in zip(bare.diff.tests, told.diff.tests, strict=True):
        assert one.result.mean == two.result.mean
    bytes_of = write_baseline(update_baseline(here.baseline, run_side(here).snapshot))
    assert bytes_of == write_baseline(
        update_baseline(here.baseline, build_baseline(here.table, here.info))
    )


def test_showing_a_slice_changes_no_verdict():
    """Exploratory slices stand apart: with or without them the declared verdicts are the same."""
    before = extend(table(ALL, tags=("x",)), ALL, model="n", tags=("y",))
    now = extend(table(broken(5, "-----"), seed="2", tags=("x",)), ALL, model="n", tags=("y",))
    here = bench(before, now)
    plan = plan_run_confirmation(here)
    bare, shown = (
        evaluate_run(here, plan=plan, again=asked_again(plan), by=by)
        for by in ((), ("tag", "case"))
    )
    assert bare.gates == shown.gates
    assert all(not t.result.blocking for t in shown.diff.tests if t.gate is None)
    assert len(shown.diff.tests) > len(bare.diff.tests)


def test_rows_are_one_family_whatever_became_of_them():
    """A model whose set is not whole stays in the family, so it makes no other verdict easier."""
    before = extend(table(ALL), ALL, model="n")
    whole = extend(table(broken(5, "-----"), seed="2"), ALL, model="n", seed="2")
    part = extend(table(broken(5, "-----"), seed="2"), {"c00": "+++++"}, model="n", seed="2")
    one = evaluate_run(bench(before, whole), plan=None)
    facts = info(part, gates=("no regressions",), models=("m", "n"), planned=600, selected=305)
    here = EvaluationInput(part, facts, bench(before, whole).baseline)
    two = evaluate_run(here, plan=None)
    assert [gate.verdict for gate in one.gates] == ["failed", "passed"]
    assert [gate.verdict for gate in two.gates] == ["failed", "skipped"]
    assert one.diff.tests[0].result.breaks == two.diff.tests[0].result.breaks
    assert one.diff.tests[0].result.mean == two.diff.tests[0].result.mean


def test_errors_on_hard_cases_never_pass():
    """Where the cases that would have failed error, the comparison is incomplete, not passed."""
    here = bench(table(ALL), table(broken(5, "!!!!!"), seed="2"))
    [gate, errors] = evaluate_run(here, plan=plan_run_confirmation(here)).gates
    assert (gate.verdict, gate.blocking, gate.behind) == ("incomplete", True, BROKEN)
    assert (errors.verdict, errors.gate) == ("failed", "error_rate <= 0")


def test_recorded_answers_have_no_noise():
    """One scripted pass that became a fail regresses; a drift fails too, and says what to do."""
    before = table({"a": "+", "b": "+"}, origin="scripted")
    one = bench(before, table({"a": "-", "b": "+"}, origin="scripted", seed="2"))
    [gate] = evaluate_run(one).gates
    assert (gate.verdict, gate.behind) == ("failed", ("a",))
    two = bench(before, table({"a": "+", "b": "+"}, origin="scripted", answer_digest="new"))
    [gate] = evaluate_run(two).gates
    assert (gate.verdict, gate.behind) == ("failed", ("a", "b"))
    assert "DRIFTED: a, b still pass" in gate.sentence


def test_a_new_model_is_told_apart():
    """A model the baseline does not know can be compared with nothing: not passed, not failed."""
    here = bench(table({"a": "+++"}), extend(table({"a": "+++"}), {"a": "+++"}, model="n"))
    found = {gate.model: gate.verdict for gate in evaluate_run(here).gates}
    assert found["n"] == "inconclusive"


def test_regressions_of_a_scorer():
    """`of` compares the scorer's values, and per tag each slice is a row of the family."""

    def made(value, seed):
        one = table({})
        for i in range(30):
            for k in range(3):
                one.add(trial(f"c{i:02}", k, seed=seed, names=("helpful",), tags=("x",),
                              values=(value + 0.01 * (i + k),), verdicts=(None,)))  # fmt: skip
        return one

    here = bench(made(0.5, "1"), made(0.3, "2"), "no regressions of helpful",
                 "no regressions of helpful per tag", "no regressions")  # fmt: skip
    one, two, three = evaluate_run(here, plan=plan_run_confirmation(here)).gates
    assert [one.verdict, two.verdict, three.verdict] == ["failed", "failed", "passed"]
    assert ("score", pytest.approx(-0.2)) == (one.unit, one.value)
    assert str(two.slice) == "tag=x"


def test_a_margin_of_its_own():
    """`within` sets what a row tolerates."""
    before = {f"c{i:02}": "+++++" for i in range(100)}
    now = {case: "++++-" if i % 10 == 0 else "+++++" for i, case in enumerate(before)}
    here = bench(
        table(before), table(now, seed="2"), "no regressions", "no regressions within 0.02"
    )
    wide, narrow = evaluate_run(here, plan=plan_run_confirmation(here)).gates
    assert wide.verdict == "passed"
    assert narrow.verdict == "failed"


def test_no_baseline_no_plan():
    """Without a baseline nothing is asked again, and there is no diff."""
    made = table({"a": "+"})
    here = EvaluationInput(
        made, info(made, gates=("no regressions",)), no_baseline="this run writes it"
    )
    assert plan_run_confirmation(here).cells == {}
    found = evaluate_run(here)
    assert (found.diff, found.gates[0].verdict) == (None, "skipped")


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_an_evaluation_survives_json(seed):
    """Everything that is said of a run is the same after its round trip."""
    here = bench(drawn([0.2, 0.9, 1.0], 3, 1), drawn([0.2, 0.9, 1.0], 3, seed),
                 "no regressions", "pass@1 >= 0.5", "mean(contains) >= 0.2")  # fmt: skip
    found = evaluate_run(here, plan=plan_run_confirmation(here))
    assert found == Evaluation.model_validate_json(found.model_dump_json())


def test_metrics_of_gates_are_shown():
    """A metric that only a gate names is among the metrics."""
    made = table({"a": "++"})
    found = evaluate_run(EvaluationInput(made, info(made, gates=("p99(latency_s) <= 3",))))
    assert "p99(latency_s)" in {metric.metric for metric in found.metrics}


def verdict(word, role=None, *, improved=None):
    """Return a verdict."""
    return GateVerdict(gate="g", dataset="d", model="m", verdict=word, blocking=False,
                       metric="pass@1", role=role, improved=improved)  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([verdict("passed")], "accept"),
        ([verdict("failed"), verdict("passed")], "reject"),
        ([verdict("inconclusive"), verdict("passed")], "investigate"),
        ([verdict("skipped")], "investigate"),
        ([verdict("incomplete")], "investigate"),
        ([], "investigate"),
        ([verdict("passed", "primary", improved=True), verdict("failed", "guardrail")], "tradeoff"),
        ([verdict("passed", "primary", improved=True), verdict("failed")], "tradeoff"),
        ([verdict("passed", "primary", improved=False), verdict("failed", "guardrail")], "reject"),
        ([verdict("passed", "primary"), verdict("failed", "guardrail")], "reject"),
        ([verdict("failed", "primary", improved=True), verdict("failed", "guardrail")], "reject"),
        ([verdict("skipped", "primary"), verdict("failed", "guardrail")], "investigate"),
        ([verdict("passed", "primary"), verdict("incomplete", "guardrail")], "investigate"),
        ([verdict("passed", "primary"), verdict("passed", "guardrail")], "accept"),
    ],
)
def test_the_one_word(verdicts, expected):
    """Primary gates accept or reject, guardrails make a tradeoff, what is unknown is investigated."""
    assert expected == decide(verdicts).decision


def test_a_tradeoff_from_trials():
    """More cases pass beyond noise, and the cost is over its guardrail: a person must weigh it."""
    before = table({f"c{i:02}": "-+-+-" for i in range(40)})
    now = table({f"c{i:02}": "+++++" for i in range(40)}, seed="2", cost_usd=0.1)
    here = bench(before, now, "pass@1 >= 0.5 as primary", "cost_usd <= 1 as guardrail")
    found = evaluate_run(here)
    assert found.decision.decision == "tradeoff"
    assert (True, pytest.approx(0.6)) == (found.gates[0].improved, found.gates[0].change)
    assert ["cost_usd is 20 USD" in found.decision.reasons[0], True] == [
        True, "pass@1" in found.decision.reasons[1]
    ]  # fmt: skip
