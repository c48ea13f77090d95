"""Scorer: an assertion on an output, with its input (`ScoreContext`) and its result (`Verdict`).

A scorer is a frozen pydantic model; its fields are its options, in the dataset's long form. The
engine turns its `Verdict` into the stored `Score`. A scorer that cannot score raises
`ScoringError`: this is an error, never a failed assertion.
"""

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import monotonic
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
"""The key in the metadata of a verdict that says why its score is advisory (not counted)."""


class ScoringError(EvalsError):
    """A scorer cannot score this output.

    Args:
        message: what went wrong and what to do.
        detail: the traceback, if user code raised.
        advisory: why this error is not counted (an uncalibrated judge); None if it counts.
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
    """The result of a scorer: passed or failed, a value, a label, or several of these; and why."""

    passed: bool | None = None
    """Whether the assertion holds. None leaves it to the threshold, or counts nothing."""
    value: float | None = None
    """Finite; 0..1 where possible."""
    label: str | None = None
    reason: str = ""
    """Why, in one line; for a failure, what was found in the output."""
    bar: str | None = None
    """The required value in short (``>= 0.7``), if it is not the `threshold`."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Additional data. The key `ADVISORY` says why the score is shown and not counted."""


class Ask(Protocol):
    """Calls a model for a scorer; the call is stored, limited and priced like any other."""

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
        """Call a model.

        Args:
            messages: the conversation.
            model: a model id of the dataset, ``provider:model``, or a model written out.
            role: ``judge:<name>``, the name for storage and reports.
            response_format: the required format, if the server can enforce it.
            params: sampling parameters that override those of the model.
            sample: the number of the repeat; repeats are different requests.

        Raises:
            AnswerError: there is no response.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreContext:
    """The input of a scorer: one trial."""

    case: Case
    model: Model
    dataset: Dataset
    sample: int = 0
    """0-based."""
    answer: str = ""
    """The final text, after the `transform` of the scorer."""
    response: Response | None = None
    """The last response; None if there is none."""
    error: ErrorInfo | None = None
    """Why there is no output; only scorers with `scores_errors` run in this case."""
    exchanges: tuple[Exchange, ...] = ()
    """All exchanges of the conversation, in order."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of all turns, without judges."""
    cost_usd: float | None = None
    """USD of all turns, without judges; None is unknown."""
    latency_s: float | None = None
    """Seconds of all turns; None is unknown."""
    rootdir: Path = field(default_factory=Path)
    """The folder from which user code is imported."""
    ends_at: float | None = None
    """When the trial must end, by `time.monotonic`; None without a limit."""
    ask: Ask | None = None
    """Calls a model; None if no call is allowed."""
    certificates: "Mapping[str, Certificate]" = field(default_factory=dict)
    """The calibration reports of the judges of the dataset, by judge name."""

    def within(self, seconds: float) -> float:
        """Return a time limit that the trial's own does not exceed.

        Args:
            seconds: the limit of a scorer.
        """
        left = seconds if self.ends_at is None else self.ends_at - monotonic()
        return max(0.001, min(seconds, left))

    @property
    def known_tool_calls(self) -> tuple[ToolCall, ...] | None:
        """Every tool call of the conversation, in order; empty for none, None for unknown."""
        responses = [e.response for e in self.exchanges if e.response is not None]
        if not all(response.tool_calls_known for response in responses):
            return None
        return tuple(call for response in responses for call in response.tool_calls)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Every tool call of the conversation, in order.

        Raises:
            ScoringError: the tool calls are unknown.
        """
        calls = self.known_tool_calls
        if calls is None:
            raise ScoringError(
                "the tool calls of the response are unknown: the target's answer does not say "
                "whether it called a tool, nor does its trace or a recording. Return "
                "`{text: ..., tool_calls: [...]}` (an empty list for none), trace the model calls "
                "with their messages, or record them with `record_http: true`"
            )
        return calls


class Scorer(Frozen):
    """The base of every scorer; the fields of a subclass are its options."""

    type: ClassVar[str]
    """The name in datasets."""
    docs_group: ClassVar[ScorerGroup | None] = None
    """The heading that documents it. Every built-in scorer has one; those of plugins have none."""
    version: ClassVar[str] = "1"
    """Change it if the same output can get another score than before."""
    shorthand: ClassVar[str | None] = None
    """The field that ``name: value`` fills; None if there is no shorthand with a value."""
    cheap: ClassVar[bool] = True
    """Whether it may run on the event loop: it is pure and takes well under a millisecond. Others
    run in a thread, unless they are coroutines."""
    scores_errors: ClassVar[bool] = False
    """Whether it also scores trials without an output."""
    graded: ClassVar[bool | None] = None
    """Whether its verdicts have a value of 0..1: True is always, False is never (a `threshold` is
    then rejected), None depends on the verdict."""
    votes: ClassVar[bool] = True
    """Whether it passes or fails an output without a `threshold`; a metric does not."""
    bar_option: ClassVar[str | None] = None
    """The option that is the threshold of this scorer; a `threshold` beside it is rejected."""
    verbatim: ClassVar[frozenset[str]] = frozenset()
    """Options that are not rendered as templates before scoring."""
    example: ClassVar[str] = ""
    """A line of YAML for the documentation; a test runs it."""

    def score(self, ctx: ScoreContext) -> Verdict | Awaitable[Verdict]:
        """Score one output.

        Raises:
            ScoringError: the scorer cannot score it.
        """
        raise NotImplementedError

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Return what is wrong with this use of the scorer (it cannot fail, it needs `expected`).

        Args:
            dataset: the dataset that uses it.
            case: the case that uses it; None for a scorer of the whole dataset, where only the
                options are checked.
        """
        return ()

    def models(self, dataset: Dataset) -> tuple[str | Model, ...]:
        """Return the models it calls: ids, ``provider:model``, or models written out."""
        return ()

    def revisions(self, dataset: Dataset) -> int:
        """Return how many revisions a failing output may get."""
        return 0

    def revision(self, score: Score) -> Message | None:
        """Return the message that requests a revision of the output; None for no revision.

        Args:
            score: the score of this scorer.
        """
        return None

    def truth(self, case: Case) -> str | None:
        """Return the right label of a case; None for scorers without labels."""
        return None

    def default_name(self) -> str | None:
        """Return the name in reports if there is no `metric`; None is the type."""
        return None
