"""Formulas: parse without executing code, and compare by value.

Outputs are untrusted, so nothing is evaluated as code. A small grammar covers numbers, variables,
``+ - * / ^``, roots and common functions, in plain or LaTeX notation. Two formulas are equal if
they have the same value; with variables, the same value at several random points. (A nonzero
polynomial is rarely zero at a random point: Schwartz 1980, Zippel 1979.)
"""

import cmath
import math
import operator
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import Any

_MAX_CHARS = 2_000
"""The maximum length of a formula."""
_MAX_DEPTH = 60
"""The maximum nesting of parentheses."""
_PLACES = 12
"""The number of random points at which formulas with variables are compared."""

Number = Fraction | float | complex
Node = Callable[[Mapping[str, complex]], Number]


class FormulaError(ValueError):
    """A text cannot be parsed as a formula, or the formula has no value."""


_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sqrt": cmath.sqrt,
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "asin": cmath.asin,
    "arcsin": cmath.asin,
    "acos": cmath.acos,
    "arccos": cmath.acos,
    "atan": cmath.atan,
    "arctan": cmath.atan,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "tanh": cmath.tanh,
    "exp": cmath.exp,
    "ln": cmath.log,
    "log": cmath.log,
    "log10": cmath.log10,
    "abs": lambda z: complex(abs(z)),
}
_CONSTANTS = {"pi": math.pi, "e": math.e, "i": 1j}

_LATEX = (
    (re.compile(r"(?<=\d)(?:\{,\}|\\[,;! ])(?=\d{3}(?!\d))"), ""),
    (
        re.compile(r"\\(?:left|right|displaystyle|,|;|!|quad|qquad|mathrm|mathbf|text)\b|\\[,;! ]"),
        " ",
    ),
    (re.compile(r"\\(?:d|t|c)frac(?![a-z])"), r"\\frac"),
    (re.compile(r"\\(?:cdot|times|ast)(?![a-z])"), "*"),
    (re.compile(r"\\div(?![a-z])"), "/"),
    (re.compile(r"(?<![\w.])(\d+)\s*\\frac\s*(\d)\s*(\d)"), r"(\1+(\2)/(\3))"),
    (
        re.compile(r"(?<![\w.])(\d+)\s*\\frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}"),
        r"(\1+(\2)/(\3))",
    ),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"((\1)/(\2))"),
    (re.compile(r"(?<![\w.])(\d+)\s+(\d+)\s*/\s*(\d+)(?![\w.])"), r"(\1+(\2)/(\3))"),
    (
        re.compile(r"\\sqrt\s*\[\s*(\d+)\s*\]\s*(?:\{([^{}]*)\}|(\d+|[a-z]))"),
        r"((\2\3)^(1/\1))",
    ),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?"), " "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\?\$"), ""),
)
_SIGNS = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{MULTIPLICATION SIGN}": "*",
        "\N{MIDDLE DOT}": "*",
        "\N{DOT OPERATOR}": "*",
        "\N{DIVISION SIGN}": "/",
        "\N{GREEK SMALL LETTER PI}": " pi ",
        "\N{SUPERSCRIPT TWO}": "^2",
        "\N{SUPERSCRIPT THREE}": "^3",
        "\N{SQUARE ROOT}": " sqrt ",
        "{": "(",
        "}": ")",
        "[": "(",
        "]": ")",
    }
)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?(?![a-zA-Z])"
    r"|\d+(?:\.\d*)?|\.\d+)|(?P<name>\\?[a-zA-Z]+)|(?P<sign>\*\*|[-+*/^()%!|]))"
)


@dataclass(slots=True)
class Formula:
    """A parsed formula."""

    text: str
    node: Node
    letters: frozenset[str]

    def at(self, values: Mapping[str, complex]) -> Number:
        """Return the value for these values of the variables.

        Raises:
            FormulaError: the formula is undefined there.
        """
        try:
            return self.node(values)
        except (ArithmeticError, ValueError) as error:
            raise FormulaError(f"it has no value: {error}") from None


