"""GateSpec and GateVerdict: a bar on a metric of many trials, and what became of it."""

from typing import Literal

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.metric import Slice, Unit
from pytest_evals.stats.sequential import Sprt

Role = Literal["primary", "guardrail"]
"""What a change is for (primary), and what it must not harm (guardrail)."""

Verdict = Literal["passed", "failed", "inconclusive", "skipped", "incomplete"]
"""The bar is met; it is not met, or there is no value to meet it; the comparison cannot tell; not
judged, because the user chose a part of the trials; not judged, because the run was cut short or
trials errored. Which of them fail the session is `GateVerdict.blocking`."""

REGRESSIONS = "regressions"
"""The metric's name of the gate ``no regressions``."""


class GateSpec(Frozen):
    """One gate of a dataset, parsed."""

    text: str
    """What reports call it: as it was written, or the long form in words."""
    metric: str
    """A metric's name (``pass@1``, ``mean(helpful)``, ``pass^3 of tone``), or ``regressions``."""
    min: float | None = None
    """The least value that passes, in the metric's unit; None where there is no lower bar."""
    max: float | None = None
    """The greatest value that passes, in the metric's unit; None where there is no upper bar."""
    strict: bool = False
    """Whether the bar itself fails (``>`` and ``<`` rather than ``>=`` and ``<=``)."""
    of: str | None = None
    """For ``no regressions``: the scorer whose values are compared; None compares what became of
    the trials. In other gates the scorer is part of the metric."""
    per: str | None = None
    """Judge each slice by itself: ``tag``, ``case``, or a metadata key."""
    where: Slice | None = None
    """Judge these cases alone."""
    on: tuple[str, ...] = ()
    """The models it is for; empty is every model."""
    min_n: int | None = Field(default=None, ge=1)
    """The least number of scored samples it can be judged on."""
    confidence: float | None = Field(default=None, gt=0.5, lt=1)
    """Asks that the bound of the interval clears the bar, with this one-sided confidence; None asks
    it of the value alone."""
    margin: float | None = Field(default=None, gt=0)
    """For ``no regressions``: the drop that is tolerated (0.05 is 5 points); None is the rules'."""
    against: float | None = Field(default=None, gt=0, lt=1)
    """The pass rate of a case that should be rejected, where `min` is that of one that should be
    accepted: judged by Wald's sequential test (`stats.sequential.Sprt`)."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Of that test: the chance to reject a case that passes at `min`."""
    beta: float = Field(default=0.05, gt=0, lt=0.5)
    """Of that test: the chance to accept a case that passes at `against`."""
    role: Role | None = None
    """For the decision; None is primary where no gate is marked primary, else guardrail."""

    def applies(self, model: str) -> bool:
        """Whether it is for a model."""
        return not self.on or model in self.on

    @property
    def sprt(self) -> Sprt | None:
        """The sequential test it asks for; None where it asks for none."""
        if self.against is None or self.min is None:
            return None
        return Sprt(good=self.min, bad=self.against, alpha=self.alpha, beta=self.beta)

    @property
    def compares(self) -> bool:
        """Whether it compares with the baseline."""
        return self.metric == REGRESSIONS


class GateVerdict(Frozen):
    """What became of one gate on one model, in one slice: a test of its own."""

    gate: str
    """The gate's text."""
    dataset: str
    """The dataset's name."""
    model: str
    """The model's id."""
    slice: Slice | None = None
    """Which cases; None is all of them."""
    verdict: Verdict
    """What became of it."""
    blocking: bool
    """Whether it fails the session: failed, incomplete, or inconclusive under ``--evals-strict``
    (or where the user asked for a comparison that cannot be made)."""
    metric: str
    """The metric's name."""
    value: float | None = None
    """The metric's value (the mean change for ``no regressions``, -1..1 for pass rates); None where
    there is none."""
    n: int = 0
    """Scored samples behind the value."""
    cases: int = 0
    """Cases behind the value."""
    low: float | None = None
    """The lower end of the value's interval, where there is one."""
    high: float | None = None
    """The upper end of the value's interval, where there is one."""
    confidence: float | None = None
    """The nominal coverage of (low, high); None where there is no interval."""
    bar: str = ""
    """What was asked for, in short: ``>= 0.9``; empty for ``no regressions``."""
    unit: Unit = "rate"
    """What the value is."""
    role: Role | None = None
    """What the gate is for."""
    change: float | None = None
    """How the metric's mean per case moved against the baseline; None where that is unknown."""
    improved: bool | None = None
    """Whether it moved up beyond noise; None where that is unknown."""
    sentence: str = ""
    """The verdict in words, with its numbers."""
    notes: tuple[str, ...] = ()
    """What else a reader should know, a sentence each."""
    behind: tuple[str, ...] = ()
    """The cases behind a verdict that is not passed, the worst first; at most 50."""
    trials: tuple[str, ...] = ()
    """The node ids of the failed or errored trials of these cases: what ``--lf`` runs again."""

    @property
    def name(self) -> str:
        """What stands in its node id: ``gate[pass@1 >= 0.9][model]``, a slice in a third pair."""
        part = f"[{self.slice}]" if self.slice else ""
        return f"gate[{self.gate}][{self.model}]{part}"
