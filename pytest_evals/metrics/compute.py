"""Measures of many trials: from a table of tallies to metrics. Pure.

Samples of one case are one cluster in every interval. A value that does not exist is absent with
its reason: pass@3 of two samples, a total cost with an unpriced answer, a slice nobody is in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from pytest_evals.metrics.metric import Metric, Slice
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.spec import QUANTITIES, MetricSpec
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.score import NO_LABEL
from pytest_evals.stats.agreement import Ratings, accuracy, f1_score, macro_f1, precision, recall
from pytest_evals.stats.estimate import Absent, Estimate
from pytest_evals.stats.intervals import clustered_mean, clustered_rate
from pytest_evals.stats.passk import consistency, mean_pass_at_k, mean_pass_hat_k, recovery
from pytest_evals.stats.quantiles import quantile

Cells = Mapping[str, Sequence[TrialStats]]
"""Case id -> its tallies in the order of samples."""


@dataclass(frozen=True)
class TrialGroup:
    """The trials a metric is about: one model's, in one slice."""

    cells: Cells

    @cached_property
    def trials(self) -> list[TrialStats]:
        """All trials that were needed."""
        return [one for one in chain.from_iterable(self.cells.values()) if not one.unneeded]

    @cached_property
    def scored(self) -> list[list[TrialStats]]:
        """The scored trials of each case; a case without any is an empty list."""
        return [[one for one in cell if one.scored] for cell in self.cells.values()]

    @property
    def errored(self) -> list[TrialStats]:
        """The trials without an answer, or without a score."""
        return [one for one in self.trials if one.outcome == "errored"]

    def counts(self, scorer: str | None) -> list[tuple[int, int]]:
        """Return (passes, n) of each case, n = 0 where nothing was scored."""
        if scorer is None:
            return [(sum(one.passed for one in cell), len(cell)) for cell in self.scored]
        voted = ([one.verdict(scorer) for one in cell] for cell in self.scored)
        return [(votes.count(True), len(votes) - votes.count(None)) for votes in map(list, voted)]

    def numbers(self, of: str) -> list[list[float]]:
        """Return the numbers of each case: a quantity of the trials, or what a scorer says."""
        read = _quantity(of)
        cells = self.scored if of == "score" or of not in QUANTITIES else self.cells.values()
        return [[x for one in cell if (x := read(one)) is not None] for cell in cells]


def _quantity(of: str) -> Callable[[TrialStats], float | None]:
    if of in QUANTITIES:
        return lambda one: getattr(one, of)
    return lambda one: one.number(of)


def compute_metric(
    table: TrialTable,
    what: MetricSpec | str,
    *,
    model: str,
    part: Slice | None = None,
    confidence: float = 0.95,
    planned: int | None = None,
) -> Metric:
    """Return a metric of one model.

    Args:
        table: the trials of a dataset.
        what: the measure, or its name.
        model: the model's id.
        part: which cases; None is all.
        confidence: of the interval, inside (0, 1).
        planned: trials that completeness is a share of; None is all that were recorded.

    Returns:
        The metric; its value is None where it does not exist, and `absent` says why.

    Raises:
        MetricError: the name names no metric.
        ValueError: the confidence is outside its range.
    """
    what = parse_metric(what) if isinstance(what, str) else what
    group = TrialGroup(table.cases(model, part))
    found = estimate_metric(group, what, confidence=confidence, planned=planned)
    return to_metric(table.dataset, model, part, what, found, confidence)


def to_metric(
    dataset: str,
    model: str,
    part: Slice | None,
    what: MetricSpec,
    found: Estimate | Absent,
    confidence: float,
) -> Metric:
    """Return an estimate as a metric.

    Args:
        dataset: the dataset's name.
        model: the model's id.
        part: which cases; None is all.
        what: the measure.
        found: its value, or why there is none.
        confidence: of the interval.
    """
    blank = Metric(
        metric=str(what),
        dataset=dataset,
        model=model,
        slice=part,
        unit=what.unit,
        better=what.better,
        confidence=confidence,
    )
    if isinstance(found, Absent):
        return blank.model_copy(update={"absent": found.reason})
    return blank.model_copy(
        update={
            "value": found.value,
            "n": found.n,
            "cases": found.cases,
            "low": found.low,
            "high": found.high,
            "method": found.method if found.low is not None else "",
            "unknown": found.unknown,
            "dropped": found.dropped,
        }
    )


