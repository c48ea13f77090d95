"""Regular expressions with an end: a pattern that explodes on an answer must not hang a run.

The `regex` package understands what `re` does and can be told when to stop, which `re` cannot.
It is imported when a dataset first uses a pattern.
"""

from functools import lru_cache
from typing import Any

from pytest_evals.scorers.base import ScoringError

TIMEOUT_S = 0.5
"""Seconds of processor time one search may take."""

FLAGS = {"ignore_case": "IGNORECASE", "multiline": "MULTILINE", "dotall": "DOTALL"}


def _engine() -> Any:
    """Import the package late."""
    import regex  # type: ignore[import-untyped] # it ships no types

    return regex


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str, flags: int = 0) -> Any:
    """Compile a pattern once.

    Args:
        pattern: in the syntax of `re`.
        flags: of the `regex` module, as a number.

    Raises:
        ValueError: it is no regular expression, with the place.
    """
    regex = _engine()
    try:
        return regex.compile(pattern, flags | regex.VERSION0)
    except regex.error as error:
        place = "" if error.pos is None else f" at its character {error.pos + 1}"
        raise ValueError(
            f"the regular expression {pattern!r} is wrong{place}: {error.msg}"
        ) from None


def flag_bits(names: tuple[str, ...]) -> int:
    """Return the flags of the `regex` module for our names of them."""
    bits = 0
    for name in names:
        bits |= int(getattr(_engine(), FLAGS[name]))
    return bits


def search(pattern: Any, text: str, *, full: bool = False) -> Any:
    """Find a compiled pattern in a text.

    Returns:
        The match, or None.

    Raises:
        ScoringError: it took longer than `TIMEOUT_S`.
    """
    find = pattern.fullmatch if full else pattern.search
    try:
        return find(text, timeout=TIMEOUT_S)
    except TimeoutError:
        raise ScoringError(
            f"the regular expression {pattern.pattern!r} was not done with an answer of "
            f"{len(text)} characters after {TIMEOUT_S:g} s; it tries too many ways (nested "
            "repeats such as `(a+)+`), so write it with fewer"
        ) from None


def find_all(pattern: Any, text: str) -> list[Any]:
    """Return all matches of a compiled pattern.

    Raises:
        ScoringError: it took longer than `TIMEOUT_S`.
    """
    try:
        return list(pattern.finditer(text, timeout=TIMEOUT_S))
    except TimeoutError:
        raise ScoringError(
            f"the regular expression {pattern.pattern!r} was not done with an answer of "
            f"{len(text)} characters after {TIMEOUT_S:g} s"
        ) from None


_PROBES = (
    "",
    *map(chr, range(9, 14)),
    *map(chr, range(32, 127)),
    "a b",
    "I don't know.\nReally.",
    "é",
    "Я",
    "漢字",
    "\N{GRINNING FACE}",
    "x" * 20_000,
    "\n" * 2_000,
)


@lru_cache(maxsize=256)
def matches_everything(pattern: Any, *, full: bool = False) -> bool:
    """Whether no answer could fail a pattern, as far as texts of every kind can tell.

    A pattern that looks ahead or behind is believed to exclude something.
    """
    if any(mark in pattern.pattern for mark in ("(?!", "(?<!", "(?=", "(?<=")):
        return False
    find = pattern.fullmatch if full else pattern.search
    try:
        return all(find(probe, timeout=TIMEOUT_S / 10) for probe in _PROBES)
    except TimeoutError:
        return False
