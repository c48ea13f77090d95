"""RunSummary: totals of a session by dataset and model, added trial by trial."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pytest_evals.exchange import Exchange
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import ROLES, Counts, Spending
from pytest_evals.score import withheld_reason


@dataclass(slots=True)
class ModelSummary:
    """The totals of one model in one dataset."""

    dataset: str
    model_id: str
    passed: int = 0
    failed: int = 0
    errored: int = 0
    skipped: int = 0
    unneeded: int = 0
    revised: int = 0
    """Passed only after a judge sent the answer back; not counted as passed."""
    tokens: int | None = None
    """Tokens; None if there is no answer, or if any call of an answered trial reports none."""
    cost_usd: float | None = 0.0
    """USD; None if any call's cost is unknown."""
    answered: int = 0
    """Trials with a response."""
    scores: "array[float]" = field(default_factory=lambda: array("d"))
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    """Seconds."""

    @property
    def total(self) -> int:
        """All recorded trials."""
        return self.scored + self.errored + self.skipped + self.unneeded

    @property
    def scored(self) -> int:
        """Trials with a verdict on an answer: the denominator of a pass rate."""
        return self.passed + self.revised + self.failed

    @property
    def mean_score(self) -> float | None:
        """The mean of the trials' scores; None without a score."""
        return sum(self.scores) / len(self.scores) if self.scores else None

    def latency(self, share: float) -> float | None:
        """Return a percentile of the latencies, in seconds, by the nearest rank.

        Args:
            share: the share of trials at or below the percentile, 0..1.
        """
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        rank = max(1, -(-len(ordered) * share // 1))
        return ordered[int(rank) - 1]

    def add(self, result: TrialResult) -> None:
        """Add one trial."""
        what = "unneeded" if result.unneeded else result.outcome.value
        what = "revised" if result.revised else what
        setattr(self, what, getattr(self, what) + 1)
        score = result.score if result.first is None else result.first.score
        if score is not None and result.outcome is not Outcome.ERRORED:
            self.scores.append(score)
        latency = result.latency_s
        if latency is not None:
            self.latencies.append(latency)
        if any(exchange.response is not None for exchange in result.exchanges):
            tokens, cost = result.usage.total_tokens, result.cost_usd
            before = self.tokens if self.answered else 0
            self.tokens = None if tokens is None or before is None else before + tokens
            self.answered += 1
            self.cost_usd = None if cost is None or self.cost_usd is None else self.cost_usd + cost


class RunSummary:
    """The totals of a session."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], ModelSummary] = {}
        self._spending: dict[str, list[float]] = {}
        self.reused = 0
        """Answers reused from a store."""
        self.first_reason = ""
        """The reason of the first trial that was not run."""
        self._advisory: dict[tuple[str, str, str], int] = {}

    def add(self, result: TrialResult) -> None:
        """Add one trial."""
        key = (result.dataset, result.model_id)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = ModelSummary(*key)
        row.add(result)
        self.count(result)
        for score in result.scores:
            reason = withheld_reason(score)
            if reason:
                key_of_score = (result.dataset, score.name, reason)
                self._advisory[key_of_score] = self._advisory.get(key_of_score, 0) + 1
        not_run = result.outcome is Outcome.SKIPPED and not result.unneeded
        if not_run and not self.first_reason and result.error:
            self.first_reason = result.error.message

    def count(self, result: TrialResult, *, confirms: bool = False) -> None:
        """Count the calls of a trial.

        Args:
            result: the trial.
            confirms: whether it is a confirmation sample, outside the run.
        """
        for role, exchange in calls_by_role(result):
            if exchange.response is None:
                continue
            if exchange.source == "asked":
                tokens, cost = exchange.response.usage.total_tokens, exchange.cost_usd
                row = self._spending.setdefault("confirmation" if confirms else role, [0] * 5)
                added = (1, tokens or 0, tokens is None, cost or 0.0, cost is None)
                row[:] = [a + b for a, b in zip(row, added, strict=True)]
            elif exchange.source != "scripted":
                self.reused += 1

    @property
    def spending(self) -> dict[str, Spending]:
        """The calls made in this session by role, as `Run.spending`."""
        rows = ((role, self._spending.get(role)) for role in ROLES)
        return {
            role: Spending(
                calls=int(row[0]),
                tokens=int(row[1]),
                unmetered=int(row[2]),
                cost_usd=row[3],
                unpriced=int(row[4]),
            )
            for role, row in rows
            if row is not None
        }

    @property
    def spent(self) -> Spending:
        """All calls made in this session."""
        return sum(self.spending.values(), Spending())

    @property
    def silent(self) -> list[str]:
        """A sentence for each judge with advisory scores, and the reason."""
        return [
            f"judge {name} of {dataset} is advisory, not counted ({count} "
            f"{'score' if count == 1 else 'scores'}): {reason}"
            for (dataset, name, reason), count in sorted(self._advisory.items())
        ]

    @property
    def rows(self) -> list[ModelSummary]:
        """The rows, in the order of `arrange`, then of first appearance."""
        return list(self._rows.values())

    def arrange(self, order: Iterable[tuple[str, str]]) -> None:
        """Sort the rows by (dataset, model); workers deliver trials in any order."""
        ordered = {key: self._rows[key] for key in order if key in self._rows}
        self._rows = {**ordered, **self._rows}

    @property
    def counts(self) -> Counts:
        """All trials by outcome."""
        rows = self.rows
        return Counts(
            passed=sum(row.passed + row.revised for row in rows),
            failed=sum(row.failed for row in rows),
            errored=sum(row.errored for row in rows),
            skipped=sum(row.skipped for row in rows),
            unneeded=sum(row.unneeded for row in rows),
        )

    @property
    def tokens(self) -> int | None:
        """All tokens; None if any answered call reports none, or without an answer."""
        counts = [row.tokens for row in self.rows if row.answered]
        reported = [count for count in counts if count is not None]
        return sum(reported) if counts and len(reported) == len(counts) else None

    @property
    def cost_usd(self) -> float | None:
        """USD of all calls of the trials; None if any is unknown."""
        costs = [row.cost_usd for row in self.rows]
        priced = [cost for cost in costs if cost is not None]
        return sum(priced) if len(priced) == len(costs) else None

    @property
    def spent_usd(self) -> float | None:
        """USD of the calls made in this session; None if a cost is unknown."""
        return None if self.spent.unpriced else self.spent.cost_usd


def calls_by_role(result: TrialResult) -> Iterator[tuple[str, Exchange]]:
    """Yield a trial's calls with what they were made for, one of `ROLES`.

    Args:
        result: the trial.
    """
    revised = {
        id(exchange) for exchange in result.answers[len(result.answers) - result.revisions :]
    }
    for exchange in result.exchanges:
        if exchange.role != "answer":
            yield "judges", exchange
        else:
            yield "revisions" if id(exchange) in revised else "answers", exchange
