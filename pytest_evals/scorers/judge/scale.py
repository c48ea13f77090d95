"""Scales: from the numbers a judge gives to 0..1."""

import math
from collections.abc import Mapping
from typing import Any

Scale = tuple[float, float]
"""The worst and the best score."""

_MAX_LISTED = 11


def check_scale(scale: Scale) -> Scale:
    """Return a scale.

    Raises:
        ValueError: its ends are not finite numbers in rising order.
    """
    low, high = scale
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"a scale is its worst and its best score, found {low:g} and {high:g}")
    return scale


def normalised(score: float, scale: Scale) -> float:
    """Bring a score within its scale to 0..1."""
    low, high = scale
    return (score - low) / (high - low)


def is_whole(scale: Scale) -> bool:
    """Whether both ends are whole numbers, more than one step apart."""
    low, high = scale
    return float(low).is_integer() and float(high).is_integer() and high - low > 1


def in_words(scale: Scale) -> str:
    """State a scale."""
    low, high = scale
    number_type = "a whole number" if is_whole(scale) else "a number"
    return f"A score is {number_type} from {low:g} (the worst) to {high:g} (the best)."


def scale_schema(scale: Scale) -> Mapping[str, Any]:
    """Return the JSON Schema of a score: the whole numbers by name, where they are few."""
    low, high = scale
    if is_whole(scale) and high - low < _MAX_LISTED:
        return {"type": "integer", "enum": list(range(int(low), int(high) + 1))}
    return {"type": "number"}


def not_blank(text: str, what: str) -> str:
    """Return a text.

    Raises:
        ValueError: it is blank.
    """
    if not text.strip():
        raise ValueError(f"{what} is blank, so there is nothing to judge by")
    return text
