"""Regular expressions with a timeout: catastrophic backtracking must not hang a run.

The `regex` package has the syntax of `re` and supports a timeout. It is imported when a dataset
first uses a pattern.
"""

from functools import lru_cache
from typing import Any

from pytest_evals.scorers.base import ScoringError
from pytest_evals.scorers.boundaries import composed

TIMEOUT_S = 0.5
"""Timeout of one search, in seconds of processor time."""

FLAGS = {"ignore_case": "IGNORECASE", "multiline": "MULTILINE", "dotall": "DOTALL"}


def _engine() -> Any:
    """Import `regex` late."""
    import regex  # type: ignore[import-untyped] # without type hints

    return regex


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str, flags: int = 0) -> Any:
    """Compile a pattern; cached.

    Args:
        pattern: a pattern in the syntax of `re`.
        flags: flags of the `regex` module, as a number.

    Raises:
        ValueError: the pattern is invalid; with the position.
    """
    regex = _engine()
    try:
        return regex.compile(composed(pattern), flags | regex.VERSION0)
    except regex.error as error:
        place = "" if error.pos is None else f" at character {error.pos + 1}"
        raise ValueError(
            f"the regular expression {pattern!r} is invalid{place}: {error.msg}"
        ) from None


def flag_bits(names: tuple[str, ...]) -> int:
    """Return the flags of the `regex` module for option names."""
    bits = 0
    for name in names:
        bits |= int(getattr(_engine(), FLAGS[name]))
    return bits


def search(pattern: Any, text: str, *, full: bool = False) -> Any:
    """Search a text, its accents composed, for a compiled pattern.

    Returns:
        The match, or None.

    Raises:
        ScoringError: the search timed out.
    """
    find = pattern.fullmatch if full else pattern.search
    try:
        return find(composed(text), timeout=TIMEOUT_S)
    except TimeoutError:
        raise ScoringError(
            f"the regular expression {pattern.pattern!r} timed out after {TIMEOUT_S:g} s on an "
            f"output of {len(text)} characters; avoid nested repeats such as `(a+)+`"
        ) from None


def find_all(pattern: Any, text: str) -> list[Any]:
    """Return all matches of a compiled pattern in a text whose accents are composed.

    Raises:
        ScoringError: the search timed out.
    """
    try:
        return list(pattern.finditer(composed(text), timeout=TIMEOUT_S))
    except TimeoutError:
        raise ScoringError(
            f"the regular expression {pattern.pattern!r} timed out after {TIMEOUT_S:g} s on an "
            f"output of {len(text)} characters"
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
    """Whether a pattern matches every probe, so that probably no output can fail it.

    A pattern with a lookahead or lookbehind is assumed to exclude something.
    """
    if any(mark in pattern.pattern for mark in ("(?!", "(?<!", "(?=", "(?<=")):
        return False
    find = pattern.fullmatch if full else pattern.search
    try:
        return all(find(probe, timeout=TIMEOUT_S / 10) for probe in _PROBES)
    except TimeoutError:
        return False
