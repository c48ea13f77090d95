"""The session's state on ``config.stash``, and how it begins and ends."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time
from typing import Any

import pytest

from pytest_evals.config import OPTIONS, Settings, read_settings
from pytest_evals.dataset import Dataset
from pytest_evals.engine import Engine, EngineDeps
from pytest_evals.engine.deps import MemberLookup
from pytest_evals.engine.replay_run import ReplayRun
from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.ground.errors import EvalsError, PluginError, SettingsError, StoreError
from pytest_evals.ground.plain_text import neutral
from pytest_evals.ground.redaction import Redactor, secrets_in
from pytest_evals.loaders.base import LoadContext
from pytest_evals.loaders.build import load
from pytest_evals.matrix import Matrix
from pytest_evals.model import Model
from pytest_evals.registry import Registry
from pytest_evals.registry.observer_hooks import trial_hooks
from pytest_evals.responses.base import ResponseStore
from pytest_evals.result import TrialResult
from pytest_evals.run import DatasetInfo, new_run_id

EVALS = pytest.StashKey["Evals"]()
"""Where the session's state is kept."""


@dataclass(slots=True)
class Evals:
    """What the collectors, the runner and the recorder of one process share."""

    config: pytest.Config
    settings: Settings
    registry: Registry
    run_id: str
    chain: Callable[[], str]
    """Returns the mark under which answers of user code may be used again."""
    matrices: dict[str, Matrix] = field(default_factory=dict)
    """By the dataset's path."""
    engine: Engine | None = None
    worker: str | None = None
    """This xdist worker's id; None where there is no worker."""
    share: WorkerShare = field(default_factory=WorkerShare)
    """Which part of the limits and budgets is this process's."""
    redactor: Redactor = field(default_factory=lambda: Redactor((), ()))
    answers: ResponseStore | None = None
    """The stored answers, once they are open."""
    recorded: dict[str, ReplayRun] = field(default_factory=dict)
    """The answers of the run of ``--evals-from``, by the dataset's name."""
    fresh: TrialResult | None = None
    """The result whose record was made last in this process, to save reading it back."""
    cassette: Any = None
    """The cassette this process records to or replays from."""
    loaded: dict[Path, Dataset] = field(default_factory=dict)
    """The datasets that marked tests name, by their files."""
    compared: dict[str, Any] = field(default_factory=dict)
    """What each dataset is compared with (`plugin.compare.Compared`), by its path."""
    notes: list[str] = field(default_factory=list)
    """What the user must know of this process's stores."""
    closing: list[Any] = field(default_factory=list)
    """What has to be closed at the end."""

    def header(self) -> list[str]:
        """Return the lines for pytest's header."""
        shown = " ".join(f"{k}={v}" for k, v in self.settings.shown().items() if k != "model")
        store = "" if self.settings.responses == "off" else f", store {self.settings.store}"
        lines = [f"evals: run {self.run_id}, answers {self.settings.responses}{store}"]
        if shown:
            lines.append(f"evals settings: {shown}")
        return lines

    def matrix(self, path: Path, nodeid: str) -> Matrix:
        """Load a dataset and plan its trials.

        Raises:
            DatasetError: everything that is wrong with the file.
            SettingsError: the models asked for do not exist, or there are none.
        """
        context = LoadContext(rootdir=self.settings.rootdir, checker=self.registry)
        dataset = load(path, context)
        if dataset.path != nodeid:
            dataset = dataset.model_copy(update={"path": nodeid})
        matrix = self.planned(dataset)
        self.matrices[nodeid] = matrix
        return matrix

    def sharded(self, path: str) -> frozenset[str]:
        """Return the ids of the cases of a dataset that are this shard's; all without shards.

        Raises:
            SettingsError: there are more shards than cases.
            StoreError: the baseline, whose latencies say what a case takes, cannot be read.
        """
        from pytest_evals.plugin.compare import seconds_a_sample
        from pytest_evals.shard import divide_cases, expected_seconds

        matrix, shard = self.matrices[path], self.settings.shard
        samples = {case.id: matrix.samples_of(case) for case in matrix.dataset.cases}
        if shard is None:
            return frozenset(samples)
        known = seconds_a_sample(self.settings, matrix.dataset)
        parts = divide_cases(expected_seconds(known, samples), shard.of)
        return frozenset(case for case, part in parts.items() if part == shard.number)

    def expected(self, info: DatasetInfo) -> int:
        """Return how many trials this session runs of a dataset unless the user selects some."""
        if self.settings.shard is None or info.path not in self.matrices:
            return info.planned
        matrix, mine = self.matrices[info.path], self.sharded(info.path)
        cases = (case for case in matrix.dataset.cases if case.id in mine)
        return sum(map(matrix.samples_of, cases)) * len(matrix.models)

    def planned(self, dataset: Dataset) -> Matrix:
        """Plan the trials: the dataset's own, or those of the run whose answers are taken.

        Raises:
            SettingsError: the models asked for do not exist, or there are none.
        """
        if self.settings.sanity:
            from pytest_evals.plugin.sanity import sanity_matrix

            return sanity_matrix(self, dataset)
        if self.settings.from_run is None:
            return Matrix(dataset, self._models(dataset), self.settings.samples)
        from pytest_evals.plugin.stores import recorded_run

        models, recorded = recorded_run(self, dataset)
        self.recorded[dataset.name] = recorded
        return Matrix(dataset, models, case_samples=recorded.samples)

    def _models(self, dataset: Dataset) -> tuple[Model, ...]:
        """Return the models that are asked: the file's, or those that were selected."""
        from pytest_evals.registry.model_selection import chosen_models

        return chosen_models(self.registry, dataset, self.settings.model)

    def infos(self, selected: dict[str, int], *, digests: bool = True) -> tuple[DatasetInfo, ...]:
        """Return what the run keeps of its datasets.

        Args:
            selected: the number of selected trials by the dataset's path.
            digests: whether to compute the datasets' digests, which reads every case.
        """
        return tuple(
            DatasetInfo(
                name=matrix.dataset.name,
                path=path,
                digest=matrix.dataset.digest if digests else "",
                prompt_digest=matrix.dataset.prompt.digest if matrix.dataset.prompt else None,
                models=tuple(matrix.models),
                cases=len(matrix.dataset.cases),
                planned=len(matrix),
                selected=selected.get(path, 0),
                gates=matrix.dataset.gates,
                max_error_rate=matrix.dataset.max_error_rate,
            )
            for path, matrix in sorted(self.matrices.items())
        )

    def open_engine(self) -> Engine:
        """Return the engine, made when first needed."""
        if self.engine is None:
            self.engine = Engine(
                self.settings,
                EngineDeps(
                    registry=self._finder(),
                    http=_http_clients,
                    store=self._responses(),
                    redactor=self.redactor,
                    chain=self.chain(),
                    share=self.share,
                    replays=self.recorded,
                    trial_hooks=trial_hooks(self.registry.hooks),
                ),
            )
        return self.engine

    def _finder(self) -> MemberLookup:
        """Return who knows the scorers: in a sanity run they are turned round."""
        if not self.settings.sanity:
            return self.registry
        from pytest_evals.scorers.sanity import SanityRegistry

        return SanityRegistry(self.registry)

    def fresh_engine(self, settings: Settings, share: WorkerShare) -> Engine:
        """Return a second engine, for what is asked after the trials.

        Args:
            settings: the session's, with what is left of its time.
            share: what has been used of its budgets.
        """
        return Engine(
            settings,
            EngineDeps(
                registry=self.registry,
                http=_http_clients,
                store=self._responses(),
                redactor=self.redactor,
                chain=self.chain(),
                share=share,
                trial_hooks=trial_hooks(self.registry.hooks),
            ),
        )

    def refusing_engine(self, reason: str) -> Engine:
        """Return an engine that asks nothing and gives the reason.

        For workers, where a usage error would look like a crash.
        """
        if self.engine is None:
            self.engine = Engine(
                self.settings, EngineDeps(registry=self.registry, http=_http_clients)
            )
        self.engine.refuse(reason)
        return self.engine

    def _responses(self) -> ResponseStore | None:
        """Open the stored answers, once."""
        from pytest_evals.plugin.stores import open_responses

        if self.answers is None:
            self.answers = open_responses(self)
            if self.answers is not None:
                self.closing.append(self.answers)
        return self.answers


