"""A bundle imported into a store, whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pytest_evals.archive.bundle import Bundle, Label
from pytest_evals.archive.bundle_reader import check_bundle, read_bundle
from pytest_evals.archive.bundle_writer import attempts_of
from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.redaction import Redactor, declared_secrets
from pytest_evals.report import redact_value
from pytest_evals.responses.base import ResponseStore, StoredAnswer
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run, RunStatus
from pytest_evals.storage.sqlite import SqliteRunStore

_UNFINISHED = "importing"
"""The option of a run whose import began and has not ended."""


@dataclass(slots=True)
class ImportedFile:
    """The outcome of importing one file."""

    path: Path
    run: str = ""
    """The id of its run."""
    new: bool = False
    """Whether the run was not stored before."""
    trials: int = 0
    """Attempts that were added."""
    labels: int = 0
    """Scores of people that were added."""
    answers: int = 0
    """Stored answers that were added."""
    error: str = ""
    """Why the file was refused; empty if it was not."""

    def json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        if self.error:
            return {"path": str(self.path), "run": self.run or None, "error": self.error}
        added = {"trials": self.trials, "labels": self.labels, "answers": self.answers}
        return {"path": str(self.path), "run": self.run, "new": self.new, "added": added}


def import_bundle(
    file: ImportedFile, store: SqliteRunStore, answers: ResponseStore, redactor: Redactor
) -> None:
    """Import one file.

    Args:
        file: receives the outcome.
        store: takes the run.
        answers: takes the stored answers.
        redactor: removes what is secret on this machine.

    Raises:
        StoreError: the file is not valid, or the store holds another run of this id.
    """
    bundle = check_bundle(file.path)
    models = [model for info in bundle.run.datasets for model in info.models]
    options = [(model.options, model.params) for model in models]
    redactor.add_secrets(declared_secrets(options, os.environ), ())
    run = redact_value(bundle.run, redactor)
    file.run = run.id
    stored = _stored_run(store, run.id)
    if stored is not None and _UNFINISHED in stored.options:
        store.forget(run.id)  # an import that was killed
        stored = None
    if stored is None:
        _write_run(bundle, run, store, redactor)
        file.new, file.trials = True, bundle.trials
    else:
        _check_same(bundle, run, store, redactor)
    file.labels = _add_labels(bundle, store, redactor)
    file.answers = _add_answers(bundle, answers, redactor)


def _stored_run(store: SqliteRunStore, run_id: str) -> Run | None:
    """Return the stored run of exactly this id; None if there is none."""
    with suppress(StoreError):
        run = store.run(run_id)
        return run if run.id == run_id else None
    return None


def _trials(bundle: Bundle, redactor: Redactor) -> Iterator[TrialResult]:
    """Yield the attempts of a bundle, redacted."""
    for line_kind, noun in read_bundle(bundle.path):
        if line_kind == "trial":
            yield redact_value(noun, redactor)
        elif line_kind in {"label", "answer"}:
            return


def _write_run(bundle: Bundle, run: Run, store: SqliteRunStore, redactor: Redactor) -> None:
    """Write a run and its trials.

    Raises:
        StoreError: it cannot be written; then nothing of it stays in the store.
    """
    unsealed = {"status": RunStatus.RUNNING, "options": {**run.options, _UNFINISHED: True}}
    store.begin(run.model_copy(update=unsealed))
    try:
        for result in _trials(bundle, redactor):
            store.append(run.id, result.model_dump_json(exclude_defaults=True), result)
        store.seal(run)
    except BaseException:
        store.abandon(run.id)
        raise


def _check_same(bundle: Bundle, run: Run, store: SqliteRunStore, redactor: Redactor) -> None:
    """Check that the store holds this very run.

    Raises:
        StoreError: it holds another run of the same id.
    """
    stored = redact_value(store.run(run.id), redactor)
    stored_trials = (redact_value(result, redactor) for result in attempts_of(store, run.id))
    pairs = zip_longest(_trials(bundle, redactor), stored_trials)
    if stored != run or any(trial != other for trial, other in pairs):
        raise StoreError(
            f"{bundle.path}: {store.path} holds another run {run.id}; nothing was changed. Name "
            "another store with --store to import it"
        )


def _add_labels(bundle: Bundle, store: SqliteRunStore, redactor: Redactor) -> int:
    """Add people's scores that the store does not hold; return their number."""
    stored = {(trial, score) for trial, score in store.labels(bundle.run.id)}
    added = 0
    for _, noun in read_bundle(bundle.path) if bundle.labels else ():
        if not isinstance(noun, Label):
            continue
        label = redact_value(noun, redactor)
        if (label.trial, label.score) not in stored:
            store.label(bundle.run.id, label.trial, label.score)
            added += 1
    return added


def _add_answers(bundle: Bundle, answers: ResponseStore, redactor: Redactor) -> int:
    """Add the stored answers to requests without one; return their number."""
    added = 0
    for _, noun in read_bundle(bundle.path) if bundle.answers else ():
        if isinstance(noun, StoredAnswer) and answers.get(noun.key) is None:
            # The key and its parts are digests, which hold no secret.
            digests = {"key": noun.key, "parts": noun.parts}
            answers.put(redact_value(noun, redactor).model_copy(update=digests))
            added += 1
    return added
