"""Metric: a number about many trials, with what it was made from; and the names metrics have.

A `MetricSpec` is a metric's name taken apart (``p95(latency_s)``); a `Metric` is its value for one
model and one slice. How values are computed is in `measure`.
"""

import re
from typing import Literal

from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.metric import Unit

Kind = Literal[
    "pass@",
    "pass^",
    "mean",
    "median",
    "quantile",
    "min",
    "max",
    "total",
    "consistency",
    "recovery",
    "pass_after_revision",
    "error_rate",
    "completeness",
    "accuracy",
    "macro_f1",
    "f1",
    "precision",
    "recall",
]

QUANTITIES: dict[str, Unit] = {
    "score": "score",
    "latency_s": "s",
    "tokens": "tokens",
    "cost_usd": "USD",
}
"""What every trial has, besides its scorers' values."""

FUNCTIONS = ("mean", "median", "min", "max", "accuracy", "macro_f1", "f1", "precision", "recall")
"""Metrics that are written with what they are of in brackets, besides ``p50`` and its kin."""

WORDS = (
    "pass_rate",
    "consistency",
    "recovery",
    "pass_after_revision",
    "error_rate",
    "completeness",
    "latency_s",
    "tokens",
    "cost_usd",
    "score",
)
"""Metrics that are one word: ``pass_rate`` is pass@1; ``latency_s`` and ``score`` are means over
trials, ``tokens`` and ``cost_usd`` totals."""

EXAMPLES = ("pass@1", "pass^3", "mean(SCORER)", "p95(latency_s)", *WORDS)
"""What a list of metrics shows."""

_OF_LABELS = frozenset({"accuracy", "macro_f1", "f1", "precision", "recall"})


_PLAIN_WORD = re.compile(r"[^\s,()<>=!\"']+")


class MetricSpec(Frozen):
    """A metric's name, taken apart. Its text is the name."""

    kind: Kind
    """How the trials' numbers become one."""
    of: str | None = None
    """The quantity or scorer it is of; None is what became of the trials."""
    k: int | None = None
    """Samples that pass@k and pass^k speak of, >= 1."""
    q: float | None = None
    """Of a quantile, in percent: 0..100."""
    label: str | None = None
    """The label that f1, precision and recall are of."""

    def __str__(self) -> str:
        if self.k is not None:
            return f"{self.kind}{self.k}" + (f" of {quote_name(self.of)}" if self.of else "")
        if self.kind == "total" or (self.kind == "mean" and self.of in _MEANS):
            return str(self.of)
        if self.of is None:
            return self.kind
        function = f"p{self.q:g}" if self.q is not None else self.kind
        inside = quote_name(self.of) + (
            f", {quote_name(self.label)}" if self.label is not None else ""
        )
        return f"{function}({inside})"

    @property
    def scorer(self) -> str | None:
        """The scorer whose values it needs; None where it needs none."""
        return None if self.of in QUANTITIES else self.of

    @property
    def unit(self) -> Unit:
        """What its value is."""
        if self.of is None or self.k is not None or self.kind in _OF_LABELS:
            return "rate"
        return QUANTITIES.get(self.of, "score")

    @property
    def better(self) -> Literal["higher", "lower"]:
        """Which way is good."""
        costs = self.kind == "error_rate" or self.of in {"latency_s", "tokens", "cost_usd"}
        return "lower" if costs else "higher"

    @property
    def bounded(self) -> bool:
        """Whether its value is always in 0..1."""
        return self.unit == "rate"

    @property
    def measures_quality(self) -> bool:
        """Whether it says how right the answers are (rather than what they cost, or how many)."""
        return self.kind not in {"error_rate", "completeness"} and self.better == "higher"


_MEANS = frozenset({"latency_s", "score"})


def quote_name(word: str | None) -> str:
    """Return a name as a gate writes it: in quotes where it is not one plain word."""
    text = str(word)
    if _PLAIN_WORD.fullmatch(text):
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'
