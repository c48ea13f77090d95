"""Metrics of many trials, against brute force."""

from fractions import Fraction
from itertools import combinations
from random import Random
from statistics import fmean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.metrics.compute import (
    compute_metric,
    compute_metrics,
    compute_slice_metrics,
    default_metrics,
)
from pytest_evals.metrics.metric import Metric, Slice
from pytest_evals.result import Outcome
from pytest_evals.stats.percentiles import estimate_percentile
from pytest_evals.stats.quantiles import quantile
from tests.gates.makers import extend, table, trial

SAMPLES = st.text("+-", min_size=1, max_size=6)
TABLES = st.dictionaries(st.sampled_from([f"c{i}" for i in range(9)]), SAMPLES, min_size=1)


def brute(samples, k, *, every):
    """Return pass@k or pass^k of one case by looking at every choice of k samples."""
    chosen = list(combinations(samples, k))
    good = sum((all if every else any)(mark == "+" for mark in some) for some in chosen)
    return Fraction(good, len(chosen))


@given(TABLES, st.integers(1, 4))
def test_pass_at_k_is_the_mean_over_all_choices(outcomes, k):
    """pass@k and pass^k equal enumeration where every case has k samples, else they are absent."""
    made = table(outcomes)
    for sign, every in (("@", False), ("^", True)):
        found = compute_metric(made, f"pass{sign}{k}", model="m")
        if min(map(len, outcomes.values())) < k:
            assert found.value is None
            assert f"fewer than k = {k}" in (found.absent or "")
        else:
            expected = fmean(brute(samples, k, every=every) for samples in outcomes.values())
            assert pytest.approx(float(expected)) == found.value
            if len(outcomes) == 1 and k > 1:
                assert found.unknown == "one case does not show how much cases differ"
            else:
                assert found.low - 1e-12 <= found.value <= found.high + 1e-12


@given(TABLES)
def test_rates_and_means_agree_with_plain_sums(outcomes):
    """pass@1, the score and a scorer's mean are the mean of the cases' shares."""
    made = table(outcomes)
    expected = fmean(samples.count("+") / len(samples) for samples in outcomes.values())
    names = ("pass@1", "pass_rate", "score", "mean(contains)", "pass@1 of contains")
    assert [pytest.approx(expected)] * len(names) == [
        compute_metric(made, name, model="m").value for name in names
    ]


def test_too_few_samples_because_of_errors():
    """A case short of k only because trials errored is left out and counted, not guessed."""
    made = table({"a": "+++", "b": "++!", "c": "!!!"})
    found = compute_metric(made, "pass^3", model="m")
    assert (found.value, found.n, found.cases, found.dropped) == (1.0, 3, 1, 2)
    assert "fewer than k = 3" in compute_metric(table({"a": "++"}), "pass^3", model="m").absent


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pass@1", "none of 2 trials could be scored"),
        ("score", "none of 2 trials could be scored"),
        ("mean(helpful)", "none of 2 trials could be scored"),
        ("latency_s", "no trial reports its latency"),
        ("mean(cost_usd)", "no trial's price is known"),
        ("recovery", "failed its first"),
    ],
)
def test_errors_leave_nothing_to_measure(name, said):
    """Where every trial errored there is no value, and the reason says so."""
    found = compute_metric(table({"a": "!", "b": "!"}), name, model="m")
    assert (found.value, found.n) == (None, 0)
    assert said in found.absent


def test_nobody_is_in_the_slice():
    """A slice without trials is absent, never 0 or 1."""
    found = compute_metric(table({"a": "+"}), "pass@1", model="m", part=Slice(key="tag", value="x"))
    assert (found.value, found.absent) == (None, "no trial of these cases was recorded")


def test_a_scorer_that_says_nothing():
    """A scorer without verdicts has no pass@k, one that never spoke or failed says which."""
    made = table({"a": "+"}, names=("helpful",), values=(0.5,), verdicts=(None,),
                 unscored=("judge",))  # fmt: skip
    assert "use mean(helpful)" in compute_metric(made, "pass@1 of helpful", model="m").absent
    assert compute_metric(made, "mean(tone)", model="m").absent == "tone scores none of these cases"
    assert (
        compute_metric(made, "mean(judge)", model="m").absent
        == "judge could not score any of 1 trial"
    )


def test_errors_and_completeness():
    """Errors are a share of what was asked, completeness of what was planned."""
    made = table({"a": "+!", "b": "-+"})
    made.add(trial("c", ok=None, outcome=Outcome.SKIPPED, error="not_run"))
    assert compute_metric(made, "error_rate", model="m").value == 0.25
    assert compute_metric(made, "completeness", model="m", planned=8).value == 3 / 8
    assert compute_metric(made, "completeness", model="m").value == 3 / 5


