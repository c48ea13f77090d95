"""``pytest-evals export RUN --format FORMAT``: a stored run as a report, or as a bundle to move."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_run, add_store
from pytest_evals.cli.stores import open_runs, rootdir_of, store_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_evals.report import Report
    from pytest_evals.reporters.base import Reporter
    from pytest_evals.storage.base import RunStore

FORMATS = ("csv", "html", "json", "md", "parquet")
_BINARY = {"parquet"}
BUNDLE = "bundle"
"""The format that is no report: the run itself, for `pytest-evals import`."""

_ENDINGS = {"jsonl": BUNDLE}

_EPILOG = """\
examples:
  pytest-evals export latest -o report.html
  pytest-evals export latest --format csv
  pytest-evals export latest --baseline main: -o report.md
  pytest-evals export latest -o run.jsonl            to be imported elsewhere
  pytest-evals export latest --answers -o run.jsonl  with its stored answers

A bundle (`.jsonl`) holds the complete run: every attempt, the calls of its judges, people's scores,
and with --answers the stored answers. Another machine then needs no call again.

exit status: 0, or 1 if it cannot be written; 4 for usage."""


class ExportCommand:
    """The command ``pytest-evals export``."""

    name = "export"
    help = "write a stored run as a report, or as a bundle to import elsewhere"
    description = (
        "Write a stored run as HTML, Markdown, JSON, CSV or Parquet, or as a bundle "
        "for `pytest-evals import` on another machine. Gates have the verdicts of the session; "
        "with --baseline the run is compared and its gates are evaluated again. JUnit is "
        "pytest's own: --junitxml."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        add_run(parser)
        parser.add_argument(
            "--format",
            metavar="FORMAT",
            help="one of ",
        )
        parser.add_argument(
            "-o",
            "--output",
            metavar="PATH",
            default="-",
            help="the file; `-`, the default, prints it",
        )
        parser.add_argument(
            "--baseline",
            metavar="SOURCE",
            help="compare with this, as --evals-baseline: a file or a folder of baselines, "
            "REVISION:PATH, a run's id, or `latest` (the complete run before)",
        )
        parser.add_argument(
            "--answers", action="store_true", help="in a bundle: the stored answers too"
        )
        add_store(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Write the report."""
        form = _format(args.format, args.output)
        if form == BUNDLE:
            return _bundle(args)
        _refuse_answers(args)
        reporter = _reporter(form)
        store = open_runs(args)
        try:
            report = _report(store, args)
            if args.output == "-":
                _print(reporter, report)
            else:
                _write(reporter, report, Path(args.output))
        finally:
            store.close()
        return 0


def _report(store: "RunStore", args: argparse.Namespace) -> "Report":
    """Return the run as a report, with the sections of installed plugins.

    A plugin's error is a warning; the report has no section of it then.
    """
    from dataclasses import replace

    from pytest_evals.cli.redaction import environment_redactor
    from pytest_evals.ground.plain_text import neutral
    from pytest_evals.registry import Registry
    from pytest_evals.registry.observer_hooks import report_context
    from pytest_evals.report import redact_report
    from pytest_evals.session.stored_report import StoredRuns

    registry = Registry.installed()
    redactor = environment_redactor(registry)
    runs = StoredRuns(store, rootdir_of(store_path(args.store)))
    report = runs.report(store.run(args.run_id), redactor, against=args.baseline)
    context, errors = report_context(registry.hooks, report)
    for error in errors:
        print(f"warning: {neutral(error)}", file=sys.stderr)  # noqa: T201 - error output
    return redact_report(replace(report, context=context), redactor) if context else report


def _refuse_answers(args: argparse.Namespace) -> None:
    """Refuse what has a meaning for bundles alone.

    Raises:
        SettingsError: it is asked for.
    """
    from pytest_evals.ground.errors import SettingsError

    if args.answers:
        raise SettingsError("--answers belongs to a bundle: -o run.jsonl, or --format bundle")


def _bundle(args: argparse.Namespace) -> int:
    """Write the run itself.

    Raises:
        SettingsError: it is to be compared with a baseline.
        StoreError: a record cannot be read, or the run is still running.
        ReportError: the file cannot be written.
    """
    from pytest_evals.archive.bundle_writer import encoded, stored_lines
    from pytest_evals.cli.redaction import environment_redactor
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.registry import Registry
    from pytest_evals.responses.sqlite import SqliteResponseStore
    from pytest_evals.session.redaction import add_run_secrets

    if args.baseline is not None:
        raise SettingsError("a bundle holds the run as it is: leave --baseline to reports")
    store = open_runs(args)
    answers = SqliteResponseStore(store.path, write=False) if args.answers else None
    try:
        run = store.run(args.run_id)
        redactor = environment_redactor(Registry.installed())
        add_run_secrets(redactor, run)
        lines = encoded(stored_lines(store, run, answers), redactor)
        if args.output == "-":
            for line in lines:
                sys.stdout.write(line)  # in ASCII
        else:
            _write_lines(Path(args.output), lines)
    finally:
        store.close()
        if answers is not None:
            answers.close()
    return 0


def _write_lines(path: Path, lines: "Iterable[str]") -> None:
    """Write a file, whole or not at all.

    Raises:
        ReportError: it cannot be written, naming the file.
    """
    from pytest_evals.ground.errors import ReportError
    from pytest_evals.ground.files import replacing

    if path.is_dir():
        raise ReportError(f"{path} is a folder; name a file in it")
    try:
        with replacing(path) as file:
            for line in lines:
                file.write(line.encode("ascii"))
    except OSError as error:
        raise ReportError(f"{path} was not written: {error}") from None


def _format(given: str | None, output: str) -> str:
    """Return the format that is meant.

    Raises:
        SettingsError: a binary format would be printed.
    """
    from pytest_evals.ground.errors import SettingsError

    ending = Path(output).suffix.removeprefix(".")
    form = given or _ENDINGS.get(ending, ending if ending in FORMATS else "json")
    if form in _BINARY and output == "-" and sys.stdout.isatty():
        raise SettingsError(f"{form} is no text; name a file with -o")
    return form


def _reporter(form: str) -> "Reporter":
    """Make the reporter of a format.

    Raises:
        SettingsError: there is none, or this installation lacks what it needs.
        PluginError: a plugin's is not right.
    """
    from pytest_evals.ground.errors import SettingsError, suggest
    from pytest_evals.registry import Registry

    try:
        registry = Registry.installed()
        reporter = registry.reporter(form)
    except ModuleNotFoundError as error:
        raise SettingsError(f"--format {form} needs {error.name}, which is not installed") from None
    if reporter is None:
        hint = suggest(form, (*registry.reporters(), BUNDLE))
        raise SettingsError(f"--format {form}: there is no such reporter.{hint}")
    return reporter()


def _write(reporter: "Reporter", report: "Report", path: Path) -> None:
    """Write a report to a file.

    Raises:
        ReportError: it cannot be written, naming the file.
    """
    from pytest_evals.ground.errors import ReportError

    if path.is_dir():
        raise ReportError(f"{path} is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        reporter.write(report, path)
    except (ReportError, OSError) as error:
        raise ReportError(f"{path} was not written: {error}") from None


def _print(reporter: "Reporter", report: "Report") -> None:
    """Print a report with the bytes of a file, in UTF-8."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="pytest-evals-") as folder:
        path = Path(folder) / "report"
        _write(reporter, report, path)
        sys.stdout.flush()
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
