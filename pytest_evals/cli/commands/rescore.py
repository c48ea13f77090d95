"""``pytest-evals rescore RUN``: a run's answers scored anew, by today's datasets, as a new run."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from pytest_evals.cli.options import (
    add_calls,
    add_dataset,
    add_judging,
    add_output,
    add_run,
    add_store,
)
from pytest_evals.cli.output import Paper, say_json
from pytest_evals.cli.run_output import print_header, print_verdicts
from pytest_evals.cli.stores import open_runs, rootdir_of, store_path

if TYPE_CHECKING:
    from pytest_evals.cli.derived_run import Bars
    from pytest_evals.dataset import Dataset
    from pytest_evals.exchange import Exchange
    from pytest_evals.matrix import Trial
    from pytest_evals.registry import Registry
    from pytest_evals.result import TrialResult
    from pytest_evals.run_record import DatasetInfo, Run
    from pytest_evals.storage.baseline_file import NamedBaseline
    from pytest_evals.storage.sqlite import SqliteRunStore

_UNRUN = frozenset({"not_run", "not_needed"})

_EPILOG = """\
examples:
  pytest-evals rescore latest                    after an assertion was mended
  pytest-evals rescore latest --judges           judges may be asked too
  pytest-evals rescore 20261121-0915 --dataset support --json

The models under test are never called: their stored answers are scored, and what had no answer
then has none now. A question that was edited since is STALE, an error. Judges cost money: without
--judges their stored verdicts are used, and a verdict that is not stored is an error. The run that
is made says which one its answers are of.

`pytest --evals --evals-from RUN` does the same as a test session: with an item for each trial, -k,
-x, workers and reports. Use it for trials of test functions, and to look into failures.

