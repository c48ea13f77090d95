"""From the text of a metric to its MetricSpec: ``pass^3 of tone``, ``p95(latency_s)``."""

import re

from pytest_evals.metrics.spec import _OF_LABELS, FUNCTIONS, QUANTITIES, WORDS, MetricSpec

_OF_ONE_LABEL = frozenset({"f1", "precision", "recall"})


_PASS = re.compile(r"pass([@^])(\d+)")


_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")


class MetricError(ValueError):
    """A text that names no metric.

    Args:
        message: what was found and what was expected.
        word: the wrong part of the text.
    """

    def __init__(self, message: str, word: str) -> None:
        super().__init__(message)
        self.word = word


_TOTALS = frozenset({"tokens", "cost_usd"})


def build_metric_spec(name: str, *arguments: str, of: str | None = None) -> MetricSpec:
    """Return the specification of a metric from its name and its arguments.

    Args:
        name: ``pass@1``, ``mean``, ``p95``, ``error_rate``, ...
        arguments: the arguments in brackets: a quantity or scorer; for f1, precision and recall
            also a label.
        of: the scorer of pass@k and pass^k.

    Raises:
        MetricError: there is no such metric, or it does not take these arguments.
    """
    match = _PASS.fullmatch(name)
    if name == "pass_rate" or match:
        _refuse_brackets(name, arguments)
        k = int(match[2]) if match else 1
        if k < 1:
            raise MetricError(f"{name}: k must be 1 or more", name)
        return MetricSpec(kind="pass^" if match and match[1] == "^" else "pass@", of=of, k=k)
    if of is not None and not arguments:
        arguments = (of,)
    elif of is not None:
        raise MetricError(f"{name}({arguments[0]}) already names its scorer; remove `of {of}`", of)
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
    """Return the specification of a metric with arguments."""
    count = 2 if name in _OF_ONE_LABEL else 1
    if len(arguments) != count or not all(arguments):
        inside = "a scorer and a label" if count == 2 else "a scorer or one of score, latency_s, "
        inside += "" if count == 2 else "tokens, cost_usd"
        example = f"{name}(tone, rude)" if count == 2 else f"{name}(helpful)"
        raise MetricError(f"{name} needs {inside} in brackets: `{example}`", name)
    of = arguments[0]
    if name in _OF_LABELS and of in QUANTITIES:
        raise MetricError(f"{name} needs a scorer that gives labels, found {of!r}", of)
    if quantile:
        return MetricSpec(kind="quantile", of=of, q=float(quantile[1]))
    label = arguments[1] if count == 2 else None
    return MetricSpec.model_validate({"kind": name, "of": of, "label": label})


def _refuse_brackets(name: str, arguments: tuple[str, ...]) -> None:
    if arguments:
        hint = f"; write `{name} of {arguments[0]}`" if name.startswith("pass") else ""
        raise MetricError(
            f"{name} takes no argument in brackets, found {arguments[0]!r}{hint}", name
        )


def _unknown(name: str) -> str:
    from pytest_evals.ground.errors import suggest

    if re.fullmatch(r"pass.?(at)?.?k", name.casefold()):
        return f"{name!r}: k is a number: `pass@3` (any of 3 passes) or `pass^3` (all of 3 pass)"
    names = ("pass@1", "pass^3", *WORDS, *FUNCTIONS, "p50", "p95", "no regressions")
    return f"no metric is called {name!r}.{suggest(name, names, limit=24)}"


_WRITTEN = re.compile(
    r"\s*(?P<name>[^\s()]+)\s*(?:\((?P<inside>.*)\))?(?:\s+of\s+(?P<of>.+?))?\s*", re.DOTALL
)


def parse_metric(text: str) -> MetricSpec:
    """Return the specification that a text names: ``pass^3 of tone``, ``p95(latency_s)``.

    Raises:
        MetricError: the text names no metric.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise MetricError(_unknown(text), text)
    inside, of = match["inside"], match["of"]
    arguments = () if inside is None else _arguments(inside)
    return build_metric_spec(match["name"], *arguments, of=None if of is None else _bare(of))


_ARGUMENT = re.compile(r"""\s*("[^"]*"|'[^']*'|[^,"']*)\s*(?:,|$)""")


def _arguments(inside: str) -> tuple[str, ...]:
    """Split the text in brackets at commas outside quotes."""
    arguments, place = [], 0
    while match := _ARGUMENT.match(inside, place):
        arguments.append(_bare(match[1]))
        if match.end() >= len(inside):
            return tuple(arguments)
        place = match.end()
    raise MetricError(_unknown(inside), inside)


def _bare(text: str) -> str:
    """Strip spaces and quotes."""
    word = text.strip()
    return word[1:-1] if len(word) > 1 and word[0] in "\"'" and word[-1] == word[0] else word
