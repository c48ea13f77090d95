"""The tables of the Markdown report: models with what they cost, slices, comparisons. Pure."""

from collections.abc import Iterable, Sequence

from pytest_evals.ground.plain_text import UNKNOWN, format_cost, format_count, format_seconds
from pytest_evals.metrics.metric import Metric, Slice
from pytest_evals.report import Report
from pytest_evals.reporters.markup import code, prose
from pytest_evals.reporters.trial_samples import RunCells
from pytest_evals.reporters.truncate import TextSection
from pytest_evals.stats.verdict import RowVerdict

_MOVED = "against the baseline"
_TITLES = {
    "p95(latency_s)": "p95 latency",
    "cost_usd": "cost",
    "mean(cost_usd)": "cost per trial",
}


def table_row(cells: Iterable[str]) -> str:
    """Return a row of a table; the cells are Markdown."""
    return f"| {' | '.join(cells)} |"


def table_head(cells: Sequence[str], numbers: int = 0) -> str:
    """Return a table's head.

    Args:
        cells: the titles.
        numbers: how many columns at the right hold numbers.
    """
    sides = ["---"] * (len(cells) - numbers) + ["---:"] * numbers
    return f"{table_row(cells)}\n{table_row(sides)}"


def models(report: Report, scan: RunCells) -> TextSection | None:
    """Return the table of models: rates, scores, what they cost, and the change."""
    names = _columns(report)
    rows, changed = [], False
    for name, judgement in report.judgements.items():
        by_model: dict[str, dict[str, Metric]] = {}
        for metric in judgement.metrics:
            if metric.slice is None:
                by_model.setdefault(metric.model, {})[metric.metric] = metric
        changes = _changes(report, name)
        for model, found in by_model.items():
            change = changes.get((model, None), "")
            changed = changed or bool(change)
            rows.append(
                [code(name), code(model), _passed(scan, name, model)]
                + [_value(found.get(column)) for column in names]
                + [change]
            )
    if not rows:
        return None
    titles = ["dataset", "model", "passed", *names, _MOVED]
    without = set() if changed else {_MOVED}
    without |= set() if len(report.judgements) > 1 else {"dataset"}
    kept = [i for i, title in enumerate(titles) if title not in without]
    items = [table_row(cells[i] for i in kept) for cells in rows]
    shown = [_TITLES.get(titles[i]) or _title(titles[i]) for i in kept]
    before = table_head(shown, len(shown) - shown.index("passed"))
    return TextSection("### Models and costs", items, "models", before=before, between="\n")


def _title(name: str) -> str:
    """Return a column's title; what is no plain word is code."""
    return code(name) if name.startswith(("pass@", "pass^")) else name


def _columns(report: Report) -> list[str]:
    """Return the metrics that the table shows: those that some model has."""
    order = ("pass@", "pass^", "score", "p95(latency_s)", "tokens", "cost_usd", "mean(cost_usd)")
    found = dict.fromkeys(
        metric.metric
        for judgement in report.judgements.values()
        for metric in judgement.metrics
        if metric.slice is None
        and metric.value is not None
        and metric.metric.startswith(order)
        and " of " not in metric.metric
    )
    place = {
        name: next(i for i, word in enumerate(order) if name.startswith(word)) for name in found
    }
    return sorted(found, key=lambda name: place[name])


def _passed(scan: RunCells, dataset: str, model: str) -> str:
    """Return how many of a model's scored trials passed."""
    cells = [c for key, c in scan.cells.items() if (key.dataset, key.model) == (dataset, model)]
    scored = sum(cell.scored for cell in cells)
    return f"{sum(cell.passed for cell in cells):,} of {scored:,}" if scored else UNKNOWN


def _value(metric: Metric | None) -> str:
    """Return a metric's value with its interval."""
    if metric is None or metric.value is None:
        return UNKNOWN
    if metric.unit == "USD":
        return format_cost(metric.value)
    if metric.unit == "s":
        return format_seconds(metric.value)
    if metric.unit == "tokens":
        return format_count(metric.value)
    if metric.unit != "rate":
        return f"{metric.value:.3g}"
    shown = f"{metric.value:.1%}"
    if metric.low is not None and metric.high is not None:
        shown += f" ({metric.low:.0%} to {metric.high:.0%})"
    return shown


def _changes(report: Report, dataset: str) -> dict[tuple[str, Slice | None], str]:
    """Return how the pass rate moved against the baseline, by model and slice."""
    diff = report.judgements[dataset].diff
    tests = () if diff is None else diff.tests
    return {(t.model, t.slice): _points(t.result) for t in reversed(tests) if t.of is None}


def _points(result: RowVerdict) -> str:
    """Return a change in points, with its interval and its verdict."""
    mean = result.mean
    if mean is None:
        return result.verdict
    points = f"{100 * mean.change:+.1f} points"
    if mean.low is not None and mean.high is not None:
        points += f" ({100 * mean.low:+.1f} to {100 * mean.high:+.1f})"
    return f"{points}, {result.verdict}"


def slices(report: Report, scan: RunCells) -> TextSection | None:
    """Return how often cases of each tag pass, the tag that passes least often first."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for key, cell in scan.cells.items():
        for tag in cell.tags:
            counts = found.setdefault((key.dataset, tag, key.model), [0, 0, 0])
            counts[0] += cell.passed
            counts[1] += cell.scored
            counts[2] += 1
    if not found:
        return None
    several = len(report.run.datasets) > 1
    changes = {name: _changes(report, name) for name in report.judgements}
    moved = any(part is not None for one in changes.values() for _, part in one)
    items = []
    for (dataset, tag, model), (passed, scored, cases) in sorted(
        found.items(), key=lambda one: one[1][0] / one[1][1] if one[1][1] else -1
    ):
        share = f"{passed:,} of {scored:,} ({passed / scored:.0%})" if scored else UNKNOWN
        cells = [code(tag), code(model), f"{cases:,}", share]
        if moved:
            part = Slice(key="tag", value=tag)
            cells.append(changes.get(dataset, {}).get((model, part), ""))
        items.append(table_row([code(dataset), *cells] if several else cells))
    titles = ["tag", "model", "cases", "passed", *([_MOVED] if moved else [])]
    before = table_head(["dataset", *titles] if several else titles, len(titles) - 2)
    return TextSection("### By tag", items, "tags", share=0.05, before=before, between="\n")


def comparisons(report: Report) -> TextSection | None:
    """Return the comparisons with the baseline in words, folded: the declared ones first."""
    tests = [
        test
        for judgement in report.judgements.values()
        if judgement.diff is not None
        for test in judgement.diff.tests
    ]
    if not tests:
        return None
    items = []
    for test in sorted(tests, key=lambda test: test.gate is None):
        part = f", {code(str(test.slice))}" if test.slice else ""
        of = f", {code(test.of)}" if test.of else ""
        kind = "" if test.gate else " (exploratory, never blocks)"
        items.append(f"- {code(test.model)}{part}{of}{kind}: {prose(test.result.sentence)}")
    folded = f"Comparisons with the baseline: {len(items):,}"
    return TextSection("", items, "comparisons", share=0.05, between="\n", folded=folded)