exit status: 0 when every gate passed and every trial that no gate answers for (as the session's),
1 when one did not or nothing could be scored; 4 for usage."""


class RescoreCommand:
    """The command ``pytest-evals rescore``."""

    name = "rescore"
    help = "score a stored run's answers anew, as a new run"
    description = (
        "Score the stored answers of a run with the scorers, bars and gates that its "
        "datasets have today, and keep the outcome as a new run, to be shown, compared and "
        "exported like any other."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        add_run(parser)
        add_store(parser)
        add_dataset(parser)
        parser.add_argument(
            "--judges", action="store_true", help="ask judges where their verdict is not stored"
        )
        add_calls(parser)
        add_judging(parser)
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Score, judge, and print; 1 where a gate failed."""
        from pytest_evals.cli.derived_run import Bars
        from pytest_evals.cli.host import redactor
        from pytest_evals.registry import Registry
        from pytest_evals.session.redaction import add_dataset_secrets, add_run_secrets

        store = open_runs(args, write=True)
        try:
            its = store.run(args.run_id)
            rootdir = rootdir_of(store_path(args.store))
            known = Registry.installed()
            parts = _parts(store, its, args.dataset, _Place(rootdir, known))
            bars = Bars(rootdir, args.baseline, args.strict, store)
            new = _begun(its, parts)
            found = {part.info.name: bars.found(new, part.info) for part in parts}
            clean = redactor()
            add_run_secrets(clean, its)
            for dataset in {t.dataset.path: t.dataset for p in parts for t in p.trials}.values():
                add_dataset_secrets(clean, dataset)
            asked = _Asked(args, known, clean, found, bars)
            sealed = _scored(store, new, parts, asked)
        finally:
            store.close()
        _tell(args, its, sealed, parts)
        return int(bool(sealed.exit_status))


@dataclass(slots=True)
class _Part:
    """One dataset of the run."""

    info: "DatasetInfo"
    """As it is today."""
    trials: "list[Trial]"
    left: dict[str, list[str]] = field(default_factory=dict)
    """Trials and cases that are not scored, by the reason."""
    played: Any = None
    """The recorded answers."""
    beyond: frozenset[str] = frozenset()
    """Trials that decide their case alone."""
    unasked: int = 0
    """Trials that lack a verdict of a judge that is not stored."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where datasets are, and who knows their scorers."""

    rootdir: Path
    registry: "Registry"

    def load(self, info: "DatasetInfo") -> "Dataset":
        """Load a dataset as it is today, by the path it had.

        Raises:
            StoreError: it is not there, or another one stands there.
            DatasetError: it is not right.
        """
        from pytest_evals.ground.errors import StoreError
        from pytest_evals.loaders.base import LoadContext
        from pytest_evals.loaders.build import load

        path = self.rootdir / info.path
        if "::" in info.path:
            raise StoreError(
                f"dataset {info.name!r} is of test functions ({info.path}), which only pytest runs:"
                " `pytest --evals --evals-from RUN`"
            )
        if not path.is_file():
            raise StoreError(
                f"{path}: dataset {info.name!r} of the run is not there; is this the project that "
                "the store is of?"
            )
        dataset = load(path, LoadContext(rootdir=self.rootdir, checker=self.registry))
        if dataset.name != info.name:
            raise StoreError(f"{path} is dataset {dataset.name!r} now, not {info.name!r}")
        return dataset.model_copy(update={"path": info.path})


def _parts(store: "SqliteRunStore", its: "Run", name: str | None, place: _Place) -> list[_Part]:
    """Return what is scored of each dataset.

    Raises:
        StoreError: the run is still running, or holds no answer to score.
        DatasetError: a dataset is not right.
    """
    from pytest_evals.ground.errors import StoreError
    from pytest_evals.run_record import RunStatus
    from pytest_evals.storage.run_baseline import dataset_of

    if its.status is RunStatus.RUNNING:
        raise StoreError(f"run {its.id} is still running; rescore it when it has ended")
    infos = [dataset_of(its, name)] if name else [one for one in its.datasets if one.selected]
    results = list(store.results(its.id))
    parts = [
        _part(its, info, place.load(info), [one for one in results if one.dataset == info.name])
        for info in infos
    ]
    if not any(part.trials for part in parts):
        why = "; ".join(
            f"{reason}: {_few(names)}" for p in parts for reason, names in p.left.items()
        )
        raise StoreError(f"run {its.id} has no trial to score" + (f" ({why})" if why else ""))
    return parts


def _part(
    its: "Run", info: "DatasetInfo", dataset: "Dataset", results: "Sequence[TrialResult]"
) -> _Part:
    """Return what is scored of one dataset."""
    from pytest_evals.engine.replay_run import ReplayRun
    from pytest_evals.matrix import Matrix, Trial

    recorded = ReplayRun(its.id, results)
    models = {model.id: model for model in info.models}
    cases = {case.id: case for case in dataset.cases}
    matrix = Matrix(dataset, tuple(models.values()), case_samples=recorded.samples)
    part = _Part(info, [], played=recorded)
    for result in results:
        model, case = models.get(result.model_id), cases.get(result.case_id)
        why = (
            "of a test function"
            if result.id.partition("::")[0] != info.path
            else "not run then"
            if result.error is not None and result.error.type in _UNRUN
            else "the case is gone"
            if case is None
            else ""
        )
        if why or model is None or case is None:
            part.left.setdefault(why or "the model is unknown", []).append(result.id)
            continue
        samples = matrix.samples_of(case)
        # Named as it was, whatever number of samples there is today.
        part.trials.append(Trial(dataset, case, model, result.sample, samples, nodeid=result.id))
    part.beyond = frozenset(result.id for result in results if result.beyond)
    asked = {result.case_id for result in results}
    new = [case for case in cases if case not in asked]
    if new:
        part.left["not in that run"] = new
    part.info = info.model_copy(
        update={
            "digest": dataset.digest,
            "prompt_digest": dataset.prompt.digest if dataset.prompt else None,
            "cases": len(dataset.cases),
            "planned": max(len(matrix), len(part.trials)),
            "selected": len(part.trials),
            "gates": dataset.gates,
            "max_error_rate": dataset.max_error_rate,
        }
    )
    return part


def _begun(its: "Run", parts: Sequence[_Part]) -> "Run":
    """Return the new run, as it is begun."""
    from pytest_evals.ground.version import __version__
    from pytest_evals.run_record import Run, new_run_id

    now = time()
    kept = {name: its.options[name] for name in ("responses",) if name in its.options}
    return Run(
        id=new_run_id(now),
        started_at=now,
        datasets=tuple(part.info for part in parts),
        git=its.git,
        versions={
            "python": sys.version.split()[0],
            "pytest-evals-matrix": __version__,
            "platform": sys.platform,
        },
        options={**kept, "from": its.id},
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """How trials are scored."""

    args: argparse.Namespace
    registry: "Registry"
    redactor: Any
    found: "Mapping[str, NamedBaseline | None]"
    """What each dataset is compared with."""
    bars: "Bars"


def _scored(store: "SqliteRunStore", new: "Run", parts: Sequence[_Part], asked: _Asked) -> "Run":
    """Score all trials and seal the run; where that fails, nothing of the run stays.

    Raises:
        SettingsError: a key is not set, or a price is missing.
        StoreError: it could not be kept.
    """
    from pytest_evals.cli.derived_run import NewRun
    from pytest_evals.engine import Engine, EngineDeps

    trials = [trial for part in parts for trial in part.trials]
    answers = _responses(store.path, write=asked.args.judges)
    engine = Engine(
        _settings(asked),
        EngineDeps(
            registry=asked.registry,
            http=_http(),
            store=answers,
            redactor=asked.redactor,
            replays={part.info.name: part.played for part in parts},
        ),
    )
    try:
        engine.prepare(trials)
        with NewRun(store, new, asked.redactor.redact_json) as made:
            engine.start()
            engine.expect(trials)
            for part in parts:
                for result in map(engine.result, part.trials):
                    part.unasked += any(map(_unasked, result.exchanges))
                    made.add(_marked(result, part, asked.found.get(part.info.name)))
            notes = [
                f"scored anew: the answers are those of run {new.options['from']}",
                *_left(parts),
                *made.summary.silent,
                *engine.notes,
            ]
            judged = made.judged(asked.found, strict=asked.bars.strict)
            bad = made.untolerated > 0
            return made.seal(judged, ended_at=time(), notes=notes, failed=bad)
    finally:
        engine.stop()
        answers.close()


def _unasked(exchange: "Exchange") -> bool:
    """Whether a judge was not asked, and had no stored verdict."""
    error = exchange.error
    return exchange.role != "answer" and error is not None and error.type == "stale"


def _responses(path: Path, *, write: bool) -> Any:
    """Open the stored verdicts of judges."""
    from pytest_evals.responses.sqlite import SqliteResponseStore

    return SqliteResponseStore(path, write=write)


def _http() -> Callable[[], Any]:
    from pytest_evals.providers.transport import HttpClientPool

    return HttpClientPool


def _settings(asked: _Asked) -> Any:
    """Return how the engine runs."""
    from pytest_evals.config import Settings

    args = asked.args
    return Settings(
        rootdir=asked.bars.rootdir,
        responses="auto" if args.judges else "replay",
        concurrency=max(1, args.concurrency),
        max_cost=args.max_cost,
    )


def _marked(result: "TrialResult", part: _Part, found: "NamedBaseline | None") -> "TrialResult":
    """Say of a result what a session says: beyond the first samples, tolerated by the gates."""
    from pytest_evals.metrics.summarize import summarize_trial
    from pytest_evals.result import Outcome
    from pytest_evals.verdict.gate.coverage import gates_cover, is_compared
    from pytest_evals.verdict.gate.declare import parse_gates

    result = result.model_copy(update={"beyond": result.id in part.beyond})
    judged = bool(part.info.gates) and part.info.selected == part.info.planned
    if result.outcome is not Outcome.FAILED or not judged:
        return result
    one = summarize_trial(result)
    compared = is_compared(None if found is None else found.baseline, one)
    tolerated = gates_cover(parse_gates(part.info), one, compared=compared)
    return result.model_copy(update={"tolerated": tolerated})


def _left(parts: Sequence[_Part]) -> Iterator[str]:
    """Yield what is not scored, and why."""
    for part in parts:
        for reason, names in part.left.items():
            yield f"{part.info.name}: {len(names)} not scored, {reason}: {_few(names)}"


def _few(names: Sequence[str]) -> str:
    from pytest_evals.ground.plain_text import listed

    return listed(names, 3)


def _tell(args: argparse.Namespace, its: "Run", sealed: "Run", parts: Sequence[_Part]) -> None:
    """Print what became of the run."""
    if args.json:
        say_json(
            {
                "schema": 1,
                "run": sealed.model_dump(mode="json"),
                "rescored": its.id,
                "failed": bool(sealed.exit_status),
                "judges_not_asked": sum(part.unasked for part in parts),
                "not_scored": [
                    {"dataset": part.info.name, "reason": reason, "names": names}
                    for part in parts
                    for reason, names in part.left.items()
                ],
            }
        )
        return
    paper = Paper.of(args)
    print_header(sealed)
    was, unasked = its.counts, sum(part.unasked for part in parts)
    paper.sentence(
        f"before   {was.passed} passed, {was.failed} failed, {was.errored} errors of {was.total}"
    )
    print_verdicts(sealed)
    if unasked:
        paper.sentence(
            f"{unasked} trials lack a judge's verdict that is not stored: --judges asks for it, "
            "which may cost money",
            "yellow",
        )
    paper.sentence(f"kept: pytest-evals show {sealed.id}; diff {its.id} {sealed.id}", "dim")
