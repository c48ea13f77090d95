"""Metric: a number about many trials, with what it was made from; and the names metrics have.

A `MetricSpec` is a metric's name taken apart (``p95(latency_s)``); a `Metric` is its value for one
model and one slice. How values are computed is in `measure`.
"""

import re
from typing import Literal

from pytest_evals.ground.canonical import Frozen

Unit = Literal["rate", "score", "s", "tokens", "USD"]
"""What a metric's value is: a share of 0..1, a score as its scorer gives it, seconds, tokens,
dollars."""


class Slice(Frozen):
    """A part of the cases: those that share a tag, a metadata value, or one case alone."""

    key: str
    """``tag``, ``case``, or a metadata key (``metadata.KEY`` where a key is called as these)."""
    value: str
    """The tag, the case's id, or the metadata value as text (JSON where it is no text)."""

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Metric(Frozen):
    """One number about the trials of one model, or why there is none."""

    metric: str
    """Its name as gates write it: ``pass@1``, ``pass^3 of tone``, ``p95(latency_s)``."""
    dataset: str
    """The dataset's name."""
    model: str
    """The model's id."""
    slice: Slice | None = None
    """Which cases; None is all of them."""
    value: float | None = None
    """The point estimate in its unit; None where `absent` says why. Never 0 or 1 in its place."""
    n: int = 0
    """Samples behind the value; 0 where there is none."""
    cases: int = 0
    """Cases (clusters of samples) behind the value."""
    low: float | None = None
    """The lower end of the interval; None where `unknown` says why, or there is no value."""
    high: float | None = None
    """The upper end of the interval; None where `unknown` says why, or there is no value."""
    confidence: float = 0.95
    """The nominal coverage of (low, high), inside (0, 1)."""
    method: str = ""
    """How the interval was made; empty where there is none."""
    unit: Unit = "rate"
    """What the value is."""
    better: Literal["higher", "lower"] = "higher"
    """Which way is good."""
    absent: str | None = None
    """Why there is no value; None where there is one."""
    unknown: str | None = None
    """Why there is no interval; None where there is one."""
    dropped: int = 0
    """Cases left out because they could not give the value."""


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
_OF_ONE_LABEL = frozenset({"f1", "precision", "recall"})
_PASS = re.compile(r"pass([@^])(\d+)")
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_PLAIN_WORD = re.compile(r"[^\s,()<>=!\"']+")


class MetricError(ValueError):
    """A text that names no metric.

    Args:
        message: what was found and what was expected.
        word: the part of the text that is wrong.
    """

    def __init__(self, message: str, word: str) -> None:
        super().__init__(message)
        self.word = word


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
    def judges_answers(self) -> bool:
        """Whether it says how right the answers are (rather than what they cost, or how many)."""
        return self.kind not in {"error_rate", "completeness"} and self.better == "higher"


_MEANS = frozenset({"latency_s", "score"})
_TOTALS = frozenset({"tokens", "cost_usd"})


def quote_name(word: str | None) -> str:
    """Return a name as a gate writes it: in quotes where it is not one plain word."""
    text = str(word)
    if _PLAIN_WORD.fullmatch(text):
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'


def build_metric_spec(name: str, *arguments: str, of: str | None = None) -> MetricSpec:
    """Return the measure of a metric's name and what stands in its brackets.

    Args:
        name: ``pass@1``, ``mean``, ``p95``, ``error_rate``, ...
        arguments: what stands in brackets: a quantity or scorer, for f1 and its kin a label too.
        of: the scorer that pass@k and pass^k are of.

    Raises:
        MetricError: there is no such metric, or it does not take these.
    """
    found = _PASS.fullmatch(name)
    if name == "pass_rate" or found:
        _refuse_brackets(name, arguments)
        k = int(found[2]) if found else 1
        if k < 1:
            raise MetricError(f"{name}: k is 1 or more", name)
        return MetricSpec(kind="pass^" if found and found[1] == "^" else "pass@", of=of, k=k)
    if of is not None and not arguments:
        arguments = (of,)
    elif of is not None:
        raise MetricError(f"{name}({arguments[0]}) says what it is of; drop `of {of}`", of)
    if name in WORDS:
        _refuse_brackets(name, arguments)
        if name in QUANTITIES:
            return MetricSpec(kind="total" if name in _TOTALS else "mean", of=name)
        return MetricSpec.model_validate({"kind": name})
    quantile = _QUANTILE.fullmatch(name)
    if name not in FUNCTIONS and not quantile:
        raise MetricError(_unknown(name), name)
    return _function(name, arguments, quantile)


