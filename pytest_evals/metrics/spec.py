"""MetricSpec: which metric to compute, such as ``p95(latency_s)``; and the names of metrics."""

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
"""The quantities that every trial has, besides the values of its scorers."""

FUNCTIONS = ("mean", "median", "min", "max", "accuracy", "macro_f1", "f1", "precision", "recall")
"""Metrics with arguments in brackets, besides percentiles such as ``p50``."""

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
"""Metrics of one word: ``pass_rate`` is pass@1; ``latency_s`` and ``score`` are means over trials,
``tokens`` and ``cost_usd`` are totals."""

EXAMPLES = ("pass@1", "pass^3", "mean(SCORER)", "p95(latency_s)", *WORDS)
"""The examples in lists of metrics."""

_OF_LABELS = frozenset({"accuracy", "macro_f1", "f1", "precision", "recall"})


_PLAIN_WORD = re.compile(r"[^\s,()<>=!\"']+")


class MetricSpec(Frozen):
    """A metric by its parts. Its text is the metric's name."""

    kind: Kind
    """The function that makes one number of the trials' numbers."""
    of: str | None = None
    """The quantity or scorer; None is the outcome of the trials."""
    k: int | None = None
    """The samples of pass@k and pass^k, >= 1."""
    q: float | None = None
    """The percentile, 0..100."""
    label: str | None = None
    """The label of f1, precision and recall."""

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
        """The scorer of the metric; None if it needs none."""
        return None if self.of in QUANTITIES else self.of

    @property
    def unit(self) -> Unit:
        """The unit of its value."""
        if self.of is None or self.k is not None or self.kind in _OF_LABELS:
            return "rate"
        return QUANTITIES.get(self.of, "score")

    @property
    def better(self) -> Literal["higher", "lower"]:
        """Whether higher or lower values are better."""
        costs = self.kind == "error_rate" or self.of in {"latency_s", "tokens", "cost_usd"}
        return "lower" if costs else "higher"

    @property
    def bounded(self) -> bool:
        """Whether its value is always in 0..1."""
        return self.unit == "rate"

    @property
    def measures_quality(self) -> bool:
        """Whether it measures the quality of answers, rather than their cost or their number."""
        return self.kind not in {"error_rate", "completeness"} and self.better == "higher"


_MEANS = frozenset({"latency_s", "score"})


def quote_name(word: str | None) -> str:
    """Return a name as in a gate: in quotes if it is not one plain word."""
    text = str(word)
    if _PLAIN_WORD.fullmatch(text):
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'
