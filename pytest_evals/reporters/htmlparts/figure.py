"""Figure: a drawing with its title, note and legend; and helpers for figures. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

SERIES = 6
"""Models in one figure, each with its colour."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One drawing of the report."""

    title: str
    note: str
    """A sentence on how to read the drawing."""
    drawing: Markup
    legend: tuple[tuple[str, str], ...] = ()
    """(CSS class of the colour, model)."""
    confusion: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Rows of a table below the drawing, each with a title; the first row is the header."""


def legend(models: list[str]) -> tuple[tuple[str, str], ...]:
    """Return the colour class of each model."""
    return tuple((f"s{place}", model) for place, model in enumerate(models))


def select_models(models: list[str]) -> tuple[list[str], str]:
    """Return the models to draw, and a sentence on the others."""
    rest = len(models) - SERIES
    return models[
        :SERIES
    ], f" The first {SERIES} of {len(models)} models are drawn." if rest > 0 else ""


def percent(value: float) -> str:
    """Write a share: whole percents, one decimal only near the ends."""
    points = value * 100
    near = 0 < points < 1 or 99 < points < 100
    return f"{points:.1f}%" if near else f"{points:.0f}%"


def figure_title(title: str, dataset: str, several: bool) -> str:  # noqa: FBT001 - read at two places
    """Return a figure's title, with the dataset's name if there are several."""
    return f"{title}: {dataset}" if several else title


def mark_offsets(n: int, width: float) -> Iterator[float]:
    """Yield the horizontal offsets of n marks at one place, so that none hides another."""
    step = min(width / max(1, n), 9.0)
    for place in range(n):
        yield (place - (n - 1) / 2) * step
