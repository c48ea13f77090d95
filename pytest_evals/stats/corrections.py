"""Corrections of p-values for multiple comparisons."""

from collections.abc import Callable, Sequence
from typing import Literal

Correction = Literal["holm", "benjamini-hochberg", "none"]
"""The correction of the p-values of one family."""


def adjust(p_values: Sequence[float], *, correction: Correction = "holm") -> list[float]:
    """Return the adjusted p-values in the order given; each is compared with alpha itself.

    Args:
        p_values: of one family, each in 0..1.
        correction: the rule.

    Returns:
        One p-value in 0..1 per given one, none smaller than it.

    Raises:
        ValueError: a p-value is not in 0..1, or the correction is unknown.
    """
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"a p-value is in 0..1, got {p}")
    rules: dict[str, Callable[[Sequence[float]], list[float]]] = {
        "holm": holm,
        "benjamini-hochberg": benjamini_hochberg,
        "none": list,
    }
    if correction not in rules:
        raise ValueError(f"unknown correction {correction!r}; one of {', '.join(rules)}")
    return rules[correction](p_values)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, which control the family-wise error rate.

    The i-th least of m is max over j <= i of (m-j+1)·p(j), at most 1. Holm 1979, "A simple
    sequentially rejective multiple test procedure".

    Args:
        p_values: of one family, each in 0..1; may be dependent.
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for place, index in enumerate(_ascending(p_values)):
        running = max(running, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = running
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return Benjamini and Hochberg's adjusted p-values, which control the false discovery rate.

    The i-th least of m is min over j >= i of m·p(j)/j, at most 1. Benjamini and Hochberg 1995,
    "Controlling the false discovery rate".

    Args:
        p_values: of one family, each in 0..1; independent or positively dependent.
    """
    adjusted = [0.0] * len(p_values)
    running = 1.0
    for place, index in reversed(list(enumerate(_ascending(p_values), start=1))):
        running = min(running, len(p_values) * p_values[index] / place)
        adjusted[index] = running
    return adjusted


def _ascending(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=p_values.__getitem__)
