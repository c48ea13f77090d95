"""``pytest-evals import FILE…``: runs of other machines, taken into the store."""

import argparse
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_evals.cli.tables import Help, add_output

if TYPE_CHECKING:
    from pytest_evals.cli.bundle import Bundle
    from pytest_evals.ground.redaction import Redactor
    from pytest_evals.responses.base import ResponseStore
    from pytest_evals.result import TrialResult
    from pytest_evals.run import Run
    from pytest_evals.storage.sqlite import SqliteRunStore

_UNFINISHED = "importing"
"""The option of a run that an import has begun and not ended."""

_EPILOG = """\
examples:
  pytest-evals import run.jsonl
  pytest-evals import nightly/*.jsonl --json

`pytest-evals export RUN -o run.jsonl` writes such a file. A file is taken in whole or not at all:
each line has a digest, so one that was changed, cut off or lost is named and nothing is stored.
What is secret here is taken out. A run that is here already is left as it is (new scores of people
are added); another run of the same id is never overwritten. Stored answers are added where there
are none for the same question.

exit status: 0 when all runs are in the store, 1 when one is refused; 4 for usage."""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    from pytest_evals.cli.store_options import add_store

    parser = subparsers.add_parser(
        "import",
        help="take in runs that another machine exported",
        description="Take runs that `pytest-evals export` wrote into the store, with all attempts, "
        "scores and what people said, so that they can be shown, compared, merged and accepted as "
        "baselines here.",
        epilog=_EPILOG,
        formatter_class=Help,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a run's bundle")
    add_store(parser)
    add_output(parser)
    parser.set_defaults(run=run)


@dataclass(slots=True)
class _Taken:
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


def run(args: argparse.Namespace) -> int:
    """Take all files in; 1 where one is refused."""
    from pytest_evals.cli.host import redactor
    from pytest_evals.cli.store_options import say_json, store_path
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.responses.sqlite import SqliteResponseStore
    from pytest_evals.storage.sqlite import SqliteRunStore

    clean = redactor()
    store = SqliteRunStore(store_path(args.store))
    answers = SqliteResponseStore(store.path)
    found: list[_Taken] = []
    try:
        for path in args.files:
            taken = _Taken(path)
            found.append(taken)
            try:
                _take(taken, store, answers, clean)
            except StoreError as error:
                taken.error = str(error)
    finally:
        answers.close()
        store.close()
    if args.json:
        say_json({"schema": 1, "files": [taken.json() for taken in found]})
    else:
        _tell(args, found)
    return int(any(taken.error for taken in found))


def _take(
    taken: _Taken, store: "SqliteRunStore", answers: "ResponseStore", redactor: "Redactor"
) -> None:
    """Take one file in.

    Raises:
        StoreError: it is not right, or the store holds another run of its id.
    """
    from pytest_evals.cli.bundle import checked
    from pytest_evals.report import redact_value

    bundle = checked(taken.path)
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
    from pytest_evals.cli.bundle import read_bundle
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
    from pytest_evals.run import RunStatus

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

    from pytest_evals.cli.bundle import attempts_of
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
    from pytest_evals.cli.bundle import Label, read_bundle
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
    from pytest_evals.cli.bundle import read_bundle
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


def _tell(args: argparse.Namespace, found: "list[_Taken]") -> None:
    """Print what became of each file."""
    from pytest_evals.cli.tables import Paper, counted

    paper = Paper.of(args)
    for taken in found:
        if taken.error:
            paper.sentence(taken.error, "red")
            continue
        more = [
            counted(number, noun)
            for number, noun in (
                (taken.trials, "trial"),
                (taken.labels, "score") if taken.labels else (0, ""),
                (taken.answers, "stored answer") if taken.answers else (0, ""),
            )
            if noun and (number or taken.new)
        ]
        what = ("taken in" if taken.new else "is here already") + (
            f", {', '.join(more)} added" if more else ""
        )
        paper.sentence(f"{taken.path}: run {taken.run} {what}")
