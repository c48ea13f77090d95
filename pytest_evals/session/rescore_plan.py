"""The trials of a stored run that can be scored again, by the datasets of today."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.engine.replay_run import ReplayRun
from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.plain_text import listed
from pytest_evals.matrix import Matrix, Trial
from pytest_evals.model import Model
from pytest_evals.registry import Registry
from pytest_evals.registry.datasets import load_dataset
from pytest_evals.result import TrialResult
from pytest_evals.run_record import DatasetInfo, Run, RunStatus
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.run_baseline import dataset_of

_NOT_RUN = frozenset({"not_run", "not_needed"})


@dataclass(slots=True)
class RescoredDataset:
    """One dataset of the run."""

    info: DatasetInfo
    """The dataset as it is today."""
    trials: list[Trial]
    """The trials to score."""
    replay: ReplayRun
    """The stored answers."""
    confirmations: list[Trial] | None
    """The confirmation samples to score; None if the dataset could not be confirmed."""
    beyond: frozenset[str]
    """Ids of trials beyond the first samples of their case."""
    not_run: list[TrialResult] = field(default_factory=list)
    """The trials that were planned and not run then, as they are recorded: they have no answer, so
    what was incomplete stays so."""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """What is in today's dataset or in the run, and not in both, by the reason."""
    missing_verdicts: int = 0
    """Trials that lack a judge's verdict, because it is not stored."""

    @property
    def not_scored(self) -> dict[str, list[str]]:
        """The trials and cases that are not scored, by the reason."""
        not_run = [result.id for result in self.not_run]
        return self.left_out | ({"not run then": not_run} if not_run else {})

    def notes(self) -> Iterator[str]:
        """Yield what is not scored, and why."""
        for reason, names in self.not_scored.items():
            yield f"{self.info.name}: {len(names)} not scored, {reason}: {listed(names, 3)}"


def plan_rescore(
    store: RunStore, run: Run, rootdir: Path, registry: Registry, *, dataset: str | None = None
) -> list[RescoredDataset]:
    """Return what is scored of each dataset.

    Args:
        store: the stored runs.
        run: the run whose answers are scored.
        rootdir: the folder that the paths of datasets are relative to.
        registry: knows the scorers.
        dataset: the name of one dataset; None is every dataset that ran.

    Raises:
        StoreError: the run is running, or has no trial to score.
        DatasetError: a dataset is not valid.
    """
    if run.status is RunStatus.RUNNING:
        raise StoreError(f"run {run.id} is still running; rescore it when it has ended")
    infos = [dataset_of(run, dataset)] if dataset else [it for it in run.datasets if it.selected]
    results = list(store.results(run.id))
    parts = [
        _plan_dataset(
            run,
            info,
            _load(info, rootdir, registry),
            [result for result in results if result.dataset == info.name],
        )
        for info in infos
    ]
    if not any(part.trials for part in parts):
        reasons = "; ".join(
            f"{reason}: {listed(names, 3)}"
            for part in parts
            for reason, names in part.not_scored.items()
        )
        raise StoreError(
            f"run {run.id} has no trial to score" + (f" ({reasons})" if reasons else "")
        )
    return parts


def _load(info: DatasetInfo, rootdir: Path, registry: Registry) -> Dataset:
    """Load a dataset as it is today, from the path that the run recorded.

    Raises:
        StoreError: the file is missing, or holds another dataset.
        DatasetError: it is not valid.
    """
    path = rootdir / info.path
    if "::" in info.path:
        raise StoreError(
            f"dataset {info.name!r} is of test functions ({info.path}), which only pytest runs: "
            "`pytest --evals --evals-from RUN`"
        )
    if not path.is_file():
        raise StoreError(
            f"{path}: dataset {info.name!r} of the run is missing; does the store belong to this "
            "project?"
        )
    dataset = load_dataset(path, registry, rootdir=rootdir)
    if dataset.name != info.name:
        raise StoreError(f"{path} is dataset {dataset.name!r} now, not {info.name!r}")
    return dataset.model_copy(update={"path": info.path})


def _plan_dataset(
    run: Run, info: DatasetInfo, dataset: Dataset, results: Sequence[TrialResult]
) -> RescoredDataset:
    """Return what is scored of one dataset."""
    confirmations = run.confirmations.get(info.name)
    replay = ReplayRun(run.id, results, confirmations)
    models = {model.id: model for model in info.models}
    cases = {case.id: case for case in dataset.cases}
    matrix = Matrix(dataset, tuple(models.values()), case_samples=replay.samples)
    beyond = frozenset(result.id for result in results if result.beyond)
    again = None if confirmations is None else _again(dataset, confirmations, cases, models)
    part = RescoredDataset(info, [], replay, again, beyond)
    for result in results:
        model, case = models.get(result.model_id), cases.get(result.case_id)
        reason = _skip_reason(result, info, case)
        if reason or model is None or case is None:
            part.left_out.setdefault(reason or "the model is unknown", []).append(result.id)
            continue
        if result.error is not None and result.error.type in _NOT_RUN:
            part.not_run.append(result)
            continue
        # The node id of the run stays, whatever number of samples the dataset has today.
        samples = matrix.samples_of(case)
        part.trials.append(Trial(dataset, case, model, result.sample, samples, nodeid=result.id))
    recorded = {result.case_id for result in results}
    lost = max(0, info.selected - len(results))
    new = [case for case in cases if case not in recorded]
    if new:
        part.left_out["not in that run"] = new
    selected = len(part.trials) + len(part.not_run) + lost
    part.info = info.model_copy(
        update={
            "digest": dataset.digest,
            "prompt_digest": dataset.prompt.digest if dataset.prompt else None,
            "cases": len(dataset.cases),
            "planned": max(len(matrix), selected),
            "selected": selected,
            "gates": dataset.gates,
            "max_error_rate": dataset.max_error_rate,
        }
    )
    return part


def _again(
    dataset: Dataset,
    confirmations: Iterable[TrialResult],
    cases: Mapping[str, Case],
    models: Mapping[str, Model],
) -> list[Trial]:
    """Return the confirmation samples as trials of today's dataset."""
    return [
        Trial(
            dataset, cases[it.case_id], models[it.model_id], it.sample, it.sample + 1, nodeid=it.id
        )
        for it in confirmations
        if it.case_id in cases and it.model_id in models
    ]


def _skip_reason(result: TrialResult, info: DatasetInfo, case: Case | None) -> str:
    """Return why a trial is not scored; empty if it is."""
    if result.id.partition("::")[0] != info.path:
        return "of a test function"
    return "the case is gone" if case is None else ""
