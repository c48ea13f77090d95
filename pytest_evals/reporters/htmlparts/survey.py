"""Survey: one reading of all trials, for everything that the page shows of them.

It keeps a tally of each trial for tables and charts, an index for filters, texts for the search,
and the details, packed. What is written into the page has become harmless here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_evals.plaintext import neutral
from pytest_evals.report import Report
from pytest_evals.reporters.htmlparts.detail import Detail
from pytest_evals.reporters.htmlparts.pack import pack
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.tally import Table, Tally, tally

CHUNK = 100
"""Trials whose details are unpacked together."""

ROOM = 10_000_000
"""Characters of packed details from which on texts of trials that passed are cut shorter."""

LONGEST = (40_000, 4_000, 400)
"""Characters of a text that are kept: as a rule, when the room is taken, at twice of it."""

SEARCHED = 4_000
"""Characters of a trial's texts that the search reads."""

STATUSES = ("passed", "failed", "tolerated", "errored", "skipped", "revised", "unneeded")
"""What a trial's number in the index stands for. Revised is passed, but not at the first answer,
which is what metrics count; unneeded was left out because nothing could depend on it any more."""

NOT_ASKED = (STATUSES.index("skipped"), STATUSES.index("unneeded"))
"""The numbers of trials that say nothing of an answer."""


@dataclass
class Seen:
    """What was read of one case under one dataset."""

    dataset: str
    case: str
    question: str
    tags: tuple[str, ...]
    place: int
    cells: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    """Model -> (sample, the number of its status, its place in the index), in order."""

    @property
    def share(self) -> float:
        """The share of its trials that passed, 0..1; 1 where none was asked."""
        every = [status for cell in self.cells.values() for _, status, _ in cell]
        asked = [status for status in every if status not in NOT_ASKED]
        return asked.count(0) / len(asked) if asked else 1.0


@dataclass
class Survey:
    """What was read."""

    tables: dict[str, Table] = field(default_factory=dict)
    """By the dataset's name."""
    cases: dict[tuple[str, str], Seen] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    """The models as they were declared, then others."""
    models: list[str] = field(default_factory=list)
    """The same, harmless."""
    index: dict[str, list[Any]] = field(default_factory=dict)
    """One list a column, one value a trial."""
    texts: list[str] = field(default_factory=list)
    chunks: list[str] = field(default_factory=list)
    cut: int = 0
    """Texts that are not whole."""

    @property
    def scorers(self) -> list[str]:
        """The names of all scorers."""
        return sorted({name for table in self.tables.values() for name in table.scorers})

    def worst_first(self) -> list[Seen]:
        """Return the cases, those that pass least first; equal ones as they were planned."""
        return sorted(self.cases.values(), key=lambda seen: (seen.share, seen.place))


_COLUMNS = ("id", "case", "model", "sample", "status", "score", "cost", "latency", "failing")


def survey(report: Report) -> Survey:
    """Read all trials of a report, once."""
    found = Survey(index={name: [] for name in _COLUMNS})
    details = [Detail(report.run, longest) for longest in LONGEST]
    scorers: dict[str, int] = {}
    models = {model: place for place, model in enumerate(_models(report))}
    spent, pending = 0, []
    for result in report.trials():
        one = tally(result)
        found.tables.setdefault(result.dataset, Table(result.dataset)).add(one)
        _enter(found, result, one, models, scorers)
        pending.append(details[_tightness(spent, result)].of(result))
        if len(pending) == CHUNK:
            found.chunks.append(pack(pending))
            spent += len(found.chunks[-1])
            pending = []
    if pending:
        found.chunks.append(pack(pending))
    found.declared = list(models)
    found.models = [neutral(model) for model in models]
    found.index["scorers"] = [neutral(name) for name in scorers]
    found.cut = sum(detail.cut for detail in details)
    return found


def status_of(result: TrialResult) -> int:
    """Return the number of a trial's status."""
    word = result.outcome.value
    if result.outcome is Outcome.FAILED and result.tolerated:
        word = "tolerated"
    elif result.revised:
        word = "revised"
    elif result.unneeded:
        word = "unneeded"
    return STATUSES.index(word)


def _models(report: Report) -> list[str]:
    """Return the models of all datasets, as they were declared."""
    return list(dict.fromkeys(m.id for info in report.run.datasets for m in info.models))


def _tightness(spent: int, result: TrialResult) -> int:
    """Return which of the lengths holds: what did not pass is worth more room."""
    room = ROOM if result.outcome is Outcome.PASSED else ROOM * 1.1
    return 0 if spent < room else 1 if spent < room * 1.15 else 2


def _enter(
    found: Survey,
    result: TrialResult,
    one: Tally,
    models: dict[str, int],
    scorers: dict[str, int],
) -> None:
    """Enter one trial into the index."""
    key = (result.dataset, result.case_id)
    seen = found.cases.get(key)
    if seen is None:
        seen = found.cases[key] = Seen(
            dataset=neutral(result.dataset),
            case=neutral(result.case_id),
            question=question_of(result),
            tags=tuple(map(neutral, result.tags)),
            place=len(found.cases),
        )
    status = status_of(result)
    seen.cells.setdefault(result.model_id, []).append((result.sample, status, len(found.texts)))
    row: Mapping[str, Any] = {
        "id": neutral(result.id),
        "case": seen.place,
        "model": models.setdefault(result.model_id, len(models)),
        "sample": result.sample,
        "status": status,
        "score": None if result.score is None else round(result.score, 4),
        "cost": None if one.cost_usd is None else float(f"{one.cost_usd:.4g}"),
        "latency": None if one.latency_s is None else round(one.latency_s, 4),
        "failing": [
            scorers.setdefault(name, len(scorers))
            for name in dict.fromkeys((*one.failing, *one.unscored))
        ],
    }
    for name, value in row.items():
        found.index[name].append(value)
    found.texts.append(neutral("\n".join(_searched(result))[:SEARCHED]))


def question_of(result: TrialResult) -> str:
    """Return what was asked, in one line, without what every case is told."""
    for exchange in result.answers:
        given = exchange.request.input
        if isinstance(given, str) and given:
            return _line(given)
        if exchange.request.messages:
            return _line(exchange.request.messages[-1].text)
    return ""


def _line(text: str) -> str:
    """Return a text's beginning as one harmless line."""
    words = " ".join(text[:600].split())
    return neutral(words if len(words) <= 300 else f"{words[:299]}…", lines=False)


def _searched(result: TrialResult) -> Iterable[str]:
    """Yield the texts of a trial that the search reads, the telling ones first."""
    for score in result.scores:
        reason = score.message if score.kind == "error" else score.reason
        if score.kind == "error" or score.passed is False:
            yield f"{score.name} {reason[:500]}"
    if result.error is not None:
        yield f"{result.error.type} {result.error.message[:500]}"
    for exchange in result.answers:
        if exchange.response is not None:
            yield exchange.response.text[:SEARCHED]
        for message in exchange.request.messages[-1:]:
            yield message.text[:SEARCHED]
