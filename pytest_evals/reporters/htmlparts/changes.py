"""Changes against the baseline as groups of cases, with a word diff of the answers. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_evals.ground.plain_text import neutral
from pytest_evals.report import Report
from pytest_evals.reporters.htmlparts.collect import PageData
from pytest_evals.reporters.htmlparts.words import Piece, word_diff
from pytest_evals.verdict.diff import Diff, DiffEntry

_TITLES = {
    "regressed": ("Regressed", "passes significantly less often than in the baseline"),
    "errored": ("Errored", "no sample could be scored now"),
    "newly_failing": (
        "Newly failing (unconfirmed)",
        "passed before and fails now; too few samples to tell",
    ),
    "added_failing": ("New and failing", "not in the baseline, and not every sample passes"),
    "removed": ("Removed", "in the baseline, but not in this run"),
    "drifted": ("Drifted", "still passes, but the answer or its tool calls changed"),
    "still_failing": ("Still failing", "no sample passed before or now"),
    "case_edited": (
        "Edited",
        "the input, the reference or the assertions changed: not compared",
    ),
    "flaky": ("Flaky", "its own samples disagree; the change is not significant"),
    "fixed": ("Fixed", "passes significantly more often than in the baseline"),
    "newly_passing": (
        "Newly passing (unconfirmed)",
        "failed before and passes now; too few samples to tell",
    ),
    "added_passing": ("New and passing", "not in the baseline, and every sample passes"),
}
_OPEN = ("regressed", "errored")
MAX_SHOWN = 20
"""Entries of a group on the page; the filter shows the others."""


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """One case under one model."""

    dataset: str
    case: str
    model: str
    trial: str | None
    """The node id of its worst trial; None without a trial in this run."""
    blocking: bool
    before: str
    """Passed of scored samples, ``5/5``; a dash if unknown."""
    now: str
    pieces: tuple[Piece, ...]
    reasons: tuple[str, ...]
    facts: tuple[str, ...]
    """Other changes: scores, tools, tokens, edited parts."""


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """The entries of one class."""

    kind: str
    title: str
    meaning: str
    number: int
    open: bool
    entries: tuple[ChangeEntry, ...]


def change_groups(report: Report, data: PageData) -> list[ChangeGroup]:
    """Return the changes of all datasets by class, the gravest class first."""
    entries: dict[str, list[ChangeEntry]] = {}
    for diff in _diffs(report):
        for entry in diff.entries:
            of_class = entries.setdefault(entry.kind, [])
            if len(of_class) < MAX_SHOWN:
                of_class.append(_entry(diff, entry, data))
    numbers = change_counts(report)
    return [
        ChangeGroup(
            name,
            title,
            meaning,
            numbers.get(name, len(entries[name])),
            name in _OPEN,
            tuple(entries[name]),
        )
        for name, (title, meaning) in _TITLES.items()
        if name in entries
    ]


def change_counts(report: Report) -> dict[str, int]:
    """Return the number of pairs of case and model by class."""
    numbers: dict[str, int] = {}
    for diff in _diffs(report):
        for name, number in diff.counts.items():
            numbers[name] = numbers.get(name, 0) + number
    ordered = [*(name for name in _TITLES if name in numbers), *sorted(numbers)]
    return {name: numbers[name] for name in ordered}


def index_changes(report: Report, data: PageData) -> list[dict[str, Any]]:
    """Return every entry with trials in this run, as the page's script reads it."""
    models = {model: place for place, model in enumerate(data.models)}
    rows = []
    for diff in _diffs(report):
        for change in diff.entries:
            case = data.cases.get((diff.dataset, change.case))
            model = models.get(neutral(change.model))
            if case is None or model is None:
                continue
            entry = _entry(diff, change, data)
            rows.append(
                {
                    "case": case.place,
                    "model": model,
                    "kind": change.kind,
                    "before": entry.before,
                    "now": entry.now,
                    "pieces": [(mark, neutral(text)) for mark, text in entry.pieces],
                    "facts": list(map(neutral, entry.facts)),
                }
            )
    return rows


def class_title(name: str) -> str:
    """Return the title of a class."""
    return _TITLES[name][0] if name in _TITLES else name.replace("_", " ").capitalize()


def _diffs(report: Report) -> list[Diff]:
    return [
        evaluation.diff for evaluation in report.evaluations.values() if evaluation.diff is not None
    ]


def _entry(diff: Diff, entry: DiffEntry, data: PageData) -> ChangeEntry:
    """Return one entry with its answers and its other changes."""
    same = entry.answer_before == entry.answer
    pieces: tuple[Piece, ...] = ()
    if entry.answer_before is not None or entry.answer is not None:
        pieces = (
            (("=", entry.answer or ""),)
            if same
            else word_diff(entry.answer_before or "", entry.answer or "")
        )
    return ChangeEntry(
        dataset=diff.dataset,
        case=entry.case,
        model=entry.model,
        trial=_worst_trial(data, (diff.dataset, entry.case), entry.model),
        blocking=entry.blocking,
        before=_passes(entry.passes_before, entry.n_before),
        now=_passes(entry.passes, entry.n),
        pieces=pieces,
        reasons=entry.reasons,
        facts=tuple(_facts(entry)),
    )


def _passes(passes: int | None, n: int | None) -> str:
    return "-" if passes is None or n is None else f"{passes}/{n}"


def _facts(entry: DiffEntry) -> list[str]:
    """Return the other changes, in words."""
    facts = [
        f"{name} {_number(change.before)} → {_number(change.now)}"
        for name, change in entry.scores.items()
    ]
    if (
        entry.tools is not None
        and entry.tools_before is not None
        and entry.tools != entry.tools_before
    ):
        facts.append(f"tools {_names(entry.tools_before)} → {_names(entry.tools)}")
    if entry.tokens is not None:
        facts.append(f"tokens {_number(entry.tokens.before)} → {_number(entry.tokens.now)}")
    if entry.edited:
        facts.append(f"edited: {', '.join(entry.edited)}")
    return facts


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _worst_trial(data: PageData, key: tuple[str, str], model: str) -> str | None:
    """Return the first trial that did not pass; if all passed, the first."""
    case = data.cases.get(key)
    cell: list[tuple[int, int, int]] = [] if case is None else case.cells.get(model, [])
    if not cell:
        return None
    place = next((place for _, status, place in cell if status), cell[0][2])
    node_id: str = data.index["id"][place]
    return node_id


def class_titles(report: Report) -> Mapping[str, str]:
    """Return the occurring classes with their titles, for the filter."""
    names = {entry.kind for diff in _diffs(report) for entry in diff.entries}
    return {name: class_title(name) for name in _TITLES if name in names}
