"""Compute metrics from a table of trials. Pure.

Samples of one case are one cluster in every interval. A value that does not exist is absent with a
reason: pass@3 of two samples, a total cost with an unpriced answer, an empty slice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from pytest_evals.metrics.metric import Metric, Slice
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.shared_draws import Cells, distinct_cells
from pytest_evals.metrics.spec import QUANTITIES, MetricSpec
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.score import NO_LABEL
from pytest_evals.stats.agreement import Ratings, accuracy, f1_score, macro_f1, precision, recall
from pytest_evals.stats.estimate import Absent, Estimate
from pytest_evals.stats.intervals import clustered_mean, clustered_rate
from pytest_evals.stats.passk import consistency, mean_pass_at_k, mean_pass_hat_k, recovery
from pytest_evals.stats.percentiles import estimate_percentile


@dataclass(frozen=True)
class TrialGroup:
    """The trials of one model in one slice, grouped by case."""

    cells: Cells

    @cached_property
    def distinct(self) -> "TrialGroup":
        """The group without repeated draws; each question counts once."""
        cells = distinct_cells(self.cells)
        return self if cells is self.cells else TrialGroup(cells)

    @cached_property
    def trials(self) -> list[TrialStats]:
        """All trials except unneeded ones."""
        return [trial for trial in chain.from_iterable(self.cells.values()) if not trial.unneeded]

    @cached_property
    def scored(self) -> list[list[TrialStats]]:
        """The scored trials of each case; an empty list for a case without any."""
        return [[trial for trial in cell if trial.scored] for cell in self.cells.values()]

    @property
    def errored(self) -> list[TrialStats]:
        """The trials without an answer, or without a score."""
        return [trial for trial in self.trials if trial.outcome == "errored"]

    def counts(self, scorer: str | None) -> list[tuple[int, int]]:
        """Return (passes, n) of each case; n = 0 without a scored trial."""
        if scorer is None:
            return [(sum(trial.passed for trial in cell), len(cell)) for cell in self.scored]
        voted = ([trial.verdict(scorer) for trial in cell] for cell in self.scored)
        return [(votes.count(True), len(votes) - votes.count(None)) for votes in map(list, voted)]

    def numbers(self, of: str) -> list[list[float]]:
        """Return the numbers of each case: a quantity of the trials, or a scorer's values."""
        read = _quantity(of)
        cells = self.scored if of == "score" or of not in QUANTITIES else self.cells.values()
        return [[x for trial in cell if (x := read(trial)) is not None] for cell in cells]


def _quantity(of: str) -> Callable[[TrialStats], float | None]:
    if of in QUANTITIES:
        return lambda trial: getattr(trial, of)
    return lambda trial: trial.number(of)


def compute_metric(
    table: TrialTable,
    spec: MetricSpec | str,
    *,
    model: str,
    part: Slice | None = None,
    confidence: float = 0.95,
    planned: int | None = None,
) -> Metric:
    """Compute a metric of one model.

    Args:
        table: the trials of a dataset.
        spec: the metric, or its name.
        model: the model's id.
        part: the slice; None is all cases.
        confidence: of the interval, inside (0, 1).
        planned: the denominator of completeness; None counts the recorded trials.

    Returns:
        The metric. Its value is None if it does not exist; `absent` says why.

    Raises:
        MetricError: no metric has this name.
        ValueError: the confidence is outside (0, 1).
    """
    spec = parse_metric(spec) if isinstance(spec, str) else spec
    group = TrialGroup(table.cases(model, part))
    value = estimate_metric(group, spec, confidence=confidence, planned=planned)
    return to_metric(table.dataset, model, part, spec, value, confidence)