def estimate_metric(
    group: TrialGroup, what: MetricSpec, *, confidence: float = 0.95, planned: int | None = None
) -> Estimate | Absent:
    """Return the value of a measure for a group of trials, or why there is none.

    Args:
        group: the trials.
        what: the measure.
        confidence: of the interval, inside (0, 1).
        planned: trials that completeness is a share of; None is all that were recorded.
    """
    if not group.trials:
        return Absent("no trial of these cases was recorded")
    if what.k is not None:
        return _pass_k(group, what, confidence)
    if what.kind in _OF_TRIALS:
        return _of_trials(group, what, confidence, planned)
    assert what.of is not None
    if what.kind in {"accuracy", "macro_f1", "f1", "precision", "recall"}:
        return _of_labels(group, what, confidence)
    if what.kind == "total":
        return _total(group, what.of, confidence)
    return _of_numbers(group, what, what.of, confidence)


_OF_TRIALS = frozenset(
    {"consistency", "recovery", "pass_after_revision", "error_rate", "completeness"}
)


def _pass_k(group: TrialGroup, what: MetricSpec, confidence: float) -> Estimate | Absent:
    counts = group.counts(what.of)
    known = [(passes, n) for passes, n in counts if n]
    if not known:
        return _nothing_scored(group, what.of)
    k = what.k or 1
    asked = [sum(not one.unneeded for one in cell) for cell in group.cells.values()]
    function = mean_pass_at_k if what.kind == "pass@" else mean_pass_hat_k
    # A case with too few samples only because some errored is left out and counted: whether so
    # many errors are tolerable is for the error rate to say.
    short = all(n >= k for n in asked)
    found = function(known, k, confidence=confidence, allow_short=short)
    if isinstance(found, Absent):
        return found
    return replace(found, dropped=found.dropped + len(counts) - len(known))


def _nothing_scored(group: TrialGroup, scorer: str | None) -> Absent:
    if scorer is None or not any(group.scored):
        return Absent(f"none of {_trials(len(group.trials))} could be scored")
    spoke = any(scorer in one.names for one in group.trials)
    if spoke:
        return Absent(f"{scorer} gives no verdict; use mean({scorer})")
    failed = sum(scorer in one.unscored for one in group.trials)
    if failed:
        return Absent(f"{scorer} could not score any of {_trials(failed)}")
    return Absent(f"{scorer} scores none of these cases")


def _trials(n: int) -> str:
    return "1 trial" if n == 1 else f"{n} trials"


def _of_trials(
    group: TrialGroup, what: MetricSpec, confidence: float, planned: int | None
) -> Estimate | Absent:
    if what.kind == "completeness":
        scored = sum(map(len, group.scored))
        whole = max(planned or 0, len(group.trials))
        cases = sum(map(bool, group.scored))
        reason = "it counts all planned trials, so nothing was sampled"
        return Estimate(
            scored / whole, None, None, whole, max(1, cases), confidence, "none", 0, reason
        )
    if what.kind == "error_rate":
        return estimate_error_rate(group, confidence=confidence)
    if what.kind == "pass_after_revision":
        return estimate_pass_after_revision(group, confidence=confidence)
    if what.kind == "consistency":
        return consistency([c for c in group.counts(None) if c[1]], confidence=confidence)
    return recovery([[one.passed for one in cell] for cell in group.scored], confidence=confidence)


