"""``pytest-evals export RUN --format FORMAT``: a stored run, written by any reporter."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_evals.report import Report
    from pytest_evals.reporters.base import Reporter

FORMATS = ("csv", "html", "json", "md", "parquet")
_BINARY = {"parquet"}


_EPILOG = """\
examples:
  pytest-evals export latest -o report.html
  pytest-evals export latest --format csv
  pytest-evals export latest --baseline main: -o report.md

exit status: 0, or 1 where it cannot be written; 4 for usage."""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    from pytest_evals.cli.stored import add_store
    from pytest_evals.cli.tables import Help

    parser = subparsers.add_parser(
        "export",
        help="write a stored run as HTML, Markdown, JSON, CSV or Parquet",
        description="Write a stored run as a report. Gates stand as the session judged them; with "
        "--baseline the run is compared and judged again. JUnit is pytest's own: --junitxml.",
        epilog=_EPILOG,
        formatter_class=Help,
    )
    parser.add_argument(
        "run_id", metavar="RUN", help="a run's id, the beginning of one, or `latest`"
    )
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        help=f"one of {', '.join(FORMATS)}, or a plugin's; by default what the ending of --output "
        "says, else json",
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", default="-", help="the file; `-`, the default, prints it"
    )
    parser.add_argument(
        "--baseline",
        metavar="SOURCE",
        help="compare with this, as --evals-baseline: a file or a folder of baselines, "
        "REVISION:PATH, a run's id, or `latest` (the complete run before)",
    )
    add_store(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the report."""
    from pytest_evals.cli.judged import Stored, rootdir_of, with_sections
    from pytest_evals.cli.stored import open_runs, store_path

    form = _format(args.format, args.output)
    reporter = _reporter(form)
    printed = args.output == "-"
    store = open_runs(args)
    try:
        stored = Stored(store, rootdir_of(store_path(args.store)))
        report = with_sections(stored.report(store.run(args.run_id), args.baseline))
        if not printed:
            _write(reporter, report, Path(args.output))
            return 0
        _print(reporter, report)
    finally:
        store.close()
    return 0


def _format(given: str | None, output: str) -> str:
    """Return the format that is meant.

    Raises:
        SettingsError: a binary format would be printed.
    """
    from pytest_evals.errors import SettingsError

    ending = Path(output).suffix.removeprefix(".")
    form = given or (ending if ending in FORMATS else "json")
    if form in _BINARY and output == "-" and sys.stdout.isatty():
        raise SettingsError(f"{form} is no text; name a file with -o")
    return form


def _reporter(form: str) -> "Reporter":
    """Make the reporter of a format.

    Raises:
        SettingsError: there is none, or this installation lacks what it needs.
        PluginError: a plugin's is not right.
    """
    from pytest_evals.errors import SettingsError, suggest
    from pytest_evals.registry import Registry

    try:
        registry = Registry.installed()
        found = registry.reporter(form)
    except ModuleNotFoundError as error:
        raise SettingsError(f"--format {form} needs {error.name}, which is not installed") from None
    if found is None:
        known = suggest(form, registry.reporters())
        raise SettingsError(f"--format {form}: no reporter is called so.{known}")
    return found()


def _write(reporter: "Reporter", report: "Report", path: Path) -> None:
    """Write a report to a file.

    Raises:
        ReportError: it cannot be written, naming the file.
    """
    from pytest_evals.errors import ReportError

    if path.is_dir():
        raise ReportError(f"{path} is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        reporter.write(report, path)
    except (ReportError, OSError) as error:
        raise ReportError(f"{path} was not written: {error}") from None


def _print(reporter: "Reporter", report: "Report") -> None:
    """Print a report as it would stand in a file, in UTF-8."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="pytest-evals-") as folder:
        path = Path(folder) / "report"
        _write(reporter, report, path)
        sys.stdout.flush()
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
