"""A bundle taken into a store, whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_evals.archive.bundle import Bundle
from pytest_evals.ground.redaction import Redactor
from pytest_evals.responses.base import ResponseStore
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run
from pytest_evals.storage.sqlite import SqliteRunStore

_UNFINISHED = "importing"
"""The option of a run that an import has begun and not ended."""


@dataclass(slots=True)
class ImportedFile:
    """What became of one file."""

    path: Path
    run: str = ""
    new: bool = False
    """Whether the run was not here before."""
    trials: int = 0
    """Attempts that were added."""
    labels: int = 0
    answers: int = 0
    error: str = ""

    def json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        if self.error:
            return {"path": str(self.path), "run": self.run or None, "error": self.error}
        added = {"trials": self.trials, "labels": self.labels, "answers": self.answers}
        return {"path": str(self.path), "run": self.run, "new": self.new, "added": added}


def import_bundle(
    taken: ImportedFile, store: "SqliteRunStore", answers: "ResponseStore", redactor: "Redactor"
) -> None:
    """Take one file in.

    Raises:
        StoreError: it is not right, or the store holds another run of its id.
    """
    from pytest_evals.archive.bundle_reader import checked
    from pytest_evals.ground.redaction import declared_secrets
    from pytest_evals.report import redact_value

    bundle = checked(taken.path)
    models = [model for info in bundle.run.datasets for model in info.models]
    options = [(model.options, model.params) for model in models]
    redactor.add_secrets(declared_secrets(options, os.environ), ())
    its = redact_value(bundle.run, redactor)
    taken.run = its.id
    here = _here(store, its.id)
    if here is not None and _UNFINISHED in here.options:
        store.forget(its.id)  # an import that was killed
        here = None
    if here is None:
        _write(bundle, its, store, redactor)
        taken.new, taken.trials = True, bundle.trials
    else:
        _same_or_refused(bundle, its, store, redactor)
    taken.labels = _add_labels(bundle, store, redactor)
    taken.answers = _add_answers(bundle, answers, redactor)


def _here(store: "SqliteRunStore", run_id: str) -> "Run | None":
    """Return the stored run of exactly this id; None where there is none."""
    from pytest_evals.ground.errors import StoreError

    with suppress(StoreError):
        found = store.run(run_id)
        return found if found.id == run_id else None
    return None


def _trials(bundle: "Bundle", redactor: "Redactor") -> "Iterator[TrialResult]":
    """Yield the attempts of a bundle, redacted."""
    from pytest_evals.archive.bundle_reader import read_bundle
    from pytest_evals.report import redact_value

    for kind, noun in read_bundle(bundle.path):
        if kind == "trial":
            yield redact_value(noun, redactor)
        elif kind in {"label", "answer"}:
            return


def _write(bundle: "Bundle", its: "Run", store: "SqliteRunStore", redactor: "Redactor") -> None:
    """Write a run and its trials.

    Raises:
        StoreError: it cannot be written; then nothing of it is left in the store.
    """
    from pytest_evals.run_record import RunStatus

    begun = {"status": RunStatus.RUNNING, "options": {**its.options, _UNFINISHED: True}}
    store.begin(its.model_copy(update=begun))
    try:
        for result in _trials(bundle, redactor):
            store.append(its.id, result.model_dump_json(exclude_defaults=True), result)
        store.seal(its)
    except BaseException:
        store.abandon(its.id)
        raise


def _same_or_refused(
    bundle: "Bundle", its: "Run", store: "SqliteRunStore", redactor: "Redactor"
) -> None:
    """Do nothing where the store holds this very run.

    Raises:
        StoreError: it holds another one of the same id.
    """
    from itertools import zip_longest

    from pytest_evals.archive.bundle_writer import attempts_of
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.report import redact_value

    kept = redact_value(store.run(its.id), redactor)
    here = (redact_value(result, redactor) for result in attempts_of(store, its.id))
    both = zip_longest(_trials(bundle, redactor), here)
    if kept != its or any(one != other for one, other in both):
        raise StoreError(
            f"{bundle.path}: {store.path} holds another run {its.id}; nothing was changed. Name "
            "another store with --store to take it in"
        )


def _add_labels(bundle: "Bundle", store: "SqliteRunStore", redactor: "Redactor") -> int:
    """Add what people said and the store does not hold yet; return how many there were."""
    from pytest_evals.archive.bundle import Label
    from pytest_evals.archive.bundle_reader import read_bundle
    from pytest_evals.report import redact_value

    known = {(trial, score) for trial, score in store.labels(bundle.run.id)}
    added = 0
    for _, noun in read_bundle(bundle.path) if bundle.labels else ():
        if not isinstance(noun, Label):
            continue
        label = redact_value(noun, redactor)
        if (label.trial, label.score) not in known:
            store.label(bundle.run.id, label.trial, label.score)
            added += 1
    return added


def _add_answers(bundle: "Bundle", answers: "ResponseStore", redactor: "Redactor") -> int:
    """Add the stored answers to questions that have none here; return how many there were."""
    from pytest_evals.archive.bundle_reader import read_bundle
    from pytest_evals.report import redact_value
    from pytest_evals.responses.base import StoredAnswer

    added = 0
    for _, noun in read_bundle(bundle.path) if bundle.answers else ():
        if isinstance(noun, StoredAnswer) and answers.get(noun.key) is None:
            # The Key and the parts are digests, which no secret is in.
            kept = {"key": noun.key, "parts": noun.parts}
            answers.put(redact_value(noun, redactor).model_copy(update=kept))
            added += 1
    return added
