"""Scorer: an assertion on an answer. What a member is, what it sees, and what it says.

A scorer is a frozen pydantic model whose fields are its options: the dataset's long form. It sees a
`ScoreContext` and returns a `Verdict`; the engine makes the stored `Score` of it. It raises
`ScoringError` when it cannot score: that is never a wrong answer.
"""

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.exchange import ErrorInfo, Exchange, Response, Usage
from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.errors import EvalsError
from pytest_evals.message import Message, ToolCall
from pytest_evals.model import Model
from pytest_evals.score import Score

if TYPE_CHECKING:
    from pytest_evals.certificate import Certificate


class ScorerGroup(StrEnum):
    """The heading that documents a scorer, in the order of the page."""

    TEXT = "Text"
    FORMAT = "Formats"
    REFERENCE = "Reference metrics"
    CHOICE = "Numbers and choices"
    TOOL = "Tools and trajectories"
    TRACE = "Traces"
    LIMIT = "Limits and response status"
    CODE = "Your own code"
    COMBINED = "Combined assertions"
    JUDGE = "Judges"


ADVISORY = "advisory"
"""The key in a verdict's metadata that says why its score has no vote."""


class ScoringError(EvalsError):
    """A scorer cannot score this answer.

    Args:
        message: what went wrong and what to do.
        detail: the traceback of the user's own code, where it was that.
        advisory: why this error has no vote (a judge without a certificate); None where it has.
    """

    def __init__(
        self, message: str, *, detail: str | None = None, advisory: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.advisory = advisory


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a scorer says: a verdict, a number, a label, or several of these, and why."""

    passed: bool | None = None
    """Whether the assertion holds; None: decided by the threshold, else it does not vote."""
    value: float | None = None
    """0..1 where it can be; finite."""
    label: str | None = None
    reason: str = ""
    """Why, in one line, with the user's own text; says what was found where it failed."""
    bar: str | None = None
    """What was asked for, in short (``>= 0.7``), where `threshold` does not say it."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Anything else; `ADVISORY` in it says why the score is shown without a vote."""


class Ask(Protocol):
    """Asks a model on a scorer's behalf: stored, limited, counted and priced like any call."""

    def __call__(
        self,
        messages: Iterable[Message],
        *,
        model: str | Model,
        role: str,
        response_format: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        sample: int = 0,
    ) -> Awaitable[Exchange]:
        """Ask.

        Args:
            messages: the thread.
            model: a model id of the dataset, ``provider:model``, or a model that is written out.
            role: ``judge:<name>``: under which the call is stored and reported.
            response_format: the shape wanted, where the server can enforce it.
            params: sampling parameters over the model's own.
            sample: the number of the repeat, so that repeats are different questions.

        Raises:
            AnswerError: no answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreContext:
    """What a scorer sees of a trial."""

    case: Case
    model: Model
    dataset: Dataset
    sample: int = 0
    """0-based."""
    answer: str = ""
    """The final text, after the scorer's own `transform`."""
    response: Response | None = None
    """The last answer; None where there is none."""
    error: ErrorInfo | None = None
    """Why there is no answer; only scorers with `scores_errors` are asked then."""
    exchanges: tuple[Exchange, ...] = ()
    """All questions and answers of the conversation, in order."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of the answer, all turns together, judges apart."""
    cost_usd: float | None = None
    """USD of the answer, all turns together, judges apart; None is unknown."""
    latency_s: float | None = None
    """Seconds the answer took, all turns together; None is unknown."""
    rootdir: Path = field(default_factory=Path)
    """Where user code is imported from."""
    ask: Ask | None = None
    """Asks a model; None where no call may be made."""
    certificates: "Mapping[str, Certificate]" = field(default_factory=dict)
    """By the judge's name: how the dataset's judges agree with people."""

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Every tool call of the conversation, in order."""
        return tuple(
            call
            for exchange in self.exchanges
            if exchange.response is not None
            for call in exchange.response.tool_calls
        )


class Scorer(Frozen):
    """The base of every scorer; a subclass's fields are its options."""

    type: ClassVar[str]
    """Its name in datasets."""
    docs_group: ClassVar[ScorerGroup | None] = None
    """The heading that documents it. Every built-in scorer has one; those of plugins have none."""
    version: ClassVar[str] = "1"
    """Change it when the same answer could get another score."""
    shorthand: ClassVar[str | None] = None
    """The field that ``name: value`` fills; None where there is no shorthand with a value."""
    cheap: ClassVar[bool] = True
    """Whether it may run on the event loop: pure, and well under a millisecond. Others that are
    not coroutines run in a thread."""
    scores_errors: ClassVar[bool] = False
    """Whether it is asked where there is no answer."""
    graded: ClassVar[bool | None] = None
    """Whether its verdicts carry a value of 0..1: True always, False never (a `threshold` is then
    refused), None what only the verdict shows."""
    votes: ClassVar[bool] = True
    """Whether it passes or fails an answer without a `threshold`; a bare metric does not."""
    bar_option: ClassVar[str | None] = None
    """The option that is its own bar; a `threshold` is then refused, so that there is one."""
    verbatim: ClassVar[frozenset[str]] = frozenset()
    """Options whose texts are not rendered with the case's variables before scoring."""
    example: ClassVar[str] = ""
    """A line of YAML for the docs, executed by a test."""

    def score(self, ctx: ScoreContext) -> Verdict | Awaitable[Verdict]:
        """Score one answer.

        Raises:
            ScoringError: it cannot be scored.
        """
        raise NotImplementedError

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Return what is wrong with using this scorer here (it cannot fail, it lacks `expected`).

        Args:
            dataset: where it is used.
            case: on which case; None where the dataset asserts it of every case and the question
                is only whether it can fail at all.
        """
        return ()

    def models(self, dataset: Dataset) -> tuple[str | Model, ...]:
        """Return the models it will ask in a dataset: ids, ``provider:model``, or written out."""
        return ()

    def revisions(self, dataset: Dataset) -> int:
        """Return how often an answer that fails may be revised."""
        return 0

    def revision(self, score: Score) -> Message | None:
        """Return what asks the model for a better answer; None where the answer stands.

        Args:
            score: what this scorer said of the answer.
        """
        return None

    def truth(self, case: Case) -> str | None:
        """Return the label that is right for a case; None for scorers that give no labels."""
        return None

    def default_name(self) -> str | None:
        """Return what reports call it where no `metric` is given; None is its type."""
        return None
