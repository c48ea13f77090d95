"""``pytest-evals baseline show|check|accept``: the committed baselines, read, checked, added to."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_evals.cli.tables import Help, add_output

if TYPE_CHECKING:
    from pytest_evals.cli.staleness import Checked
    from pytest_evals.run import DatasetInfo, Run
    from pytest_evals.storage.base import RunStore
    from pytest_evals.storage.run_baseline import Target, Written
    from pytest_evals.verdict.baseline import Baseline

_EPILOG = """\
examples:
  pytest-evals baseline show            every baseline below this folder
  pytest-evals baseline check --strict  in CI: whole, and none is stale
  pytest-evals baseline accept latest   add the newest run to the baselines

A baseline is baselines/<dataset>.jsonl beside the dataset: for every case and model how often it
passed, run by run. It is committed, and `no regressions` compares with it."""

_SHOW = """\
examples:
  pytest-evals baseline show evals/support.evals.yaml
  pytest-evals baseline show baselines/support.jsonl --limit 0
  pytest-evals baseline show main:baselines/support.jsonl

exit status: 0, or 1 where there is none or one cannot be read; 4 for usage."""

_CHECK = """\
examples:
  pytest-evals baseline check
  pytest-evals baseline check evals/support.evals.yaml --strict

A line is stale when the case asks something else by now, or asserts otherwise: it is not compared
until a run of the case is added. A changed prompt or model is what baselines are there to judge; it
is told, and is not stale.

exit status: 0 when every file is whole; 1 when one is not (cut off, edited by hand, an unresolved
merge, of a newer version), with file:line for each problem, or, with --strict, when lines are
stale, cases have none, or lines have no case; 4 for usage."""

_ACCEPT = """\
examples:
  pytest-evals baseline accept latest
  pytest-evals baseline accept 20261121-0915 --dataset support
  pytest-evals baseline accept latest --reset

It writes what --evals-update-baseline (with --reset: --evals-reset-baseline) would have written at
the end of that run, byte for byte: the run is added to what is there, whether it was good or bad,
a changed definition replaces the case's line, and of a part of the cases only these are touched.
Accepting a run again changes nothing.

exit status: 0 when the files hold the run, 1 when they cannot, 4 for usage."""


_PATHS = (
    "a baseline's file, a folder of them, or a dataset's file; by default every baseline below "
    "this folder"
)


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "baseline",
        help="show, check or add to the committed baselines",
        description="Show and check the committed baselines, or add a stored run to them.",
        epilog=_EPILOG,
        formatter_class=Help,
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_show(verbs)
    _add_check(verbs)
    _add_accept(verbs)


def _add_show(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from pytest_evals.cli.store_options import number

    show = verbs.add_parser(
        "show",
        help="show baselines: cases, runs added, pass rates",
        description="Show baselines: for each model its cases, the runs that were added and the "
        "pass rate, then case by case.",
        epilog=_SHOW,
        formatter_class=Help,
    )
    show.add_argument("paths", nargs="*", metavar="PATH", help=f"{_PATHS}; or REVISION:PATH of git")
    show.add_argument(
        "--limit",
        type=number,
        default=40,
        metavar="N",
        help="at most so many lines of each (default: 40; 0 shows all)",
    )
    add_output(show)
    show.set_defaults(run=run_show)


def _add_check(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = verbs.add_parser(
        "check",
        help="say what is wrong with baselines, and which lines are stale",
        description="Read baselines and say what is wrong with them, line by line; compare them "
        "with their datasets and say which lines are stale.",
        epilog=_CHECK,
        formatter_class=Help,
    )
    check.add_argument("paths", nargs="*", metavar="PATH", help=_PATHS)
    check.add_argument("--strict", action="store_true", help="exit with 1 for stale lines too")
    add_output(check)
    check.set_defaults(run=run_check)


def _add_accept(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from pytest_evals.cli.store_options import add_dataset, add_run, add_store

    accept = verbs.add_parser(
        "accept",
        help="add a stored run to its datasets' baselines",
        description="Add a stored run to its datasets' baselines, as its session would have done.",
        epilog=_ACCEPT,
        formatter_class=Help,
    )
    add_run(accept)
    add_store(accept)
    add_dataset(accept)
    accept.add_argument(
        "--reset", action="store_true", help="begin anew: the lines of what ran hold this run alone"
    )
    add_output(accept)
    accept.set_defaults(run=run_accept)


@dataclass(frozen=True, slots=True)
class Named:
    """A baseline that is meant."""

    path: Path
    """The file; it need not be there."""
    shown: str
    """What it is called in messages."""
    dataset: Path | None = None
    """The dataset's file, where that was named."""