def to_metric(
    dataset: str,
    model: str,
    part: Slice | None,
    spec: MetricSpec,
    value: Estimate | Absent,
    confidence: float,
) -> Metric:
    """Return an estimate as a metric.

    Args:
        dataset: the dataset's name.
        model: the model's id.
        part: the slice; None is all cases.
        spec: the metric.
        value: its estimate, or the reason why it is absent.
        confidence: of the interval.
    """
    blank = Metric(
        metric=str(spec),
        dataset=dataset,
        model=model,
        slice=part,
        unit=spec.unit,
        better=spec.better,
        confidence=confidence,
    )
    if isinstance(value, Absent):
        return blank.model_copy(update={"absent": value.reason})
    return blank.model_copy(
        update={
            "value": value.value,
            "n": value.n,
            "cases": value.cases,
            "low": value.low,
            "high": value.high,
            "method": value.method if value.low is not None else "",
            "unknown": value.unknown,
            "dropped": value.dropped,
        }
    )


_OF_ALL_TRIALS = frozenset({"error_rate", "completeness", "total"})
"""What counts trials, repeated draws included."""


def estimate_metric(
    group: TrialGroup, spec: MetricSpec, *, confidence: float = 0.95, planned: int | None = None
) -> Estimate | Absent:
    """Estimate a metric of a group of trials.

    Args:
        group: the trials.
        spec: the metric.
        confidence: of the interval, inside (0, 1).
        planned: the denominator of completeness; None counts the recorded trials.

    Returns:
        The estimate in the metric's unit, or Absent with the reason.

    Raises:
        ValueError: the confidence is outside (0, 1).
    """
    if not group.trials:
        return Absent("no trial of these cases was recorded")
    if spec.kind not in _OF_ALL_TRIALS:
        group = group.distinct
    if spec.k is not None:
        return _pass_k(group, spec, confidence)
    if spec.kind in _OF_TRIALS:
        return _of_trials(group, spec, confidence, planned)
    assert spec.of is not None
    if spec.kind in {"accuracy", "macro_f1", "f1", "precision", "recall"}:
        return _of_labels(group, spec, confidence)
    if spec.kind == "total":
        return _total(group, spec.of, confidence)
    return _of_numbers(group, spec, spec.of, confidence)


_OF_TRIALS = frozenset(
    {"consistency", "recovery", "pass_after_revision", "error_rate", "completeness"}
)


def _pass_k(group: TrialGroup, spec: MetricSpec, confidence: float) -> Estimate | Absent:
    counts = group.counts(spec.of)
    scored = [(passes, n) for passes, n in counts if n]
    if not scored:
        return _nothing_scored(group, spec.of)
    k = spec.k or 1
    sampled = [sum(not trial.unneeded for trial in cell) for cell in group.cells.values()]
    function = mean_pass_at_k if spec.kind == "pass@" else mean_pass_hat_k
    # A case that lacks samples only because of errors is left out and counted; the error rate
    # limits how many errors are acceptable.
    short = all(n >= k for n in sampled)
    mean = function(scored, k, confidence=confidence, allow_short=short)
    if isinstance(mean, Absent):
        return mean
    return replace(mean, dropped=mean.dropped + len(counts) - len(scored))


def _nothing_scored(group: TrialGroup, scorer: str | None) -> Absent:
    if scorer is None or not any(group.scored):
        return Absent(f"none of {_trials(len(group.trials))} could be scored")
    has_scores = any(scorer in trial.names for trial in group.trials)
    if has_scores:
        return Absent(f"{scorer} gives no verdict; use mean({scorer})")
    failed = sum(scorer in trial.unscored for trial in group.trials)
    if failed:
        return Absent(f"{scorer} could not score any of {_trials(failed)}")
    return Absent(f"{scorer} scores none of these cases")


def _trials(n: int) -> str:
    return "1 trial" if n == 1 else f"{n} trials"


def _of_trials(
    group: TrialGroup, spec: MetricSpec, confidence: float, planned: int | None
) -> Estimate | Absent:
    if spec.kind == "completeness":
        scored = sum(map(len, group.scored))
        planned_trials = max(planned or 0, len(group.trials))
        cases = sum(map(bool, group.scored))
        reason = "it counts all planned trials, so there is no sampling error"
        return Estimate(
            scored / planned_trials,
            None,
            None,
            planned_trials,
            max(1, cases),
            confidence,
            "none",
            0,
            reason,
        )
    if spec.kind == "error_rate":
        return estimate_error_rate(group, confidence=confidence)
    if spec.kind == "pass_after_revision":
        return estimate_pass_after_revision(group, confidence=confidence)
    if spec.kind == "consistency":
        return consistency([c for c in group.counts(None) if c[1]], confidence=confidence)
    return recovery(
        [[trial.passed for trial in cell] for cell in group.scored], confidence=confidence
    )


