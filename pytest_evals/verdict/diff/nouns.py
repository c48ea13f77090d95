"""The nouns of a diff: the changes between a baseline and a run, and the tests of comparisons.

Samples of a case are exchangeable, so they are counted before they are compared. The class of a
change describes one case; the tests of rows decide whether a model got worse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_serializer, model_validator
from pydantic_core.core_schema import SerializerFunctionWrapHandler

from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.metric import Slice
from pytest_evals.metrics.spec import quote_name
from pytest_evals.stats.rows import Dropped
from pytest_evals.stats.verdict import RowVerdict

ChangeClass = Literal[
    "regressed",
    "fixed",
    "still_failing",
    "still_passing",
    "drifted",
    "newly_failing",
    "newly_passing",
    "flaky",
    "case_edited",
    "added_passing",
    "added_failing",
    "removed",
    "errored",
]
"""The class of a case's change.

regressed, fixed: it passes significantly less (more) often.
still_failing: no sample passed, before or now.
still_passing: every sample passed, before and now; only counted.
drifted: every sample passed, before and now, but a recorded answer or its tool calls changed, or a
    live answer called other tools.
newly_failing, newly_passing: every sample passed (failed) before and fails (passes) now, which is
    not significant: too few samples to tell, unconfirmed (with one sample on each side, always).
flaky: its own samples disagree, before or now, and the change is not significant.
case_edited: its input, its reference or its assertions changed, so it is not compared.
added_passing, added_failing: not in the baseline; every sample passes, or not.
removed: in the baseline, but not in this complete run.
errored: no sample could be scored now.
"""

UNCONFIRMED = " (unconfirmed)"
"""What follows the words for changes of too few samples."""


def class_words(name: str) -> str:
    """Return a class of changes in words."""
    return name.replace("_", " ") + (UNCONFIRMED if name.startswith("newly_") else "")


class Change(Frozen):
    """A number before and now."""

    before: float | None = None
    """None if the baseline does not have it."""
    now: float | None = None
    """None if the run does not have it."""


class DiffEntry(Frozen):
    """The change of one case under one model. JSON has ``class`` for `kind`."""

    case: str
    """The case's id."""
    model: str
    """The model's id."""
    kind: ChangeClass
    """The class of the change."""
    blocking: bool = False
    """Whether this case is among those that make a declared comparison fail."""
    passes_before: int | None = None
    """Passed samples in the baseline; None if the case is not in it."""
    n_before: int | None = None
    """Scored samples in the baseline; None if the case is not in it."""
    passes: int | None = None
    """Passed samples now; None if the case is not in the run."""
    n: int | None = None
    """Scored samples now (0 if all errored); None if the case is not in the run."""
    scores: dict[str, Change] = Field(default_factory=dict)
    """The scorers that changed, each with its mean value, or its pass rate if it gives no value."""
    answer_before: str | None = None
    """The beginning of one answer of the baseline, on one line; None if it keeps none. It passed if
    the case got worse, and failed if the case got better."""
    answer: str | None = None
    """The beginning of one answer now; it failed if the case got worse, and passed otherwise."""
    tools_before: tuple[str, ...] | None = None
    """The names of the tools called before that answer; None if unknown."""
    tools: tuple[str, ...] | None = None
    """The names of the tools called before the answer now; None if unknown."""
    tokens: Change | None = None
    """Mean tokens per trial; None if unchanged, or unknown on both sides."""
    latency_s: Change | None = None
    """Mean seconds per trial; None if unknown on both sides, or the answers are recorded."""
    cost_usd: Change | None = None
    """Mean USD per trial; None if unchanged, or unknown on both sides."""
    failing_before: tuple[str, ...] = ()
    """The assertions that failed in some sample of the baseline."""
    failing: tuple[str, ...] = ()
    """The assertions that fail in some sample now."""
    reasons: tuple[str, ...] = ()
    """The reasons of failed or errored samples, ``scorer: reason``; at most five."""
    edited: tuple[str, ...] = ()
    """The changed parts of the definition: ``case``, ``scorers``, ``prompt``, ``model``. The first
    two prevent a comparison."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: object) -> object:
        """Accept ``class`` for `kind`."""
        if isinstance(data, dict) and "class" in data:
            data = dict(data)
            data["kind"] = data.pop("class")
        return data

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write `kind` as ``class``, in its place."""
        return {("class" if key == "kind" else key): value for key, value in handler(self).items()}


class RowTest(Frozen):
    """One comparison with the baseline: its trials, and the verdict with all numbers."""

    model: str
    """The model's id."""
    gate: str | None = None
    """The text of the gate that declared it; None if it is exploratory and cannot block."""
    of: str | None = None
    """The scorer whose values were compared; None compares outcomes."""
    slice: Slice | None = None
    """The slice of cases; None is all."""
    drifted: tuple[str, ...] = ()
    """Cases that still pass with a changed recorded answer or tool call. Recorded answers have no
    sampling noise, so a declared comparison fails."""
    result: RowVerdict
    """The verdict: name, verdict, rule, blocking, cases, worse, better, mean, breaks, sentence."""


class Diff(Frozen):
    """The changes between a baseline and a run of one dataset."""

    dataset: str
    """The dataset's name."""
    baseline: str
    """The baseline: a path, a run's id, or a git revision and path."""
    verdict: Literal["regressed", "passed", "inconclusive"] | None = None
    """The gravest verdict of the declared comparisons; None if no gate declares one."""
    entries: tuple[DiffEntry, ...] = ()
    """The changed cases, the gravest class first, then by case and model."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Pairs of case and model by class, including those without an entry."""
    tests: tuple[RowTest, ...] = ()
    """The declared comparisons, then the exploratory ones."""
    dropped: tuple[Dropped, ...] = ()
    """Cases on one side only, edited or errored, with the reason. ``case`` is followed by the model
    in brackets if the reason does not hold for all models."""


@dataclass(frozen=True, slots=True)
class ComparisonSpec:
    """One comparison with the baseline: a gate, a model and a slice."""

    model: str
    """The model's id."""
    gate: str | None = None
    """The gate's text; None if the comparison is exploratory."""
    of: str | None = None
    """The scorer whose values are compared; None compares outcomes."""
    part: Slice | None = None
    """The slice of cases; None is all."""
    margin: float | None = None
    """The tolerated drop; None is that of the rules."""

    @property
    def name(self) -> str:
        """The name of the row, unique in its family."""
        words = [self.model, self.gate or "no regressions"]
        if self.gate is None and self.of is not None:
            words.append(f"of {quote_name(self.of)}")
        if self.part is not None:
            words.append(str(self.part))
        return " \N{MIDDLE DOT} ".join(words)


@dataclass(frozen=True, slots=True)
class ConfirmationPlan:
    """The cells to call again before the verdict, fixed before the first sample is drawn."""

    cells: Mapping[tuple[str, str], int]
    """(case, model) -> how many further samples to draw; empty if none is needed."""
    rows: Mapping[str, tuple[tuple[str, ...], int]]
    """Row -> the cases to call again, and how many samples of each it counts."""
    reasons: tuple[str, ...]
    """Why flagged cases of a row are not called again: ``row: reason``."""
