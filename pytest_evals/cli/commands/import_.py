"""``pytest-evals import FILE…``: runs of other machines, imported into the store."""

import argparse
from collections.abc import Sequence
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

`pytest-evals export RUN -o run.jsonl` writes such a file. A file is imported as a whole or not at
all. Each line has a digest: a changed, truncated or missing line is reported, nothing is stored.
Secrets of this machine are removed. A run that is stored already stays as it is; only new scores of
people are added. Another run of the same id is never overwritten. Stored answers are added for
requests that have none.

exit status: 0 when all runs are in the store, 1 when one is refused; 4 for usage."""


class ImportCommand:
    """The command ``pytest-evals import``."""

    name = "import"
    help = "import runs that another machine exported"
    description = (
        "Import runs that `pytest-evals export` wrote, with all attempts, scores and people's "
        "scores. They can then be shown, compared, merged and accepted as baselines."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a run's bundle")
        add_store(parser)
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Import all files; 1 if one is refused."""
        from pytest_evals.archive.bundle_import import ImportedFile, import_bundle
        from pytest_evals.cli.redaction import environment_redactor
        from pytest_evals.ground.errors import StoreError
        from pytest_evals.registry import Registry
        from pytest_evals.responses.sqlite import SqliteResponseStore
        from pytest_evals.storage.sqlite import SqliteRunStore

        redactor = environment_redactor(Registry.installed())
        store = SqliteRunStore(store_path(args.store))
        answers = SqliteResponseStore(store.path)
        files = [ImportedFile(path) for path in args.files]
        try:
            for file in files:
                try:
                    import_bundle(file, store, answers, redactor)
                except StoreError as error:
                    file.error = str(error)
        finally:
            answers.close()
            store.close()
        if args.json:
            say_json({"schema": 1, "files": [file.json() for file in files]})
        else:
            _print(Paper.of(args), files)
        return int(any(file.error for file in files))


def _print(paper: Paper, files: "Sequence[ImportedFile]") -> None:
    """Print the outcome of each file."""
    from pytest_evals.ground.plain_text import counted

    for file in files:
        if file.error:
            paper.sentence(file.error, "red")
            continue
        numbers = [(file.trials, "trial")] if file.trials or file.new else []
        numbers += [
            (count, noun)
            for count, noun in ((file.labels, "score"), (file.answers, "stored answer"))
            if count
        ]
        added = ", ".join(counted(count, noun) for count, noun in numbers)
        outcome = ("imported" if file.new else "is stored already") + (
            f", {added} added" if added else ""
        )
        paper.sentence(f"{file.path}: run {file.run} {outcome}")
