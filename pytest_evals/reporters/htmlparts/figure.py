"""Figure: a drawing with its title, its words and its legend; and which figures a report has."""

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

SERIES = 6
"""Models that are drawn in one figure, each in a colour of its own."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One drawing of the report."""

    title: str
    note: str
    """What is drawn, and how to read it."""
    drawing: Markup
    legend: tuple[tuple[str, str], ...] = ()
    """Class of the colour, and whose it is."""
    confusion: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Rows of a table below the drawing, each with its title; the first row is the header."""


def legend(models: list[str]) -> tuple[tuple[str, str], ...]:
    """Return whose colours are whose."""
    return tuple((f"s{place}", model) for place, model in enumerate(models))


def select_models(models: list[str]) -> tuple[list[str], str]:
    """Return the models that are drawn, and a sentence on those that are not."""
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
    """Return a figure's title, with the dataset's name where there are several."""
    return f"{title}: {dataset}" if several else title


def mark_offsets(n: int, width: float) -> Iterator[float]:
    """Yield how far each of n marks at one place is moved aside, so that none hides another."""
    step = min(width / max(1, n), 9.0)
    for place in range(n):
        yield (place - (n - 1) / 2) * step