def estimate_pass_after_revision(
    group: TrialGroup, *, confidence: float = 0.95
) -> Estimate | Absent:
    """Return the share of trials that pass at first or after revisions, clustered by case."""
    counts = [(sum(one.passed or one.revised for one in cell), len(cell)) for cell in group.scored]
    if not any(n for _, n in counts):
        return _nothing_scored(group, None)
    return clustered_rate([count for count in counts if count[1]], confidence=confidence)


def estimate_error_rate(group: TrialGroup, *, confidence: float = 0.95) -> Estimate | Absent:
    """Return the share of errored trials among those that were asked, clustered by case."""
    asked = [[one for one in cell if one.outcome != "skipped"] for cell in group.cells.values()]
    counts = [(sum(one.outcome == "errored" for one in cell), len(cell)) for cell in asked if cell]
    if not counts:
        return Absent("none of these trials was asked")
    return clustered_rate(counts, confidence=confidence)


def _total(group: TrialGroup, of: str, confidence: float) -> Estimate | Absent:
    answered = [one for one in group.trials if one.answered]
    read = _quantity(of)
    known = [x for one in answered if (x := read(one)) is not None]
    unknown = len(answered) - len(known)
    if unknown:
        what = "have no known price" if of == "cost_usd" else "report no tokens"
        return Absent(f"{unknown} of {len(answered)} answered trials {what}")
    cases = len({one.case for one in group.trials})
    reason = "a total of what was asked: nothing was sampled"
    return Estimate(sum(known), None, None, len(group.trials), cases, confidence, "none", 0, reason)


def _of_numbers(
    group: TrialGroup, what: MetricSpec, of: str, confidence: float
) -> Estimate | Absent:
    values = group.numbers(of)
    known = [cell for cell in values if cell]
    if not known:
        return _no_numbers(group, of)
    dropped = len(values) - len(known)
    if what.kind == "mean":
        inside = all(0 <= x <= 1 for cell in known for x in cell)
        bounds = (0.0, 1.0) if inside and what.unit == "score" else None
        found = clustered_mean(known, confidence=confidence, bounds=bounds)
        return found if isinstance(found, Absent) else replace(found, dropped=dropped)
    if what.kind in {"min", "max"}:
        flat = list(chain.from_iterable(known))
        value = min(flat) if what.kind == "min" else max(flat)
        reason = "an extreme of a sample says little of those not drawn"
        return Estimate(
            value, None, None, len(flat), len(known), confidence, "none", dropped, reason
        )
    share = 0.5 if what.kind == "median" else (what.q or 0.0) / 100
    return replace(woodruff_quantile(known, share, confidence=confidence), dropped=dropped)


def _no_numbers(group: TrialGroup, of: str) -> Absent:
    if of == "cost_usd":
        return Absent("no trial's price is known")
    if of in {"latency_s", "tokens"}:
        return Absent(f"no trial reports {'its latency' if of == 'latency_s' else 'tokens'}")
    if of == "score" or not any(group.scored):
        return Absent(f"none of {_trials(len(group.trials))} could be scored")
    if any(of in one.names for one in group.trials):
        return Absent(f"{of} gives neither a value nor a verdict")
    failed = sum(of in one.unscored for one in group.trials)
    if failed:
        return Absent(f"{of} could not score any of {_trials(failed)}")
    return Absent(f"{of} scores none of these cases")


def woodruff_quantile(
    values: Sequence[Sequence[float]], q: float, *, confidence: float = 0.95
) -> Estimate:
    """Return the q-quantile of all samples, with an interval that knows samples from cases.

    The interval of the share of samples at or below the quantile, clustered by case, is read back
    as values: Woodruff 1952, "Confidence intervals for medians and other position measures".

    Args:
        values: the samples of each case, every case with one or more finite numbers.
        q: 0..1 (p95 is 0.95).
        confidence: inside (0, 1).

    Raises:
        ValueError: there is no case, a value is not finite, or another argument is out of range.
    """
    flat = list(chain.from_iterable(values))
    value = quantile(flat, q)
    n, cases = len(flat), len(values)
    if cases == 1:
        reason = "one case does not show how much cases differ"
        return Estimate(value, None, None, n, 1, confidence, "none", 0, reason)
    at_most = [(sum(x <= value for x in cell), len(cell)) for cell in values]
    share = clustered_rate(at_most, confidence=confidence)
    assert isinstance(share, Estimate)
    assert share.low is not None
    assert share.high is not None
    ordered = sorted(flat)
    low, high = quantile(ordered, share.low), quantile(ordered, share.high)
    method = "Woodruff, clustered by case"
    return Estimate(value, min(low, value), max(high, value), n, cases, confidence, method)


