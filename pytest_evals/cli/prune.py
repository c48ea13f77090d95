"""``pytest-evals prune``: old runs taken out of the store, but none that still matters."""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_evals.run import Run
    from pytest_evals.storage.sqlite import SqliteRunStore
    from pytest_evals.verdict.baseline import Baseline

_EPILOG = """\
examples:
  pytest-evals prune --keep 20           what would go: all but the newest 20
  pytest-evals prune --keep 20 --yes     take them out
  pytest-evals prune --older-than 90d --dataset support --yes

Nothing is taken out without --yes. What stays in any case: runs that still go on, runs of which a
baseline below the project's folder holds samples (of runs with the same recorded answers, the
newest), runs that people have scored (--labelled takes these too), and runs whose records cannot
be read, which are named. Baselines of other branches are not looked at. Stored answers stay, so
nothing is paid for again.

exit status: 0, or 1 where a record or a baseline cannot be read; 4 for usage."""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    from pytest_evals.cli.run_filter import moment
    from pytest_evals.cli.runs import STATUSES
    from pytest_evals.cli.store_options import add_store, number
    from pytest_evals.cli.tables import Help, add_output

    parser = subparsers.add_parser(
        "prune",
        help="take old runs out of the store",
        description="Take old runs out of the store, with their trials and scores; never one that "
        "a baseline names.",
        epilog=_EPILOG,
        formatter_class=Help,
    )
    parser.add_argument(
        "--keep", type=number, metavar="N", help="leave the newest N runs of each dataset"
    )
    parser.add_argument(
        "--older-than", type=moment, metavar="TIME", help="only runs before: a date or an age (90d)"
    )
    parser.add_argument("--dataset", metavar="NAME", help="only runs of this dataset")
    parser.add_argument("--status", choices=STATUSES, help="only runs that got so far")
    parser.add_argument("--labelled", action="store_true", help="also runs that people have scored")
    parser.add_argument("--yes", action="store_true", help="do it, instead of showing it")
    add_store(parser)
    add_output(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


@dataclass(slots=True)
class _Plan:
    """What is to become of the runs that are old enough."""

    gone: "list[Run]" = field(default_factory=list)
    kept: "list[tuple[Run, str]]" = field(default_factory=list)
    """Runs that stay, and why."""
    broken: list[tuple[str, str]] = field(default_factory=list)
    """Runs whose records cannot be read: the id, and what is wrong."""


def run(args: argparse.Namespace) -> int:
    """Show, or do, what is to be done."""
    from pytest_evals.cli.store_options import open_runs, say_json, store_path
    from pytest_evals.cli.stored_report import rootdir_of
    from pytest_evals.cli.tables import Paper

    if args.keep is None and args.older_than is None:
        args.usage_error("say which: --keep N, --older-than TIME, or both")
    store = open_runs(args, write=args.yes)
    try:
        old = _old(store, args)
        plan = _plan(store, old, rootdir_of(store_path(args.store)), labelled=args.labelled)
        before = store.path.stat().st_size
        for its in plan.gone if args.yes else ():
            store.forget(its.id)
        if args.yes and plan.gone:
            store.compact()
        freed = max(0, before - store.path.stat().st_size)
    finally:
        store.close()
    if args.json:
        say_json(
            {
                "schema": 1,
                "removed": args.yes,
                "runs": [its.id for its in plan.gone],
                "kept": [{"run": its.id, "reason": why} for its, why in plan.kept],
                "unreadable": [{"run": name, "error": why} for name, why in plan.broken],
                "freed_bytes": freed,
            }
        )
    else:
        _tell(Paper.of(args), plan, done=args.yes, freed=freed)
    return int(bool(plan.broken))


def _old(store: "SqliteRunStore", args: argparse.Namespace) -> "list[Run]":
    """Return the runs that are old enough, newest first.

    Raises:
        StoreError: a run's own record cannot be read, or there is no such dataset.
    """
    from pytest_evals.ground.errors import StoreError, suggest
    from pytest_evals.run import RunStatus

    every = store.runs()
    names = {info.name for its in every for info in its.datasets}
    if args.dataset is not None and args.dataset not in names:
        raise StoreError(
            f"no stored run has a dataset {args.dataset!r}.{suggest(args.dataset, names)}"
        )
    seen: Counter[str] = Counter()
    found = []
    for its in every:
        mine = [info.name for info in its.datasets] or [""]
        if args.dataset is not None and args.dataset not in mine:
            continue
        if args.status is not None and its.status != args.status:
            continue
        seen.update(mine)
        newest = args.keep is not None and any(seen[name] <= args.keep for name in mine)
        young = args.older_than is not None and its.started_at >= args.older_than
        if not newest and not young and its.status is not RunStatus.RUNNING:
            found.append(its)
    return found


def _plan(store: "SqliteRunStore", old: "Sequence[Run]", rootdir: Path, *, labelled: bool) -> _Plan:
    """Say what goes and what stays.

    Raises:
        StoreError: a baseline cannot be read, so that nobody knows what it names.
    """
    from pytest_evals.ground.errors import StoreError

    named = _Named(rootdir, old)
    plan = _Plan()
    for its in old:
        try:
            of = named.by(store, its)
        except StoreError as error:
            plan.broken.append((its.id, str(error)))
            continue
        if of:
            plan.kept.append((its, f"{of} holds samples of it"))
        elif store.labels(its.id) and not labelled:
            plan.kept.append((its, "people have scored it (--labelled takes it too)"))
        else:
            plan.gone.append(its)
    return plan


_Cell = tuple[str, str, str]
"""A dataset, a case and a model."""


class _Named:
    """The samples that baselines hold; of recorded answers the newest run that has them counts."""

    def __init__(self, rootdir: Path, old: "Sequence[Run]") -> None:
        from pytest_evals.storage.baseline_file import load_baseline
        from pytest_evals.storage.run_baseline import shown_in

        self._lines: dict[_Cell, list[tuple[Counter[str], bool, str]]] = {}
        for path in dict.fromkeys(_baselines(rootdir, old)):
            shown = shown_in(rootdir, path)
            self._add(load_baseline(path, shown=shown), shown)

    def _add(self, baseline: "Baseline", shown: str) -> None:
        for line in baseline.lines:
            known = self._lines.setdefault((baseline.dataset, line.case, line.model), [])
            known += [
                (Counter(counts.draws.split(".")), line.recorded, shown) for counts in line.runs
            ]

    def by(self, store: "SqliteRunStore", its: "Run") -> str:
        """Return the baseline that holds samples of a run; empty where none does.

        Raises:
            StoreError: a record of the run cannot be read.
        """
        from pytest_evals.metrics.summarize import summarize_trial

        cells: dict[_Cell, Counter[str]] = {}
        for result in store.results(its.id):
            one = summarize_trial(result)
            key = (result.dataset, one.case, one.model)
            cells.setdefault(key, Counter())[one.draw or "00000000"] += 1
        found = ""
        for key, draws in cells.items():
            lines = self._lines.get(key, [])
            held = [line for line in lines if line[0] <= draws]
            found = held[0][2] if held else found
            self._lines[key] = [line for line in lines if line not in held or not line[1]]
        return found


def _baselines(rootdir: Path, old: "Sequence[Run]") -> Iterator[Path]:
    """Yield the baselines of the project: those beside the runs' datasets, and all others."""
    from pytest_evals.cli.baseline import below
    from pytest_evals.storage.baseline_file import baseline_path

    for its in old:
        for info in its.datasets:
            path = baseline_path(rootdir / info.path, info.name)
            if path.is_file():
                yield path
    yield from sorted(below(rootdir))


def _tell(paper: object, plan: _Plan, *, done: bool, freed: int) -> None:
    from pytest_evals.cli.runs import when
    from pytest_evals.cli.tables import Paper, counted

    assert isinstance(paper, Paper)
    rows = [
        [
            its.id,
            when(its.started_at),
            ", ".join(info.name for info in its.datasets) or "-",
            its.status.value,
            f"{its.counts.total:,}",
        ]
        for its in plan.gone
    ]
    if rows:
        paper.table(["run", "when", "dataset", "status", "trials"], rows, "<<<<>")
    for its, why in plan.kept:
        paper.sentence(f"{its.id} stays: {why}", "dim")
    for name, why in plan.broken:
        paper.sentence(f"{name} stays: it cannot be read: {why}", "red")
    count = counted(len(plan.gone), "run")
    if done:
        paper.sentence(f"{count} taken out, {freed / 1_000_000:.1f} MB freed")
    else:
        paper.sentence(f"{count} would go{'; --yes takes them out' if plan.gone else ''}")
