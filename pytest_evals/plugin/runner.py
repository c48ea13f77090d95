"""Runner: the plugin object where items run (the only process, or each xdist worker).

It collects datasets, runs the engine for the length of the test loop, and lets each trial's record
be written on its report.
"""

from collections.abc import Generator, Iterable
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pytest_evals.engine import Engine, capture
from pytest_evals.ground.errors import SettingsError, StoreError
from pytest_evals.matrix import Trial
from pytest_evals.plugin import wire
from pytest_evals.plugin.compat import queued_items, runs_no_test
from pytest_evals.plugin.items import (
    EvalFile,
    EvalItem,
    ItemServices,
    selected_trials,
    trial_of,
)
from pytest_evals.plugin.process.capture import trial_output_separated
from pytest_evals.plugin.process.exit import no_collection, rare_collection
from pytest_evals.plugin.terminal.live_line import LiveLine
from pytest_evals.result import Outcome
from pytest_evals.run_record import DatasetInfo
from pytest_evals.session.recording import RunRecorder
from pytest_evals.session.session import Session
from pytest_evals.session.watched_run import WatchedRun


class Runner:
    """Runs trials as pytest items.

    Args:
        config: pytest's.
        session: the session.
        services: what the items use.
        recording: the run's recording; None on a worker.
        watched: has the process watched while items run.
        live: the live line; None displays nothing.
    """

    def __init__(
        self,
        config: pytest.Config,
        session: Session,
        services: ItemServices,
        *,
        recording: RunRecorder | None,
        watched: WatchedRun,
        live: LiveLine | None,
    ) -> None:
        self._config = config
        self._session = session
        self._services = services
        self._recording = recording
        self._watched = watched
        self._live = live
        self._is_worker = recording is None
        self._patterns: tuple[str, ...] = tuple(config.getini("evals_files"))
        self._infos: tuple[DatasetInfo, ...] = ()
        self._infos_sent = False

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        """Collect a dataset: one named on the command line, or one that matches ``evals_files``."""
        name = file_path.name
        matches = any(fnmatch(name, pattern) for pattern in self._patterns)
        if not matches and not (
            file_path.suffix.lower() in self._session.state.registry.suffixes()
            and parent.session.isinitpath(file_path)
        ):
            return None
        return EvalFile.from_parent(parent, path=file_path, services=self._services)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Collect without garbage collection: the many new objects all stay."""
        with no_collection(freeze=True):
            return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Deselect the cases of other shards; tests that are no evals run in the first shard."""
        shard, plan = self._session.state.settings.shard, self._session.plan
        if shard is None or not plan.matrices:
            return
        try:
            cases = {group: plan.cases_of_shard(group) for group in plan.matrices}
        except (SettingsError, StoreError) as error:
            raise pytest.UsageError(str(error)) from None
        selected: list[pytest.Item] = []
        deselected: list[pytest.Item] = []
        for item in items:
            trial = trial_of(item)
            runs = shard.number == 1 if trial is None else trial.case.id in cases[trial.group]
            (selected if runs else deselected).append(item)
        if deselected:
            config.hook.pytest_deselected(items=deselected)
            items[:] = selected

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is selected."""
        if not self._session.plan.matrices or runs_no_test(session.config):
            return
        self._infos = self._session.plan.infos(selected_trials(session.items))
        if self._recording is not None:
            ids = [item.nodeid for item in session.items if trial_of(item) is not None]
            self._recording.ledger.expect(self._infos, list(dict.fromkeys(ids)))
            if self._live is not None:
                self._live.expect(len(self._recording.ledger.planned))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run the engine around the test loop."""
        trials = [trial for item in session.items if (trial := trial_of(item)) is not None]
        if not trials or runs_no_test(session.config):
            return (yield)
        engine = self._prepared_engine(trials)
        try:
            with trial_output_separated(session.config), rare_collection():
                engine.start()
                if self._recording is not None:
                    self._recording.begin()
                self._watched.start(trials)
                if self._recording is not None:
                    engine.expect(_trials_ahead(session.items))
                return (yield)
        finally:
            engine.stop()
            if self._is_worker:
                wire.write_worker_notes(self._config, [*engine.notes, *self._session.notes])

    def _prepared_engine(self, trials: list[Trial]) -> Engine:
        """Read baselines and check the trials before any money is spent; return the engine.

        Raises:
            UsageError: something is missing. A worker returns an engine that refuses trials.
        """
        engines = self._session.engines
        try:
            self._session.baselines.read_all(self._infos)
            engine = engines.main()
            engine.prepare(trials)
        except (SettingsError, StoreError) as error:
            if self._is_worker:
                return engines.refusing(str(error))
            raise pytest.UsageError(str(error)) from None
        return engine

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """On a worker, look ahead at the items in its queue."""
        runs = self._is_worker and not runs_no_test(self._config)
        if runs and trial_of(item) is not None:
            self._look_ahead(item, nextitem)
        try:
            return (yield)
        finally:
            last = isinstance(item, EvalItem) and not isinstance(nextitem, EvalItem)
            if last and not runs_no_test(self._config):
                self._session.engines.main().release()

    def _look_ahead(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Tell the engine which trials are in this worker's queue."""
        coming = [item, *([nextitem] if nextitem is not None else []), *queued_items(item.session)]
        self._session.engines.main().expect_only(_trials_ahead(coming))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Write the trial of a dataset on the report of the phase that ends it."""
        report = yield
        capture.install()
        if self._is_worker and not self._infos_sent and trial_of(item) is not None:
            self._infos_sent = True
            wire.write_infos(report, self._infos)
        if isinstance(item, EvalItem):
            self._write(item, report)
        return report

    def _write(self, item: EvalItem, report: pytest.TestReport) -> None:
        """Write a trial on the report that ends it; set the reports' durations."""
        result = item.result
        if result is None:
            return
        if report.when == "teardown":
            item.result = None  # it is recorded, and items live as long as the session
            return
        in_setup = result.outcome in {Outcome.SKIPPED, Outcome.ERRORED}
        if report.when == ("setup" if in_setup else "call"):
            report.duration = result.duration_s
            self._services.reports.write(item, item.trial, result, report)
        elif report.when == "setup":
            report.duration = 0.0


def _trials_ahead(items: Iterable[pytest.Item]) -> list[Trial]:
    """Return the trials that the engine may run ahead of pytest, in order."""
    trials: list[Trial] = []
    for item in items:
        if isinstance(item, EvalItem):
            trials.append(item.trial)
        elif (trial := trial_of(item)) is not None and not trial.answered_by_code:
            from pytest_evals.plugin.python.skips import may_be_skipped

            if not may_be_skipped(item):
                trials.append(trial)
    return trials