def _of_labels(group: TrialGroup, what: MetricSpec, confidence: float) -> Estimate | Absent:
    found = [
        (truth, said, one.case)
        for cell in group.scored
        for one in cell
        for scorer, truth, said in one.labels
        if scorer == what.of
    ]
    if not found:
        return Absent(f"{what.of} gives no label beside a true one (`expected` in its metadata)")
    truth, said, cases = zip(*found, strict=True)
    ratings = Ratings(truth, said, cases)
    if what.kind == "accuracy":
        return accuracy(ratings, confidence=confidence)
    if what.kind == "macro_f1":
        return macro_f1(ratings, confidence=confidence, besides=frozenset({NO_LABEL}))
    of_label = {"f1": f1_score, "precision": precision, "recall": recall}[what.kind]
    return of_label(ratings, what.label or "", confidence=confidence)


def compute_metrics(
    table: TrialTable,
    *,
    planned: Mapping[str, int] | None = None,
    extra: Iterable[MetricSpec] = (),
    confidence: float = 0.95,
) -> list[Metric]:
    """Return what a report shows of each model: rates, scores, errors, time, tokens and cost.

    Args:
        table: the trials of a dataset.
        planned: the planned trials of each model, for completeness; None: those recorded.
        extra: more measures to show, such as those the gates name.
        confidence: of the intervals, inside (0, 1).

    Returns:
        The metrics, model by model, each measure once.
    """
    names = default_metrics(table)
    wanted = dict.fromkeys([*map(parse_metric, names), *(MetricSpec(kind="mean", of=scorer)
                            for scorer in table.scorers), *extra])  # fmt: skip
    found = []
    for model in table.models:
        group = TrialGroup(table.cases(model))
        for what in wanted:
            count = (planned or {}).get(model)
            value = estimate_metric(group, what, confidence=confidence, planned=count)
            found.append(to_metric(table.dataset, model, None, what, value, confidence))
    return found


def default_metrics(table: TrialTable) -> list[str]:
    """Return the names of the metrics that every report shows; pass@k where there are samples."""
    fewest = min(
        (sum(not one.unneeded for one in cell) for model in table.models
         for cell in table.cases(model).values()),
        default=1,
    )  # fmt: skip
    several = [f"pass@{fewest}", f"pass^{fewest}", "consistency", "recovery"] if fewest > 1 else []
    several += ["pass_after_revision"] if any(one.revised for one in table) else []
    costs = ["latency_s", "p50(latency_s)", "p95(latency_s)", "tokens", "cost_usd"]
    return ["pass@1", *several, "score", "error_rate", "completeness", *costs, "mean(cost_usd)"]


def compute_slice_metrics(
    table: TrialTable,
    key: str,
    *,
    names: Sequence[str] = ("pass@1", "score"),
    confidence: float = 0.95,
) -> list[Metric]:
    """Return metrics of each model in each slice of a key.

    Args:
        table: the trials of a dataset.
        key: ``tag``, ``case``, or a metadata key.
        names: the metrics.
        confidence: of the intervals, inside (0, 1).
    """
    wanted = [parse_metric(name) for name in names]
    return [
        to_metric(table.dataset, model, part, what, found, confidence)
        for model in table.models
        for value, cells in sorted(table.parts(model, key).items())
        for part, group in [(Slice(key=key, value=value), TrialGroup(cells))]
        for what in wanted
        for found in [estimate_metric(group, what, confidence=confidence)]
    ]