def estimate_pass_after_revision(
    group: TrialGroup, *, confidence: float = 0.95
) -> Estimate | Absent:
    """Estimate the share of scored trials that pass at once or after revisions, 0..1.

    The interval is clustered by case (`clustered_rate`). Absent without a scored trial.
    """
    counts = [
        (sum(trial.passed or trial.revised for trial in cell), len(cell)) for cell in group.scored
    ]
    if not any(n for _, n in counts):
        return _nothing_scored(group, None)
    return clustered_rate([count for count in counts if count[1]], confidence=confidence)


def estimate_error_rate(group: TrialGroup, *, confidence: float = 0.95) -> Estimate | Absent:
    """Estimate the share of errored trials among those that were run, 0..1.

    The interval is clustered by case (`clustered_rate`). Absent if no trial was run.
    """
    run = [[trial for trial in cell if trial.outcome != "skipped"] for cell in group.cells.values()]
    counts = [
        (sum(trial.outcome == "errored" for trial in cell), len(cell)) for cell in run if cell
    ]
    if not counts:
        return Absent("none of these trials was run")
    return clustered_rate(counts, confidence=confidence)


def _total(group: TrialGroup, of: str, confidence: float) -> Estimate | Absent:
    if absent := _unknown(group, of):
        return absent
    read = _quantity(of)
    numbers = [x for trial in group.trials if trial.answered and (x := read(trial)) is not None]
    cases = len({trial.case for trial in group.trials})
    reason = "it is a total over all trials, so there is no sampling error"
    return Estimate(
        sum(numbers), None, None, len(group.trials), cases, confidence, "none", 0, reason
    )


_EVIDENCE = {
    "cost_usd": "have no known price",
    "tokens": "report no tokens",
    "latency_s": "report no latency",
}
"""What an answered trial may not tell. A number over the others would be another quantity."""


def _unknown(group: TrialGroup, of: str) -> Absent | None:
    """Return why a quantity is unknown: an answered trial lacks it; None if all have it."""
    answered = [trial for trial in group.trials if trial.answered]
    unknown = sum(getattr(trial, of) is None for trial in answered)
    answered_trials = f"{len(answered)} answered trial{'' if len(answered) == 1 else 's'}"
    return Absent(f"{unknown} of {answered_trials} {_EVIDENCE[of]}") if unknown else None


def _of_numbers(
    group: TrialGroup, spec: MetricSpec, of: str, confidence: float
) -> Estimate | Absent:
    if of in _EVIDENCE and (absent := _unknown(group, of)):
        return absent
    values = group.numbers(of)
    cells = [cell for cell in values if cell]
    if not cells:
        return _no_numbers(group, of)
    dropped = len(values) - len(cells)
    if spec.kind == "mean":
        inside = all(0 <= x <= 1 for cell in cells for x in cell)
        bounds = (0.0, 1.0) if inside and spec.unit == "score" else None
        mean = clustered_mean(cells, confidence=confidence, bounds=bounds)
        return mean if isinstance(mean, Absent) else replace(mean, dropped=dropped)
    if spec.kind in {"min", "max"}:
        flat = list(chain.from_iterable(cells))
        value = min(flat) if spec.kind == "min" else max(flat)
        reason = "an extreme of a sample has no interval"
        return Estimate(
            value, None, None, len(flat), len(cells), confidence, "none", dropped, reason
        )
    share = 0.5 if spec.kind == "median" else (spec.q or 0.0) / 100
    return replace(estimate_percentile(cells, share, confidence=confidence), dropped=dropped)


