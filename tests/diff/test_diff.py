"""What changed between a baseline and a run, case by case."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from pytest_evals.model import Model
from pytest_evals.verdict.baseline import build_baseline, read_baseline, write_baseline
from pytest_evals.verdict.diff import (
    ComparisonSpec,
    Diff,
    RunSide,
    diff_runs,
    diff_with_baseline,
    is_independent,
)
from pytest_evals.verdict.diff.entries import fisher_p
from tests.gates.makers import drawn, extend, info, table, trial


def side(made, **more):
    """Return a run as it is compared."""
    return RunSide(made, info(made, models=made.models), **more)


def base(made):
    """Return the baseline of a run, as it is read from its file."""
    return read_baseline(write_baseline(build_baseline(made, info(made, models=made.models))), "b")


def kinds(before, now, **more):
    """Return the class of each case that has an entry."""
    return {e.case: e.kind for e in diff_with_baseline(base(before), side(now, **more)).entries}


OUTCOMES = st.dictionaries(
    st.sampled_from([f"c{i}" for i in range(12)]), st.text("+-", min_size=1, max_size=5)
)
ORIGINS = st.sampled_from(["asked", "scripted"])
MIRROR = {
    "regressed": "fixed",
    "fixed": "regressed",
    "newly_failing": "newly_passing",
    "newly_passing": "newly_failing",
    "added_passing": "removed",
    "added_failing": "removed",
}


@given(OUTCOMES, ORIGINS)
def test_nothing_changed(outcomes, origin):
    """The diff of a run with itself has only what still fails."""
    made = table({"z": "+", **outcomes}, origin=origin)
    found = diff_with_baseline(base(made), side(made))
    assert found.dropped == ()
    assert {entry.kind for entry in found.entries} <= {"still_failing"}
    assert len(found.entries) == found.counts.get("still_failing", 0)
    assert len(outcomes) + 1 == sum(found.counts.values())


@given(OUTCOMES, OUTCOMES, ORIGINS)
def test_the_other_way_round(one, two, origin):
    """diff(b, a) mirrors diff(a, b): what regressed is fixed, what was added is removed."""
    a, b = (
        table({"z": "+", **some}, origin=origin, seed=s) for some, s in ((one, "1"), (two, "2"))
    )
    there, back = diff_runs(side(a), side(b)), diff_runs(side(b), side(a))

    def shown(entry):
        added = entry.kind in {"added_passing", "added_failing"}
        return "removed or added" if added or entry.kind == "removed" else entry.kind

    def facts(diff, *, mirrored):
        found = []
        for e in diff.entries:
            before, now = (e.passes_before, e.n_before), (e.passes, e.n)
            texts = (e.answer_before, e.answer)
            kind = MIRROR.get(shown(e), shown(e)) if mirrored else shown(e)
            pair = (now, before) if mirrored else (before, now)
            found.append((e.case, kind, pair, texts[::-1] if mirrored else texts))
        return sorted(found, key=str)

    assert facts(there, mirrored=False) == facts(back, mirrored=True)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("+++", "---", "regressed"),
        ("---", "+++", "fixed"),
        ("+++++", "+----", "regressed"),
        ("+++++", "+++--", "flaky"),
        ("+", "-", "newly_failing"),
        ("++", "--", "newly_failing"),
        ("-", "+", "newly_passing"),
        ("+-", "--", "flaky"),
        ("+++", "++-", "flaky"),
        ("+++", "+++++", None),
        ("---", "-----", "still_failing"),
        ("+-", "-+", None),
        ("!", "+", "added_passing"),
        ("!", "+-", "added_failing"),
        ("+", "!", "errored"),
        ("+", "", "removed"),
        ("", "-", "added_failing"),
        ("", "!", "errored"),
    ],
)
def test_what_a_case_did(before, now, expected):
    """Classes of live answers: beyond noise, within it, on one side only."""
    sides = [
        table({"z": "+", **({"a": marks} if marks else {})}, seed=seed)
        for marks, seed in ((before, "1"), (now, "2"))
    ]
    assert ({} if expected is None else {"a": expected}) == kinds(*sides)


def test_every_moved_recorded_answer_counts():
    """Scripted answers have no noise: one pass that became a fail has regressed."""
    before = table({"a": "+", "b": "-", "c": "+"}, origin="scripted")
    now = table({"a": "-", "b": "+", "c": "+"}, origin="scripted")
    assert kinds(before, now) == {"a": "regressed", "b": "fixed"}


def test_drift_of_recorded_answers():
    """A recorded answer that still passes but changed has drifted, and blocks where declared."""
    before = table({"a": "+"}, origin="scripted")
    now = table({"a": "+"}, origin="scripted", answer_digest="other")
    found = diff_with_baseline(
        base(before), side(now), [ComparisonSpec("m", gate="no regressions")]
    )
    assert [(e.kind, e.blocking) for e in found.entries] == [("drifted", True)]
    assert (found.verdict, found.tests[0].drifted) == ("regressed", ("a",))


def test_drift_of_live_answers():
    """Live answers differ every time; that other tools were called is shown, and never blocks."""
    before = table({"a": "+", "b": "+"}, tools=("search",))
    now = extend(
        table({"a": "+"}, seed="2", answer_digest="other", tools=("search",)),
        {"b": "+"}, tools=("pay",),
    )  # fmt: skip
    found = diff_with_baseline(
        base(before), side(now), [ComparisonSpec("m", gate="no regressions")]
    )
    assert [(e.case, e.kind, e.blocking) for e in found.entries] == [("b", "drifted", False)]
    assert [(e.tools_before, e.tools) for e in found.entries] == [(("search",), ("pay",))]
    assert found.tests[0].drifted == ()


def test_drift_needs_recorded_answers_on_both_sides():
    """Recorded answers against a live baseline may call other tools without blocking."""
    before = table({"a": "+"}, tools=("search",))
    now = table({"a": "+"}, tools=("pay",), origin="scripted")
    found = diff_with_baseline(
        base(before), side(now), [ComparisonSpec("m", gate="no regressions")]
    )
    assert [(e.kind, e.blocking) for e in found.entries] == [("drifted", False)]


def test_an_edited_case_is_not_compared():
    """A changed question or changed assertions are named, and pair with nothing."""
    before = table({"a": "+++", "b": "+++", "c": "+++"})
    now = table({"a": "---"}, case_digest="edited")
    extend(now, {"b": "---"}, scorers_digest="edited")
    extend(now, {"c": "+++"})
    found = diff_with_baseline(
        base(before), side(now), [ComparisonSpec("m", gate="no regressions")]
    )
    assert [(e.kind, e.edited) for e in found.entries] == [
        ("case_edited", ("case",)),
        ("case_edited", ("scorers",)),
    ]
    assert [f"{d.case}: {d.reason}" for d in found.dropped] == [
        "a: its input or reference answer changed",
        "b: its assertions changed",
    ]
    assert (found.tests[0].result.cases, found.verdict) == (1, "inconclusive")


def test_a_changed_prompt_is_compared():
    """A new prompt or new parameters are what a comparison is for; the entry says so."""
    before = table({"a": "+++"})
    now = table({"a": "---"}, seed="2")
    facts = info(now, prompt_digest="new").model_copy(
        update={"models": (Model(id="m", provider="openai", model="m2"),)}
    )
    [entry] = diff_with_baseline(base(before), RunSide(now, facts)).entries
    assert (entry.kind, entry.edited) == ("regressed", ("model", "prompt"))


def test_an_entry_says_what_changed():
    """Scores, answers, tools, tokens, time and cost stand before and now, with the reasons."""
    before = table({"a": "+++"}, tokens=10, latency_s=1.0, cost_usd=0.1)
    now = table({"a": "---"}, tokens=20, latency_s=2.0, cost_usd=0.1, tools=("pay",))
    [entry] = diff_with_baseline(base(before), side(now)).entries
    assert (entry.answer_before, entry.answer) == ("right", "wrong")
    assert (entry.tools_before, entry.tools) == ((), ("pay",))
    assert (entry.scores["contains"].before, entry.scores["contains"].now) == (1.0, 0.0)
    assert (entry.tokens.before, entry.tokens.now) == (10, 20)
    assert (entry.latency_s.before, entry.latency_s.now) == (1.0, 2.0)
    assert entry.cost_usd is None
    assert (entry.failing_before, entry.failing) == ((), ("contains",))
    assert entry.reasons == ("contains: not found",)


def test_still_failing():
    """A case that still fails is listed; other assertions that fail are told."""
    before = table({"a": "-", "b": "-"})
    now = extend(table({"a": "-"}, failing=("tone",)), {"b": "-"})
    diff = diff_with_baseline(base(before), side(now))
    assert [(e.case, e.kind, e.failing_before, e.failing) for e in diff.entries] == [
        ("a", "still_failing", ("contains",), ("tone",)),
        ("b", "still_failing", ("contains",), ("contains",)),
    ]
    assert diff.counts == {"still_failing": 2}


def test_what_was_not_asked_is_not_removed():
    """In an incomplete run, and for a model that was not asked, nothing is removed."""
    before = extend(table({"a": "+", "b": "+"}), {"a": "+"}, model="n")
    now = table({"a": "+"})
    assert kinds(before, now) == {"b": "removed"}
    assert kinds(before, now, incomplete=frozenset({"m"})) == {}


def test_dropped_names_the_model_where_it_matters():
    """A case dropped under one of two models is named with it."""
    before = extend(table({"a": "+"}), {"a": "+", "b": "+"}, model="n")
    now = extend(table({"a": "+", "b": "+", "c": "+"}), {"a": "+", "b": "+", "c": "+"}, model="n")
    found = diff_with_baseline(base(before), side(now))
    assert [one.case for one in found.dropped] == ["b[m]", "c"]


@given(st.integers(1, 8), st.integers(1, 8), st.data())
def test_chance_is_fishers(n_a, n_b, data):
    """The chance of a case's movement is Fisher's one-sided p-value, and the same both ways."""
    a, b = data.draw(st.integers(0, n_a)), data.draw(st.integers(0, n_b))
    assert fisher_p(a, n_a, b, n_b) == fisher_p(b, n_b, a, n_a)
    if a * n_b == b * n_a:
        assert fisher_p(a, n_a, b, n_b) == 1.0
        return
    alternative = "greater" if a * n_b > b * n_a else "less"
    expected = fisher_exact([[a, n_a - a], [b, n_b - b]], alternative=alternative).pvalue
    assert fisher_p(a, n_a, b, n_b) == pytest.approx(expected)


def test_temperature_0_is_one_sample():
    """Samples that repeat each other prove nothing more than one does."""
    before, now = table({"a": "+++"}), table({"a": "---"}, seed="2")
    cold = info(now).model_copy(
        update={"models": (Model(id="m", provider="openai", params={"temperature": 0}),)}
    )
    [entry] = diff_with_baseline(base(before), RunSide(now, cold)).entries
    assert entry.kind == "newly_failing"


@pytest.mark.parametrize(
    ("params", "own", "expected"),
    [
        ({}, None, True),
        ({"temperature": 0.7}, None, True),
        ({"temperature": 0}, None, False),
        ({"seed": 1}, None, False),
        ({"temperature": 0}, True, True),
        ({}, False, False),
    ],
)
def test_independent_samples(params, own, expected):
    """At temperature 0 or with a seed samples are not independent, unless the model says so."""
    assert expected == is_independent(
        Model(id="m", provider="openai", params=params, independent=own)
    )


def test_the_gravest_comes_first():
    """Entries are in the order of gravity, then of cases."""
    before = table({"a": "---", "b": "+++", "c": "+++", "d": "+"})
    now = table({"a": "+++", "b": "---", "c": "---", "d": "-", "e": "-"}, seed="2")
    assert [e.case for e in diff_with_baseline(base(before), side(now)).entries] == [
        "b",
        "c",
        "d",
        "e",
        "a",
    ]


@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_a_diff_survives_json(one, two):
    """A diff is the same after its round trip, `class` in place."""
    a, b = (drawn([0.2, 0.9, 1.0], 3, seed, tags=("x",)) for seed in (one, two))
    found = diff_with_baseline(base(a), side(b), [ComparisonSpec("m", gate="no regressions")])
    text = found.model_dump_json()
    assert found == Diff.model_validate_json(text)
    assert '"kind"' not in text


@pytest.mark.slow
def test_ten_thousand_cases():
    """A diff of 10,000 cases of three samples, with the test, takes under 2 s of this process."""
    rates = [(1.0, 0.9, 0.5, 1.0)[i % 4] for i in range(10_000)]
    before, now = base(drawn(rates, 3, 1)), drawn(rates, 3, 2)
    spent = [2.0]
    while spent[-1] >= 2.0 and len(spent) < 4:
        began = time.process_time()
        found = diff_with_baseline(
            before, side(now), [ComparisonSpec("m", gate="no regressions")], by=()
        )
        spent.append(time.process_time() - began)
    assert (sum(found.counts.values()), found.verdict) == (10_000, "passed")
    assert spent[-1] < 2.0


def test_a_trial_beyond_the_first_model():
    """Each model's cases are classed by themselves."""
    before = extend(table({"a": "+++"}), {"a": "+++"}, model="n")
    now = extend(table({"a": "---"}, seed="2"), {"a": "+++"}, model="n", seed="2")
    now.add(trial("b", ok=True, model="n"))
    found = diff_with_baseline(base(before), side(now))
    assert [(e.case, e.model, e.kind) for e in found.entries] == [
        ("a", "m", "regressed"),
        ("b", "n", "added_passing"),
    ]
