"""Composition: the one place where a session's objects are made and registered with pytest.

Every object receives its collaborators from its constructor; none looks another up by name.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import pytest

from pytest_evals.config import OPTIONS, Settings, read_settings
from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.ground.errors import EvalsError, PluginError, SettingsError
from pytest_evals.ground.plain_text import neutral
from pytest_evals.plugin import compat, wire
from pytest_evals.plugin.bridges.reruns import NOTE, SingleRun
from pytest_evals.plugin.display import Display
from pytest_evals.plugin.gates import EvaluationNeeds, Gates
from pytest_evals.plugin.items import ItemServices
from pytest_evals.plugin.late_plugins import LatePlugins
from pytest_evals.plugin.process.exit import end_at_once
from pytest_evals.plugin.python import fixtures
from pytest_evals.plugin.python.hooks import PythonEvals
from pytest_evals.plugin.recorder import Recorder
from pytest_evals.plugin.results import TrialResults
from pytest_evals.plugin.runner import Runner
from pytest_evals.plugin.terminal.guard import NOTES
from pytest_evals.plugin.terminal.live_line import LiveLine
from pytest_evals.plugin.trial_reports import TrialReports
from pytest_evals.run_record import new_run_id
from pytest_evals.session.evaluation import RunEvaluation
from pytest_evals.session.extensions import make_registry
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.observers import TrialObserver
from pytest_evals.session.recording import RunRecorder
from pytest_evals.session.redaction import make_redactor
from pytest_evals.session.reports import Reports, has_reports
from pytest_evals.session.resume import ResumeMark
from pytest_evals.session.session import Session
from pytest_evals.session.state import SessionState
from pytest_evals.session.tables import TrialTables
from pytest_evals.session.watched_run import WatchedRun

if TYPE_CHECKING:
    from pytest_evals.plugin.bridges.xdist import Controller
    from pytest_evals.session.verdicts import SessionVerdicts

HOST = pytest.StashKey["Host"]()
"""The open session, on the config's stash, until `end` closes it."""


@dataclass(frozen=True, slots=True)
class Host:
    """What has to be closed at the end of the process."""

    session: Session
    watched: WatchedRun
    recording: RunRecorder | None
    """None on a worker."""
    reports: Reports | None


def begin(config: pytest.Config) -> None:
    """Make the session and register its plugin objects."""
    worker = wire.read_worker_input(config)
    session = _make_session(config, worker)
    config.stash[NOTES] = session.notes
    end_at_once(config)
    if worker is None:
        config.stash[HOST] = _begin_main(config, session)
    else:
        watched = WatchedRun(session)
        config.stash[HOST] = Host(session, watched, None, None)
        _register_items(config, session, None, watched)


def _make_session(config: pytest.Config, worker: wire.WorkerInput | None) -> Session:
    """Make the session, from pytest's options and what the controller tells a worker.

    Raises:
        UsageError: an option or a plugin is invalid.
    """
    autoload = not getattr(config.option, "disable_plugin_autoload", False)
    autoload = autoload and not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    try:
        settings = _read_settings(config)
        registry = make_registry(config.pluginmanager, entry_points=autoload)
        redactor = make_redactor(settings, registry)
    except EvalsError as error:
        raise pytest.UsageError(neutral(str(error))) from None
    if worker is not None and settings.timeout is not None and worker.seconds is not None:
        settings = replace(settings, timeout=max(0.001, worker.seconds))
    state = SessionState(
        settings=settings,
        registry=registry,
        run_id=new_run_id(time()) if worker is None else worker.run_id,
        redactor=redactor,
        share=WorkerShare() if worker is None else worker.share,
        worker=None if worker is None else worker.worker,
    )
    return Session.of(state, None if worker is None else ResumeMark(worker.mark))


def _read_settings(config: pytest.Config) -> Settings:
    return read_settings(
        config.rootpath,
        command_line={o.name: getattr(config.option, o.dest, None) for o in OPTIONS},
        environ=os.environ,
        ini={o.name: config.getini(o.ini) for o in OPTIONS},
        folder=config.invocation_params.dir,
    )


