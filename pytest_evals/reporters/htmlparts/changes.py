"""What changed against the baseline: groups of cases, each with its answers side by side. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_evals.ground.plain_text import neutral
from pytest_evals.report import Report
from pytest_evals.reporters.htmlparts.collect import PageData
from pytest_evals.reporters.htmlparts.words import Piece, word_diff
from pytest_evals.verdict.diff import Diff, DiffEntry

_TITLES = {
    "regressed": ("Regressed", "passes less often than before, beyond what noise does to one case"),
    "errored": ("Errored", "no sample could be scored now"),
    "added_failing": ("New and failing", "not in the baseline, and not every sample passes"),
    "removed": ("Removed", "in the baseline, but not in this run"),
    "drifted": ("Drifted", "still passes, but the answer or its tool calls changed"),
    "still_failing": ("Still failing", "passed neither before nor now, and fails otherwise"),
    "case_edited": (
        "Edited",
        "the question, the reference or the assertions changed: not compared",
    ),
    "flaky": ("Flaky", "moved, within noise"),
    "fixed": ("Fixed", "passes more often than before, beyond noise"),
    "added_passing": ("New and passing", "not in the baseline, and every sample passes"),
}
_OPEN = ("regressed", "errored")
SHOWN = 20
"""Entries of a group that are written out; the filter finds the others."""


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """One case under one model."""

    dataset: str
    case: str
    model: str
    trial: str | None
    """The node id of its worst trial; None where it has none in this run."""
    blocking: bool
    before: str
    """Passed of all samples, ``5/5``; a dash where unknown."""
    now: str
    pieces: tuple[Piece, ...]
    reasons: tuple[str, ...]
    facts: tuple[str, ...]
    """What else moved: scores, tools, tokens, cost."""


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """The entries of one class."""

    kind: str
    title: str
    meaning: str
    number: int
    open: bool
    entries: tuple[ChangeEntry, ...]


def change_groups(report: Report, seen: PageData) -> list[ChangeGroup]:
    """Return what changed in all datasets, the gravest class first."""
    found: dict[str, list[ChangeEntry]] = {}
    for diff in _diffs(report):
        for one in diff.entries:
            known = found.setdefault(one.kind, [])
            if len(known) < SHOWN:
                known.append(_entry(diff, one, seen))
    numbers = change_counts(report)
    return [
        ChangeGroup(
            kind,
            title,
            meaning,
            numbers.get(kind, len(found[kind])),
            kind in _OPEN,
            tuple(found[kind]),
        )
        for kind, (title, meaning) in _TITLES.items()
        if kind in found
    ]


def change_counts(report: Report) -> dict[str, int]:
    """Return the number of pairs of case and model by class."""
    numbers: dict[str, int] = {}
    for diff in _diffs(report):
        for kind, number in diff.counts.items():
            numbers[kind] = numbers.get(kind, 0) + number
    ordered = [*(kind for kind in _TITLES if kind in numbers), *sorted(numbers)]
    return {kind: numbers[kind] for kind in ordered}


def index_changes(report: Report, seen: PageData) -> list[dict[str, Any]]:
    """Return every entry that has trials in this run, as the page's script reads it."""
    models = {model: place for place, model in enumerate(seen.models)}
    found = []
    for diff in _diffs(report):
        for one in diff.entries:
            case = seen.cases.get((diff.dataset, one.case))
            model = models.get(neutral(one.model))
            if case is None or model is None:
                continue
            entry = _entry(diff, one, seen)
            found.append(
                {
                    "case": case.place,
                    "model": model,
                    "kind": one.kind,
                    "before": entry.before,
                    "now": entry.now,
                    "pieces": [(mark, neutral(text)) for mark, text in entry.pieces],
                    "facts": list(map(neutral, entry.facts)),
                }
            )
    return found


def class_title(kind: str) -> str:
    """Return what people call a class."""
    return _TITLES[kind][0] if kind in _TITLES else kind.replace("_", " ").capitalize()


def _diffs(report: Report) -> list[Diff]:
    return [one.diff for one in report.evaluations.values() if one.diff is not None]


def _entry(diff: Diff, one: DiffEntry, seen: PageData) -> ChangeEntry:
    """Return one entry as it is shown."""
    same = one.answer_before == one.answer
    pieces: tuple[Piece, ...] = ()
    if one.answer_before is not None or one.answer is not None:
        pieces = (
            (("=", one.answer or ""),)
            if same
            else word_diff(one.answer_before or "", one.answer or "")
        )
    return ChangeEntry(
        dataset=diff.dataset,
        case=one.case,
        model=one.model,
        trial=_worst_trial(seen, (diff.dataset, one.case), one.model),
        blocking=one.blocking,
        before=_passes(one.passes_before, one.n_before),
        now=_passes(one.passes, one.n),
        pieces=pieces,
        reasons=one.reasons,
        facts=tuple(_facts(one)),
    )


def _passes(passes: int | None, n: int | None) -> str:
    return "-" if passes is None or n is None else f"{passes}/{n}"


def _facts(one: DiffEntry) -> list[str]:
    """Return what else moved, in words."""
    facts = [
        f"{name} {_number(change.before)} → {_number(change.now)}"
        for name, change in one.scores.items()
    ]
    if one.tools is not None and one.tools_before is not None and one.tools != one.tools_before:
        facts.append(f"tools {_names(one.tools_before)} → {_names(one.tools)}")
    if one.tokens is not None:
        facts.append(f"tokens {_number(one.tokens.before)} → {_number(one.tokens.now)}")
    if one.edited:
        facts.append(f"edited: {', '.join(one.edited)}")
    return facts


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _worst_trial(seen: PageData, key: tuple[str, str], model: str) -> str | None:
    """Return the first trial that did not pass, else the first."""
    case = seen.cases.get(key)
    cell: list[tuple[int, int, int]] = [] if case is None else case.cells.get(model, [])
    if not cell:
        return None
    place = next((place for _, status, place in cell if status), cell[0][2])
    found: str = seen.index["id"][place]
    return found


def class_titles(report: Report) -> Mapping[str, str]:
    """Return the classes that occur, with what people call them, for the filter."""
    found = {one.kind for diff in _diffs(report) for one in diff.entries}
    return {kind: class_title(kind) for kind in _TITLES if kind in found}