def _http_clients() -> Any:
    """Make the HTTP clients."""
    from pytest_evals.providers.transport import HttpClientPool

    return HttpClientPool()


def begin(config: pytest.Config) -> None:
    """Start the session's state and register its plugin objects."""
    from pytest_evals.plugin.exit import end_at_once
    from pytest_evals.plugin.hooks import LatePlugins, find_plugins
    from pytest_evals.plugin.once import NOTE, Once, reruns
    from pytest_evals.plugin.runner import Runner

    try:
        settings = read_settings(
            config.rootpath,
            command_line={o.name: getattr(config.option, o.dest, None) for o in OPTIONS},
            environ=os.environ,
            ini={o.name: config.getini(o.ini) for o in OPTIONS},
        )
        redactor = make_redactor(settings)
        registry = find_plugins(config)
        redactor.add_secrets(*registry.redactions())
    except EvalsError as error:
        raise pytest.UsageError(neutral(str(error))) from None
    workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput and settings.timeout is not None:
        settings = replace(settings, timeout=max(0.001, workerinput["evals_seconds"]))
    evals = Evals(
        config=config,
        settings=settings,
        registry=registry,
        run_id=workerinput["evals_run"] if workerinput else new_run_id(time()),
        chain=lambda: workerinput["evals_chain"] if workerinput else "",
        worker=workerinput["workerid"] if workerinput else None,
        share=share_of(workerinput) if workerinput else WorkerShare(),
        redactor=redactor,
    )
    config.stash[EVALS] = evals
    end_at_once(config)
    config.pluginmanager.register(Runner(evals), "evals-runner")
    config.pluginmanager.register(LatePlugins(evals), "evals-late-plugins")
    _register_python(evals)
    config.pluginmanager.register(Once(), "evals-once")
    if workerinput is None and reruns(config):
        evals.notes.append(NOTE)
    if config.pluginmanager.hasplugin("allure_pytest"):
        from pytest_evals.plugin.allure import Allure

        config.pluginmanager.register(Allure(config, redactor), "evals-allure")
    if workerinput is None:
        _register_session(evals)


