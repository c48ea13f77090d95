"""Everything that crosses from one process to another, each writer beside its reader.

A worker reads its input, puts each trial on a test report as JSON text, and writes its notes at
its end. Without workers the same attributes pass from the runner to the recorder.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.result import TrialResult
from pytest_evals.run_record import DatasetInfo

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def _infos() -> "TypeAdapter[tuple[DatasetInfo, ...]]":
    """Make the adapter of planned datasets when first needed: only workers send any."""
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[DatasetInfo, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInput:
    """What the controller tells a worker about the session."""

    worker: str
    """The worker's id."""
    run_id: str
    mark: str
    """The mark under which answers of user code may be reused."""
    share: WorkerShare
    """The worker's part of the limits and budgets."""
    seconds: float | None
    """The rest of the session's time; None without a limit."""


def write_worker_input(
    workerinput: dict[str, Any],
    *,
    run_id: str,
    mark: str,
    share: WorkerShare,
    seconds: float | None,
) -> None:
    """Write a worker's input; its id and the number of workers are written by pytest-xdist."""
    workerinput.update(
        evals_run=run_id,
        evals_chain=mark,
        evals_rank=share.rank,
        evals_used=[share.used_usd, share.used_tokens],
        evals_folder=str(share.folder),
        evals_seconds=seconds,
    )


def read_worker_input(config: pytest.Config) -> WorkerInput | None:
    """Read this worker's input; None if this process is not a worker."""
    written: Mapping[str, Any] | None = getattr(config, "workerinput", None)
    if not written:
        return None
    used_usd, used_tokens = written["evals_used"]
    return WorkerInput(
        worker=written["workerid"],
        run_id=written["evals_run"],
        mark=written["evals_chain"],
        share=WorkerShare(
            workers=int(written["workercount"]),
            rank=int(written["evals_rank"]),
            used_usd=float(used_usd),
            used_tokens=int(used_tokens),
            folder=Path(written["evals_folder"]),
        ),
        seconds=written["evals_seconds"],
    )


def write_worker_notes(config: pytest.Config, notes: Iterable[str]) -> None:
    """Write a worker's notes for the controller."""
    output: dict[str, Any] = getattr(config, "workeroutput", {})
    output["evals_notes"] = list(notes)


def read_worker_notes(node: Any) -> list[str]:
    """Read the notes of a worker that has ended; one that crashed has written none."""
    output = getattr(node, "workeroutput", None) or {}
    return list(output.get("evals_notes", ()))


def write_infos(report: pytest.TestReport, infos: tuple[DatasetInfo, ...]) -> None:
    """Put the planned datasets on a report; a worker does so once."""
    report.__dict__["evals_infos"] = _infos().dump_json(infos).decode()


def take_infos(report: pytest.TestReport) -> tuple[DatasetInfo, ...]:
    """Take the planned datasets off a report; empty if it has none."""
    text = report.__dict__.pop("evals_infos", None)
    return _infos().validate_json(text) if text else ()


def write_trial(report: pytest.TestReport, record: str) -> None:
    """Put a trial's record on the report that ends it."""
    report.__dict__["evals_record"] = record


def take_trial(report: pytest.TestReport) -> str | None:
    """Take a trial's record off a report; None if it has none."""
    record: str | None = report.__dict__.pop("evals_record", None)
    return record


def worker_of(report: pytest.TestReport) -> str:
    """Return the id of the worker that made a report; empty without workers."""
    return str(report.__dict__.get("worker_id", ""))


def write_brief(report: pytest.TestReport, text: str) -> None:
    """Put on a report what ``-v`` displays beside its outcome."""
    report.__dict__["evals_brief"] = text


def read_brief(report: pytest.TestReport) -> str | None:
    """Return what ``-v`` displays beside the outcome; None if the report ends no trial."""
    text: str | None = report.__dict__.get("evals_brief")
    return text


def write_word(report: pytest.TestReport, word: str) -> None:
    """Put our own word for the outcome on a report; empty means pytest's word."""
    report.__dict__["evals_word"] = word


def read_word(report: pytest.TestReport) -> str:
    """Return our own word for the outcome; empty if there is none."""
    return str(report.__dict__.get("evals_word", ""))


def write_gate(report: pytest.TestReport) -> None:
    """Mark the report of a gate's verdict."""
    report.__dict__["evals_gate"] = True


def is_gate(report: pytest.TestReport) -> bool:
    """Whether a report is of a gate's verdict."""
    return bool(report.__dict__.get("evals_gate", False))


class LatestTrial:
    """The latest trial of this process, so that its record need not be parsed again."""

    def __init__(self) -> None:
        self._result: TrialResult | None = None

    def put(self, result: TrialResult) -> None:
        """Keep a trial whose record was just written."""
        self._result = result

    def take(self, trial_id: str, record: str) -> TrialResult:
        """Return the trial of a record."""
        result, self._result = self._result, None
        if result is None or result.id != trial_id:
            return TrialResult.model_validate_json(record)
        return result
