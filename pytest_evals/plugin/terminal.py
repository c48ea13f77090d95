"""The end of the session on the terminal: a table of models, notes, and where to look next."""

from typing import Any

import pytest

from pytest_evals.config import Settings
from pytest_evals.plaintext import format_cost, format_count, format_seconds, neutral, table
from pytest_evals.run import Run
from pytest_evals.summary import Row, Summary


def draw(
    reporter: "pytest.TerminalReporter",
    run: Run,
    summary: Summary,
    notes: list[str],
    settings: Settings,
) -> None:
    """Draw the block."""
    quiet = reporter.config.option.verbose < 0
    if not quiet:
        reporter.section("evals", sep="-")
        for line in lines(summary, reporter._tw.fullwidth):  # noqa: SLF001 - the reporter's width
            reporter.write_line(line)
    for note in notes:
        reporter.write_line(f"evals: {neutral(note)}", yellow=True)
    kept = settings.responses != "off" and not settings.sanity
    if not quiet and kept and summary.rows:
        reporter.write_line(ending(run, summary))


def draw_gates(reporter: "pytest.TerminalReporter", run: Run, told: list[str]) -> None:
    """Draw what became of the gates, and the decision."""
    for text in told:
        reporter.write_line(neutral(text))
    for gate in run.gates:
        part = f" [{gate['slice']['key']}={gate['slice']['value']}]" if gate["slice"] else ""
        text = f"gate {gate['gate']} [{gate['model']}]{part}: {gate['sentence']}"
        calm = gate["verdict"] == "passed"
        reporter.write_line(neutral(text), red=gate["blocking"], yellow=not calm)
    if run.decision is not None:
        reporter.write_line(f"decision: {run.decision['decision']}", bold=True)
        for reason in run.decision["reasons"]:
            reporter.write_line(f"  {neutral(reason)}")


def fresh_line(reporter: Any) -> None:
    """Begin a new line: after the dots of workers pytest itself does not know that it must."""
    reporter.ensure_newline()
    if reporter._tw.width_of_current_line:  # noqa: SLF001 - the reporter's own writer
        reporter._tw.line()  # noqa: SLF001


def lines(summary: Summary, width: int) -> list[str]:
    """Return the table of models as lines."""
    rows = summary.rows
    several = len({row.dataset for row in rows}) > 1
    head = ["model", "passed", "failed", "errors", "score", "p50", "p95", "tokens", "cost"]
    body = [_cells(row) for row in rows]
    if any(row.skipped for row in rows):
        head.insert(4, "not run")
        for cells, row in zip(body, rows, strict=True):
            cells.insert(4, str(row.skipped))
    if any(row.revised for row in rows):
        head.insert(2, "revised")
        for cells, row in zip(body, rows, strict=True):
            cells.insert(2, str(row.revised))
    if several:
        head.insert(0, "dataset")
        for cells, row in zip(body, rows, strict=True):
            cells.insert(0, neutral(row.dataset))
    return table(head, body, width=width)


def _cells(row: Row) -> list[str]:
    """Return a model's cells. A rate is shown with its n; what is unknown is a dash."""
    share = "-" if not row.scored else f"{row.passed}/{row.scored} {row.passed / row.scored:.0%}"
    score = row.mean_score
    p50, p95 = row.latency(0.5), row.latency(0.95)
    return [
        neutral(row.model_id),
        share,
        str(row.failed),
        str(row.errored),
        "-" if score is None else f"{score:.2f}",
        "-" if p50 is None else format_seconds(p50),
        "-" if p95 is None else format_seconds(p95),
        "-" if row.tokens is None else format_count(row.tokens),
        "-" if row.cost_usd is None else format_cost(row.cost_usd),
    ]


def ending(run: Run, summary: Summary) -> str:
    """Say what was asked and how to see more."""
    parts = []
    if summary.asked:
        spent = "cost unknown" if summary.spent_usd is None else format_cost(summary.spent_usd)
        parts.append(f"{format_count(summary.asked)} calls ({spent})")
    if summary.reused:
        parts.append(f"{format_count(summary.reused)} stored answers")
    told = f"{', '.join(parts)}; " if parts else ""
    return f"{told}run {run.id} kept: pytest-evals show {run.id}"
