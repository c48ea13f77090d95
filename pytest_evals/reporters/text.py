"""Shared by text formats: files written piece by piece, trials as rows of plain cells."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_evals.ground.errors import ReportError
from pytest_evals.ground.files import replacing
from pytest_evals.report import Report
from pytest_evals.result import TrialResult
from pytest_evals.score import ScoreError

Cell = str | int | float | bool | None

COLUMNS: dict[str, type] = {
    "run": str,
    "dataset": str,
    "trial": str,
    "case": str,
    "model": str,
    "sample": int,
    "outcome": str,
    "tolerated": bool,
    "score": float,
    "failing": str,
    "reasons": str,
    "error": str,
    "error_message": str,
    "answer": str,
    "tags": str,
    "input_tokens": int,
    "output_tokens": int,
    "cached_tokens": int,
    "reasoning_tokens": int,
    "cost_usd": float,
    "latency_s": float,
    "duration_s": float,
    "retries": int,
}
"""The first columns of every table of trials, with their types; a cell may be empty."""


def count_noun(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 case``, ``3,000 cases``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """Write a text piece by piece; an existing file is replaced completely, or stays as it is.

    Raises:
        ReportError: the file cannot be written; the error says why.
    """
    try:
        with replacing(path) as file:
            for piece in pieces:
                file.write(piece.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise ReportError(f"{error.strerror or error}") from None


def scorer_names(report: Report) -> list[str]:
    """Return the names of all scorers, including those that could not score; reads every trial."""
    return sorted({score.name for result in report.trials() for score in result.scores})


def trial_rows(report: Report, names: list[str]) -> Iterator[list[Cell]]:
    """Yield a row per trial: the cells of `COLUMNS`, then one cell for each of these scorers.

    A scorer's cell is its value; 1 or 0 for a verdict without a value; the label for a label
    without either; empty without a score. Of several scores of one name it is the least.
    """
    for result in report.trials():
        yield [*_fixed(report.run.id, result), *_scores(result, names)]


def _fixed(run: str, result: TrialResult) -> list[Cell]:
    """Return the cells of `COLUMNS`."""
    usage, error = result.usage, result.error
    failing = [s for s in result.scores if isinstance(s, ScoreError) or s.passed is False]
    reasons = (s.message if isinstance(s, ScoreError) else s.reason for s in failing)
    return [
        run,
        result.dataset,
        result.id,
        result.case_id,
        result.model_id,
        result.sample,
        result.outcome.value,
        result.tolerated,
        result.score,
        " ".join(s.name for s in failing),
        "\n".join(f"{s.name}: {text}" for s, text in zip(failing, reasons, strict=True)),
        None if error is None else error.type,
        None if error is None else error.message,
        result.answer,
        " ".join(result.tags),
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
        result.cost_usd,
        result.latency_s,
        result.duration_s,
        result.retries,
    ]


def _scores(result: TrialResult, names: list[str]) -> Iterator[Cell]:
    """Yield a trial's cell for each scorer name."""
    cells: dict[str, Cell] = {}
    for score in result.scores:
        if isinstance(score, ScoreError):
            continue
        verdict = None if score.passed is None else int(score.passed)
        value = score.value if score.value is not None else verdict
        cell: Cell = value if value is not None else score.label
        earlier = cells.get(score.name)
        if isinstance(earlier, int | float) and isinstance(cell, int | float):
            cell = min(earlier, cell)
        cells[score.name] = cell
    return (cells.get(name) for name in names)
