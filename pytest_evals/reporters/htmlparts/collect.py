"""PageData: all trials of a report, read once for the HTML page.

It holds the numbers of each trial for tables and charts, an index for filters, and the compressed
details. All texts are neutralized here.
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
"""Trials per chunk of compressed details."""

ROOM = 12_000_000
"""Characters for the compressed details of all trials; texts are truncated to meet it."""

TEXT_LIMITS = (40_000, 4_000, 1_000, 200)
"""Characters of a text before it is truncated, from much room to little."""

MANY = 2_000
"""Trials above which texts start with the second limit."""

STATUSES = ("passed", "failed", "tolerated", "errored", "skipped", "revised", "unneeded")
"""The statuses that a trial's number in the index stands for. revised: passed after a revision,
which metrics do not count as passed. unneeded: left out, as no verdict depended on it."""

NOT_RUN = (STATUSES.index("skipped"), STATUSES.index("unneeded"))
"""The status numbers of trials without an answer to evaluate."""


@dataclass
class CaseRow:
    """The trials of one case, by model."""

    dataset: str
    case: str
    question: str
    tags: tuple[str, ...]
    place: int
    cells: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    """Model -> (sample, status number, place in the index), in order."""

    @property
    def share(self) -> float:
        """The share of its trials that passed, 0..1; 1 if none was run."""
        statuses = [status for cell in self.cells.values() for _, status, _ in cell]
        scored = [status for status in statuses if status not in NOT_RUN]
        return scored.count(0) / len(scored) if scored else 1.0


@dataclass
class PageData:
    """The collected trials."""

    tables: dict[str, TrialTable] = field(default_factory=dict)
    """By dataset name."""
    cases: dict[tuple[str, str], CaseRow] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    """The models in declared order, then others."""
    models: list[str] = field(default_factory=list)
    """The same, neutralized."""
    index: dict[str, list[Any]] = field(default_factory=dict)
    """One list per column, one value per trial."""
    chunks: list[str] = field(default_factory=list)
    cut: int = 0
    """Truncated texts."""

    @property
    def scorers(self) -> list[str]:
        """The names of all scorers."""
        return sorted({name for table in self.tables.values() for name in table.scorers})

    def worst_first(self) -> list[CaseRow]:
        """Return the cases, the lowest pass rate first, then in planned order."""
        return sorted(self.cases.values(), key=lambda seen: (seen.share, seen.place))


_COLUMNS = ("id", "case", "model", "sample", "status", "score", "cost", "latency", "failing")


def collect_page_data(report: Report) -> PageData:
    """Read all trials of a report once."""
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
    """Return the models of all datasets in declared order."""
    return list(dict.fromkeys(m.id for info in report.run.datasets for m in info.models))


class _Packer:
    """Compresses details chunk by chunk, and adapts the length of texts to the room left.

    Args:
        report: the report of the trials.
    """

    def __init__(self, report: Report) -> None:
        self._details = [TrialDetail(report.run, longest) for longest in TEXT_LIMITS]
        self._left = sum(info.selected for info in report.run.datasets)
        self._tier = int(self._left > MANY)
        self._pending: list[dict[str, Any]] = []
        self._spent = 0
        self.chunks: list[str] = []

    def add(self, result: TrialResult) -> None:
        """Add a trial; longer texts are kept for a trial that did not pass, while there is room."""
        scarce = self._tier == len(TEXT_LIMITS) - 1
        has_priority = result.outcome is not Outcome.PASSED and not scarce
        tier = max(0, self._tier - 1) if has_priority else self._tier
        self._pending.append(self._details[tier].of(result))
        if len(self._pending) == CHUNK:
            self.flush()

    def flush(self) -> None:
        """Compress the pending details, and set the length of the next texts."""
        if not self._pending:
            return
        self.chunks.append(pack(self._pending))
        self._left = max(0, self._left - len(self._pending))
        self._spent += len(self.chunks[-1])
        expected = self._spent + len(self.chunks[-1]) / len(self._pending) * self._left
        if expected > ROOM:
            self._tier = min(self._tier + 1, len(TEXT_LIMITS) - 1)
        elif expected * 2.5 < ROOM:
            self._tier = max(self._tier - 1, 0)
        self._pending = []

    @property
    def cut(self) -> int:
        """Truncated texts."""
        return sum(detail.cut for detail in self._details)


def _enter(
    data: PageData,
    result: TrialResult,
    stats: TrialStats,
    models: dict[str, int],
    scorers: dict[str, int],
) -> None:
    """Add one trial to the index."""
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
    """Return the input on one line, without the prompt shared by all cases."""
    for exchange in result.answers:
        given = exchange.request.input
        if isinstance(given, str) and given:
            return _line(given)
        if exchange.request.messages:
            return _line(exchange.request.messages[-1].text)
    return ""


def _line(text: str) -> str:
    """Return the beginning of a text as one neutralized line."""
    words = " ".join(text[:600].split())
    return neutral(words if len(words) <= 300 else f"{words[:299]}…", lines=False)