def _register_python(evals: Evals) -> None:
    """Register what collects and runs evals written in Python, and their fixtures."""
    from pytest_evals.plugin.python import fixtures
    from pytest_evals.plugin.python.hooks import PythonEvals

    register = evals.config.pluginmanager.register
    register(PythonEvals(evals), "evals-python")
    register(fixtures, "evals-fixtures")


def _register_session(evals: Evals) -> None:
    """Register what lives where the session is, never on an xdist worker."""
    from pytest_evals.plugin.gates import Gates
    from pytest_evals.plugin.recorder import Recorder
    from pytest_evals.plugin.reports import Reports, wanted

    config, register = evals.config, evals.config.pluginmanager.register
    register(Recorder(evals), "evals-recorder")
    if evals.settings.sanity:
        from pytest_evals.plugin.sanity import SanitySummary

        register(SanitySummary(), "evals-sanity-summary")
    register(Gates(evals), "evals-gates")
    if getattr(config.option, "xmlpath", None):
        from pytest_evals.plugin.junit import JUnit

        register(JUnit(evals), "evals-junit")
    if wanted(evals) and not config.option.collectonly:
        try:
            register(Reports(evals), "evals-reports")
        except (SettingsError, PluginError) as error:
            raise pytest.UsageError(str(error)) from None
    if getattr(config.option, "verbose", -1) >= 0:
        from pytest_evals.plugin.progress import LiveLine

        live = LiveLine(config, lambda: None if evals.engine is None else evals.engine.progress)
        register(live, "evals-progress")
    if getattr(config.option, "dist", "no") != "no":
        from pytest_evals.plugin.xdist import Controller

        register(Controller(evals), "evals-xdist")


def has_bars(settings: Settings, info: DatasetInfo) -> bool:
    """Whether a dataset has gates, or is compared with a baseline or becomes one."""
    writes = settings.update_baseline or settings.reset_baseline
    return bool(info.gates) or writes or settings.baseline is not None


def share_of(workerinput: dict[str, Any]) -> WorkerShare:
    """Return an xdist worker's share, as its controller has written it."""
    return WorkerShare(
        workers=int(workerinput["workercount"]),
        rank=int(workerinput["evals_rank"]),
        used_usd=float(workerinput["evals_used"][0]),
        used_tokens=int(workerinput["evals_used"][1]),
        folder=Path(workerinput["evals_folder"]),
    )


def end(config: pytest.Config) -> None:
    """Close what the session opened."""
    evals = config.stash.get(EVALS, None)
    if evals is None:
        return
    if evals.engine is not None:
        evals.engine.stop()
    for store in evals.closing:
        try:
            store.close()
        except StoreError as error:
            # The reports are written by now: a warning is what is left to say it with.
            config.issue_config_time_warning(pytest.PytestWarning(str(error)), stacklevel=2)
    evals.closing.clear()


def make_redactor(settings: Settings) -> Redactor:
    """Make the one redaction point: keys from the environment and the user's patterns."""
    import re

    for pattern in settings.redact:
        try:
            re.compile(pattern)
        except re.error as error:
            raise SettingsError(f"evals_redact: {pattern!r} is no pattern: {error}") from None
    return Redactor(secrets_in(os.environ), settings.redact)
