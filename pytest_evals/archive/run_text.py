"""A stored run in words: when, what, how it went. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime

from pytest_evals.run_record import Run


def run_header(found: "Run") -> Iterator[str]:
    """Yield the lines that say what a run was."""
    from pytest_evals.ground.plain_text import format_cost, format_count, format_seconds

    counts = found.counts
    took = None if found.ended_at is None else max(0.0, found.ended_at - found.started_at)
    yield f"run      {found.id}   {found.status.value}"
    yield f"when     {when(found.started_at)}, took {format_seconds(took)}"
    for info in found.datasets:
        chosen = "" if info.selected == info.planned else f", {info.selected} selected"
        models = ", ".join(model.id for model in info.models)
        yield (
            f"dataset  {info.name} ({info.path}): {info.cases} cases, {info.planned} trials"
            f"{chosen}{f'; {models}' if models else ''}"
        )
    parts = [f"{counts.passed} passed", f"{counts.failed} failed", f"{counts.errored} errors"]
    if counts.skipped:
        parts.append(f"{counts.skipped} not run")
    if counts.unneeded:
        parts.append(f"{counts.unneeded} not needed")
    yield f"trials   {', '.join(parts)} of {counts.total}"
    spent = "" if found.spent_usd is None else f", {format_cost(found.spent_usd)} spent"
    yield f"cost     {format_cost(found.cost_usd)}{spent}, {format_count(found.tokens)} tokens"
    if found.git is not None:
        branch = f" on {found.git.branch}" if found.git.branch else ""
        yield f"commit   {commit_of(found)}{branch}{', with changes' if found.git.dirty else ''}"
    if found.versions:
        yield "versions " + ", ".join(f"{name} {it}" for name, it in sorted(found.versions.items()))
    if found.options:
        yield "options  " + ", ".join(f"{name}={it}" for name, it in sorted(found.options.items()))
    for note in found.notes:
        yield f"note     {note}"


def when(seconds: float) -> str:
    """Write a moment in the time of this place; one that no calendar holds as it is."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, OSError, ValueError):
        return f"{seconds:g}"


def commit_of(item: "Run") -> str:
    """Write the commit of a run; a plus says that files differed from it."""
    if item.git is None:
        return "-"
    return item.git.commit[:8] + ("+" if item.git.dirty else "")
