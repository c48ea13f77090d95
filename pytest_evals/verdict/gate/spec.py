"""GateSpec and GateVerdict: the required value of a metric over many trials, and its verdict."""

from typing import Literal

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.metric import Slice, Unit
from pytest_evals.stats.sequential import Sprt

Role = Literal["primary", "guardrail"]
"""primary: the purpose of a change. guardrail: something that it must not harm."""

Verdict = Literal["passed", "failed", "inconclusive", "skipped", "incomplete"]
"""passed: the required value is met. failed: it is not met, or the value is absent. inconclusive:
the comparison is neither passed nor regressed. skipped: not evaluated, as the user selected a part
of the trials. incomplete: not evaluated, as the run was interrupted or too many trials errored.
`GateVerdict.blocking` says which verdicts fail the session."""

REGRESSIONS = "regressions"
"""The metric's name of the gate ``no regressions``."""


class GateSpec(Frozen):
    """One gate of a dataset, parsed."""

    text: str
    """The gate in reports: as written, or the long form as a text."""
    metric: str
    """A metric's name (``pass@1``, ``mean(helpful)``, ``pass^3 of tone``), or ``regressions``."""
    min: float | None = None
    """The least value that passes, in the metric's unit; None without a lower limit."""
    max: float | None = None
    """The greatest value that passes, in the metric's unit; None without an upper limit."""
    strict: bool = False
    """Whether the limit itself fails (``>`` and ``<`` rather than ``>=`` and ``<=``)."""
    of: str | None = None
    """For ``no regressions``: the compared scorer; None compares outcomes. In other
    gates the scorer is part of the metric."""
    per: str | None = None
    """Evaluate each slice separately: ``tag``, ``case``, or a metadata key."""
    where: Slice | None = None
    """Evaluate only these cases."""
    on: tuple[str, ...] = ()
    """The models of the gate; empty for every model."""
    min_n: int | None = Field(default=None, ge=1)
    """The least number of scored samples."""
    confidence: float | None = Field(default=None, gt=0.5, lt=1)
    """The one-sided confidence with which the bound of the interval must meet the required value;
    None if the value itself must meet it."""
    margin: float | None = Field(default=None, gt=0)
    """For ``no regressions``: the tolerated drop (0.05 is 5 points); None is the default."""
    against: float | None = Field(default=None, gt=0, lt=1)
    """The pass rate of a bad case; `min` is the pass rate of a good one. Wald's sequential test
    decides between the two (`stats.sequential.Sprt`)."""
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Of that test: the chance to reject a case with the pass rate `min`."""
    beta: float = Field(default=0.05, gt=0, lt=0.5)
    """Of that test: the chance to accept a case with the pass rate `against`."""
    role: Role | None = None
    """The role in the decision; None is primary if no gate is marked, guardrail otherwise."""

    def applies(self, model: str) -> bool:
        """Whether the gate applies to a model."""
        return not self.on or model in self.on

    @property
    def sprt(self) -> Sprt | None:
        """The sequential test of the gate; None if it has none."""
        if self.against is None or self.min is None:
            return None
        return Sprt(good=self.min, bad=self.against, alpha=self.alpha, beta=self.beta)

    @property
    def compares(self) -> bool:
        """Whether the gate compares with the baseline."""
        return self.metric == REGRESSIONS


class GateVerdict(Frozen):
    """The verdict of one gate on one model and slice; it is reported as a test."""

    gate: str
    """The gate's text."""
    dataset: str
    """The dataset's name."""
    model: str
    """The model's id."""
    slice: Slice | None = None
    """Which cases; None is all of them."""
    verdict: Verdict
    """The verdict."""
    blocking: bool
    """Whether the verdict fails the session: failed, incomplete, or inconclusive with
    ``--evals-strict``."""
    metric: str
    """The metric's name."""
    value: float | None = None
    """The metric's value; for ``no regressions`` the mean change, -1..1 for pass rates. None if it
    is absent."""
    n: int = 0
    """Scored samples of the value."""
    cases: int = 0
    """Cases of the value."""
    low: float | None = None
    """The lower end of the value's interval; None without an interval."""
    high: float | None = None
    """The upper end of the value's interval; None without an interval."""
    confidence: float | None = None
    """The nominal coverage of (low, high); None without an interval."""
    bar: str = ""
    """The required value in short: ``>= 0.9``; empty for ``no regressions``."""
    unit: Unit = "rate"
    """The unit of the value."""
    role: Role | None = None
    """The role of the gate in the decision."""
    change: float | None = None
    """The change of the metric's mean over cases against the baseline; None if unknown."""
    improved: bool | None = None
    """Whether the change is a significant rise; None if unknown."""
    excused: bool = False
    """Whether it is skipped because there is nothing to compare with yet: the run writes the first
    baseline. It does not ask for an investigation."""
    sentence: str = ""
    """The verdict in words, with its numbers."""
    notes: tuple[str, ...] = ()
    """Further facts, a sentence each."""
    behind: tuple[str, ...] = ()
    """The failing cases of a verdict that is not passed, the worst first; at most 50."""
    trials: tuple[str, ...] = ()
    """The node ids of the failed or errored trials of these cases, for ``--lf``."""

    @property
    def name(self) -> str:
        """The last part of its node id: ``gate[pass@1 >= 0.9][model]``, with ``[slice]`` if any."""
        part = f"[{self.slice}]" if self.slice else ""
        return f"gate[{self.gate}][{self.model}]{part}"
