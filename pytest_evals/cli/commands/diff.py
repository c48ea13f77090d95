"""``pytest-evals diff [BASELINE] RUN``: what changed, case by case, and whether it got worse."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_dataset, add_output, add_store, number
from pytest_evals.cli.output import Paper, say, say_json
from pytest_evals.cli.stores import open_runs, rootdir_of, store_path

if TYPE_CHECKING:
    from pytest_evals.archive.stored_tables import StoredTables
    from pytest_evals.comparison.changes import AnswerTexts, DatasetChanges, RunChanges
    from pytest_evals.run_record import DatasetInfo, Run
    from pytest_evals.storage.baseline_file import NamedBaseline
    from pytest_evals.verdict.baseline import Baseline

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


class DiffCommand:
    """The command ``pytest-evals diff``."""

    name = "diff"
    help = "show what changed between a baseline and a run"
    description = (
        "Show what changed between a baseline and a stored run: the cases that "
        "regressed, broke, were fixed or drifted, with scores, answers, tools, tokens, latency "
        "and cost; and say whether it got worse, told from noise."
    )
    epilog = _EPILOG
    usage = "pytest-evals diff [BASELINE] RUN [options]"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "words",
            nargs="+",
            metavar="[BASELINE] RUN",
            help="what is compared with (see below), and a run's id, the beginning of one, or "
            "`latest`",
        )
        add_store(parser)
        add_dataset(parser)
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

    def run(self, args: argparse.Namespace) -> int:
        """Print what changed; 1 where something regressed or could not be told."""
        from pytest_evals.archive.stored_tables import StoredTables

        if len(args.words) > 2:
            args.usage_error(f"expected [BASELINE] RUN, found {len(args.words)} of them")
        *source, name = args.words
        store = open_runs(args)
        try:
            asked = _Asked(
                runs=StoredTables(store),
                its=store.run(name),
                source=source[0] if source else None,
                rootdir=rootdir_of(store_path(args.store)),
                strict=args.strict,
            )
            found = _compared(asked, args.dataset)
            if args.json:
                say_json(_json(found))
            elif args.md:
                from pytest_evals.cli.diff_markdown import changes_markdown

                say(changes_markdown(found, limit=args.limit))
            else:
                from pytest_evals.cli.diff_terminal import print_changes

                print_changes(Paper.of(args), found, limit=args.limit)
            return found.status
        finally:
            store.close()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is compared with what."""

    runs: "StoredTables"
    its: "Run"
    source: str | None
    """The baseline as the user named it; None is each dataset's own."""
    rootdir: Path
    """Where the paths of datasets begin."""
    strict: bool


def _compared(asked: _Asked, dataset: str | None) -> "RunChanges":
    """Compare every dataset of the run, or one.

    Raises:
        StoreError: there is no such dataset, or nothing could be compared.
    """
    from pytest_evals.comparison.changes import RunChanges
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.storage.run_baseline import dataset_of

    infos = [dataset_of(asked.its, dataset)] if dataset else _meant(asked)
    found = RunChanges(asked.its)
    for info in infos:
        try:
            found.changes.append(_of_dataset(asked, info))
        except StoreError as error:
            found.failures.append((info.name, str(error)))
    if not found.changes:
        raise StoreError("\n".join(dict.fromkeys(why for _, why in found.failures)))
    return found


def _meant(asked: _Asked) -> "list[DatasetInfo]":
    """Return the datasets that are compared: with one baseline's file the one it is of.

    Raises:
        StoreError: the run has no datasets.
    """
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.storage.baseline_file import load_baseline

    infos = list(asked.its.datasets)
    if not infos:
        raise StoreError(f"run {asked.its.id} has no dataset")
    if len(infos) > 1 and asked.source is not None and Path(asked.source).is_file():
        of = load_baseline(Path(asked.source)).dataset
        return [info for info in infos if info.name == of] or infos
    return infos


