"""RunSummary: totals of a session by dataset and model, added trial by trial."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import Counts
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
    """Tokens; None if no answer reported any."""
    cost_usd: float | None = 0.0
    """USD; None if any answer's cost is unknown."""
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
        tokens = result.usage.total_tokens
        if tokens is not None:
            self.tokens = (self.tokens or 0) + tokens
        if any(exchange.response is not None for exchange in result.exchanges):
            cost = result.cost_usd
            self.cost_usd = None if cost is None or self.cost_usd is None else self.cost_usd + cost


class RunSummary:
    """The totals of a session."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], ModelSummary] = {}
        self.spent_usd: float | None = 0.0
        """USD of the calls made in this session; None if a cost is unknown."""
        self.asked = 0
        """Calls made in this session."""
        self.asked_tokens = 0
        """Reported tokens of these calls."""
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

    def count(self, result: TrialResult) -> None:
        """Count the calls of a trial, which may be a confirmation sample outside the run."""
        for exchange in result.exchanges:
            if exchange.response is None:
                continue
            if exchange.source == "asked":
                self.asked += 1
                cost = exchange.cost_usd
                is_known = self.spent_usd is not None and cost is not None
                self.spent_usd = (self.spent_usd or 0.0) + (cost or 0.0) if is_known else None
                self.asked_tokens += exchange.response.usage.total_tokens or 0
            elif exchange.source != "scripted":
                self.reused += 1

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
        """All tokens; None if none were reported."""
        counts = [row.tokens for row in self.rows if row.tokens is not None]
        return sum(counts) if counts else None

    @property
    def cost_usd(self) -> float | None:
        """USD of all answers; None if any is unknown."""
        costs = [row.cost_usd for row in self.rows]
        priced = [cost for cost in costs if cost is not None]
        return sum(priced) if len(priced) == len(costs) else None
