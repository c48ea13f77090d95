"""A stored run written as a bundle, line by line."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_evals.archive.bundle import FORMAT, Label, line_digest
from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.redaction import Redactor
from pytest_evals.ground.version import __version__
from pytest_evals.responses.base import ResponseStore, StoredAnswer
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run, RunStatus
from pytest_evals.storage.sqlite import SqliteRunStore


def lines_of(
    run: Run,
    trials: Iterable[TrialResult],
    labels: Iterable[Label],
    answers: Iterable[StoredAnswer],
) -> Iterator[tuple[str, Any]]:
    """Yield the lines of a bundle, but for the end: the kind of each, and its JSON value."""
    yield "bundle", {"format": FORMAT, "by": __version__}
    yield "run", _plain(run)
    for trial in trials:
        yield "trial", _plain(trial)
    for label in labels:
        yield "label", _plain(label)
    for answer in answers:
        yield "answer", _plain(answer)


def _plain(noun: Frozen) -> Any:
    return json.loads(noun.model_dump_json(exclude_defaults=True))


def encoded(lines: Iterable[tuple[str, Any]], redactor: Redactor) -> Iterator[str]:
    """Yield the text of each line of a bundle, redacted and with its digest; the end comes last.

    Args:
        lines: as `lines_of` yields them.
        redactor: takes out what is secret here and was not when the run was stored.
    """
    chain, count = "", 0
    for line_kind, value in lines:
        clean = json.loads(redactor.redact_json(json.dumps(value)))
        chain = line_digest(chain, line_kind, clean)
        count += 1
        yield _line(line_kind, clean, chain)
    end = {"lines": count}
    yield _line("end", end, line_digest(chain, "end", end))


def _line(line_kind: str, value: Any, chain: str) -> str:
    return (
        json.dumps({"kind": line_kind, "digest": chain, "value": value}, separators=(",", ":"))
        + "\n"
    )


def stored_lines(
    store: SqliteRunStore, run: Run, answers: ResponseStore | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield the lines of a stored run's bundle.

    Args:
        store: the runs.
        run: the run.
        answers: where its answers are stored; None leaves them out.

    Raises:
        StoreError: a record cannot be read, or the run is still running.
    """
    if run.status is RunStatus.RUNNING:
        raise StoreError(f"run {run.id} is still running; export it when it has ended")
    keys: dict[str, None] = {}

    def trials() -> Iterator[TrialResult]:
        for attempt in attempts_of(store, run.id):
            keys.update((e.key, None) for e in attempt.exchanges if e.key)
            yield attempt

    labels = (Label(trial=trial, score=score) for trial, score in store.labels(run.id))
    # The trials come first, so their keys are known when it comes to the answers.
    return lines_of(run, trials(), labels, _answers(keys, answers))


def attempts_of(store: SqliteRunStore, run_id: str) -> Iterator[TrialResult]:
    """Yield every attempt of every trial; those of one trial together, the one that counts last.

    Raises:
        StoreError: there is no such run, or a record cannot be read.
    """
    for row in store.rows(run_id):
        yield from store.attempts(run_id, row.trial)


def _answers(keys: Iterable[str], answers: ResponseStore | None) -> Iterator[StoredAnswer]:
    if answers is None:
        return
    for key in keys:
        answer = answers.get(key)
        if answer is not None:
            yield answer
