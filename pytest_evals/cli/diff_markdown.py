"""A diff as Markdown for a pull request: texts of models and files are inside code."""

from typing import TYPE_CHECKING

from pytest_evals.comparison.changes_text import TITLES, counts_text, facts, headline, verdict_scope
from pytest_evals.comparison.text_changes import lines_changed
from pytest_evals.reporters.markup import code, cut, fence, prose

if TYPE_CHECKING:
    from pytest_evals.comparison.changes import DatasetChanges, RunChanges
    from pytest_evals.verdict.diff import DiffEntry

_LONGEST = 1500
"""Characters of an answer."""
_MARKS = {
    "passed": "✅",
    "failed": "❌",
    "incomplete": "⚠️",
    "inconclusive": "⚠️",
    "skipped": "⚠️",
}


def changes_markdown(run_changes: "RunChanges", *, limit: int) -> str:
    """Return the diffs of a run as Markdown.

    Args:
        run_changes: the diffs.
        limit: cases of each class; 0 is all.
    """
    parts: list[str] = []
    for changes in run_changes.changes:
        heading = f"### {code(changes.info.name)} against {code(changes.diff.baseline)}"
        parts += [heading, _verdicts(changes), f"{prose(counts_text(changes))}."]
        by_class: dict[str, list[DiffEntry]] = {}
        for entry in changes.diff.entries:
            by_class.setdefault(entry.kind, []).append(entry)
        for name, entries in by_class.items():
            shown = entries if not limit else entries[:limit]
            parts.append(f"#### {TITLES.get(name, name).capitalize()}: {len(entries):,}")
            parts += [_entry(changes, entry) for entry in shown]
            if len(shown) < len(entries):
                parts.append(f"... and {len(entries) - len(shown):,} more")
    parts += [
        f"❌ {code(name)} was not compared: {prose(reason)}"
        for name, reason in run_changes.failures
    ]
    return "\n\n".join(parts)


def _verdicts(changes: "DatasetChanges") -> str:
    """Return the verdicts as a list."""
    lines = []
    for verdict in changes.verdicts:
        mark = "❌" if verdict.blocking else _MARKS[verdict.verdict]
        gate = f", {code(verdict.gate)}" if changes.declared else ""
        lines.append(f"- {mark} {code(verdict_scope(verdict))}{gate}: {prose(verdict.sentence)}")
        lines += [f"  - {prose(note)}" for note in verdict.notes]
    return "\n".join(lines)


def _entry(changes: "DatasetChanges", entry: "DiffEntry") -> str:
    """Return a case: its headline, and a block with what changed."""
    before, now = changes.answers(entry)
    lines: list[str] = []
    if before != now:
        several = before is not None and now is not None and "\n" in before and "\n" in now
        if several and before is not None and now is not None:
            lines += [mark + line for mark, line in lines_changed(before, now)]
        else:
            lines += [f"- {_one_line(before)}"] if before is not None else []
            lines += [f"+ {_one_line(now)}"] if now is not None else []
    lines += [f"! {label}: {text}" for label, text in facts(entry)]
    name, _, rest = headline(entry).partition("  ")
    block = f"\n\n{fence(chr(10).join(lines), 'diff')}" if lines else ""
    return f"{code(name)} {prose(rest)}{block}"


def _one_line(answer: str) -> str:
    """Return the beginning of an answer on one line."""
    return " ".join(cut(answer, _LONGEST).split())
