"""Scales: convert the scores of a judge to 0..1."""

import math
from collections.abc import Mapping
from typing import Any

Scale = tuple[float, float]
"""The worst and the best score."""

_MAX_LISTED = 11


def check_scale(scale: Scale) -> Scale:
    """Return the scale unchanged.

    Raises:
        ValueError: its ends are not finite numbers in ascending order.
    """
    low, high = scale
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(
            f"a scale must be its worst and its best score, found {low:g} and {high:g}"
        )
    return scale


def normalised(score: float, scale: Scale) -> float:
    """Convert a score within its scale to 0..1."""
    low, high = scale
    return (score - low) / (high - low)


def is_whole(scale: Scale) -> bool:
    """Whether both ends are whole numbers that differ by more than 1."""
    low, high = scale
    return float(low).is_integer() and float(high).is_integer() and high - low > 1


def in_words(scale: Scale) -> str:
    """Describe a scale for the judge."""
    low, high = scale
    number_type = "a whole number" if is_whole(scale) else "a number"
    return f"A score is {number_type} from {low:g} (the worst) to {high:g} (the best)."


def scale_schema(scale: Scale) -> Mapping[str, Any]:
    """Return the JSON Schema of a score: an enum if there are few whole numbers."""
    low, high = scale
    if is_whole(scale) and high - low < _MAX_LISTED:
        return {"type": "integer", "enum": list(range(int(low), int(high) + 1))}
    return {"type": "number"}


def not_blank(text: str, what: str) -> str:
    """Return the text unchanged.

    Raises:
        ValueError: it is blank.
    """
    if not text.strip():
        raise ValueError(f"{what} is blank")
    return text
