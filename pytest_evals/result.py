"""TrialResult: the full record of one trial.

This module knows exchanges and scores. It knows nothing of stores, reports or pytest.
"""

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from pytest_evals.case import Source
from pytest_evals.exchange import ErrorInfo, Exchange, Response, Usage, total_usage
from pytest_evals.ground.canonical import Frozen
from pytest_evals.score import Score, ScoreError


def _score_tag(value: Any) -> str:
    """Return ``score`` or ``error``, also for a record that omits default values."""
    if isinstance(value, dict):
        return str(value.get("kind") or ("error" if "message" in value else "score"))
    return str(getattr(value, "kind", ""))


AnyScore = Annotated[
    Annotated[Score, Tag("score")] | Annotated[ScoreError, Tag("error")], Discriminator(_score_tag)
]


class Outcome(StrEnum):
    """The outcome of a trial."""

    PASSED = "passed"
    FAILED = "failed"
    """An assertion failed."""
    ERRORED = "errored"
    """There is no response, or a scorer raised an error."""
    SKIPPED = "skipped"
    """Not run; `error` says why."""


class FirstTry(Frozen):
    """Outcome and scores of a trial's first response, before a judge requested a revision."""

    outcome: Outcome
    """Outcome of the first response."""
    scores: tuple[AnyScore, ...] = ()
    """Scores of the first response."""
    score: float | None = None
    """Weighted mean of the scores, 0..1; None if nothing was scored."""


class TrialResult(Frozen):
    """The full record of one trial. It crosses processes and is stored as one JSON text."""

    id: str
    """Node id of the trial's item."""
    dataset: str
    """Path of the dataset, or node id of the test function."""
    case_id: str
    """Id of the case."""
    model_id: str
    """Id of the model."""
    sample: int
    """0-based."""
    outcome: Outcome
    """The outcome."""
    scores: tuple[AnyScore, ...] = ()
    """Scores in the order of the assertions."""
    score: float | None = None
    """Weighted mean of the scores with a value or a verdict, 0..1; None if there are none."""
    error: ErrorInfo | None = None
    """Why there is no response or no score, or why the trial was not run; else None."""
    exchanges: tuple[Exchange, ...] = ()
    """Calls of the model under test in order, then the calls of the judges."""
    tags: tuple[str, ...] = ()
    """Tags of the case."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Metadata of the case."""
    source: Source | None = None
    """Where the case is written; None if it was made in Python."""
    started_at: float = 0.0
    """Unix time, seconds."""
    duration_s: float = 0.0
    """Seconds from the first call to the last score, without waits for a free slot."""
    case_digest: str = ""
    """Digest of the case, 16 hexadecimal digits."""
    scorers_digest: str = ""
    """Digest of the assertions, options and versions, 16 hexadecimal digits; empty if unknown."""
    output: str = ""
    """Output that user code printed during this trial."""
    beyond: bool = False
    """Whether it is a sample beyond the first `min` of its case. Such samples decide only the
    verdict on the case; metrics over several cases exclude them."""
    tolerated: bool = False
    """Whether it failed and is tolerated: the dataset's gates decide instead."""
    revisions: int = 0
    """Number of revisions that a judge requested. Outcome and scores are those of the last
    response."""
    first: FirstTry | None = None
    """Outcome of the first response, which all metrics use; None if there was no revision."""

    @property
    def revised(self) -> bool:
        """Whether it passed after a revision."""
        return self.first is not None and self.outcome is Outcome.PASSED

    @property
    def unneeded(self) -> bool:
        """Whether it did not run because no verdict depended on it."""
        return self.error is not None and self.error.type == "not_needed"

    @cached_property
    def answers(self) -> tuple[Exchange, ...]:
        """Exchanges with the model under test."""
        return tuple(e for e in self.exchanges if e.role == "answer")

    @cached_property
    def response(self) -> Response | None:
        """Last response of the model under test; None if there is none."""
        answered = [e.response for e in self.answers if e.response is not None]
        return answered[-1] if answered else None

    @property
    def answer(self) -> str | None:
        """Text of the last response; None if there is none."""
        return None if self.response is None else self.response.text

    @cached_property
    def usage(self) -> Usage:
        """Token usage of all calls, including judges; all None if any call reports none."""
        return total_usage([e.response.usage for e in self.exchanges if e.response is not None])

    @cached_property
    def cost_usd(self) -> float | None:
        """Cost of all calls in USD, including judges; None if any is unknown or there are none."""
        costs = [e.cost_usd for e in self.exchanges if e.response is not None]
        if not costs or None in costs:
            return None
        return sum(cost for cost in costs if cost is not None)

    @cached_property
    def latency_s(self) -> float | None:
        """Latency of the model under test in seconds, summed over turns; None if unknown."""
        times = [e.response.latency_s for e in self.answers if e.response is not None]
        measured = [time for time in times if time is not None]
        return sum(measured) if measured else None

    @property
    def retries(self) -> int:
        """Number of failed attempts, over all calls."""
        return sum(len(exchange.attempts) for exchange in self.exchanges)

    def mean_score(self) -> float | None:
        """Return the weighted mean of the scores; see `mean_score`."""
        return mean_score(self.scores)


def mean_score(scores: tuple[AnyScore, ...]) -> float | None:
    """Return the weighted mean of the scores that are not advisory.

    A verdict without a value counts 1 or 0. The mean is None if nothing was scored or if a scorer
    returned an error, because a missing score is not zero.
    """
    total = weights = 0.0
    for score in scores:
        if score.advisory:
            continue
        if isinstance(score, ScoreError):
            return None
        value = score.value if score.value is not None else score.passed
        if value is not None:
            total += score.weight * float(value)
            weights += score.weight
    return total / weights if weights else None
