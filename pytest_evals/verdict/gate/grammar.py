"""The grammar of gates: from a text, or the long form, to a `GateSpec`.

::

    gate    := "no regressions" clause*  |  metric bar clause*
    metric  := NAME [ "(" NAME [ "," NAME ] ")" ] [ "of" SCORER ]
    bar     := (">=" | ">" | "<=" | "<" | "==") NUMBER
    clause  := "of" SCORER | "per" KEY | "where" KEY "=" VALUE | "on" MODEL ("," MODEL)*
             | "with confidence" NUMBER | "min n" NUMBER | "within" NUMBER
             | "against" NUMBER
             | "as" ("primary" | "guardrail")

A name of several words is quoted. A number is plain, or ends in ``%``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pytest_evals.ground.errors import suggest
from pytest_evals.metrics.metric import Slice
from pytest_evals.metrics.parse import MetricError, build_metric_spec, parse_metric
from pytest_evals.metrics.spec import MetricSpec, quote_name
from pytest_evals.verdict.gate.error import GateError
from pytest_evals.verdict.gate.spec import REGRESSIONS, GateSpec
from pytest_evals.verdict.gate.validate import _checked, range_problem
from pytest_evals.verdict.gate.write import write_gate

CLAUSES = ("of", "per", "where", "on", "with", "min", "within", "against", "as")
"""The first words of clauses."""

KEYS = (
    "metric",
    "min",
    "max",
    "of",
    "per",
    "where",
    "on",
    "min_n",
    "confidence",
    "margin",
    "against",
    "alpha",
    "beta",
    "role",
)
"""The keys of the long form."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|(?P<op>[<>=!\u2264\u2265]+)|(?P<mark>[(),])"""
    r"""|(?P<word>[^\s,()<>=!"'\u2264\u2265]+)|(?P<bad>["'!]))"""
)
_OPERATORS = {">=": ">=", ">": ">", "<=": "<=", "<": "<", "==": "==", "=": "==",
              "\u2265": ">=", "\u2264": "<="}  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?%?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Token:
    """A word, an operator or a mark, with its place."""

    text: str
    column: int
    """1-based."""
    kind: str
    """word, quoted, op, mark or end."""