def find_files(paths: Sequence[str]) -> list[Named]:
    """Return the baselines that are meant.

    Args:
        paths: baselines' files, folders of them, or datasets' files; empty: every file in a folder
            ``baselines`` below the working directory.

    Raises:
        StoreError: there is none.
        DatasetError: a dataset is not right.
    """
    from pytest_evals.cli.staleness import load_dataset
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.storage.baseline_file import FOLDER, baseline_path

    if not paths:
        found = [Named(path, path.as_posix()) for path in sorted(below(Path()))]
        if not found:
            raise StoreError(
                f"no folder {FOLDER}/ with a baseline below {Path.cwd()}; make one with "
                "`pytest --evals --evals-update-baseline`, or `pytest-evals baseline accept latest`"
            )
        return found
    named = []
    for text in paths:
        path = Path(text)
        if path.is_dir():
            inside = sorted(path.glob("*.jsonl")) or sorted(path.glob(f"{FOLDER}/*.jsonl"))
            if not inside:
                raise StoreError(f"{text}: no baseline is in this folder")
            named += [Named(one, one.as_posix()) for one in inside]
        elif path.is_file() and not _is_baseline(path):
            of = baseline_path(path, load_dataset(path).name)
            named.append(Named(of, of.as_posix(), path))
        else:
            named.append(Named(path, text))
    return named


def below(folder: Path) -> Iterator[Path]:
    """Yield the baselines below a folder; hidden ones and those of installed packages are not."""
    import os

    from pytest_evals.storage.baseline_file import FOLDER

    for here, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f[0] != "." and f not in {"node_modules", "venv"}]
        if Path(here).name == FOLDER:
            yield from (Path(here) / file for file in files if file.endswith(".jsonl"))


def _is_baseline(path: Path) -> bool:
    """Whether a file is, or wants to be, a baseline."""
    if path.suffix != ".jsonl" or path.name.endswith(".evals.jsonl"):
        return False
    with path.open("rb") as file:
        return b'"$dataset"' not in file.readline(4096)


def run_show(args: argparse.Namespace) -> int:
    """Print baselines."""
    from pytest_evals.cli.store_options import say_json
    from pytest_evals.cli.tables import Paper

    read = list(_read(args.paths))
    if args.json:
        say_json({"schema": 1, "baselines": [_json(shown, one) for shown, one in read]})
        return 0
    paper = Paper.of(args)
    for i, (shown, one) in enumerate(read):
        if i:
            paper.say()
        _show(paper, shown, one, args.limit)
    return 0


def _read(paths: Sequence[str]) -> "Iterator[tuple[str, Baseline]]":
    """Read the baselines that are meant, also of a git revision.

    Raises:
        StoreError: one is not there, or is not right.
    """
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.storage.baseline_file import find_baseline, load_baseline

    def no_run(name: str) -> "Baseline":
        raise StoreError(f"{name} is no file; `pytest-evals show {name}` shows a run")

    here = Path.cwd()
    for text in paths or [""]:
        revision, colon, inside = text.partition(":")
        if colon and len(revision) > 1 and inside and not Path(text).exists():
            of = Path(inside).stem
            found = find_baseline(
                text, rootdir=here, dataset=of, dataset_path=here / "x", run=no_run
            )
            yield found.name, found.baseline
            continue
        for named in find_files([text] if text else []):
            yield named.shown, load_baseline(named.path, shown=named.shown)


def _show(paper: Any, shown: str, one: "Baseline", limit: int) -> None:
    from pytest_evals.cli.tables import counted, level, span
    from pytest_evals.ground.plain_text import format_cost, format_seconds

    cases = {line.case for line in one.lines}
    paper.sentence(
        f"{shown}: dataset {one.dataset}, {counted(len(cases), 'case')}, "
        f"{counted(len(one.models), 'model')}",
        "bold",
    )
    models = []
    for model, row in _by_model(one).items():
        models.append(
            [
                model,
                f"{row['cases']:,}",
                _runs_text(row["runs"]),
                f"{row['passes']:,}/{row['n']:,}",
                level(row["rate"], rate=True),
                span(row["low"], row["high"], rate=True),
                "yes" if row["recorded"] else "no",
            ]
        )
    titles = ["model", "cases", "runs", "passed", "rate", "95% interval", "recorded"]
    paper.table(titles, models, "<>>>>><")
    paper.say()
    rows = []
    for line in one.lines[: limit or None]:
        scores = ", ".join(f"{name} {line.number(name) or 0:.3g}" for name in line.scorers)
        rows.append(
            [
                f"{line.case}[{line.model}]",
                f"{line.passes}/{line.n}",
                str(len(line.runs)),
                format_seconds(line.mean("latency_s")),
                format_cost(line.mean("cost_usd")),
                scores,
            ]
        )
    paper.table(["case", "passed", "runs", "latency", "cost", "scores"], rows, "<>>>><")
    if len(rows) < len(one.lines):
        paper.say(f"and {len(one.lines) - len(rows):,} more (--limit 0 shows all)", "dim")


def _runs_text(runs: Sequence[int]) -> str:
    least, most = runs
    return str(least) if least == most else f"{least} to {most}"


