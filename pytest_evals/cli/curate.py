"""``pytest-evals curate``: a case, with the script that replays it, of what once happened."""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_evals.cli.curated import Curated
    from pytest_evals.dataset import Dataset
    from pytest_evals.ground.errors import DatasetError
    from pytest_evals.result import TrialResult

_EPILOG = """\
examples:
  pytest-evals curate latest 'refund[app]' --assert 'contains: 30 days'
  pytest-evals curate latest refund --tools -o evals/support.evals.yaml
  pytest-evals curate --otlp trace.json --assert 'icontains: refund'
  pytest-evals curate --otlp traces.jsonl --trace 4bf92f35 --tools

A case is made only if it plays back what happened: it is loaded and run under
`provider: script` before it is written. What the record does not hold (messages
when content capture was off, arguments or results of tools, images) is named,
and the case is refused.

exit status: 0, or 1 where a case was refused or nothing is found; 4 for usage."""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    from pytest_evals.cli.store_options import add_store
    from pytest_evals.cli.tables import Help

    parser = subparsers.add_parser(
        "curate",
        help="make a case of a stored trial or of a trace",
        description="Make a case, with the script that replays it, of a stored trial or of an "
        "OpenTelemetry trace (OTLP/JSON), and print it or add it to a dataset.",
        epilog=_EPILOG,
        formatter_class=Help,
    )
    parser.add_argument(
        "run_id", metavar="RUN", nargs="?", help="a run's id, the beginning of one, or `latest`"
    )
    parser.add_argument(
        "trial",
        metavar="TRIAL",
        nargs="?",
        help="a trial's node id, its name, or a part of it that no other trial has",
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
        "--tools", action="store_true", help="assert that the same tools are called in this order"
    )
    parser.add_argument("--id", metavar="ID", help="the case's id; by default one is made")
    parser.add_argument(
        "--with-trace", action="store_true", help="keep the spans in the script, for their scorers"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="add the case to this dataset (.yaml, .jsonl), which is made where it does not exist",
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of YAML")
    add_store(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the cases; 1 where one is refused."""
    from pytest_evals.cli.store_options import say
    from pytest_evals.ground.errors import DatasetError, EvalsError
    from pytest_evals.ground.plain_text import neutral

    _check_usage(args)
    status, wrote = 0, 0
    for number, made in enumerate(_made(args)):
        name = made.case.get("metadata", {}).get("curated_from", f"case {number + 1}")
        if args.id is not None and number:
            made.lost.append("--id names one case, and there are several: choose one with --trace")
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
            _tell(f"refused: {name}")
        if any("asserts nothing" in reason for reason in reasons):
            reasons.append("say what must hold with --assert 'contains: …', or with --tools")
        for line in [*reasons, *(f"note: {note}" for note in made.notes if not reasons)]:
            _tell(f"  - {line}" if reasons else line)
    if args.output is not None and wrote:
        what = "1 case" if wrote == 1 else f"{wrote} cases"
        say(neutral(f"{args.output}: {what} added", lines=False))
    return status


def _check_usage(args: argparse.Namespace) -> None:
    """Refuse what cannot be meant.

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


def _made(args: argparse.Namespace) -> "Iterator[Curated]":
    """Yield the cases that are asked for, not checked yet."""
    if args.otlp is not None:
        yield from _of_file(args)
        return
    from pytest_evals.cli.curated import of_trial
    from pytest_evals.cli.show import find_trial
    from pytest_evals.cli.store_options import open_runs

    store = open_runs(args)
    try:
        found = store.run(args.run_id)
        name = find_trial(args.trial, [row.trial for row in store.rows(found.id)], found.id)
        yield of_trial(store.attempts(found.id, name)[-1], found.id, trace=args.with_trace)
    finally:
        store.close()


def _of_file(args: argparse.Namespace) -> "Iterator[Curated]":
    """Yield a case of each conversation in a file.

    Raises:
        SettingsError: it cannot be read, or has no such trace.
    """
    from pytest_evals.cli.curated_trace import of_thread, threads_of
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.trace.otlp import OtlpError, read_text

    try:
        traces = read_text(args.otlp.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, OtlpError) as error:
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"{args.otlp}: {why}") from None
    threads = threads_of(traces)
    wanted = (args.trace or "").lower()
    chosen = [
        (name, found)
        for name, found in threads
        if name.lower().startswith(wanted) or any(t.id.startswith(wanted) for t in found)
    ]
    if not chosen:
        names = ", ".join(name for name, _ in threads[:5]) or "none"
        wish = f"no trace begins with {args.trace!r}" if args.trace else "it holds no trace"
        raise SettingsError(f"{args.otlp}: {wish}; it has {len(threads)}: {names}")
    if args.trace and len(chosen) > 1:
        names = ", ".join(name for name, _ in chosen[:5])
        raise SettingsError(f"{args.trace!r} begins {len(chosen)} traces: {names}; write more")
    for name, found in chosen:
        yield of_thread(name, found, trace=args.with_trace)


def _write(made: "Curated", args: argparse.Namespace) -> None:
    """Complete a case, play it, and print or keep it.

    Raises:
        EvalsError: it asserts nothing, does not load, or does not pass.
    """
    from pytest_evals.cli.curated_text import added, dataset_text, item_lines, json_line
    from pytest_evals.cli.store_options import say
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.ground.plain_text import neutral

    case = _complete(made, args)
    path: Path | None = args.output
    if path is None:
        _played(dataset_text(case, "curated"), Path.cwd() / "curated.evals.yaml", case)
        told = [json_line(case)] if args.json else item_lines(case, 2)
        for line in told:
            say(line if args.json else neutral(line))
        return
    try:
        before = path.read_bytes().decode("utf-8") if path.exists() else None
        if before is None and path.suffix.lower() in {".yaml", ".yml"}:
            text = dataset_text(case, path.name.partition(".")[0])
        else:
            text = added(path, before or "", case)
        _played(text, path, case, keep=True)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None


def _complete(made: "Curated", args: argparse.Namespace) -> dict[str, Any]:
    """Return a case with its id and its assertions, in the order of a hand-written one.

    Raises:
        SettingsError: an assertion is no YAML, or there are no tools to assert.
    """
    from pytest_evals.ground.errors import DatasetError, SettingsError
    from pytest_evals.loaders.yaml import YamlLoader

    case = dict(made.case)
    if args.id is not None:
        case["id"] = args.id
    scorers = []
    for written in args.scorers:
        try:
            scorers.append(YamlLoader().parse(written.encode(), "--assert").data)
        except DatasetError as error:
            raise SettingsError(f"--assert {written!r}: {error.problems[0].message}") from None
    if args.tools:
        if not made.tools:
            raise SettingsError("--tools: no tool was called, so there is nothing to assert")
        scorers.append({"tool_sequence": made.tools})
    last = made.script[-1] if made.script else {}
    if last.get("kind") == "error" and not scorers:
        scorers.append({"expected_error": last["error_type"]})
    if scorers:
        case["scorers"] = scorers
    script = case.pop("script")
    return {**case, "script": script}


def _played(text: str, path: Path, case: dict[str, Any], *, keep: bool = False) -> None:
    """Load a dataset's new text and play the new case; put it in its place if all is well.

    Raises:
        EvalsError: it does not load, or the case does not pass.
    """
    from pytest_evals.cli.lint import find_root
    from pytest_evals.ground.errors import DatasetError
    from pytest_evals.loaders.base import LoadContext
    from pytest_evals.loaders.build import load
    from pytest_evals.registry import Registry

    registry = Registry.installed()
    folder = path.absolute().parent
    ending = "".join(path.suffixes[-2:])
    handle, name = tempfile.mkstemp(prefix=".curated-", suffix=ending, dir=folder if keep else None)
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        root = find_root(path) if keep else draft.parent
        try:
            dataset = load(draft, LoadContext(rootdir=root, checker=registry))
        except DatasetError as error:
            raise _renamed(error, draft.name, path.name) from None
        _replay(dataset, case["id"], root, registry)
        if keep:
            if path.exists():
                draft.chmod(path.stat().st_mode & 0o777)
            else:
                draft.chmod(0o644)
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _renamed(error: "DatasetError", draft: str, name: str) -> "DatasetError":
    """Let problems speak of the file that the user knows."""
    from dataclasses import replace

    from pytest_evals.ground.errors import DatasetError

    return DatasetError(
        [replace(one, message=one.message.replace(draft, name)) for one in error.problems]
    )


def _replay(dataset: "Dataset", case_id: str, root: Path, registry: Any) -> None:
    """Run the case under `provider: script`.

    Raises:
        SettingsError: it asserts nothing, or its own record does not pass it.
    """
    from pytest_evals.config import Settings
    from pytest_evals.engine import Engine, EngineDeps
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.matrix import Trial
    from pytest_evals.model import Model
    from pytest_evals.providers.transport import HttpClientPool

    case = next(case for case in dataset.cases if case.id == case_id)
    bounds = registry.scorers_of(dataset, case)
    if not bounds:
        raise SettingsError(
            "the case asserts nothing; say what must hold with --assert 'contains: …', or --tools"
        )
    if any(bound.scorer.models(dataset) for bound in bounds):
        _tell("note: it has judges, which are not asked here, so the case was loaded but not run")
        return
    trial = Trial(dataset, case, Model(id="recorded", provider="script"), 0, 1)
    settings = Settings(rootdir=root, responses="off")
    engine = Engine(settings, EngineDeps(registry=registry, http=HttpClientPool))
    engine.start()
    try:
        engine.expect([trial])
        result = engine.result(trial)
    finally:
        engine.stop()
    if result.outcome.value != "passed":
        raise SettingsError(f"its own record does not pass it: {_why(result)}")


def _why(result: "TrialResult") -> str:
    """Say why a trial did not pass."""
    from pytest_evals.score import ScoreError

    if result.error is not None:
        return f"{result.error.type}: {result.error.message}"
    reasons = [
        f"{score.name}: {score.message if isinstance(score, ScoreError) else score.reason}"
        for score in result.scores
        if isinstance(score, ScoreError) or score.passed is False
    ]
    return "; ".join(reasons)


def _tell(text: str) -> None:
    """Say something beside the output, harmless."""
    from pytest_evals.ground.plain_text import neutral

    print(neutral(text, lines=False), file=sys.stderr)  # noqa: T201 - the command's own voice
