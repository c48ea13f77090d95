"""``pytest-evals merge``: the shards of one run put together, and the gates judged on the union."""

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_evals.judgement import Judgement
    from pytest_evals.result import TrialResult
    from pytest_evals.run import DatasetInfo, Run
    from pytest_evals.shard import Shard
    from pytest_evals.storage.sqlite import SqliteRunStore

_EPILOG = """\
examples:
  pytest-evals merge shard-*/evals.sqlite         the newest run of each file
  pytest-evals merge 20261121-0915 20261121-0917  runs of the store
  pytest-evals merge a.sqlite::20261121-0915 b.sqlite::latest

exit status: 0 when every gate passed (or, without gates, every trial), 1 when one did not, or when
a shard is missing, doubled or foreign; 4 for usage."""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    from pytest_evals.cli.stored import add_store
    from pytest_evals.cli.tables import Help

    parser = subparsers.add_parser(
        "merge",
        help="put the shards of one run together and judge the gates on all of it",
        description="Put the shards of one run (--evals-shard) together: a new run in the store, "
        "whose gates are judged on the union. Every shard must be there once, of the same dataset, "
        "models and commit.",
        epilog=_EPILOG,
        formatter_class=Help,
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SHARD",
        help="a run's id, or a store's file, whose newest run is meant, or FILE::RUN",
    )
    add_store(parser)
    parser.add_argument(
        "--baseline", metavar="SOURCE", help="what to compare with, as --evals-baseline names it"
    )
    parser.add_argument(
        "--strict", action="store_true", help="fail where a comparison is inconclusive"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class _Part:
    """One shard."""

    store: "SqliteRunStore"
    run: "Run"
    shard: "Shard"
    source: str
    """How the user named it."""


def run(args: argparse.Namespace) -> int:
    """Merge, judge, and print; 1 where a gate failed."""
    from pytest_evals.cli.stored import store_path
    from pytest_evals.storage.sqlite import SqliteRunStore

    with ExitStack() as stack:
        parts = _parts(args, stack)
        _check(parts)
        merged = SqliteRunStore(store_path(args.store))
        stack.callback(merged.close)
        whole, judgements = _merge(parts, merged, args)
    failed = _failed(whole, judgements)
    if args.json:
        from pytest_evals.cli.stored import say_json

        say_json(
            {
                "schema": 1,
                "run": whole.model_dump(mode="json"),
                "shards": [part.run.id for part in parts],
                "failed": failed,
            }
        )
    else:
        _print(whole, len(parts))
    return int(failed)


def _parts(args: argparse.Namespace, stack: ExitStack) -> list[_Part]:
    """Read the shards' runs.

    Raises:
        StoreError: one cannot be read, or is no shard.
    """
    from pytest_evals.cli.stored import store_path
    from pytest_evals.errors import StoreError
    from pytest_evals.shard import parse_shard
    from pytest_evals.storage.sqlite import SqliteRunStore

    opened: dict[Path, SqliteRunStore] = {}
    found = []
    for source in args.sources:
        file, _, name = source.partition("::")
        path = Path(file)
        if not path.is_file():
            path, name = store_path(args.store), source
        if path not in opened:
            opened[path] = SqliteRunStore(path, write=False)
            stack.callback(opened[path].close)
        its = opened[path].run(name or "latest")
        written = its.options.get("shard")
        if written is None:
            raise StoreError(
                f"{source}: run {its.id} is no shard; run each part with --evals-shard N/M"
            )
        found.append(_Part(opened[path], its, parse_shard(str(written)), source))
    return sorted(found, key=lambda part: part.shard)


def _check(parts: Sequence[_Part]) -> None:
    """Refuse what is not all of one run.

    Raises:
        StoreError: a shard is missing, doubled or foreign.
    """
    from pytest_evals.errors import StoreError

    first = parts[0]
    for part in parts[1:]:
        why = _foreign(first, part)
        if why:
            raise StoreError(
                f"{part.source} (shard {part.shard}) is foreign to {first.source} "
                f"(shard {first.shard}): {why}"
            )
    seen = Counter(part.shard.number for part in parts)
    doubled = [str(part.source) for part in parts if seen[part.shard.number] > 1]
    if doubled:
        number = next(part.shard for part in parts if seen[part.shard.number] > 1)
        raise StoreError(f"shard {number} is doubled: {', '.join(doubled)}")
    missing = [n for n in range(1, first.shard.of + 1) if n not in seen]
    if missing:
        names = ", ".join(f"{n}/{first.shard.of}" for n in missing)
        raise StoreError(f"{'shard' if len(missing) == 1 else 'shards'} {names} missing")


def _foreign(one: _Part, other: _Part) -> str:
    """Say why two shards are not of one run; empty where they are."""
    if one.shard.of != other.shard.of:
        return f"one run was divided into {one.shard.of}, the other into {other.shard.of}"
    if one.run.git and other.run.git and one.run.git.commit != other.run.git.commit:
        return f"their commits are {one.run.git.commit[:9]} and {other.run.git.commit[:9]}"
    mine, its = _datasets(one.run), _datasets(other.run)
    for name in mine.keys() | its.keys():
        a, b = mine.get(name), its.get(name)
        if a is None or b is None:
            return f"only one of them holds dataset {name!r}"
        if a.digest != b.digest:
            return f"dataset {name!r} differs"
        if a.models != b.models or a.planned != b.planned:
            return f"dataset {name!r} was asked of other models, or another number of times"
    return ""


def _datasets(its: "Run") -> dict[str, "DatasetInfo"]:
    return {info.name: info for info in its.datasets}


def _merge(
    parts: Sequence[_Part], store: "SqliteRunStore", args: argparse.Namespace
) -> tuple["Run", dict[str, "Judgement"]]:
    """Write the union as a run of its own, judged and sealed.

    Raises:
        StoreError: a trial stands in two shards, or something cannot be read or written.
    """
    from pytest_evals.decision import decide
    from pytest_evals.run import Run, RunStatus, new_run_id
    from pytest_evals.summary import Summary
    from pytest_evals.tally import Table, tally

    first = parts[0].run
    infos = tuple(info.model_copy(update={"selected": info.planned}) for info in first.datasets)
    options = {key: value for key, value in first.options.items() if key not in {"shard", "store"}}
    options["merged"] = [part.run.id for part in parts]
    whole = Run(
        id=new_run_id(time()),
        started_at=min(part.run.started_at for part in parts),
        datasets=infos,
        git=first.git,
        versions=first.versions,
        options=options,
    )
    tables = {info.name: Table(info.name) for info in infos}
    summary = Summary()
    results = _union(parts)
    store.begin(whole)
    for result in results:
        store.append(whole.id, result.model_dump_json(), result)
        summary.add(result)
        tables[result.dataset].add(tally(result))
    judgements = {info.name: _judge(info, tables[info.name], args) for info in infos}
    gates = [gate for judgement in judgements.values() for gate in judgement.gates]
    planned = sum(info.planned for info in infos)
    recorded = summary.counts.total - summary.counts.skipped
    sealed = whole.model_copy(
        update={
            "status": RunStatus.COMPLETE if recorded >= planned else RunStatus.INTERRUPTED,
            "ended_at": max(part.run.ended_at or part.run.started_at for part in parts),
            "counts": summary.counts,
            "tokens": summary.tokens,
            "cost_usd": summary.cost_usd,
            "spent_usd": summary.spent_usd,
            "gates": tuple(gate.model_dump(mode="json") for gate in gates),
            "decision": decide(gates).model_dump(mode="json") if gates else None,
            "notes": tuple(f"shard {p.shard}: {note}" for p in parts for note in p.run.notes),
        }
    )
    sealed = sealed.model_copy(update={"exit_status": int(_failed(sealed, judgements))})
    store.seal(sealed)
    return sealed, judgements


def _union(parts: Sequence[_Part]) -> "list[TrialResult]":
    """Return all trials, shard by shard.

    Raises:
        StoreError: one stands in two shards.
    """
    from pytest_evals.errors import StoreError

    found: dict[str, _Part] = {}
    results = []
    for part in parts:
        for result in part.store.results(part.run.id):
            if result.id in found:
                raise StoreError(
                    f"trial {result.id} stands in shard {found[result.id].shard} and in shard "
                    f"{part.shard}: the cases were divided differently. Were the baselines the "
                    "same?"
                )
            found[result.id] = part
            results.append(result)
    return results


def _judge(info: "DatasetInfo", table: Any, args: argparse.Namespace) -> "Judgement":
    """Judge one dataset of the union."""
    from pytest_evals.cli.judged import rootdir_of
    from pytest_evals.cli.stored import store_path
    from pytest_evals.gate.judge import gates_of
    from pytest_evals.judgement import Bench, judge_run
    from pytest_evals.stats.rows import Rules
    from pytest_evals.storage.baseline_file import (
        Found,
        baseline_path,
        find_baseline,
        load_baseline,
    )

    rootdir = rootdir_of(store_path(args.store))
    file = rootdir / info.path
    found = None
    if args.baseline is not None:
        found = find_baseline(
            args.baseline, rootdir=rootdir, dataset=info.name, dataset_path=file, run=_no_run
        )
    elif any(gate.compares for gate in gates_of(info)):
        path = baseline_path(file, info.name)
        if path.is_file():
            found = Found(load_baseline(path, dataset=info.name), str(path))
    bench = Bench(
        table,
        info,
        baseline=None if found is None else found.baseline,
        baseline_name="" if found is None else found.name,
        rules=Rules(strict=args.strict),
    )
    return judge_run(bench)


def _no_run(source: str) -> Any:
    from pytest_evals.errors import StoreError

    raise StoreError(f"{source}: merge compares with a file or REVISION:PATH, not with a run")


def _failed(whole: "Run", judgements: "dict[str, Judgement]") -> bool:
    """Whether the union fails: a gate, or without gates a trial; or not all of it was run."""
    from pytest_evals.run import RunStatus

    ungated = any(not info.gates for info in whole.datasets)
    bad = whole.counts.failed + whole.counts.errored
    return (
        whole.status is not RunStatus.COMPLETE
        or bool(ungated and bad)
        or any(judgement.failed for judgement in judgements.values())
    )


def _print(whole: "Run", shards: int) -> None:
    """Print the run, its models and its verdicts."""
    from pytest_evals.cli.show import header
    from pytest_evals.cli.stored import color, say
    from pytest_evals.plaintext import neutral

    for line in header(whole):
        say(neutral(line, lines=False))
    say(f"shards   {shards} of {shards}")
    for gate in whole.gates:
        text = neutral(f"gate {gate['gate']} [{gate['model']}]: {gate['sentence']}")
        say(color(text, "red") if gate["blocking"] else text)
    if whole.decision is not None:
        say(color(f"decision: {whole.decision['decision']}", "bold"))
    say(f"kept: pytest-evals show {whole.id}")