def read_formula(text: str) -> Formula:
    """Parse a formula, or the right side of an equation such as ``x = 3``.

    Raises:
        FormulaError: the text cannot be parsed.
    """
    if len(text) > _MAX_CHARS:
        raise FormulaError(f"it has more than {_MAX_CHARS} characters")
    plain = text.strip().strip("$").rstrip(".")
    for pattern, by in _LATEX:
        plain = pattern.sub(by, plain)
    plain = plain.translate(_SIGNS)
    left, equals, right = plain.rpartition("=")
    if equals and re.fullmatch(r"\s*[a-zA-Z](?:\([a-zA-Z]\))?\s*", left):
        plain = right
    reader = _Reader(plain)
    node = reader.sum(0)
    if reader.place < len(reader.tokens):
        raise FormulaError(f"{reader.tokens[reader.place][1]!r} was not expected in {text!r}")
    return Formula(text, node, frozenset(reader.letters))


def same_value(left: Formula, right: Formula, *, rel: float = 1e-9, seed: int = 0) -> bool:
    """Whether two formulas have equal values; with variables, at random points.

    Points where a formula is undefined are skipped; at least three must remain.

    Raises:
        FormulaError: a formula has no value, or is undefined at too many points.
    """
    if not left.letters and not right.letters:
        return _close(left.at({}), right.at({}), rel)
    draw = random.Random(seed)  # noqa: S311 - random points, not secrets
    compared = 0
    letters = sorted(left.letters | right.letters)
    for _ in range(_PLACES * 3):
        place = {name: complex(draw.uniform(0.2, 3.0), draw.uniform(-1.0, 1.0)) for name in letters}
        try:
            values = left.at(place), right.at(place)
        except FormulaError:
            continue
        if not _close(*values, max(rel, 1e-7)):
            return False
        compared += 1
        if compared == _PLACES:
            return True
    if compared < 3:
        raise FormulaError("the formulas have no value at the random points of the comparison")
    return True


def _close(left: Number, right: Number, rel: float) -> bool:
    """Whether two values are equal up to rounding."""
    if isinstance(left, Fraction) and isinstance(right, Fraction) and left == right:
        return True
    try:
        a, b = complex(left), complex(right)
    except OverflowError:
        return False
    if not (cmath.isfinite(a) and cmath.isfinite(b)):
        raise FormulaError("it has no finite value")
    return abs(a - b) <= rel * max(abs(a), abs(b), 1e-300)


