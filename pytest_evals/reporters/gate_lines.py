"""The gates of a run as lines of text: a table, failures first, and why where that is not told."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_evals.ground.plain_text import (
    FEWEST_CASES,
    counted,
    cut_middle,
    display_width,
    neutral,
    table,
)
from pytest_evals.metrics.metric import interval_text
from pytest_evals.verdict.gate.words import format_number

_ORDER = ("failed", "incomplete", "inconclusive", "skipped", "passed")
_NOT_EVALUATED = {"incomplete", "skipped"}
"""The verdicts that rest on no number: what there is of one is of a part of the trials."""
_UNITS = {"s": " s", "tokens": " tokens", "USD": " USD"}
_NAME = 24
"""The least columns of a gate's name; a longer one is cut in the middle."""


def gate_lines(
    gates: Sequence[Mapping[str, Any]], width: int, *, with_failed: bool = True
) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Yield lines, each with the gate it is about; the title has none.

    Args:
        gates: verdicts as JSON (`Run.gates`).
        width: of a line, in columns.
        with_failed: False leaves out the sentences of failed gates, which are displayed elsewhere.
    """
    ordered = sorted(gates, key=lambda gate: (not gate["blocking"], _ORDER.index(gate["verdict"])))
    if not ordered:
        return
    title, *lines = _table(ordered, width)
    yield title, None
    for gate, line in zip(ordered, lines, strict=True):
        yield line, gate
        if gate["verdict"] != "passed" and (with_failed or not gate["blocking"]):
            for text in _reason(gate, width):
                yield text, gate


def _table(gates: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Return the table; where it is too wide, without its last columns, then with cut names."""
    several = len({gate["dataset"] for gate in gates}) > 1
    measured = [gate for gate in gates if gate["cases"] >= FEWEST_CASES]
    levels = {gate["confidence"] for gate in measured if gate["low"] is not None}
    level = levels.pop() if len(levels) == 1 else None
    interval = "interval" if level is None else f"{100 * level:g} % interval"
    titles = [*_TITLES, interval]
    rows = [_row(gate, several=several, with_level=level is None) for gate in gates]
    filled = [i for i in range(len(titles)) if any(row[i] for row in rows)]

    def columns() -> list[int]:
        return [max(display_width(row[i]) for row in [tuple(titles), *rows]) for i in filled]

    while len(filled) > len(_TITLES) and sum(columns()) + 2 * (len(filled) - 1) > width:
        filled.pop()
    room = width - sum(columns()[1:]) - 2 * (len(filled) - 1)
    body = [(cut_middle(row[0], max(room, _NAME)), *row[1:]) for row in rows]
    return table([titles[i] for i in filled], [[row[i] for i in filled] for row in body])


_TITLES = ("gate", "verdict", "value", "of")


def _row(gate: Mapping[str, Any], *, several: bool, with_level: bool) -> tuple[str, ...]:
    """Return the cells of a gate; with several datasets, with its own."""
    part = gate.get("slice")
    where = f" [{part['key']}={part['value']}]" if part else ""
    name = f"{gate['dataset']}: " if several else ""
    name += f"{gate['gate']} [{gate['model']}]{where}"
    interval = _interval(gate)
    if interval and with_level and gate["cases"] >= FEWEST_CASES:
        interval += f" ({100 * gate['confidence']:g} %)"
    return neutral(name, lines=False), _verdict(gate), _value(gate), _samples(gate), interval


def _verdict(gate: Mapping[str, Any]) -> str:
    """Return the first words of the sentence, which are the verdict."""
    words, colon, _ = str(gate["sentence"]).partition(":")
    return words if colon and words.split(" (")[0].isupper() else str(gate["verdict"]).upper()


def _value(gate: Mapping[str, Any]) -> str:
    if gate["value"] is None or gate["verdict"] in _NOT_EVALUATED:
        return ""
    if gate["metric"] == "regressions":
        return _points(gate["value"], gate["unit"])
    return format_number(gate["value"]) + _UNITS.get(gate["unit"], "")


def _points(value: float, unit: str) -> str:
    """Write a change: of a rate in points."""
    text = f"{100 * value:+.1f} points" if unit == "rate" else f"{value:+.3g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _interval(gate: Mapping[str, Any]) -> str:
    is_change = gate["metric"] == "regressions"
    if gate["value"] is None or gate["verdict"] in _NOT_EVALUATED:
        return ""

    def write(end: float) -> str:
        if is_change:
            return _points(end, gate["unit"]).removesuffix(" points")
        return format_number(end)

    return interval_text(
        gate["low"], gate["high"], gate["unit"], gate["cases"], write, is_change=is_change
    )


def _samples(gate: Mapping[str, Any]) -> str:
    if not gate["n"]:
        return ""
    cases = counted(gate["cases"], "case")
    return cases if gate["n"] == gate["cases"] else f"{counted(gate['n'], 'sample')} of {cases}"


def _reason(gate: Mapping[str, Any], width: int) -> list[str]:
    """Return the sentence, wrapped."""
    indent, sentence = "    ", str(gate["sentence"])
    if gate["verdict"] in _NOT_EVALUATED:  # the row above has the word
        sentence = sentence.removeprefix(f"{_verdict(gate)}: ")
    return textwrap.wrap(
        neutral(sentence, lines=False),
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
