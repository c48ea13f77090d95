"""JsonReporter: the complete report, for programs. `shape` defines its published schema."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from pytest_evals.ground.canonical import Frozen
from pytest_evals.report import Report
from pytest_evals.reporters.shape import (
    VERSION,
    all_verdicts,
    diff_shape,
    overall_decision,
    run_shape,
    trial_shape,
)
from pytest_evals.reporters.text import write_pieces


class JsonReporter:
    """Writes one JSON value with a line per trial, without holding all trials in memory."""

    name: ClassVar[str] = "json"

    def write(self, report: Report, path: Path) -> None:
        """Write a report; an existing file is replaced completely, or stays as it is.

        Raises:
            ReportError: the file cannot be written.
        """
        write_pieces(path, pieces(report))


def pieces(report: Report) -> Iterator[str]:
    """Yield the JSON of a report, piece by piece."""
    evaluations = report.evaluations.values()
    diff = diff_shape(
        [evaluation.diff for evaluation in evaluations if evaluation.diff is not None]
    )
    decision = overall_decision(report)
    yield f'{{\n"schema": {VERSION},\n"run": {run_shape(report).model_dump_json()},\n"trials": ['
    separator = "\n"
    for result in report.trials():
        yield separator + trial_shape(result).model_dump_json()
        separator = ",\n"
    metrics = (metric for evaluation in evaluations for metric in evaluation.metrics)
    confusions = (matrix for evaluation in evaluations for matrix in evaluation.confusions)
    yield f'\n],\n"metrics": [{_lines(metrics)}]'
    yield f',\n"confusions": [{_lines(confusions)}]'
    yield f',\n"gates": [{_lines(all_verdicts(report))}]'
    yield f',\n"diff": {"null" if diff is None else diff.model_dump_json()}'
    yield f',\n"decision": {"null" if decision is None else decision.model_dump_json()}'
    yield f',\n"context": {json.dumps(report.context)}\n}}\n'


def _lines(nouns: Iterable[Frozen]) -> str:
    """Return nouns as JSON, one per line."""
    return ",".join(f"\n{noun.model_dump_json()}" for noun in nouns)
