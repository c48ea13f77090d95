"""Diff: what changed between a baseline and a run, case by case and model by model.

Draws are exchangeable, so the samples of a case are collapsed before they are compared. A case's
class says what is seen in it alone; whether the whole got worse is for the tests of its rows.
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
    "flaky",
    "case_edited",
    "added_passing",
    "added_failing",
    "removed",
    "errored",
]
"""What a case did.

regressed, fixed: it passes less often (more often), beyond what noise does to one case.
still_failing: no sample passed, before or now; listed where other assertions fail than before.
still_passing: every sample passed, before and now; only counted.
drifted: every sample passed, before and now, but the answer or its calls changed where answers are
    recorded, or other tools were called where they are live.
flaky: it moved, within noise (a single sample a side is always within noise).
case_edited: its question, its reference answer or its assertions changed, so it is not compared.
added_passing, added_failing: not in the baseline; every sample passes, or not.
removed: in the baseline, but not in this whole run.
errored: no sample could be scored now.
"""


class Change(Frozen):
    """A number before and now."""

    before: float | None = None
    """None where the baseline does not know it."""
    now: float | None = None
    """None where the run does not know it."""


class DiffEntry(Frozen):
    """What changed in one case under one model. Written with ``class`` for `kind`."""

    case: str
    """The case's id."""
    model: str
    """The model's id."""
    kind: ChangeClass
    """What it did."""
    blocking: bool = False
    """Whether a declared comparison fails because of this case, among others."""
    passes_before: int | None = None
    """Passed samples in the baseline; None where the case is not in it."""
    n_before: int | None = None
    """Scored samples in the baseline; None where the case is not in it."""
    passes: int | None = None
    """Passed samples now; None where the case is not in the run."""
    n: int | None = None
    """Scored samples now (0 where all errored); None where the case is not in the run."""
    scores: dict[str, Change] = Field(default_factory=dict)
    """Per scorer the mean value, or the share of passes where it gives no value; those that
    changed."""
    answer_before: str | None = None
    """The beginning of one answer of the baseline, on one line; None where it keeps none. Of a case
    that got worse one that passed, of one that got better one that failed."""
    answer: str | None = None
    """The beginning of one answer now, the other way round."""
    tools_before: tuple[str, ...] | None = None
    """The names of the tools called before that answer; None where unknown."""
    tools: tuple[str, ...] | None = None
    """The names of the tools called before the answer now; None where unknown."""
    tokens: Change | None = None
    """Mean tokens a trial; None where unchanged or unknown on both sides."""
    latency_s: Change | None = None
    """Mean seconds a trial; None where unknown on both sides or the answers are recorded."""
    cost_usd: Change | None = None
    """Mean USD a trial; None where unchanged or unknown on both sides."""
    failing_before: tuple[str, ...] = ()
    """The assertions that failed in some sample of the baseline."""
    failing: tuple[str, ...] = ()
    """The assertions that fail in some sample now."""
    reasons: tuple[str, ...] = ()
    """Why the failed samples failed, or errored: ``scorer: reason``; at most five."""
    edited: tuple[str, ...] = ()
    """What of the definition changed: ``case``, ``scorers`` (these alone are not compared),
    ``prompt``, ``model``."""

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
    """One comparison with the baseline: which trials, and the verdict with all its numbers."""

    model: str
    """The model's id."""
    gate: str | None = None
    """The text of the gate that declared it; None where it is exploratory and cannot block."""
    of: str | None = None
    """The scorer whose values were compared; None is what became of the trials."""
    slice: Slice | None = None
    """Which cases; None is all of them."""
    drifted: tuple[str, ...] = ()
    """Cases that still pass, but whose recorded answers or calls changed: where answers are
    recorded nothing of this is noise, and a declared comparison fails."""
    result: RowVerdict
    """The verdict: name, verdict, rule, blocking, cases, worse, better, mean, breaks, sentence."""


class Diff(Frozen):
    """What changed between a baseline and a run of one dataset."""

    dataset: str
    """The dataset's name."""
    baseline: str
    """What was compared with: a path, a run's id, or a git revision and path."""
    verdict: Literal["regressed", "passed", "inconclusive"] | None = None
    """The gravest verdict of the declared comparisons; None where no gate declares one."""
    entries: tuple[DiffEntry, ...] = ()
    """What changed, the gravest class first, then by case and model. Empty where nothing did."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Pairs of case and model by class, those without an entry included."""
    tests: tuple[RowTest, ...] = ()
    """The declared comparisons, then the exploratory ones."""
    dropped: tuple[Dropped, ...] = ()
    """Cases that stand on one side only, were edited or errored, with the reason; ``case`` is
    followed by the model in brackets where it is not so for all models."""


@dataclass(frozen=True, slots=True)
class ComparisonSpec:
    """One comparison with the baseline: a model under a gate, in one slice."""

    model: str
    """The model's id."""
    gate: str | None = None
    """The gate's text; None where it is exploratory."""
    of: str | None = None
    """The scorer whose values are compared; None is what became of the trials."""
    part: Slice | None = None
    """Which cases; None is all."""
    margin: float | None = None
    """The drop that is tolerated; None is the rules'."""

    @property
    def name(self) -> str:
        """Tells the rows of a family apart."""
        words = [self.model, self.gate or "no regressions"]
        if self.gate is None and self.of is not None:
            words.append(f"of {quote_name(self.of)}")
        if self.part is not None:
            words.append(str(self.part))
        return " \N{MIDDLE DOT} ".join(words)


@dataclass(frozen=True, slots=True)
class ConfirmationPlan:
    """What to ask again before the verdict, fixed before the first answer is drawn."""

    cells: Mapping[tuple[str, str], int]
    """(case, model) -> how many more samples to ask; empty where nothing is to be asked."""
    rows: Mapping[str, tuple[tuple[str, ...], int]]
    """Row -> its cases to ask again, and how many answers of each it counts."""
    reasons: tuple[str, ...]
    """Why flagged cases of a row are not asked again: ``row: reason``."""