def _of_dataset(asked: _Asked, info: "DatasetInfo") -> "DatasetChanges":
    """Compare one dataset.

    Raises:
        StoreError: there is no baseline, or something cannot be read.
    """
    from pytest_evals.comparison.changes import AnswerTexts, DatasetChanges
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.stats.rows import Rules
    from pytest_evals.storage.run_baseline import is_replayed
    from pytest_evals.verdict.evaluate import evaluate_run
    from pytest_evals.verdict.evaluation import EvaluationInput
    from pytest_evals.verdict.gate.declare import parse_gates

    table = asked.runs.table(asked.its, info.name)
    if not len(table):
        raise StoreError(f"run {asked.its.id} has recorded no trial of {info.name!r}")
    found, before = _baseline(asked, info)
    both = zip(info.gates, parse_gates(info), strict=True)
    written = tuple(gate for gate, spec in both if spec.compares)
    bench = EvaluationInput(
        table,
        info.model_copy(update={"gates": written or ("no regressions",)}),
        baseline=found.baseline,
        baseline_name=found.name,
        rules=Rules(strict=asked.strict),
        replayed=is_replayed(asked.its),
    )
    judged = evaluate_run(bench)
    assert judged.diff is not None
    texts = {gate.text for gate in parse_gates(bench.info)}
    return DatasetChanges(
        info=info,
        diff=judged.diff,
        verdicts=[verdict for verdict in judged.gates if verdict.gate in texts],
        declared=bool(written),
        before=before,
        now=AnswerTexts(asked.runs.store, asked.its, table),
    )


def _baseline(asked: _Asked, info: "DatasetInfo") -> "tuple[NamedBaseline, AnswerTexts]":
    """Return what a dataset is compared with, and the answers behind it.

    Raises:
        StoreError: there is none, or it is not right.
    """
    from pytest_evals.comparison.changes import AnswerTexts
    from pytest_evals.storage.baseline_file import NamedBaseline, find_baseline
    from pytest_evals.storage.run_baseline import dataset_baseline

    store = asked.runs.store
    file = asked.rootdir / info.path
    if asked.source is None:
        return dataset_baseline(info, asked.rootdir).required(), AnswerTexts(store)
    others: list[Run] = []
    source = asked.source
    if Path(source).exists():  # a path is meant from here, as anywhere else on a command line
        source = str(Path(source).resolve())
    found = find_baseline(
        source,
        rootdir=asked.rootdir,
        dataset=info.name,
        dataset_path=file,
        run=lambda name: _of_run(asked, info.name, name, others),
    )
    if not others:
        name = found.name.replace(source, asked.source.rstrip("/"), 1)
        return NamedBaseline(found.baseline, name), AnswerTexts(store)
    table = asked.runs.table(others[0], info.name)
    return NamedBaseline(found.baseline, f"run {others[0].id}"), AnswerTexts(
        store, others[0], table
    )


def _of_run(asked: _Asked, dataset: str, source: str, others: "list[Run]") -> "Baseline":
    """Return another run as a baseline, and put it into a list.

    Raises:
        StoreError: there is no such run, or it has nothing of the dataset.
    """
    from pytest_evals.storage.run_baseline import dataset_of, find_run, is_replayed
    from pytest_evals.verdict.baseline import build_baseline

    other = find_run(asked.runs.store, source, dataset, before=asked.its.id)
    others.append(other)
    table = asked.runs.table(other, dataset)
    return build_baseline(table, dataset_of(other, dataset), replayed=is_replayed(other))


def _json(found: "RunChanges") -> dict[str, object]:
    """Return everything as a JSON value: the diff as it stands in --evals-json."""
    from pytest_evals.reporters.shape import diff_shape

    shape = diff_shape([one.diff for one in found.changes])
    assert shape is not None
    return {
        "schema": 1,
        "run": found.run.id,
        "exit_status": found.status,
        "regressed": any(v.verdict == "failed" for one in found.changes for v in one.verdicts),
        "gates": [
            {**verdict.model_dump(mode="json"), "declared": one.declared}
            for one in found.changes
            for verdict in one.verdicts
        ],
        "diff": shape.model_dump(mode="json"),
        "not_compared": [{"dataset": name, "reason": why} for name, why in found.failures],
    }