@dataclass(slots=True)
class _Reader:
    """A recursive descent parser."""

    text: str
    tokens: list[tuple[str, str]] = field(default_factory=list)
    place: int = 0
    letters: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Split the text into tokens: numbers, names and signs."""
        at = 0
        text = self.text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.end() == at:
                raise FormulaError(f"{text[at : at + 10].strip()!r} is not understood")
            group = match.lastgroup or "sign"
            self.tokens.append((group, match.group(group)))
            at = match.end()
        if not self.tokens:
            raise FormulaError("it is empty")

    def peek(self) -> str:
        """Return the text of the next token; empty at the end."""
        return self.tokens[self.place][1] if self.place < len(self.tokens) else ""

    def take(self, *signs: str) -> str | None:
        """Consume the next token if it is one of these; return it, or None."""
        if self.peek() in signs and self.place < len(self.tokens):
            self.place += 1
            return self.tokens[self.place - 1][1]
        return None

    def sum(self, deep: int) -> Node:
        """Parse a sum."""
        if deep > _MAX_DEPTH:
            raise FormulaError("it is nested too deep")
        node = self.product(deep)
        while sign := self.take("+", "-"):
            node = _joined(node, sign, self.product(deep))
        return node

    def product(self, deep: int) -> Node:
        """Parse a product, including implicit ones: ``2x``, ``2(x+1)``."""
        node = self.signed(deep)
        while True:
            if sign := self.take("*", "/"):
                node = _joined(node, sign, self.signed(deep))
            elif self._starts():
                node = _joined(node, "*", self.power(deep))
            else:
                return node

    def _starts(self) -> bool:
        """Whether the next token starts an implicit factor."""
        if self.place >= len(self.tokens):
            return False
        group, text = self.tokens[self.place]
        # Adjacent numbers are not a product: "1 2" is a typo or a mixed number.
        return text == "(" or group == "name" or (group == "number" and not self._after_number())

    def _after_number(self) -> bool:
        """Whether the previous token is a number."""
        return self.tokens[self.place - 1][0] == "number"

    def signed(self, deep: int) -> Node:
        """Parse signs before a power."""
        negative = False
        while sign := self.take("+", "-"):
            negative ^= sign == "-"
        node = self.power(deep)
        return _joined(_constant(Fraction(0)), "-", node) if negative else node

    def power(self, deep: int) -> Node:
        """Parse a power; it is right-associative."""
        node = self.after(deep)
        if self.take("^", "**"):
            if deep > _MAX_DEPTH:
                raise FormulaError("it is nested too deep")
            negative = False
            while sign := self.take("+", "-"):
                negative ^= sign == "-"
            above = self.power(deep + 1)
            if negative:
                above = _joined(_constant(Fraction(0)), "-", above)
            node = _joined(node, "^", above)
        return node

    def after(self, deep: int) -> Node:
        """Parse the postfix operators of an atom: percent and factorial."""
        node = self.atom(deep)
        while sign := self.take("%", "!"):
            by = _constant(Fraction(100))
            node = _joined(node, "/", by) if sign == "%" else _factorial(node)
        return node

    def atom(self, deep: int) -> Node:
        """Parse a number, a name, or an expression in parentheses."""
        if self.place >= len(self.tokens):
            raise FormulaError("it ends too soon")
        group, text = self.tokens[self.place]
        self.place += 1
        if group == "number":
            return _constant(_exact(text))
        if group == "name":
            return self.name(text, deep)
        closing = {"(": ")", "|": "|"}.get(text)
        if closing is None:
            raise FormulaError(f"{text!r} was not expected")
        node = self.sum(deep + 1)
        if not self.take(closing):
            raise FormulaError(f"a {closing!r} is missing")
        return _applied(_FUNCTIONS["abs"], node) if text == "|" else node

    def name(self, text: str, deep: int) -> Node:
        """Parse a function, a constant, or adjacent variables."""
        word = text.removeprefix("\\")
        if word == "frac":
            above = self.argument(deep)
            return _joined(above, "/", self.argument(deep))
        if word in _FUNCTIONS:
            power = self.atom(deep + 1) if self.take("^") else None
            node = _applied(_FUNCTIONS[word], self.argument(deep))
            return node if power is None else _joined(node, "^", power)
        if word in _CONSTANTS:
            value = _CONSTANTS[word]
            return lambda _: value
        if text.startswith("\\") or len(word) > 3:
            raise FormulaError(f"{text!r} is not understood")
        self.letters.update(word)
        letters = [_letter(letter) for letter in word]
        return reduce(lambda left, right: _joined(left, "*", right), letters)

    def argument(self, deep: int) -> Node:
        """Parse the argument of a function: in parentheses, or the next power."""
        if deep > _MAX_DEPTH:
            raise FormulaError("it is nested too deep")
        return self.power(deep + 1) if self.peek() != "(" else self.atom(deep)


def _exact(text: str) -> Fraction:
    """Return an exact number."""
    plain = text.replace(",", "")
    exponent = re.search(r"[eE]([-+]?\d+)$", plain)
    if exponent and abs(int(exponent.group(1)[:6])) > 400:
        raise FormulaError(f"{text} is too great or too small")
    return Fraction(plain)


def _constant(value: Fraction) -> Node:
    """Return the node of a number."""
    return lambda _: value


def _letter(name: str) -> Node:
    """Return the node of a variable."""
    return lambda values: values[name]


def _applied(function: Callable[[complex], complex], node: Node) -> Node:
    """Return the node of a function call."""
    return lambda values: function(complex(node(values)))


def _joined(left: Node, sign: str, right: Node) -> Node:
    """Return the node of a binary operation."""

    def value(values: Mapping[str, complex]) -> Number:
        a, b = left(values), right(values)
        if sign == "^":
            return _power(a, b)
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return _ARITHMETIC[sign](a, b)
        return _ARITHMETIC[sign](complex(a), complex(b))

    return value


_ARITHMETIC: dict[str, Callable[[Any, Any], Number]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def _power(base: Number, exponent: Number) -> Number:
    """Raise to a power: exact for small integers only, to bound the size of the result."""
    if (
        isinstance(base, Fraction)
        and isinstance(exponent, Fraction)
        and exponent.denominator == 1
        and abs(exponent) <= 300
        and max(abs(base.numerator), base.denominator).bit_length() <= 300
    ):
        return base ** int(exponent)
    return complex(base) ** complex(exponent)


def _factorial(node: Node) -> Node:
    """Return the node of a factorial."""

    def value(values: Mapping[str, complex]) -> Number:
        n = node(values)
        if not isinstance(n, Fraction) or n.denominator != 1 or not 0 <= n <= 300:
            raise FormulaError("a factorial needs a whole number from 0 to 300")
        return Fraction(math.factorial(int(n)))

    return value
