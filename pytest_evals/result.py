"""TrialResult: everything that is known of one trial when it has ended."""

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from pytest_evals.case import Source
from pytest_evals.exchange import ErrorInfo, Exchange, Response, Usage, total_usage
from pytest_evals.ground.canonical import Frozen
from pytest_evals.score import Score, ScoreError


def _kind(value: Any) -> str:
    """Tell a score from an error, also in a record that leaves out what is the default."""
    if isinstance(value, dict):
        return str(value.get("kind") or ("error" if "message" in value else "score"))
    return str(getattr(value, "kind", ""))


AnyScore = Annotated[
    Annotated[Score, Tag("score")] | Annotated[ScoreError, Tag("error")], Discriminator(_kind)
]


class Outcome(StrEnum):
    """What became of a trial."""

    PASSED = "passed"
    FAILED = "failed"
    """A wrong answer."""
    ERRORED = "errored"
    """No answer, or no score."""
    SKIPPED = "skipped"
    """Not run; the error says why."""


class FirstTry(Frozen):
    """What became of a trial's first answer, before a judge sent it back."""

    outcome: Outcome
    scores: tuple[AnyScore, ...] = ()
    score: float | None = None
    """The weighted mean of the scores; None where nothing was scored."""


class TrialResult(Frozen):
    """One trial, whole: it crosses processes and is stored as one JSON text."""

    id: str
    """The node id."""
    dataset: str
    case_id: str
    model_id: str
    sample: int
    """0-based."""
    outcome: Outcome
    scores: tuple[AnyScore, ...] = ()
    """In the order the assertions were written."""
    score: float | None = None
    """The weighted mean of the scores that have a value or a verdict; None where none has."""
    error: ErrorInfo | None = None
    """Why there is no answer or no score, or why the trial was not run."""
    exchanges: tuple[Exchange, ...] = ()
    """The conversation's questions and answers, in order; the judges' after them."""
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    source: Source | None = None
    started_at: float = 0.0
    """Unix time, seconds."""
    duration_s: float = 0.0
    """Seconds from the first call to the last score, waiting for a free slot not counted."""
    case_digest: str = ""
    """16 hexadecimal digits over what the case asks."""
    scorers_digest: str = ""
    """16 hexadecimal digits over its assertions, options and versions; empty where unknown."""
    output: str = ""
    """What user code printed while this trial ran."""
    beyond: bool = False
    """A sample beyond the first `min` of its case: it decides that case alone."""
    tolerated: bool = False
    """A failed trial that the dataset's gates will judge."""
    revisions: int = 0
    """How often a judge sent the answer back; outcome and scores are those of the last one."""
    first: FirstTry | None = None
    """What became of the first answer, which every metric counts; None: it was not revised."""

    @property
    def revised(self) -> bool:
        """Whether it passed, but only after its answer was revised."""
        return self.first is not None and self.outcome is Outcome.PASSED

    @property
    def unneeded(self) -> bool:
        """Whether it was left out because nothing could depend on it any more."""
        return self.error is not None and self.error.type == "not_needed"

    @cached_property
    def answers(self) -> tuple[Exchange, ...]:
        """The exchanges with the model under test."""
        return tuple(e for e in self.exchanges if e.role == "answer")

    @cached_property
    def response(self) -> Response | None:
        """The last answer of the model under test."""
        answered = [e.response for e in self.answers if e.response is not None]
        return answered[-1] if answered else None

    @property
    def answer(self) -> str | None:
        """The final text; None where there is no answer."""
        return None if self.response is None else self.response.text

    @cached_property
    def usage(self) -> Usage:
        """Tokens of all calls, judges included."""
        return total_usage([e.response.usage for e in self.exchanges if e.response is not None])

    @cached_property
    def cost_usd(self) -> float | None:
        """USD of all calls, judges included; None where any is unknown or nothing was called."""
        costs = [e.cost_usd for e in self.exchanges if e.response is not None]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if costs and len(known) == len(costs) else None

    @cached_property
    def latency_s(self) -> float | None:
        """Seconds the model under test took, all turns together; None where unknown."""
        times = [e.response.latency_s for e in self.answers if e.response is not None]
        known = [time for time in times if time is not None]
        return sum(known) if known else None

    @property
    def retries(self) -> int:
        """How many attempts failed before the answers came."""
        return sum(len(exchange.attempts) for exchange in self.exchanges)

    def mean_score(self) -> float | None:
        """Return the weighted mean of the voting scores: a verdict alone counts 1 or 0."""
        return mean_score(self.scores)


def mean_score(scores: tuple[AnyScore, ...]) -> float | None:
    """Return the weighted mean of the scores: a verdict without a value counts 1 or 0.

    None where nothing was scored, or where a voting scorer could not score (absent is not zero).
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
