"""Tables in Markdown, and the changes of rates in them. Pure."""

from collections.abc import Iterable, Sequence

from pytest_evals.metrics.metric import Slice, interval_text
from pytest_evals.report import Report
from pytest_evals.stats.verdict import RowVerdict

BACKSLASH_PIPE = "\\|"
"""A pipe in a cell."""
CHANGE_TITLE = "against the baseline"
"""The title of the column of changes."""


def table_row(cells: Iterable[str]) -> str:
    """Return a row of a table.

    Args:
        cells: Markdown. A pipe gets a backslash, which only tables remove, also in code.
    """
    return f"| {' | '.join(cell.replace('|', BACKSLASH_PIPE) for cell in cells)} |"


def table_head(cells: Sequence[str], numbers: int = 0) -> str:
    """Return a table's header.

    Args:
        cells: the titles.
        numbers: how many columns on the right hold numbers.
    """
    sides = ["---"] * (len(cells) - numbers) + ["---:"] * numbers
    return f"{table_row(cells)}\n{table_row(sides)}"


def rate_changes(report: Report, dataset: str) -> dict[tuple[str, Slice | None], str]:
    """Return how the pass rate changed against the baseline, by model and slice."""
    diff = report.evaluations[dataset].diff
    tests = () if diff is None else diff.tests
    return {(t.model, t.slice): _change_text(t.result) for t in reversed(tests) if t.of is None}


def _change_text(result: RowVerdict) -> str:
    """Return a change in points, with its interval and its verdict."""
    mean = result.mean
    if mean is None:
        return result.verdict
    points = f"{100 * mean.change:+.1f} points"
    ends = interval_text(mean.low, mean.high, "rate", result.cases, _points, is_change=True)
    if ends:
        points += f" ({ends})"
    return f"{points}, {result.verdict}"


def _points(change: float) -> str:
    """Return the end of an interval in points."""
    return f"{100 * change:+.1f}"
