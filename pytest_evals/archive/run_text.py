"""A stored run in words: when, what, and how it went. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime

from pytest_evals.ground.plain_text import counted, format_cost, format_count, format_seconds
from pytest_evals.reporters.spending_text import calls_words
from pytest_evals.run_record import Run


def run_header(run: Run) -> Iterator[str]:
    """Yield the lines that describe a run: a word, then its value."""
    counts = run.counts
    seconds = None if run.ended_at is None else max(0.0, run.ended_at - run.started_at)
    yield f"run      {run.id}   {run.status.value}"
    yield f"when     {format_time(run.started_at)}, took {format_seconds(seconds)}"
    for info in run.datasets:
        selected = "" if info.selected == info.planned else f", {info.selected} selected"
        models = ", ".join(model.id for model in info.models)
        yield (
            f"dataset  {info.name} ({info.path}): {counted(info.cases, 'case')}, "
            f"{counted(info.planned, 'trial')}"
            f"{selected}{f'; {models}' if models else ''}"
        )
    parts = [f"{counts.passed} passed", f"{counts.failed} failed", counted(counts.errored, "error")]
    if counts.skipped:
        parts.append(f"{counts.skipped} not run")
    if counts.unneeded:
        parts.append(f"{counts.unneeded} not needed")
    yield f"trials   {', '.join(parts)} of {counts.total}"
    spent = "" if run.spent_usd is None else f", {format_cost(run.spent_usd)} spent"
    yield f"cost     {format_cost(run.cost_usd)}{spent}, {format_count(run.tokens)} tokens"
    if len(run.spending) > 1 or any(of.unpriced for of in run.spending.values()):
        yield f"spent    {calls_words(run.spending)}"
    if run.git is not None:
        branch = f" on {run.git.branch}" if run.git.branch else ""
        yield f"commit   {short_commit(run)}{branch}{', with changes' if run.git.dirty else ''}"
    if run.versions:
        versions = (f"{name} {version}" for name, version in sorted(run.versions.items()))
        yield "versions " + ", ".join(versions)
    if run.options:
        options = (f"{name}={value}" for name, value in sorted(run.options.items()))
        yield "options  " + ", ".join(options)
    for note in run.notes:
        yield f"note     {note}"


def format_time(seconds: float) -> str:
    """Write a Unix time as local date and time; a time outside of the calendar as a number."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, OSError, ValueError):
        return f"{seconds:g}"


def short_commit(run: Run) -> str:
    """Write the commit of a run; a plus marks a working tree with changes."""
    if run.git is None:
        return "-"
    return run.git.commit[:8] + ("+" if run.git.dirty else "")
