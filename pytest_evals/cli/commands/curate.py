"""``pytest-evals curate``: a case, with the script that replays it, from a trial or a trace."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_store
from pytest_evals.cli.output import say
from pytest_evals.cli.stores import open_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_evals.curation.draft import CaseDraft

_EPILOG = """\
examples:
  pytest-evals curate latest 'refund[app]' --assert 'contains: 30 days'
  pytest-evals curate latest refund --tools -o evals/support.evals.yaml
  pytest-evals curate --otlp trace.json --assert 'icontains: refund'
  pytest-evals curate --otlp traces.jsonl --trace 4bf92f35 --tools

A case is loaded and run under `provider: script` before it is written, so that
it replays what happened. If the record lacks messages (content capture was
off), arguments or results of tools, or images, the case is refused, and the
gaps are listed.

exit status: 0, or 1 if a case was refused or nothing matches; 4 for usage."""


class CurateCommand:
    """The command ``pytest-evals curate``."""

    name = "curate"
    help = "make a case from a stored trial or a trace"
    description = (
        "Make a case, with the script that replays it, from a stored trial or an "
        "OpenTelemetry trace (OTLP/JSON), and print it or add it to a dataset."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "run_id", metavar="RUN", nargs="?", help="a run's id or its beginning, or `latest`"
        )
        parser.add_argument(
            "trial",
            metavar="TRIAL",
            nargs="?",
            help="a trial's node id, its name, or a part that only it has",
        )
        parser.add_argument(
            "--otlp", type=Path, metavar="FILE", help="traces as OTLP/JSON, one value or one a line"
        )
        parser.add_argument(
            "--trace", metavar="ID", help="with --otlp: the trace or conversation, by its beginning"
        )
        parser.add_argument(
            "--assert",
            dest="scorers",
            action="append",
            default=[],
            metavar="SCORER",
            help="an assertion of the case, in YAML: 'contains: 30 days' (repeatable)",
        )
        parser.add_argument(
            "--tools",
            action="store_true",
            help="assert that the same tools are called in this order",
        )
        parser.add_argument("--id", metavar="ID", help="the case's id; by default one is made")
        parser.add_argument(
            "--with-trace",
            action="store_true",
            help="keep the spans in the script, for their scorers",
        )
        parser.add_argument(
            "-o",
            "--output",
            type=Path,
            metavar="FILE",
            help="add the case to this dataset (.yaml, .jsonl), which is made where it does not "
            "exist",
        )
        parser.add_argument("--json", action="store_true", help="print JSON lines instead of YAML")
        add_store(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Make the cases; 1 if one is refused."""
        from pytest_evals.ground.errors import DatasetError, EvalsError
        from pytest_evals.ground.plain_text import neutral

        _check_usage(args)
        status, wrote = 0, 0
        for number, made in enumerate(_drafts(args)):
            name = made.case.get("metadata", {}).get("curated_from", f"case {number + 1}")
            if args.id is not None and number:
                made.lost.append(
                    "--id names one case, and there are several: choose one with --trace"
                )
            reasons = list(made.lost)
            if not reasons:
                try:
                    _write(made, args)
                    wrote += 1
                except DatasetError as error:
                    reasons = [problem.message for problem in error.problems]
                except EvalsError as error:
                    reasons = [str(error)]
            if reasons:
                status = 1
                note(f"refused: {name}")
            if reasons and not (made.lost or args.scorers or args.tools):
                reasons.append("add --assert 'contains: …', or --tools for its tool calls")
            for line in [*reasons, *(f"note: {text}" for text in made.notes if not reasons)]:
                note(f"  - {line}" if reasons else line)
        if args.output is not None and wrote:
            what = "1 case" if wrote == 1 else f"{wrote} cases"
            say(neutral(f"{args.output}: {what} added", lines=False))
        return status


