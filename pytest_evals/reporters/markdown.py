"""MarkdownReporter: what a reviewer wants to know, for one comment on a pull request.

The verdict first, then what got worse with its answers and reasons, what got better, what it costs;
details folded. It is cut to what a comment may hold, and says what was cut. All texts of others
pass `markup`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pytest_evals.report import ContextValue, Report
from pytest_evals.reporters.markup import code, fence, in_html, labelled, prefixed, prose
from pytest_evals.reporters.mdtables import comparisons, models, slices, table_head, table_row
from pytest_evals.reporters.shape import all_verdicts, overall_decision
from pytest_evals.reporters.text import write_pieces
from pytest_evals.reporters.trial_samples import (
    CellCounts,
    CellKey,
    RunCells,
    ShownTrials,
    select_trials,
)
from pytest_evals.reporters.truncate import TextSection, truncate_document
from pytest_evals.verdict.decision import Decision
from pytest_evals.verdict.diff import DiffEntry
from pytest_evals.verdict.gate.spec import GateVerdict

MARKER = "<!-- pytest-evals -->"
"""The first line: how the one comment is found that is to be replaced."""

LIMIT = 65_536
"""Characters a comment may have."""

MOST_SHOWN = 150
"""Cells of which answers are read: more would not fit."""

_MARKS = {
    "accept": "✅ Evals: accept",
    "reject": "❌ Evals: reject",
    "investigate": "⚠️ Evals: investigate",
    "tradeoff": "⚖️ Evals: a tradeoff, for a person to weigh",
}
_VERDICTS = {
    "passed": "✅",
    "failed": "❌",
    "inconclusive": "⚠️",
    "skipped": "⏭️",
    "incomplete": "❌",
}
_ORDER = ("failed", "incomplete", "inconclusive", "skipped", "passed")
_TOLD = ("regressed", "fixed")
_QUIET = ("drifted", "case_edited", "added_passing", "removed")
_COUNTED = {
    "still_failing": "still failing",
    "still_passing": "still passing",
    "case_edited": "edited (not compared)",
    "added_passing": "new and passing",
    "added_failing": "new and failing",
}
_WORDS = {
    "drifted": "still passes, answers otherwise",
    "case_edited": "edited, not compared",
    "added_passing": "new, passes",
    "added_failing": "new, fails",
    "removed": "no longer asked",
    "errored": "no answer or no score",
}


class MarkdownReporter:
    """Writes a summary for a pull request."""

    name: ClassVar[str] = "md"

    def write(self, report: Report, path: Path) -> None:
        """Write a report; an old file is replaced whole, or stays as it is.

        Raises:
            ReportError: it cannot be written.
        """
        write_pieces(path, [render_markdown(report)])


def render_markdown(report: Report, limit: int = LIMIT) -> str:
    """Return a report as Markdown.

    Args:
        report: what is to be told.
        limit: characters it may have, at least 8,000; each above U+FFFF counts as two.
    """
    scan = RunCells.of(report)
    entries = _entries(report)
    told = {key for key, entry in entries.items() if entry.kind in _TOLD}
    failing = [key for key in scan.failing() if key not in told]
    wanted = [key for key in entries if key in told][:MOST_SHOWN] + failing[:MOST_SHOWN]
    shown = select_trials(report, set(wanted))
    verdicts = sorted(all_verdicts(report), key=_gravity)
    several = len(report.run.datasets) > 1
    sections = [
        TextSection("\n\n".join(_head(report, scan)), (), ""),
        _gates(verdicts, several=several),
        _changed("Regressed", _of(entries, ("regressed",)), shown, several=several, share=0.35),
        _failing(failing, scan, entries, shown, several=several),
        _errors(scan, several=several),
        _changed("Fixed", _of(entries, ("fixed",)), shown, several=several, share=0.1),
        _flaky(told, scan, entries, shown, several=several),
        models(report, scan),
        slices(report, scan),
        _all_gates(verdicts, several=several),
        comparisons(report),
        _quiet(_of(entries, _QUIET), several=several),
        *map(_context, report.context, report.context.values()),
        _facts(report),
    ]
    return truncate_document([one for one in sections if one is not None], limit)


def _entries(report: Report) -> dict[CellKey, DiffEntry]:
    """Return what changed in all datasets, the cases that block first."""
    found = [
        (CellKey(name, entry.case, entry.model), entry)
        for name, judgement in report.judgements.items()
        if judgement.diff is not None
        for entry in judgement.diff.entries
    ]
    return dict(sorted(found, key=lambda one: not one[1].blocking))


def _of(
    entries: Mapping[CellKey, DiffEntry], kinds: Sequence[str]
) -> list[tuple[CellKey, DiffEntry]]:
    return [one for one in entries.items() if one[1].kind in kinds]


def _gravity(verdict: GateVerdict) -> tuple[bool, int]:
    return not verdict.blocking, _ORDER.index(verdict.verdict)


def _head(report: Report, scan: RunCells) -> Iterator[str]:
    """Yield the verdict and what it rests on."""
    decision = overall_decision(report)
    yield f"{MARKER}\n## {_title(report, scan, decision)}"
    yield _counts(report, scan)
    if decision is not None and decision.decision == "tradeoff":
        yield "\n".join(f"- {prose(reason)}" for reason in decision.reasons[:5])
    for note in report.run.notes[:5]:
        yield f"> ⚠️ {prose(note)}"


def _title(report: Report, scan: RunCells, decision: Decision | None) -> str:
    """Return the verdict in words: never a good one where trials speak against it."""
    bad = scan.total("untolerated") + scan.total("errored") + scan.total("skipped")
    bad += sum(verdict.blocking for verdict in all_verdicts(report))
    if decision is not None and not (decision.decision == "accept" and bad):
        return _MARKS[decision.decision]
    if bad:
        return "❌ Evals: failed"
    if report.run.status == "interrupted" or not scan.cells:
        return "⚠️ Evals: incomplete"
    return "✅ Evals: passed"


def _counts(report: Report, scan: RunCells) -> str:
    """Return how many trials became what, in a sentence."""
    passed, failed = scan.total("passed"), scan.total("failed")
    tolerated = failed - scan.total("untolerated")
    revised = scan.total("revised")
    parts = [f"{passed:,} of {passed + revised + failed:,} scored trials passed"]
    if revised:
        parts.append(f"{revised:,} passed only after a revision")
    if failed:
        parts.append(f"{failed:,} failed" + (f" ({tolerated:,} tolerated)" if tolerated else ""))
    for what, words in (
        ("errored", "without an answer or a score"),
        ("skipped", "not run"),
        ("unneeded", "not needed"),
    ):
        if count := scan.total(what):
            parts.append(f"{count:,} {words}")
    chosen = [info for info in report.run.datasets if info.selected < info.planned]
    if chosen:
        picked, planned = (sum(getattr(i, k) for i in chosen) for k in ("selected", "planned"))
        parts.append(f"{picked:,} of {planned:,} trials were selected")
    if report.run.status == "interrupted":
        parts.append("the run was **cut short**")
    counts: dict[str, int] = {}
    for judgement in report.judgements.values():
        for kind, count in (judgement.diff.counts if judgement.diff else {}).items():
            counts[kind] = counts.get(kind, 0) + count
    changed = [f"{n:,} {_COUNTED.get(kind, kind)}" for kind, n in counts.items()]
    diff = f" Against the baseline: {', '.join(changed)}." if changed else ""
    return f"{'; '.join(parts)}.{diff}"


def _gates(verdicts: Sequence[GateVerdict], *, several: bool) -> TextSection | None:
    """Return the gates that did not pass, in words."""
    if not verdicts:
        return None
    open_ = [one for one in verdicts if one.verdict != "passed"]
    counts = [
        f"{sum(one.verdict == word for one in verdicts)} {word}"
        for word in _ORDER
        if any(one.verdict == word for one in verdicts)
    ]
    items = []
    for one in open_:
        text = f"- {_mark(one)} {_gate(one, several=several)}: {prose(one.sentence)}"
        if one.behind:
            more = f" and {len(one.behind) - 8} more" if len(one.behind) > 8 else ""
            text += f" Behind it: {', '.join(code(case) for case in one.behind[:8])}{more}."
        items.append(text)
    title = f"### Gates: {', '.join(counts)}"
    return TextSection(title, items, "gates", share=0.15, between="\n")


def _mark(verdict: GateVerdict) -> str:
    return "❌" if verdict.blocking else _VERDICTS[verdict.verdict]


def _gate(verdict: GateVerdict, *, several: bool) -> str:
    """Return which gate it is, of which model and slice."""
    where = f", {code(str(verdict.slice))}" if verdict.slice else ""
    of = f" of {code(verdict.dataset)}" if several else ""
    return f"{code(verdict.gate)} for {code(verdict.model)}{where}{of}"


def _all_gates(verdicts: Sequence[GateVerdict], *, several: bool) -> TextSection | None:
    """Return every gate with its numbers, folded."""
    if not verdicts:
        return None
    items = []
    for one in verdicts:
        value = "-" if one.value is None else f"{one.value:.4g}"
        if one.low is not None and one.high is not None:
            value += f" ({one.low:.3g} to {one.high:.3g})"
        cells = [
            _mark(one),
            code(one.gate),
            code(one.model),
            code(str(one.slice)) if one.slice else "",
            value,
            str(one.n),
        ]
        items.append(table_row([code(one.dataset), *cells] if several else cells))
    titles = ["", "gate", "model", "slice", "value (interval)", "samples"]
    before = table_head(["dataset", *titles] if several else titles, 2)
    return TextSection(
        "", items, "gates", before=before, between="\n", folded=f"All gates: {len(items):,}"
    )


def _changed(
    title: str,
    entries: Sequence[tuple[CellKey, DiffEntry]],
    shown: Mapping[CellKey, ShownTrials],
    *,
    several: bool,
    share: float,
) -> TextSection | None:
    """Return cases that got worse or better, with their answers before and now."""
    if not entries:
        return None
    items = [_change(key, entry, shown.get(key), several=several) for key, entry in entries]
    return TextSection(f"### {title}: {len(items):,}", items, "cases", share=share)


def _change(key: CellKey, entry: DiffEntry, shown: ShownTrials | None, *, several: bool) -> str:
    """Return one case with its answers before and now, and why it fails."""
    words = [_name(key, several=several)]
    if entry.kind in _WORDS:
        words.append(_WORDS[entry.kind])
    if entry.n_before is not None and entry.n is not None:
        words.append(
            f"passed {entry.passes_before} of {entry.n_before} before, "
            f"{entry.passes} of {entry.n} now"
        )
    if entry.blocking:
        words.append("**blocks**")
    seen = None if shown is None else shown.right if entry.kind == "fixed" else shown.wrong
    now = entry.answer if seen is None else seen.answer
    why = entry.reasons if seen is None or entry.kind == "fixed" else seen.reasons
    lines = [] if entry.answer_before is None else [prefixed("- ", entry.answer_before)]
    lines += [] if now is None else [prefixed("+ ", now)]
    if entry.kind != "fixed":
        lines += [prefixed("! ", reason, 500) for reason in why[:4]]
    block = f"\n\n{fence(chr(10).join(lines), 'diff')}" if lines else ""
    return f"{' · '.join(words)}{block}"


def _name(key: CellKey, *, several: bool) -> str:
    """Return which case and model it is."""
    of = f" in {code(key.dataset)}" if several else ""
    return f"{code(key.case)} for {code(key.model)}{of}"


def _failing(
    failing: Sequence[CellKey],
    scan: RunCells,
    entries: Mapping[CellKey, DiffEntry],
    shown: Mapping[CellKey, ShownTrials],
    *,
    several: bool,
) -> TextSection | None:
    """Return cases of which no sample passes and that are not told as regressed."""
    items = []
    for key in failing:
        cell, seen = scan.cells[key], shown[key].wrong if key in shown else None
        if cell.passed:
            continue
        text = f"{_name(key, several=several)} · {_counted(cell, entries.get(key))}"
        if not cell.untolerated:
            text += " · tolerated, the gates decide"
        if seen is not None:
            lines = [labelled("answer  ", "(none)" if seen.answer is None else seen.answer)]
            lines += [labelled("why     ", reason, 500) for reason in seen.reasons[:4]]
            text += f"\n\n{fence(chr(10).join(lines))}"
        items.append(text)
    return TextSection(f"### Failing: {len(items):,}", items, "cases", share=0.2) if items else None


def _counted(cell: CellCounts, entry: DiffEntry | None) -> str:
    """Return how many samples passed, now and before."""
    if entry is not None and entry.kind == "added_failing":
        return f"new, passed {_of_samples(cell)}"
    if entry is None or entry.n_before is None:
        return f"passed {_of_samples(cell)}"
    return f"passed {entry.passes_before} of {entry.n_before} before, {_of_samples(cell)} now"


def _of_samples(cell: CellCounts) -> str:
    return f"{cell.passed} of {cell.scored}"


def _errors(scan: RunCells, *, several: bool) -> TextSection | None:
    """Return why trials have no answer or no score."""
    if not scan.errors:
        return None
    found = sorted(scan.errors.items(), key=lambda one: -one[1][0])
    items = []
    for (dataset, model, _), (count, message, cases) in found:
        of = f" in {code(dataset)}" if several else ""
        trials = "1 trial" if count == 1 else f"{count:,} trials"
        named = ", ".join(code(case) for case in cases[:5]) + (", ..." if len(cases) > 5 else "")
        items.append(f"- {trials} of {code(model)}{of}: {prose(message)} ({named})")
    title = f"### No answer, or no score: {scan.total('errored'):,}"
    return TextSection(title, items, "kinds of errors", between="\n")


def _flaky(
    told: Collection[CellKey],
    scan: RunCells,
    entries: Mapping[CellKey, DiffEntry],
    shown: Mapping[CellKey, ShownTrials],
    *,
    several: bool,
) -> TextSection | None:
    """Return cases whose samples disagree, or that moved within noise, with a reason."""
    items = []
    for key, cell in scan.cells.items():
        entry = entries.get(key)
        moved = entry is not None and entry.kind == "flaky" and cell.passed
        if key in told or not (moved or (cell.passed and cell.failed)):
            continue
        text = f"- {_name(key, several=several)}: {_counted(cell, entry)}"
        seen = shown[key].wrong if key in shown else None
        if seen is not None and seen.reasons:
            text += f"; {prose(seen.reasons[0], 300)}"
        items.append(text)
    title = f"### Flaky: {len(items):,}"
    return TextSection(title, items, "cases", share=0.05, between="\n") if items else None


def _quiet(entries: Sequence[tuple[CellKey, DiffEntry]], *, several: bool) -> TextSection | None:
    """Return the other changes, folded."""
    if not entries:
        return None
    items = [
        f"- {_name(key, several=several)}: {_WORDS[entry.kind]}"
        + (f" ({prose(', '.join(entry.edited))})" if entry.edited else "")
        for key, entry in entries
    ]
    folded = f"Other changes against the baseline: {len(items):,}"
    return TextSection("", items, "cases", between="\n", folded=folded)


def _context(title: str, value: ContextValue) -> TextSection:
    """Return a section that a plugin adds."""
    if isinstance(value, str):
        return TextSection(f"### {prose(title)}", [prose(value, 2_000)], "parts")
    items = [table_row([prose(name), prose(_shown_value(one))]) for name, one in value.items()]
    return TextSection(
        f"### {prose(title)}", items, "values", before=table_head(["", ""]), between="\n"
    )


def _shown_value(value: object) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _facts(report: Report) -> TextSection:
    """Return what was run, folded, and how to see more."""
    run = report.run
    items = [
        f"- {code(info.name)} ({code(info.path)}): {info.cases:,} cases, {info.planned:,} trials, "
        f"digest {code(info.digest[:12])}"
        for info in run.datasets
    ]
    if run.git is not None:
        changed = ", with uncommitted changes" if run.git.dirty else ""
        items.append(f"- commit {code(run.git.commit[:12])}{changed}")
    items += [
        f"- {code(name)} compared with {code(judgement.diff.baseline)}"
        for name, judgement in report.judgements.items()
        if judgement.diff is not None
    ]
    items += [f"- {prose(note)}" for note in run.notes[5:]]
    items.append(
        f"- again: {code('pytest --evals --lf')}; stored: {code(f'pytest-evals show {run.id}')}"
    )
    versions = " ".join(f"{name} {version}" for name, version in sorted(run.versions.items()))
    if versions:
        items.append(f"- versions: {prose(versions)}")
    return TextSection("", items, "facts", between="\n", folded=f"Run {in_html(run.id)}")
