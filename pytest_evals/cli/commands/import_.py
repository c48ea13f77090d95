"""``pytest-evals import FILE…``: runs of other machines, taken into the store."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_output, add_store
from pytest_evals.cli.output import Paper, say_json
from pytest_evals.cli.stores import store_path

if TYPE_CHECKING:
    from pytest_evals.archive.bundle_import import ImportedFile


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


class ImportCommand:
    """The command ``pytest-evals import``."""

    name = "import"
    help = "take in runs that another machine exported"
    description = (
        "Take runs that `pytest-evals export` wrote into the store, with all attempts, "
        "scores and what people said, so that they can be shown, compared, merged and accepted as "
        "baselines here."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a run's bundle")
        add_store(parser)
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Take all files in; 1 where one is refused."""
        from pytest_evals.archive.bundle_import import ImportedFile, import_bundle
        from pytest_evals.cli.host import redactor
        from pytest_evals.ground.errors import StoreError
        from pytest_evals.responses.sqlite import SqliteResponseStore
        from pytest_evals.storage.sqlite import SqliteRunStore

        clean = redactor()
        store = SqliteRunStore(store_path(args.store))
        answers = SqliteResponseStore(store.path)
        found: list[ImportedFile] = []
        try:
            for path in args.files:
                taken = ImportedFile(path)
                found.append(taken)
                try:
                    import_bundle(taken, store, answers, clean)
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


def _tell(args: argparse.Namespace, found: "list[ImportedFile]") -> None:
    """Print what became of each file."""
    from pytest_evals.ground.plain_text import counted

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
