"""TrialStats and TrialTable: the part of each trial that aggregation needs, small in memory.

A `TrialStats` takes less than a kilobyte when answers are plain text. A `TrialTable` holds one per
trial of a dataset, grouped by model, case and slice. No metric is computed here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_evals.ground.canonical import canonical
from pytest_evals.metrics.metric import Slice
from pytest_evals.result import Outcome

Origin = Literal["asked", "stored", "cassette", "scripted", ""]
"""Where a trial's answers came from: the freshest of them; empty where none was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStats:
    """What is kept of one trial."""

    id: str
    """The node id."""
    case: str
    """The case's id."""
    model: str
    """The model's id."""
    sample: int
    """0-based."""
    outcome: Outcome
    error: str | None = None
    """The error's type; None where there is none."""
    score: float | None = None
    """The weighted mean of its scores."""
    names: tuple[str, ...] = ()
    """The scorers that spoke, by metric name, each once: same names are taken together."""
    values: tuple[float | None, ...] = ()
    """Their values, one a name; None where a scorer gives no number."""
    verdicts: tuple[bool | None, ...] = ()
    """Their verdicts, one a name; None where a scorer does not vote."""
    failing: tuple[str, ...] = ()
    """The scorers whose vote failed the trial."""
    unscored: tuple[str, ...] = ()
    """The scorers that could not score."""
    labels: tuple[tuple[str, str, str], ...] = ()
    """(scorer, true label, label given), for scorers that put the true label into their score's
    metadata as ``expected``."""
    reasons: tuple[str, ...] = ()
    """Why it failed or errored: ``scorer: reason``, the first few, cut."""
    tokens: int | None = None
    """Of all calls; None where none was reported."""
    cost_usd: float | None = None
    """USD of all calls; None where any is unknown or nothing was called."""
    latency_s: float | None = None
    """Seconds the model under test took; None where unknown."""
    answered: bool = False
    """Whether any call was answered."""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    case_digest: str = ""
    scorers_digest: str = ""
    answer: str | None = None
    """The beginning of the final text, on one line; None where there is no answer."""
    answer_digest: str = ""
    """12 hexadecimal digits over the final text and the tool calls; empty where there is none."""
    tools: tuple[str, ...] = ()
    """The names of the tools called, in order."""
    draw: str = ""
    """8 hexadecimal digits over the answers and how long they took: the same draw, used again, has
    the same."""
    origin: Origin = ""
    revised: bool = False
    """Whether it passed after its answer was revised; its outcome is the first answer's."""
    beyond: bool = False
    """Whether it decides its case alone: no fair draw, so no metric of several cases uses it."""

    @property
    def scored(self) -> bool:
        """Whether there is a verdict on an answer."""
        return self.outcome in {Outcome.PASSED, Outcome.FAILED}

    @property
    def passed(self) -> bool:
        """Whether the answer was right."""
        return self.outcome is Outcome.PASSED

    @property
    def unneeded(self) -> bool:
        """Whether it was left out because nothing could depend on it any more."""
        return self.outcome is Outcome.SKIPPED and self.error == "not_needed"

    def number(self, name: str) -> float | None:
        """Return what a scorer says as a number: its value, else 1 or 0 for its verdict."""
        if name not in self.names:
            return None
        place = self.names.index(name)
        value, verdict = self.values[place], self.verdicts[place]
        return value if value is not None else None if verdict is None else float(verdict)

    def verdict(self, name: str) -> bool | None:
        """Return a scorer's verdict; None where it gave none."""
        return self.verdicts[self.names.index(name)] if name in self.names else None

    def within(self, part: Slice | None) -> bool:
        """Whether the trial's case is in a slice; None is all cases."""
        return part is None or part.value in self.slice_values(part.key)

    def slice_values(self, key: str) -> tuple[str, ...]:
        """Return the slices of a key that the case is in; none where it lacks the key."""
        if key == "tag":
            return self.tags
        if key == "case":
            return (self.case,)
        if key not in self.metadata:
            key = key.removeprefix("metadata.")
        return slice_texts(self.metadata[key]) if key in self.metadata else ()


def slice_texts(value: Any) -> tuple[str, ...]:
    """Return a metadata value as slices are called: a text as it is, each member of a list."""
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(text for item in value for text in slice_texts(item)))
    if isinstance(value, str):
        return (value,)
    try:
        return (canonical(value),)
    except (TypeError, ValueError):  # not a number, or keys that are no texts
        return (str(value),)