def _by_model(one: "Baseline") -> dict[str, dict[str, Any]]:
    """Return what the lines of each model come to."""
    from pytest_evals.stats.estimate import Estimate
    from pytest_evals.stats.intervals import clustered_rate

    found = {}
    for model in one.models:
        lines = list(one.by_model[model].values())
        rate = clustered_rate([(line.passes, line.n) for line in lines])
        known = rate if isinstance(rate, Estimate) else None
        found[model] = {
            "cases": len(lines),
            "runs": [min(len(i.runs) for i in lines), max(len(i.runs) for i in lines)],
            "passes": sum(line.passes for line in lines),
            "n": sum(line.n for line in lines),
            "rate": known.value if known else None,
            "low": known.low if known else None,
            "high": known.high if known else None,
            "recorded": all(line.recorded for line in lines),
        }
    return found


def _json(shown: str, one: "Baseline") -> dict[str, Any]:
    return {
        "path": shown,
        "dataset": one.dataset,
        "models": _by_model(one),
        "lines": [
            {
                "case": line.case,
                "model": line.model,
                "passes": line.passes,
                "n": line.n,
                "runs": len(line.runs),
                "recorded": line.recorded,
                "scores": {name: line.number(name) for name in line.scorers},
                "latency_s": line.mean("latency_s"),
                "cost_usd": line.mean("cost_usd"),
                "digests": line.digests.model_dump(),
            }
            for line in one.lines
        ],
    }


def run_check(args: argparse.Namespace) -> int:
    """Print what is wrong; 1 where something is."""
    from pytest_evals.cli.staleness import check
    from pytest_evals.cli.store_options import say_json
    from pytest_evals.cli.tables import Paper

    found = [check(named) for named in find_files(args.paths)]
    bad = [one for one in found if one.problems or (args.strict and one.stale)]
    if args.json:
        say_json({"schema": 1, "ok": not bad, "baselines": [one.json() for one in found]})
        return int(bool(bad))
    paper = Paper.of(args)
    for one in found:
        _told(paper, one, strict=args.strict)
    return int(bool(bad))


def _told(paper: Any, one: "Checked", *, strict: bool) -> None:
    from pytest_evals.cli.tables import counted

    for problem in one.problems:
        paper.sentence(problem, "red")
    if one.problems:
        return
    paper.sentence(f"{one.shown}: whole, {counted(one.lines, 'line')}", "green")
    for label, items in one.groups():
        styles = ("red",) if strict and label in one.STALE else ("yellow",)
        paper.sentence(f"{label}: {', '.join(items)}", *styles, indent=2)
    for note in one.notes:
        paper.sentence(note, "dim", indent=2)


def run_accept(args: argparse.Namespace) -> int:
    """Add a run to its datasets' baselines."""
    from pytest_evals.cli.store_options import open_runs, say_json, store_path
    from pytest_evals.cli.stored_report import rootdir_of
    from pytest_evals.cli.tables import Paper

    store = open_runs(args)
    try:
        its = store.run(args.run_id)
        written = _accept(args, store, its, rootdir_of(store_path(args.store)))
    finally:
        store.close()
    if args.json:
        told = [
            {"dataset": name, "path": target.shown, "changed": one.changed, "lines": one.lines}
            for name, target, one in written
        ]
        say_json({"schema": 1, "run": its.id, "baselines": told})
        return 0
    paper = Paper.of(args)
    for _, _, one in written:
        paper.sentence(one.sentence)
    return 0


def _accept(
    args: argparse.Namespace, store: "RunStore", its: "Run", rootdir: Path
) -> "list[tuple[str, Target, Written]]":
    """Write the baselines; all that are there are read before one is written.

    Raises:
        StoreError: the run cannot be a baseline, or a file cannot be read or written.
    """
    from pytest_evals.cli.compare_operands import Runs
    from pytest_evals.storage.run_baseline import add_to_baseline, dataset_of, is_replayed

    _refuse(its)
    infos = [dataset_of(its, args.dataset)] if args.dataset else list(its.datasets)
    targets = [(info, _target(info, rootdir)) for info in infos if info.selected]
    runs, written = Runs(store), []
    for info, target in targets:
        table = runs.table(its, info.name)
        one = add_to_baseline(target, table, info, replayed=is_replayed(its), reset=args.reset)
        written.append((info.name, target, one))
    return written


def _refuse(its: "Run") -> None:
    """Refuse a run that cannot be a baseline.

    Raises:
        StoreError: it says why.
    """
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.run import RunStatus

    if its.status is RunStatus.RUNNING:
        raise StoreError(f"run {its.id} is still going; accept it when it has ended")
    if its.options.get("sanity"):
        raise StoreError(f"run {its.id} is a sanity run (--evals-sanity): it asked no model")
    if not any(info.selected for info in its.datasets):
        raise StoreError(f"run {its.id} ran nothing of any dataset")


def _target(info: "DatasetInfo", rootdir: Path) -> "Target":
    """Return a dataset's own baseline as it is now.

    Raises:
        StoreError: the dataset's folder is gone, or the file that is there is not right.
    """
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.storage.run_baseline import own_target

    file = rootdir / info.path
    if not file.parent.is_dir():
        raise StoreError(
            f"{file.parent}: the folder of dataset {info.name!r} is not there; is this the project "
            "that the store is of?"
        )
    return own_target(info, rootdir)
