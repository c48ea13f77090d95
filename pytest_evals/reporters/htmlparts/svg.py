"""Marks, axes and scales as SVG. Pure.

Colours are classes: the page's policy forbids style attributes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10

from markupsafe import Markup, escape

from pytest_evals.ground.plain_text import neutral


def tag(name: str, *inside: Markup | str, **attributes: object) -> Markup:
    """Return an element; ``class_`` is written ``class``, ``text_anchor`` ``text-anchor``."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _value(value))
        for key, value in attributes.items()
        if value is not None
    )
    body = Markup("").join(
        part if isinstance(part, Markup) else escape(neutral(part)) for part in inside
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, body)


def _value(value: object) -> str:
    """Write an attribute's value: numbers short, texts neutralized."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return neutral(str(value))


def picture(width: float, height: float, title: str, *inside: Markup, class_: str = "") -> Markup:
    """Return a drawing that scales with its container, with a text alternative."""
    return tag(
        "svg",
        *inside,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=title,
        class_=class_ or "chart",
        preserveAspectRatio="xMinYMid meet",
    )


def text(x: float, y: float, words: str, anchor: str = "start", class_: str = "tick") -> Markup:
    """Return a text at a place."""
    return tag("text", words, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str = "grid") -> Markup:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values to coordinates."""

    low: float
    high: float
    start: float
    """The coordinate of `low`."""
    end: float

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value; values outside lie at the edge."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers inside a range, evenly apart.

    Args:
        low: the lower end of the range.
        high: the upper end; if not finite and above `low`, only `low` is returned.
        count: the approximate number of ticks.
    """
    if not high > low or not isfinite(high - low):
        return [low]
    raw = (high - low) / count
    size = 10.0 ** floor(log10(raw))
    step = next(size * unit for unit in (1, 2, 5, 10) if size * unit >= raw * 0.999)
    first = -floor(-low / step)
    return [number * step for number in range(first, floor(high / step + 1e-9) + 1)]


def join_points(points: Sequence[tuple[float, float]]) -> str:
    """Return points as the attribute of a polyline."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