def test_samples_that_were_not_needed_do_not_count():
    """A cell that stopped early is whole: what was not needed is neither missing nor an error."""
    made = table({"a": "+++"})
    made.add(trial("a", 3, ok=None, outcome=Outcome.SKIPPED, error="not_needed"))
    assert compute_metric(made, "completeness", model="m").value == 1.0
    assert compute_metric(made, "error_rate", model="m").value == 0.0


def test_totals_need_every_price():
    """Tokens and cost are totals of all answers; one unknown price leaves no total."""
    made = table({"a": "+-", "b": "!"})
    assert pytest.approx(0.002) == compute_metric(made, "cost_usd", model="m").value
    assert compute_metric(made, "tokens", model="m").value == 20
    assert pytest.approx(0.001) == compute_metric(made, "mean(cost_usd)", model="m").value
    made.add(trial("c", cost_usd=None))
    assert (
        compute_metric(made, "cost_usd", model="m").absent
        == "1 of 3 answered trials have no known price"
    )


@given(st.lists(st.lists(st.floats(0, 100), min_size=1, max_size=4), min_size=1, max_size=8),
       st.sampled_from([50, 90, 95]))  # fmt: skip
def test_quantiles_and_extremes(cells, percent):
    """Percentiles, the median and extremes are those of all samples; intervals hold the value."""
    made = table({})
    for i, cell in enumerate(cells):
        for k, seconds in enumerate(cell):
            made.add(trial(f"c{i}", k, latency_s=seconds))
    flat = [x for cell in cells for x in cell]
    found = compute_metric(made, f"p{percent}(latency_s)", model="m")
    assert quantile(flat, percent / 100) == found.value
    assert median(flat) == pytest.approx(compute_metric(made, "median(latency_s)", model="m").value)
    extremes = [
        compute_metric(made, f"{name}(latency_s)", model="m").value for name in ("min", "max")
    ]
    assert [min(flat), max(flat)] == extremes
    if found.low is not None:
        assert found.low <= found.value <= found.high


def test_intervals_of_percentiles_cover():
    """The interval of a p90 from 60 clustered cases holds the true one in about 95 of 100."""
    truth, hits, rng = 1.2816 * 2**0.5, 0, Random(7)
    for _ in range(400):
        cells = []
        for _ in range(60):
            centre = rng.gauss(0, 1)
            cells.append([rng.gauss(centre, 1) for _ in range(3)])
        found = estimate_percentile(cells, 0.9)
        hits += found.low <= truth <= found.high
    assert 0.90 < hits / 400 <= 0.99


def test_labels():
    """Classification metrics come from labels beside true ones."""
    pairs = [("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")]
    made = table({})
    for i, (true, said) in enumerate(pairs):
        made.add(trial(f"c{i}", labels=(("tone", true, said),)))
    assert compute_metric(made, "accuracy(tone)", model="m").value == 0.75
    assert compute_metric(made, "recall(tone, a)", model="m").value == 0.5
    assert compute_metric(made, "precision(tone, a)", model="m").value == 1.0
    assert pytest.approx(2 / 3) == compute_metric(made, "f1(tone, a)", model="m").value
    assert (
        pytest.approx((2 / 3 + 0.8) / 2) == compute_metric(made, "macro_f1(tone)", model="m").value
    )
    assert "expected" in compute_metric(made, "accuracy(other)", model="m").absent


def test_consistency_and_recovery():
    """Consistency is how often two samples agree, recovery who passed after a first failure."""
    made = table({"a": "+-", "b": "++", "c": "-+", "d": "--"})
    assert compute_metric(made, "consistency", model="m").value == 0.5
    assert compute_metric(made, "recovery", model="m").value == 0.5


def test_what_reports_show():
    """Every model has every metric once, pass@k at the samples every case has, extras included."""
    made = table({"a": "+++", "b": "++"})
    extend(made, {"a": "++", "b": "--"}, model="n")
    names = default_metrics(made)
    assert {"pass@1", "pass@2", "pass^2", "consistency"} <= set(names)
    found = compute_metrics(made, planned={"m": 6})
    assert len({(one.metric, one.model) for one in found}) == len(found)
    by_name = {(one.metric, one.model): one for one in found}
    assert by_name["completeness", "m"].value == 5 / 6
    assert by_name["mean(contains)", "n"].value == 0.5
    assert found == [Metric.model_validate_json(one.model_dump_json()) for one in found]


def test_metrics_of_slices():
    """Each slice has its metrics, and a case is in every slice of its tags."""
    made = table({"a": "+", "b": "+"}, tags=("x",))
    extend(made, {"c": "-"}, tags=("x", "y"))
    found = {(str(one.slice), one.metric): one.value for one in compute_slice_metrics(made, "tag")}
    assert pytest.approx(found) == {("tag=x", "pass@1"): 2 / 3, ("tag=x", "score"): 2 / 3,
            ("tag=y", "pass@1"): 0.0, ("tag=y", "score"): 0.0}  # fmt: skip
