"""Survey: one reading of all trials, for everything that the page shows of them.

It keeps a tally of each trial for tables and charts, an index for filters, and the details,
packed. What is written into the page has become harmless here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_evals.ground.plain_text import neutral
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.report import Report
from pytest_evals.reporters.htmlparts.compress import pack
from pytest_evals.reporters.htmlparts.detail import TrialDetail
from pytest_evals.result import Outcome, TrialResult

CHUNK = 100
"""Trials whose details are unpacked together."""

ROOM = 12_000_000
"""Characters that the packed details of all trials may take; texts are cut shorter to meet it."""

LONGEST = (40_000, 4_000, 1_000, 200)
"""Characters of a text that are kept, from much room to little."""

MANY = 2_000
"""Trials from which on it is not taken for granted that there is much room."""

STATUSES = ("passed", "failed", "tolerated", "errored", "skipped", "revised", "unneeded")
"""What a trial's number in the index stands for. Revised is passed, but not at the first answer,
which is what metrics count; unneeded was left out because nothing could depend on it any more."""

NOT_RUN = (STATUSES.index("skipped"), STATUSES.index("unneeded"))
"""The numbers of trials that say nothing of an answer."""


@dataclass
class CaseRow:
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
        asked = [status for status in every if status not in NOT_RUN]
        return asked.count(0) / len(asked) if asked else 1.0


@dataclass
class PageData:
    """What was read."""

    tables: dict[str, TrialTable] = field(default_factory=dict)
    """By the dataset's name."""
    cases: dict[tuple[str, str], CaseRow] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    """The models as they were declared, then others."""
    models: list[str] = field(default_factory=list)
    """The same, harmless."""
    index: dict[str, list[Any]] = field(default_factory=dict)
    """One list a column, one value a trial."""
    chunks: list[str] = field(default_factory=list)
    cut: int = 0
    """Texts that are not whole."""

    @property
    def scorers(self) -> list[str]:
        """The names of all scorers."""
        return sorted({name for table in self.tables.values() for name in table.scorers})

    def worst_first(self) -> list[CaseRow]:
        """Return the cases, those that pass least first; equal ones as they were planned."""
        return sorted(self.cases.values(), key=lambda seen: (seen.share, seen.place))


_COLUMNS = ("id", "case", "model", "sample", "status", "score", "cost", "latency", "failing")


def collect_page_data(report: Report) -> PageData:
    """Read all trials of a report, once."""
    data = PageData(index={name: [] for name in _COLUMNS})
    packer = _Packer(report)
    scorers: dict[str, int] = {}
    models = {model: place for place, model in enumerate(_models(report))}
    for result in report.trials():
        stats = summarize_trial(result)
        data.tables.setdefault(result.dataset, TrialTable(result.dataset)).add(stats)
        _enter(data, result, stats, models, scorers)
        packer.add(result)
    packer.flush()
    data.chunks, data.cut = packer.chunks, packer.cut
    data.declared = list(models)
    data.models = [neutral(model) for model in models]
    data.index["scorers"] = [neutral(name) for name in scorers]
    return data


def status_number(result: TrialResult) -> int:
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


class _Packer:
    """Packs details chunk by chunk, and sees that there is room for those to come.

    Args:
        report: whose trials they are.
    """

    def __init__(self, report: Report) -> None:
        self._details = [TrialDetail(report.run, longest) for longest in LONGEST]
        self._left = sum(info.selected for info in report.run.datasets)
        self._tier = int(self._left > MANY)
        self._pending: list[dict[str, Any]] = []
        self._spent = 0
        self.chunks: list[str] = []

    def add(self, result: TrialResult) -> None:
        """Add a trial; one that did not pass may say more, while there is room at all."""
        scarce = self._tier == len(LONGEST) - 1
        favoured = result.outcome is not Outcome.PASSED and not scarce
        tier = max(0, self._tier - 1) if favoured else self._tier
        self._pending.append(self._details[tier].of(result))
        if len(self._pending) == CHUNK:
            self.flush()

    def flush(self) -> None:
        """Pack what is pending, and settle how long the next texts may be."""
        if not self._pending:
            return
        self.chunks.append(pack(self._pending))
        self._left = max(0, self._left - len(self._pending))
        self._spent += len(self.chunks[-1])
        expected = self._spent + len(self.chunks[-1]) / len(self._pending) * self._left
        if expected > ROOM:
            self._tier = min(self._tier + 1, len(LONGEST) - 1)
        elif expected * 2.5 < ROOM:
            self._tier = max(self._tier - 1, 0)
        self._pending = []

    @property
    def cut(self) -> int:
        """Texts that are not whole."""
        return sum(detail.cut for detail in self._details)


def _enter(
    data: PageData,
    result: TrialResult,
    stats: TrialStats,
    models: dict[str, int],
    scorers: dict[str, int],
) -> None:
    """Enter one trial into the index."""
    key = (result.dataset, result.case_id)
    case = data.cases.get(key)
    if case is None:
        case = data.cases[key] = CaseRow(
            dataset=neutral(result.dataset),
            case=neutral(result.case_id),
            question=first_line_of_input(result),
            tags=tuple(map(neutral, result.tags)),
            place=len(data.cases),
        )
    status = status_number(result)
    case.cells.setdefault(result.model_id, []).append(
        (result.sample, status, len(data.index["id"]))
    )
    row: Mapping[str, Any] = {
        "id": neutral(result.id),
        "case": case.place,
        "model": models.setdefault(result.model_id, len(models)),
        "sample": result.sample,
        "status": status,
        "score": None if result.score is None else round(result.score, 4),
        "cost": None if stats.cost_usd is None else float(f"{stats.cost_usd:.4g}"),
        "latency": None if stats.latency_s is None else round(stats.latency_s, 4),
        "failing": [
            scorers.setdefault(name, len(scorers))
            for name in dict.fromkeys((*stats.failing, *stats.unscored))
        ],
    }
    for name, value in row.items():
        data.index[name].append(value)


def first_line_of_input(result: TrialResult) -> str:
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