def _no_numbers(group: TrialGroup, of: str) -> Absent:
    if of == "cost_usd":
        return Absent("no trial's price is known")
    if of in {"latency_s", "tokens"}:
        return Absent(f"no trial reports {'its latency' if of == 'latency_s' else 'tokens'}")
    if of == "score" or not any(group.scored):
        return Absent(f"none of {_trials(len(group.trials))} could be scored")
    if any(of in trial.names for trial in group.trials):
        return Absent(f"{of} gives neither a value nor a verdict")
    failed = sum(of in trial.unscored for trial in group.trials)
    if failed:
        return Absent(f"{of} could not score any of {_trials(failed)}")
    return Absent(f"{of} scores none of these cases")


def _of_labels(group: TrialGroup, spec: MetricSpec, confidence: float) -> Estimate | Absent:
    labels = [
        (truth, predicted, trial.case)
        for cell in group.scored
        for trial in cell
        for scorer, truth, predicted in trial.labels
        if scorer == spec.of
    ]
    if not labels:
        return Absent(f"{spec.of} gives no label beside a true one (`expected` in its metadata)")
    truth, predicted, cases = zip(*labels, strict=True)
    ratings = Ratings(truth, predicted, cases)
    if spec.kind == "accuracy":
        return accuracy(ratings, confidence=confidence)
    if spec.kind == "macro_f1":
        return macro_f1(ratings, confidence=confidence, besides=frozenset({NO_LABEL}))
    of_label = {"f1": f1_score, "precision": precision, "recall": recall}[spec.kind]
    return of_label(ratings, spec.label or "", confidence=confidence)


def compute_metrics(
    table: TrialTable,
    *,
    planned: Mapping[str, int] | None = None,
    extra: Iterable[MetricSpec] = (),
    confidence: float = 0.95,
) -> list[Metric]:
    """Compute the metrics of a report for each model: rates, scores, errors, time, tokens, cost.

    Args:
        table: the trials of a dataset.
        planned: the planned trials of each model, for completeness; None counts recorded ones.
        extra: further metrics, such as those of the gates.
        confidence: of the intervals, inside (0, 1).

    Returns:
        The metrics, model by model, each once.
    """
    names = default_metrics(table)
    specs = dict.fromkeys([*map(parse_metric, names), *(MetricSpec(kind="mean", of=scorer)
                            for scorer in table.scorers), *extra])  # fmt: skip
    metrics = []
    for model in table.models:
        group = TrialGroup(table.cases(model))
        for spec in specs:
            count = (planned or {}).get(model)
            value = estimate_metric(group, spec, confidence=confidence, planned=count)
            metrics.append(to_metric(table.dataset, model, None, spec, value, confidence))
    return metrics


def default_metrics(table: TrialTable) -> list[str]:
    """Return the names of the metrics in every report; pass@k if cases have several samples."""
    fewest = min(
        (sum(not trial.unneeded for trial in cell) for model in table.models
         for cell in table.cases(model).values()),
        default=1,
    )  # fmt: skip
    several = [f"pass@{fewest}", f"pass^{fewest}", "consistency", "recovery"] if fewest > 1 else []
    several += ["pass_after_revision"] if any(trial.revised for trial in table) else []
    costs = ["latency_s", "p50(latency_s)", "p95(latency_s)", "tokens", "cost_usd"]
    return ["pass@1", *several, "score", "error_rate", "completeness", *costs, "mean(cost_usd)"]


def compute_slice_metrics(
    table: TrialTable,
    key: str,
    *,
    names: Sequence[str] = ("pass@1", "score"),
    confidence: float = 0.95,
) -> list[Metric]:
    """Compute metrics of each model in each slice of a key.

    Args:
        table: the trials of a dataset.
        key: ``tag``, ``case``, or a metadata key.
        names: the metrics.
        confidence: of the intervals, inside (0, 1).
    """
    specs = [parse_metric(name) for name in names]
    return [
        to_metric(table.dataset, model, part, spec, value, confidence)
        for model in table.models
        for name, cells in sorted(table.parts(model, key).items())
        for part, group in [(Slice(key=key, value=name), TrialGroup(cells))]
        for spec in specs
        for value in [estimate_metric(group, spec, confidence=confidence)]
    ]
