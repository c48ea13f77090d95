"""TrialStats: the part of a trial that aggregation needs, less than a kilobyte for plain text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_evals.ground.canonical import canonical
from pytest_evals.metrics.metric import Slice
from pytest_evals.result import Outcome

Origin = Literal["asked", "stored", "cassette", "scripted", ""]
"""The source of a trial's answers: the freshest of them; empty without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStats:
    """The numbers of one trial, and the beginnings of its texts."""

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
    """The error's type; None without an error."""
    score: float | None = None
    """The weighted mean of its scores."""
    names: tuple[str, ...] = ()
    """The scorers with scores, by metric name; scores of one name are merged."""
    values: tuple[float | None, ...] = ()
    """Their values, one per name; None if a scorer gives no number."""
    verdicts: tuple[bool | None, ...] = ()
    """Their verdicts, one per name; None if a scorer gives none."""
    failing: tuple[str, ...] = ()
    """The scorers that failed the trial."""
    unscored: tuple[str, ...] = ()
    """The scorers that could not score."""
    withheld: tuple[tuple[str, str], ...] = ()
    """(scorer, reason) of the judges whose verdict is not counted, as no valid certificate is
    there."""
    labels: tuple[tuple[str, str, str], ...] = ()
    """(scorer, true label, predicted label), for scorers with the true label as ``expected`` in
    the metadata of their score."""
    reasons: tuple[str, ...] = ()
    """The first reasons of a failure or an error, ``scorer: reason``, truncated."""
    tokens: int | None = None
    """Tokens of all calls; None if none was reported."""
    cost_usd: float | None = None
    """USD of all calls; None if any is unknown, or without a call."""
    latency_s: float | None = None
    """Seconds of the target's calls; None if unknown."""
    answered: bool = False
    """Whether any call got a response."""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    case_digest: str = ""
    scorers_digest: str = ""
    asked: str | None = None
    """The beginning of the first input of a trial that did not pass, on one line; else None."""
    answer: str | None = None
    """The beginning of the final text, on one line; None without an answer."""
    answer_digest: str = ""
    """12 hexadecimal digits over the final text and the tool calls; empty without an answer."""
    tools: tuple[str, ...] = ()
    """The names of the tools called, in order."""
    draw: str = ""
    """8 hexadecimal digits over the answers and their durations; equal for a reused draw."""
    key: str = ""
    """The beginning of the Key of the last answer; empty without one."""
    origin: Origin = ""
    revised: bool = False
    """Whether it passed after its answer was revised; the outcome is that of the first answer."""
    beyond: bool = False
    """Whether the sample is beyond the first `min`: it decides its case only, and no metric of
    several cases uses it."""

    @property
    def shared_draw(self) -> tuple[str, float | None, str] | None:
        """What trials with one draw and the same checks share; None if no other can share it.

        Two answers to one request are two draws, and took different times.
        """
        return (self.key, self.latency_s, self.scorers_digest) if self.key else None

    @property
    def scored(self) -> bool:
        """Whether the trial has a verdict on an answer."""
        return self.outcome in {Outcome.PASSED, Outcome.FAILED}

    @property
    def passed(self) -> bool:
        """Whether the trial passed."""
        return self.outcome is Outcome.PASSED

    @property
    def unneeded(self) -> bool:
        """Whether it was left out, as no verdict depended on it."""
        return self.outcome is Outcome.SKIPPED and self.error == "not_needed"

    def number(self, name: str) -> float | None:
        """Return a scorer's value, or 1 or 0 for its verdict; None if it gave neither."""
        if name not in self.names:
            return None
        place = self.names.index(name)
        value, verdict = self.values[place], self.verdicts[place]
        return value if value is not None else None if verdict is None else float(verdict)

    def verdict(self, name: str) -> bool | None:
        """Return a scorer's verdict; None if it gave none."""
        return self.verdicts[self.names.index(name)] if name in self.names else None

    def within(self, part: Slice | None) -> bool:
        """Whether the trial's case is in a slice; None is all cases."""
        return part is None or part.value in self.slice_values(part.key)

    def slice_values(self, key: str) -> tuple[str, ...]:
        """Return the case's values of a slice key; empty if it lacks the key."""
        if key == "tag":
            return self.tags
        if key == "case":
            return (self.case,)
        if key not in self.metadata:
            key = key.removeprefix("metadata.")
        return slice_texts(self.metadata[key]) if key in self.metadata else ()


def slice_texts(value: Any) -> tuple[str, ...]:
    """Return the slice values of a metadata value: a text as it is, each member of a list."""
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(text for item in value for text in slice_texts(item)))
    if isinstance(value, str):
        return (value,)
    try:
        return (canonical(value),)
    except (TypeError, ValueError):  # NaN, or keys that are no strings
        return (str(value),)
