"""``pytest-evals diff [BASELINE] RUN``: what changed, case by case, and whether it got worse."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.cli.tables import Help, add_output

if TYPE_CHECKING:
    from pytest_evals.baseline import Baseline
    from pytest_evals.cli.judged import Stored
    from pytest_evals.diff import Diff, DiffEntry
    from pytest_evals.gate.spec import GateVerdict
    from pytest_evals.run import DatasetInfo, Run
    from pytest_evals.storage.base import RunStore
    from pytest_evals.storage.baseline_file import Found
    from pytest_evals.tally import Table

_EPILOG = """\
examples:
  pytest-evals diff latest                     against the committed baselines
  pytest-evals diff main: latest               against those on the branch main
  pytest-evals diff latest 20261121-0915       against the complete run before
  pytest-evals diff 20261120-1702 latest --md  two runs, for a pull request

BASELINE is what --evals-baseline takes: a file or a folder of baselines, REVISION:PATH (`main:` is
the dataset's own file there), a run's id or the beginning of one, or `latest`, the complete run
before RUN. Left out, it is each dataset's own file, baselines/<dataset>.jsonl beside it.

Whether it got worse is for the comparisons that the dataset's gates declare; where they declare
none, for `no regressions` of every model.

exit status: 0 when nothing regressed; 1 when something did, when a run was cut short or has too
many errors to tell, or when there is nothing to compare with; an inconclusive comparison is 0, and
1 with --strict; 4 for usage."""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    from pytest_evals.cli.runs import number
    from pytest_evals.cli.stored import add_store

    parser = subparsers.add_parser(
        "diff",
        help="show what changed between a baseline and a run",
        description="Show what changed between a baseline and a stored run: the cases that "
        "regressed, broke, were fixed or drifted, with scores, answers, tools, tokens, latency "
        "and cost; and say whether it got worse, told from noise.",
        epilog=_EPILOG,
        formatter_class=Help,
        usage="pytest-evals diff [BASELINE] RUN [options]",
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="[BASELINE] RUN",
        help="what is compared with (see below), and a run's id, the beginning of one, or `latest`",
    )
    add_store(parser)
    parser.add_argument("--dataset", metavar="NAME", help="only this dataset of the run")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 where a comparison is inconclusive"
    )
    parser.add_argument(
        "--limit",
        type=number,
        default=20,
        metavar="N",
        help="show at most so many cases of each kind (default: 20; 0 shows all)",
    )
    add_output(parser, markdown=True)
    parser.set_defaults(run=run, usage_error=parser.error)


@dataclass(frozen=True, slots=True)
class Texts:
    """The whole answers of a run, where there are only their beginnings in a diff."""

    store: "RunStore"
    run: "Run | None" = None
    """None where the baseline is a file, which keeps beginnings alone."""
    table: "Table | None" = None

    def whole(self, entry: "DiffEntry", beginning: str) -> str:
        """Return the answer that begins so; the beginning itself where that is all there is."""
        if self.run is None or self.table is None:
            return beginning
        for one in self.table.cases(entry.model).get(entry.case, ()):
            if one.answer == beginning:
                found = self.store.attempts(self.run.id, one.id)
                whole = found[-1].answer if found else None
                return beginning if whole is None else whole
        return beginning


@dataclass(frozen=True, slots=True)
class Changes:
    """One dataset's diff."""

    info: "DatasetInfo"
    diff: "Diff"
    verdicts: "Sequence[GateVerdict]"
    """Of the declared comparisons."""
    declared: bool
    """Whether the dataset's gates declare them."""
    before: Texts
    now: Texts

    @property
    def blocking(self) -> bool:
        """Whether something regressed, or could not be told."""
        return any(verdict.blocking for verdict in self.verdicts)

    def answers(self, entry: "DiffEntry") -> tuple[str | None, str | None]:
        """Return a case's answers before and now: whole where both are stored."""
        before, now = entry.answer_before, entry.answer
        if before is None or now is None or self.before.run is None:
            return before, now
        return self.before.whole(entry, before), self.now.whole(entry, now)


@dataclass(slots=True)
class Outcome:
    """What became of all datasets."""

    run: "Run"
    changes: list[Changes] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    """(dataset, why it could not be compared)."""

    @property
    def status(self) -> int:
        """The exit status."""
        return int(bool(self.failures) or any(one.blocking for one in self.changes))


def run(args: argparse.Namespace) -> int:
    """Print what changed; 1 where something regressed or could not be told."""
    from pytest_evals.cli.judged import Stored, rootdir_of
    from pytest_evals.cli.stored import open_runs, say_json, store_path
    from pytest_evals.cli.tables import Paper

    if len(args.words) > 2:
        args.usage_error(f"expected [BASELINE] RUN, found {len(args.words)} of them")
    store = open_runs(args)
    try:
        stored = Stored(store, rootdir_of(store_path(args.store)))
        found = _compared(args, store, stored)
        if args.json:
            say_json(_json(found))
        elif args.md:
            from pytest_evals.cli.changes_md import markdown
            from pytest_evals.cli.stored import say

            say(markdown(found, limit=args.limit))
        else:
            from pytest_evals.cli.changes import tell

            tell(Paper.of(args), found, limit=args.limit)
        return found.status
    finally:
        store.close()


def _compared(args: argparse.Namespace, store: "RunStore", stored: "Stored") -> Outcome:
    """Compare every dataset of the run.

    Raises:
        StoreError: there is no such run or dataset, or nothing could be compared.
    """
    from pytest_evals.errors import StoreError
    from pytest_evals.storage.run_baseline import dataset_of

    *source, name = args.words
    its = store.run(name)
    infos = [dataset_of(its, args.dataset)] if args.dataset else _meant(its, source)
    found = Outcome(its)
    for info in infos:
        try:
            found.changes.append(_of_dataset(args, stored, its, info))
        except StoreError as error:
            found.failures.append((info.name, str(error)))
    if not found.changes:
        raise StoreError("\n".join(dict.fromkeys(why for _, why in found.failures)))
    return found


def _meant(its: "Run", source: Sequence[str]) -> "list[DatasetInfo]":
    """Return the datasets that are compared: with one baseline's file the one it is of.

    Raises:
        StoreError: the run has no datasets.
    """
    from pytest_evals.errors import StoreError
    from pytest_evals.storage.baseline_file import load_baseline

    if not its.datasets:
        raise StoreError(f"run {its.id} has no dataset")
    if len(its.datasets) > 1 and source and Path(source[0]).is_file():
        of = load_baseline(Path(source[0])).dataset
        return [info for info in its.datasets if info.name == of] or list(its.datasets)
    return list(its.datasets)


def _of_dataset(
    args: argparse.Namespace, stored: "Stored", its: "Run", info: "DatasetInfo"
) -> Changes:
    """Compare one dataset.

    Raises:
        StoreError: there is no baseline, or something cannot be read.
    """
    from pytest_evals.errors import StoreError
    from pytest_evals.gate.judge import gates_of
    from pytest_evals.judgement import Bench, judge_run
    from pytest_evals.stats.rows import Rules
    from pytest_evals.storage.run_baseline import is_replayed
    from pytest_evals.tally import Table

    table = Table.of(info.name, stored.store.results(its.id))
    if not len(table):
        raise StoreError(f"run {its.id} has recorded no trial of {info.name!r}")
    found, before = _baseline(args, stored, its, info)
    written = tuple(
        gate
        for gate, spec in zip(info.gates, gates_of(info), strict=True)
        if spec.compares
    )  # fmt: skip
    bench = Bench(
        table,
        info.model_copy(update={"gates": written or ("no regressions",)}),
        baseline=found.baseline,
        baseline_name=found.name,
        rules=Rules(strict=args.strict),
        replayed=is_replayed(its),
    )
    judged = judge_run(bench)
    assert judged.diff is not None
    texts = {gate.text for gate in bench.gates()}
    return Changes(
        info=info,
        diff=judged.diff,
        verdicts=[verdict for verdict in judged.gates if verdict.gate in texts],
        declared=bool(written),
        before=before,
        now=Texts(before.store, its, table),
    )


def _baseline(
    args: argparse.Namespace, stored: "Stored", its: "Run", info: "DatasetInfo"
) -> "tuple[Found, Texts]":
    """Return what a dataset is compared with, and the answers behind it.

    Raises:
        StoreError: there is none, or it is not right.
    """
    from pytest_evals.storage.baseline_file import (
        Found,
        baseline_path,
        find_baseline,
        load_baseline,
    )
    from pytest_evals.storage.run_baseline import find_run, run_baseline
    from pytest_evals.tally import Table

    store = stored.store
    file = stored.rootdir / info.path
    if len(args.words) == 1:
        path = baseline_path(file, info.name)
        shown = path.relative_to(stored.rootdir).as_posix()
        return Found(load_baseline(path, dataset=info.name, shown=shown), shown), Texts(store)
    asked: list[Run] = []

    def read(name: str) -> "Baseline":
        asked.append(find_run(store, name, info.name, before=its.id))
        return run_baseline(store, asked[0], info.name)

    written = source = args.words[0]
    if Path(source).exists():  # a path is meant from here, as anywhere else on a command line
        source = str(Path(source).resolve())
    found = find_baseline(
        source, rootdir=stored.rootdir, dataset=info.name, dataset_path=file, run=read
    )
    if not asked:
        name = found.name.replace(source, written.rstrip("/"), 1)
        return Found(found.baseline, name), Texts(store)
    table = Table.of(info.name, store.results(asked[0].id))
    return Found(found.baseline, f"run {asked[0].id}"), Texts(store, asked[0], table)


def _json(found: Outcome) -> dict[str, object]:
    """Return everything as a JSON value: the diff as it stands in --evals-json."""
    from pytest_evals.reporters.shape import diff_shape

    shape = diff_shape([one.diff for one in found.changes])
    assert shape is not None
    return {
        "schema": 1,
        "run": found.run.id,
        "regressed": any(one.blocking for one in found.changes),
        "gates": [
            {**verdict.model_dump(mode="json"), "declared": one.declared}
            for one in found.changes
            for verdict in one.verdicts
        ],
        "diff": shape.model_dump(mode="json"),
        "not_compared": [{"dataset": name, "reason": why} for name, why in found.failures],
    }