def parse_gate(written: object) -> GateSpec:
    """Parse a gate of a dataset, a text or the long form.

    Raises:
        GateError: the gate is wrong; the error says what and where.
    """
    if isinstance(written, GateSpec):
        return written
    if isinstance(written, str):
        return _Parser(written).gate()
    if isinstance(written, Mapping):
        return _long_form(written)
    raise GateError(
        "a gate is a text such as `pass@1 >= 0.9`, or a mapping with `metric` and `min` or `max`; "
        f"found {written!r}"
    )


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self._tokens = self._split()
        self._place = 0
        self._seen: set[str] = set()

    def _split(self) -> list[_Token]:
        tokens, place = [], 0
        while match := _TOKEN.match(self.text, place):
            category = str(match.lastgroup)
            text, column = match[category], match.start(category) + 1
            if category == "bad":
                what = "this quote is not closed" if text != "!" else "`!` is no operator here"
                raise GateError(what, text=self.text, column=column)
            tokens.append(_Token(text[1:-1] if category == "quoted" else text, column, category))
            place = match.end()
        return [*tokens, _Token("", len(self.text) + 1, "end")]

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _error(self, message: str, token: _Token) -> GateError:
        return GateError(message, text=self.text, column=token.column)

    def _name(self, what: str) -> _Token:
        """Take a word or a quoted name."""
        token = self._take()
        if token.kind not in {"word", "quoted"}:
            actual = f"found `{token.text}`" if token.text else "the gate ends here"
            raise self._error(f"expected {what}; {actual}", token)
        return token

    def gate(self) -> GateSpec:
        """Read the whole text."""
        if not self.text:
            raise GateError("an empty gate requires nothing; write one such as `pass@1 >= 0.9`")
        first = self._name("a metric or `no regressions`")
        values: dict[str, Any] = {"text": self.text}
        if first.text.casefold() == "no" and first.kind == "word":
            self._no_regressions(values)
            measure = None
        else:
            measure = self._metric(first)
            self._bar(values, first)
        while self._next.kind != "end":
            self._clause(values)
        if measure is not None:
            of = values.pop("of", None)
            if of is not None:
                measure = self._measure(first, str(measure), of=of)
            values["metric"] = str(measure)
        return _checked(GateSpec.model_validate(values), text=self.text)

    def _no_regressions(self, values: dict[str, Any]) -> None:
        token = self._take()
        if token.text.casefold() not in {"regressions", "regression"}:
            hint = suggest(token.text, ["regressions"])
            raise self._error(f"expected `regressions` after `no`.{hint}", token)
        values["metric"] = REGRESSIONS
        if self._next.kind == "op":
            message = (
                "`no regressions` takes no required value; `within 0.02` sets the tolerated drop"
            )
            raise self._error(message, self._next)

    def _metric(self, name: _Token) -> MetricSpec:
        arguments: list[str] = []
        if self._next.text == "(" and self._next.kind == "mark":
            self._take()
            arguments.append(self._name("a scorer, or score, latency_s, tokens, cost_usd").text)
            while self._next.text == "," and self._next.kind == "mark":
                self._take()
                arguments.append(self._name("a label").text)
            closing = self._take()
            if closing.text != ")" or closing.kind != "mark":
                raise self._error("expected `)`", closing)
        of = None
        if self._next == _Token("of", self._next.column, "word"):
            self._take()
            of = self._name("a scorer after `of`").text
        return self._measure(name, name.text, *arguments, of=of)

    def _measure(self, at: _Token, name: str, *arguments: str, of: str | None) -> MetricSpec:
        try:
            return build_metric_spec(name, *arguments, of=of)
        except MetricError as error:
            place = self.text.find(error.word)
            column = place + 1 if place >= 0 else at.column
            raise GateError(str(error), text=self.text, column=column) from None

    def _bar(self, values: dict[str, Any], metric: _Token) -> None:
        token = self._take()
        operator = _OPERATORS.get(token.text) if token.kind == "op" else None
        if operator is None:
            actual = f"found `{token.text}`" if token.text else "the gate ends here"
            meant = {"=>": " Did you mean `>=`?", "=<": " Did you mean `<=`?"}.get(token.text, "")
            if not meant:
                meant = f" For example `{metric.text} >= 0.9`." if not token.text else ""
            message = f"expected >=, >, <=, < or == and a number; {actual}.{meant}"
            raise self._error(message, token)
        bar = self._number("a number")
        if operator in {">=", ">", "=="}:
            values["min"] = bar
        if operator in {"<=", "<", "=="}:
            values["max"] = bar
        values["strict"] = operator in {">", "<"}

    def _number(self, what: str) -> float:
        token = self._name(what)
        if not _NUMBER.fullmatch(token.text):
            hint = ""
            if leading := re.match(r"\$?(\d+(?:\.\d+)?)(s|usd|tokens)?$", token.text.casefold()):
                hint = f"; seconds, tokens and USD are written without their unit: {leading[1]}"
            raise self._error(f"expected {what}, found `{token.text}`{hint}", token)
        number = float(token.text.removesuffix("%"))
        return number / 100 if token.text.endswith("%") else number

    def _clause(self, values: dict[str, Any]) -> None:
        token = self._take()
        word = token.text.casefold() if token.kind == "word" else ""
        clauses: dict[str, Callable[[dict[str, Any]], None]] = {
            "of": self._of,
            "per": self._per,
            "where": self._where,
            "on": self._on,
            "with": self._with,
            "min": self._min_n,
            "min_n": self._min_n_value,
            "within": self._within,
            "against": self._against,
            "as": self._as,
        }
        if word not in clauses:
            hint = suggest(token.text, CLAUSES)
            raise self._error(f"`{token.text}` is not part of a gate.{hint}", token)
        if word in self._seen:
            raise self._error(f"duplicate `{word}`", token)
        self._seen.add(word)
        clauses[word](values)

    def _of(self, values: dict[str, Any]) -> None:
        values["of"] = self._name("a scorer after `of`").text

    def _per(self, values: dict[str, Any]) -> None:
        values["per"] = self._name("`tag`, `case` or a metadata key after `per`").text

    def _where(self, values: dict[str, Any]) -> None:
        key = self._name("`tag`, `case` or a metadata key after `where`").text
        equals = self._take()
        if equals.kind != "op" or _OPERATORS.get(equals.text) != "==":
            raise self._error(f"expected `where {quote_name(key)} = VALUE`", equals)
        values["where"] = Slice(key=key, value=self._name("a value").text)

    def _on(self, values: dict[str, Any]) -> None:
        models = [self._name("a model's id after `on`").text]
        while self._next.text == "," and self._next.kind == "mark":
            self._take()
            models.append(self._name("a model's id").text)
        values["on"] = tuple(models)

    def _with(self, values: dict[str, Any]) -> None:
        token = self._take()
        if token.text.casefold() != "confidence":
            hint = suggest(token.text, ["confidence"])
            raise self._error(f"expected `with confidence 0.95`.{hint}", token)
        values["confidence"] = self._ranged("confidence")

    def _min_n(self, values: dict[str, Any]) -> None:
        token = self._take()
        if token.text.casefold() != "n":
            raise self._error("expected `min n 30`: the least number of scored samples", token)
        self._min_n_value(values)

    def _min_n_value(self, values: dict[str, Any]) -> None:
        token = self._next
        number = self._number("a whole number of samples")
        if number < 1 or number != int(number):
            raise self._error(
                f"a number of samples is whole and 1 or more, found {token.text}", token
            )
        values["min_n"] = int(number)

    def _within(self, values: dict[str, Any]) -> None:
        values["margin"] = self._ranged("margin")

    def _against(self, values: dict[str, Any]) -> None:
        values["against"] = self._ranged("against")

    def _ranged(self, key: str) -> float:
        token = self._next
        number = self._number("a number")
        message = range_problem(key, number)
        if message:
            raise self._error(message, token)
        return number

    def _as(self, values: dict[str, Any]) -> None:
        token = self._name("`primary` or `guardrail` after `as`")
        if token.text not in {"primary", "guardrail"}:
            hint = suggest(token.text, ["primary", "guardrail"])
            raise self._error(f"a gate's role is primary or guardrail.{hint}", token)
        values["role"] = token.text