def _check_usage(args: argparse.Namespace) -> None:
    """Check the combination of arguments.

    Raises:
        SettingsError: neither or both of a trial and a file are named.
    """
    from pytest_evals.ground.errors import SettingsError

    if args.otlp is None and (args.run_id is None or args.trial is None):
        raise SettingsError("say what the case is made of: a RUN and a TRIAL, or --otlp FILE")
    if args.otlp is not None and args.run_id is not None:
        raise SettingsError("a case is made of a stored trial or of --otlp, not of both")
    if args.trace is not None and args.otlp is None:
        raise SettingsError("--trace belongs to --otlp")


def _drafts(args: argparse.Namespace) -> "Iterator[CaseDraft]":
    """Yield the drafted cases, not checked yet."""
    from pytest_evals.archive.trial_lookup import find_trial

    if args.otlp is not None:
        yield from _of_file(args)
        return
    from pytest_evals.curation.from_trial import of_trial

    store = open_runs(args)
    try:
        run = store.run(args.run_id)
        name = find_trial(args.trial, [row.trial for row in store.rows(run.id)], run.id)
        yield of_trial(store.attempts(run.id, name)[-1], run.id, trace=args.with_trace)
    finally:
        store.close()


def _of_file(args: argparse.Namespace) -> "Iterator[CaseDraft]":
    """Yield a case of each conversation in a file.

    Raises:
        SettingsError: the file cannot be read, or has no such trace.
    """
    from pytest_evals.curation.from_trace import of_thread, threads_of
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.trace.otlp import OtlpError, read_text

    try:
        traces = read_text(args.otlp.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, OtlpError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{args.otlp}: {reason}") from None
    threads = threads_of(traces)
    prefix = (args.trace or "").lower()
    chosen = [
        (name, traces_of_thread)
        for name, traces_of_thread in threads
        if name.lower().startswith(prefix) or any(t.id.startswith(prefix) for t in traces_of_thread)
    ]
    if not chosen:
        names = ", ".join(name for name, _ in threads[:5]) or "none"
        problem = f"no trace begins with {args.trace!r}" if args.trace else "it holds no trace"
        raise SettingsError(f"{args.otlp}: {problem}; it has {len(threads)}: {names}")
    if args.trace and len(chosen) > 1:
        names = ", ".join(name for name, _ in chosen[:5])
        raise SettingsError(" begins ")
    for name, traces_of_thread in chosen:
        yield of_thread(name, traces_of_thread, trace=args.with_trace)


def _write(made: "CaseDraft", args: argparse.Namespace) -> None:
    """Complete a case, replay it, and print or write it.

    Raises:
        EvalsError: it has no assertions, does not load, or does not pass.
    """
    from pytest_evals.cli.redaction import environment_redactor
    from pytest_evals.curation.assertions import complete_case
    from pytest_evals.curation.case_text import added, dataset_text, item_lines, json_line
    from pytest_evals.curation.replay import check_by_replay
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.ground.plain_text import neutral
    from pytest_evals.registry import Registry

    case = complete_case(made, case_id=args.id, assertions=args.scorers, tools=args.tools)
    registry = Registry.installed()
    text = json.dumps(case)
    if environment_redactor(registry).redact_json(text) != text:
        raise SettingsError(
            "the case contains a secret: the value of an environment variable, or a text that "
            "looks like a key. Remove it from the record"
        )
    path: Path | None = args.output
    if path is None:
        text = dataset_text(case, "curated")
        _print_notes(check_by_replay(text, Path.cwd() / "curated.evals.yaml", case, registry))
        lines = [json_line(case)] if args.json else item_lines(case, 2)
        for line in lines:
            say(line if args.json else neutral(line))
        return
    try:
        before = path.read_bytes().decode("utf-8") if path.exists() else None
        if before is None and path.suffix.lower() in {".yaml", ".yml"}:
            text = dataset_text(case, path.name.partition(".")[0])
        else:
            text = added(path, before or "", case)
        _print_notes(check_by_replay(text, path, case, registry, keep=True))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None


def _print_notes(notes: "Sequence[str]") -> None:
    """Print notes beside the output."""
    for text in notes:
        note(text)


def note(text: str) -> None:
    """Print an escaped text to the error output."""
    from pytest_evals.ground.plain_text import neutral

    print(neutral(text, lines=False), file=sys.stderr)  # noqa: T201 - error output