def _begin_main(config: pytest.Config, session: Session) -> Host:
    """Make and register the objects of the process that records the run."""
    ledger, evaluation, latest = Ledger(), RunEvaluation(), wire.LatestTrial()
    reports = _make_reports(config, session.state)
    verbose = getattr(config.option, "verbose", 0)
    needs = EvaluationNeeds(session, ledger, detailed=verbose > 0 or reports is not None)
    tables = TrialTables(needs.needs_tallies)
    controller = _make_controller(config, session, ledger)
    xmlpath = getattr(config.option, "xmlpath", None)
    watched = WatchedRun(session, ledger, Path(xmlpath) if xmlpath else None)
    # They receive each trial in this order, after the ledger and before the store.
    observers: tuple[TrialObserver | None, ...] = (tables, controller, reports, watched)
    recording = RunRecorder(session, ledger, [o for o in observers if o is not None])
    live = _make_live_line(config, session)
    _register_items(config, session, recording, watched, latest=latest, live=live)
    register = config.pluginmanager.register
    recorder = Recorder(
        config, recording, evaluation, notes=session.notes, latest=latest, reports=reports
    )
    register(recorder, "evals-recorder")
    register(Display(config, session, recording, evaluation, tables), "evals-display")
    if session.state.settings.sanity:
        from pytest_evals.plugin.terminal.sanity import SanitySummary

        register(SanitySummary(), "evals-sanity-summary")

    def verdicts() -> "SessionVerdicts":
        return _make_verdicts(config, session, ledger)

    gates = Gates(session, ledger, tables, evaluation, needs=needs, verdicts=verdicts)
    register(gates, "evals-gates")
    if xmlpath:
        from pytest_evals.plugin.bridges.junit import JUnit

        register(JUnit(session.state, ledger, evaluation), "evals-junit")
    if live is not None:
        register(live, "evals-progress")
    if controller is not None:
        register(controller, "evals-xdist")
    if compat.reruns_requested(config):
        session.notes.add(NOTE)
    return Host(session, watched, recording, reports)


def _register_items(
    config: pytest.Config,
    session: Session,
    recording: RunRecorder | None,
    watched: WatchedRun,
    *,
    latest: wire.LatestTrial | None = None,
    live: LiveLine | None = None,
) -> None:
    """Make and register the objects of every process that runs items."""
    state, register = session.state, config.pluginmanager.register
    results = TrialResults(session.engines, live)
    reports = TrialReports(state, session.baselines, latest)
    services = ItemServices(state, session.plan, results, reports)
    runner = Runner(config, session, services, recording=recording, watched=watched, live=live)
    register(runner, "evals-runner")
    register(LatePlugins(state), "evals-late-plugins")
    register(PythonEvals(config, session, results, reports), "evals-python")
    register(fixtures, "evals-fixtures")
    register(SingleRun(), "evals-once")
    if compat.has_allure(config):
        from pytest_evals.plugin.bridges.allure import Allure

        register(Allure(config, state.redactor), "evals-allure")


def _make_reports(config: pytest.Config, state: SessionState) -> Reports | None:
    """Make the object that writes reports; None if there are none.

    Raises:
        UsageError: a report cannot be written.
    """
    if compat.runs_no_test(config) or not has_reports(state.settings):
        return None
    try:
        return Reports(state)
    except (SettingsError, PluginError) as error:
        raise pytest.UsageError(str(error)) from None


def _make_live_line(config: pytest.Config, session: Session) -> LiveLine | None:
    """Make the live line; None with ``-q`` or ``-p no:evals-progress``."""
    if getattr(config.option, "verbose", -1) < 0:
        return None
    if config.pluginmanager.is_blocked("evals-progress"):
        return None
    return LiveLine(config, session.engines.progress)


def _make_controller(
    config: pytest.Config, session: Session, ledger: Ledger
) -> "Controller | None":
    """Make the controller of xdist's workers; None without workers."""
    if getattr(config.option, "dist", "no") == "no":
        return None
    from pytest_evals.plugin.bridges.xdist import Controller

    return Controller(config, session, ledger)


def _make_verdicts(config: pytest.Config, session: Session, ledger: Ledger) -> "SessionVerdicts":
    """Make the evaluator of the session's datasets."""
    from pytest_evals.plugin.terminal.summary import announce
    from pytest_evals.session.verdicts import SessionVerdicts

    verbose = getattr(config.option, "verbose", 0) > 0
    return SessionVerdicts.of(
        session, ledger, announce=lambda text: announce(config, text), verbose=verbose
    )


def header(config: pytest.Config) -> list[str]:
    """Return the lines for pytest's header."""
    state = config.stash[HOST].session.state
    settings = state.settings
    shown = " ".join(f"{k}={v}" for k, v in settings.shown().items() if k != "model")
    store = "" if settings.responses == "off" else f", store {settings.store}"
    lines = [f"evals: run {state.run_id}, responses {settings.responses}{store}"]
    if shown:
        lines.append(f"evals settings: {shown}")
    return lines


def end(config: pytest.Config) -> None:
    """Close what the session opened."""
    host = config.stash.get(HOST, None)
    if host is None:
        return
    host.session.engines.stop()
    host.watched.close()
    errors = [] if host.recording is None else host.recording.close()
    errors += host.session.close()
    if host.reports is not None:
        host.reports.close()
    for error in errors:
        # The reports are written already: only a warning can still tell the user.
        config.issue_config_time_warning(pytest.PytestWarning(str(error)), stacklevel=2)