def _long_form(data: Mapping[Any, Any]) -> GateSpec:
    """Read the long form."""
    for key in data:
        if key not in KEYS:
            raise GateError(f"unknown key {key!r}.{suggest(str(key), KEYS)}", key=str(key))
    values = {key: value for key, value in data.items() if value is not None}
    values.update(_long_metric(values.get("metric"), values.pop("of", None)))
    for key in ("confidence", "margin", "against"):
        given = values.get(key)
        message = range_problem(key, given) if isinstance(given, int | float) else None
        if message:
            raise GateError(message, key=key)
    if isinstance(values.get("on"), str):
        values["on"] = (values["on"],)
    if "where" in values:
        values["where"] = _where_of(values["where"])
    try:
        spec = GateSpec.model_validate({**values, "text": "-"})
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        wrong = str(detail["loc"][0]) if detail["loc"] else None
        message = f"`{wrong}`: {detail['msg']}, found {detail['input']!r}"
        raise GateError(message, key=wrong) from None
    return _checked(spec.model_copy(update={"text": write_gate(spec)}), text="")


def _long_metric(metric: object, of: object) -> dict[str, Any]:
    """Return the metric and the scorer of the long form."""
    if not isinstance(metric, str) or not metric.strip():
        raise GateError("a gate needs `metric`, such as pass@1 or mean(helpful)", key="metric")
    if metric.split() in (["no", "regressions"], [REGRESSIONS]):
        return {"metric": REGRESSIONS, "of": None if of is None else str(of)}
    try:
        measure = parse_metric(metric) if of is None else _measure_with(metric, str(of))
    except MetricError as error:
        raise GateError(str(error), key="of" if error.word == of else "metric") from None
    return {"metric": str(measure)}


def _measure_with(metric: str, of: str) -> MetricSpec:
    """Return the measure of ``metric: mean`` with ``of: helpful``."""
    if "(" in metric or " of " in metric:
        raise MetricError(f"{metric} already names its scorer; remove `of {of}`", of)
    return build_metric_spec(metric.strip(), of=of)


def _where_of(value: object) -> Slice:
    if isinstance(value, Slice):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        (key, what), *_ = value.items()
        return Slice(key=str(key), value=what if isinstance(what, str) else str(what))
    raise GateError(
        f"`where` is one key with its value, such as {{tag: refunds}}; found {value!r}", key="where"
    )
