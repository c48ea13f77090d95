"""A diff as Markdown for a pull request: texts of models and files stand in code alone."""

from typing import TYPE_CHECKING

from pytest_evals.comparison.changes_text import TITLES, counts, facts, headline, where_of
from pytest_evals.comparison.text_changes import lines_changed
from pytest_evals.reporters.markup import code, cut, fence, prose

if TYPE_CHECKING:
    from pytest_evals.comparison.changes import DatasetChanges, RunChanges
    from pytest_evals.verdict.diff import DiffEntry

_MOST = 1500
_MARKS = {
    "passed": "✅",
    "failed": "❌",
    "incomplete": "❌",
    "inconclusive": "⚠️",
    "skipped": "⚠️",
}


def markdown(found: "RunChanges", *, limit: int) -> str:
    """Return all that changed.

    Args:
        found: the diffs.
        limit: cases of each kind; 0 is all.
    """
    parts: list[str] = []
    for one in found.changes:
        title = f"### {code(one.info.name)} against {code(one.diff.baseline)}"
        parts += [title, _verdicts(one), f"{prose(counts(one))}."]
        by_kind: dict[str, list[DiffEntry]] = {}
        for entry in one.diff.entries:
            by_kind.setdefault(entry.kind, []).append(entry)
        for kind, entries in by_kind.items():
            shown = entries if not limit else entries[:limit]
            parts.append(f"#### {TITLES.get(kind, kind).capitalize()}: {len(entries):,}")
            parts += [_entry(one, entry) for entry in shown]
            if len(shown) < len(entries):
                parts.append(f"... and {len(entries) - len(shown):,} more")
    parts += [f"❌ {code(name)} was not compared: {prose(why)}" for name, why in found.failures]
    return "\n\n".join(parts)


def _verdicts(one: "DatasetChanges") -> str:
    lines = []
    for verdict in one.verdicts:
        mark = "❌" if verdict.blocking else _MARKS[verdict.verdict]
        gate = f", {code(verdict.gate)}" if one.declared else ""
        lines.append(f"- {mark} {code(where_of(verdict))}{gate}: {prose(verdict.sentence)}")
        lines += [f"  - {prose(note)}" for note in verdict.notes]
    return "\n".join(lines)


def _entry(one: "DatasetChanges", entry: "DiffEntry") -> str:
    before, now = one.answers(entry)
    lines: list[str] = []
    if before != now:
        several = before is not None and now is not None and "\n" in before and "\n" in now
        if several and before is not None and now is not None:
            lines += [mark + line for mark, line in lines_changed(before, now)]
        else:
            lines += [f"- {' '.join(cut(before, _MOST).split())}"] if before is not None else []
            lines += [f"+ {' '.join(cut(now, _MOST).split())}"] if now is not None else []
    lines += [f"! {label}: {text}" for label, text in facts(entry)]
    name, _, rest = headline(entry).partition("  ")
    block = f"\n\n{fence(chr(10).join(lines), 'diff')}" if lines else ""
    return f"{code(name)} {prose(rest)}{block}"