def _function(name: str, arguments: tuple[str, ...], quantile: re.Match[str] | None) -> MetricSpec:
    """Return the measure of a metric with brackets."""
    wanted = 2 if name in _OF_ONE_LABEL else 1
    if len(arguments) != wanted or not all(arguments):
        inside = "a scorer and a label" if wanted == 2 else "a scorer or one of score, latency_s, "
        inside += "" if wanted == 2 else "tokens, cost_usd"
        example = f"{name}(tone, rude)" if wanted == 2 else f"{name}(helpful)"
        raise MetricError(f"{name} is of {inside}, in brackets: `{example}`", name)
    of = arguments[0]
    if name in _OF_LABELS and of in QUANTITIES:
        raise MetricError(f"{name} is of a scorer that gives labels, found {of!r}", of)
    if quantile:
        return MetricSpec(kind="quantile", of=of, q=float(quantile[1]))
    label = arguments[1] if wanted == 2 else None
    return MetricSpec.model_validate({"kind": name, "of": of, "label": label})


def _refuse_brackets(name: str, arguments: tuple[str, ...]) -> None:
    if arguments:
        hint = f"; write `{name} of {arguments[0]}`" if name.startswith("pass") else ""
        raise MetricError(f"{name} takes nothing in brackets, found {arguments[0]!r}{hint}", name)


def _unknown(name: str) -> str:
    from pytest_evals.ground.errors import suggest

    if re.fullmatch(r"pass.?(at)?.?k", name.casefold()):
        return f"{name!r}: k is a number: `pass@3` (any of 3 passes) or `pass^3` (all of 3 pass)"
    known = ("pass@1", "pass^3", *WORDS, *FUNCTIONS, "p50", "p95", "no regressions")
    return f"no metric is called {name!r}.{suggest(name, known, most=24)}"


_WRITTEN = re.compile(
    r"\s*(?P<name>[^\s()]+)\s*(?:\((?P<inside>.*)\))?(?:\s+of\s+(?P<of>.+?))?\s*", re.DOTALL
)


def parse_metric(text: str) -> MetricSpec:
    """Return the measure that a text names: ``pass^3 of tone``, ``p95(latency_s)``.

    Raises:
        MetricError: it names none.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise MetricError(_unknown(text), text)
    inside, of = found["inside"], found["of"]
    arguments = () if inside is None else _arguments(inside)
    return build_metric_spec(found["name"], *arguments, of=None if of is None else _bare(of))


_ARGUMENT = re.compile(r"""\s*("[^"]*"|'[^']*'|[^,"']*)\s*(?:,|$)""")


def _arguments(inside: str) -> tuple[str, ...]:
    """Split what stands in brackets at its commas, but not at those in quotes."""
    found, place = [], 0
    while match := _ARGUMENT.match(inside, place):
        found.append(_bare(match[1]))
        if match.end() >= len(inside):
            return tuple(found)
        place = match.end()
    raise MetricError(_unknown(inside), inside)


def _bare(text: str) -> str:
    """Take off spaces and quotes."""
    word = text.strip()
    return word[1:-1] if len(word) > 1 and word[0] in "\"'" and word[-1] == word[0] else word
