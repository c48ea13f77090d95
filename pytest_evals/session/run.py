"""`run`, `arun` and `load_run`: a session in a plain script or a notebook, without pytest.

The same plan, engine, verdicts and store as a session of pytest, so the same datasets end with the
same verdict. Knows no terminal: messages for the user are in `Run.notes`.
"""

import contextvars
import difflib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from operator import attrgetter
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from pytest_evals.case import Case
from pytest_evals.config import OPTIONS, Settings, read_settings
from pytest_evals.dataset import Dataset
from pytest_evals.engine import Engine, capture
from pytest_evals.ground.canonical import to_json
from pytest_evals.ground.errors import DatasetError, Position, Problem, StoreError
from pytest_evals.matrix import Trial
from pytest_evals.metrics.shared_draws import sharing_sentences
from pytest_evals.registry import Registry
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo, Run, new_run_id
from pytest_evals.session.evaluation import RunEvaluation
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.observers import TrialObserver
from pytest_evals.session.recording import RunRecorder
from pytest_evals.session.redaction import make_redactor
from pytest_evals.session.reports import Reports, has_reports
from pytest_evals.session.session import Session
from pytest_evals.session.state import SessionState
from pytest_evals.session.tables import TrialTables

if TYPE_CHECKING:
    from pytest_evals.session.verdicts import SessionVerdicts

PASSED, FAILED, INTERRUPTED = 0, 1, 2
"""Exit statuses of a run: those of pytest."""


class RunOptions(TypedDict, total=False):
    """The options of `run`: those of the command line, without ``--evals-`` and with ``_``.

    Durations are in seconds, costs in USD. An option that is left out, or None, comes from its
    environment variable ``PYTEST_EVALS_…``, or else has its default.
    """

    model: str | Sequence[str] | None
    samples: int | None
    responses: str | None
    cassette: str | Path | None
    concurrency: int | None
    timeout: float | None
    max_cost: float | None
    max_tokens: int | None
    baseline: str | None
    update_baseline: bool | None
    reset_baseline: bool | None
    strict: bool | None
    from_run: str | None
    shard: str | None
    sanity: bool | None
    confirm: int | str | None
    html: str | Path | None
    md: str | Path | None
    json: str | Path | None
    csv: str | Path | None
    report: str | Sequence[str] | None
    store: str | Path | None
    shared: str | None
    window: int | None
    trial_timeout: float | None
    attempt_timeout: float | None
    max_retries: int | None
    judge: str | None
    breaker: int | None
    host_concurrency: int | None
    redact: str | Sequence[str] | None
    junit_properties: bool | None


Source = str | os.PathLike[str] | Dataset | Iterable[Case]
"""What `run` runs: a dataset file, a `Dataset`, or cases."""


def run(
    dataset: Source,
    *,
    rootdir: str | os.PathLike[str] | None = None,
    on_trial: Callable[[TrialResult], object] | None = None,
    **options: Unpack[RunOptions],
) -> Run:
    """Run a dataset as ``pytest --evals`` does, and return the sealed run.

    Models are called, which can cost money. Trials, responses and the run are stored in the store
    below `rootdir`; reports are written where options ask for them.

    Args:
        dataset: a dataset file; or a `Dataset`, or cases, made in Python.
        rootdir: relative paths start here; by default the current folder.
        on_trial: is called with each trial's result, without secrets, in the order of the plan.
        options: those of the command line: ``samples=3``, ``model="openai:gpt-4.1-mini"``.

    Returns:
        The run. ``exit_status`` is 0 if all trials and gates passed, else 1; ``notes`` says what
        pytest would display.

    Raises:
        DatasetError: all problems of the dataset.
        SettingsError: an invalid option, missing API keys, a target that cannot be imported.
        StoreError: a baseline or the answers to replay cannot be read.
        PluginError: a plugin cannot be imported or is invalid.
        TypeError: there is no such option.
        KeyboardInterrupt: Ctrl-C; the run is sealed as interrupted first.
    """
    return _run(dataset, rootdir, on_trial, dict(options), threading.Event())


async def arun(
    dataset: Source,
    *,
    rootdir: str | os.PathLike[str] | None = None,
    on_trial: Callable[[TrialResult], object] | None = None,
    **options: Unpack[RunOptions],
) -> Run:
    """Do what `run` does without blocking the caller's event loop, a notebook's for example.

    The run has a thread of its own, where `on_trial` is called. If the task is cancelled, the run
    is sealed as interrupted before `asyncio.CancelledError` is raised.
    """
    import asyncio

    stop = threading.Event()
    work = partial(_run, dataset, rootdir, on_trial, dict(options), stop)
    context = contextvars.copy_context()
    running = asyncio.get_running_loop().run_in_executor(None, context.run, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        with suppress(Exception, _Stop):
            await running
        raise


def load_run(
    name: str = "latest",
    *,
    rootdir: str | os.PathLike[str] | None = None,
    store: str | os.PathLike[str] | None = None,
) -> Run:
    """Return a stored run.

    Args:
        name: its id, a unique prefix of its id, or ``latest``.
        rootdir: relative paths start here; by default the current folder.
        store: the store's file; by default that of the settings, ``.evals/evals.sqlite``.

    Raises:
        StoreError: there is no store, it cannot be read, or it has no such run.
    """
    from pytest_evals.storage.sqlite import SqliteRunStore

    settings = _settings(rootdir, {"store": None if store is None else os.fspath(store)})
    if not settings.store_path.is_file():
        raise StoreError(f"there is no store at {settings.store_path}; has anything been run?")
    runs = SqliteRunStore(settings.store_path, write=False)
    try:
        return runs.run(name)
    finally:
        runs.close()


def _settings(rootdir: str | os.PathLike[str] | None, options: dict[str, Any]) -> Settings:
    """Read the settings of a script.

    Raises:
        SettingsError: an invalid value.
        TypeError: there is no such option.
    """
    names = {option.attribute: option.name for option in OPTIONS}
    for name in options:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"there is no option {name!r}{hint}")
    return read_settings(
        Path.cwd() if rootdir is None else Path(rootdir).absolute(),
        command_line={names[name]: value for name, value in options.items()},
        environ=os.environ,
        ini={},
        spelling=attrgetter("attribute"),
    )


def _run(
    source: Source,
    rootdir: str | os.PathLike[str] | None,
    on_trial: Callable[[TrialResult], object] | None,
    options: dict[str, Any],
    stop: threading.Event,
) -> Run:
    """Make a session, run it, and close it."""
    settings = _settings(rootdir, options)
    registry = Registry.installed()
    state = SessionState(
        settings=settings,
        registry=registry,
        run_id=new_run_id(time()),
        redactor=make_redactor(settings, registry),
    )
    session = Session.of(state)
    try:
        return _ScriptRun(session, on_trial, stop).complete(source)
    finally:
        session.close()


class _Stop(BaseException):
    """The caller wants no more trials."""


class _ScriptRun:
    """One run of `run`, from the dataset to the sealed record.

    Args:
        session: the session.
        on_trial: receives each result.
        stop: is set when the caller wants no more trials.
    """

    def __init__(
        self,
        session: Session,
        on_trial: Callable[[TrialResult], object] | None,
        stop: threading.Event,
    ) -> None:
        self._session = session
        self._on_trial = on_trial
        self._stop = stop
        self._ledger = Ledger()
        self._tables = TrialTables()
        self._evaluation = RunEvaluation()
        self._has_failures = False

    def complete(self, source: Source) -> Run:
        """Run a dataset; whatever stops it, what was recorded is sealed."""
        group = add_dataset(self._session, source)
        trials = self._selected(group)
        infos = self._session.plan.infos({group: len(trials)})
        self._ledger.expect(infos, [trial.id for trial in trials])
        settings = self._session.state.settings
        reports = Reports(self._session.state) if has_reports(settings) else None
        observers: tuple[TrialObserver, ...] = (self._tables, *([reports] if reports else []))
        recording = RunRecorder(self._session, self._ledger, observers)
        try:
            self._session.baselines.read_all(infos)
            recording.open()
            engine = self._session.engines.main()
            engine.prepare(trials)
            try:
                self._record_all(engine, trials, recording)
            except BaseException:
                self._evaluate(infos, stopped=True)
                self._seal(recording, reports, INTERRUPTED)
                raise
            self._evaluate(infos, stopped=False)
            return self._seal(recording, reports, None)
        finally:
            recording.close()
            if reports is not None:
                reports.close()

    def _selected(self, group: str) -> list[Trial]:
        """Return the trials of this shard, in order; all without shards."""
        plan = self._session.plan
        trials = list(plan.matrices[group])
        if self._session.state.settings.shard is None:
            return trials
        cases = plan.cases_of_shard(group)
        return [trial for trial in trials if trial.case.id in cases]

    def _record_all(self, engine: Engine, trials: list[Trial], recording: RunRecorder) -> None:
        """Run the trials and record each."""
        with _captured_output():
            engine.start()
            try:
                recording.begin()
                engine.expect(trials)
                for trial in trials:
                    self._check_stop()
                    result = engine.result(trial, tick=self._check_stop)
                    self._record(trial, result, recording)
            finally:
                engine.stop()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Stop

    def _record(self, trial: Trial, result: TrialResult, recording: RunRecorder) -> None:
        """Record one result, without secrets."""
        if self._session.baselines.tolerates(trial.group, result):
            result = result.model_copy(update={"tolerated": True})
        result, record = to_json(result)
        clean = self._session.state.redactor.redact_json(record)
        if clean != record:
            result, record = TrialResult.model_validate_json(clean), clean
        fails = result.outcome in {Outcome.FAILED, Outcome.ERRORED} and not result.tolerated
        self._has_failures = self._has_failures or fails
        recording.add(result, record)
        if self._on_trial is not None:
            self._on_trial(result)

    def _evaluate(self, infos: tuple[DatasetInfo, ...], *, stopped: bool) -> None:
        """Evaluate the datasets that have recorded trials."""
        for info in infos:
            table = self._tables.of(info.name)
            if not len(table):
                continue
            try:
                evaluation = self._verdicts().evaluate(info, table, stopped=stopped)
            except StoreError as error:
                self._session.notes.add(str(error))
                self._has_failures = True
                continue
            self._session.notes.extend(sharing_sentences(table))
            if evaluation.note:
                self._session.notes.add(evaluation.note)
            self._evaluation.add(info.name, evaluation)
        self._evaluation.decide(self._ledger)

    def _verdicts(self) -> "SessionVerdicts":
        from pytest_evals.session.verdicts import SessionVerdicts

        return SessionVerdicts.of(self._session, self._ledger, announce=self._session.notes.add)

    def _seal(self, recording: RunRecorder, reports: Reports | None, status: int | None) -> Run:
        """Seal the run and write its reports.

        Args:
            recording: the run.
            reports: those that are written; None if there are none.
            status: the exit status; None to compute it.
        """
        problems = list(self._ledger.problems(stopped=status is not None))
        self._session.notes.extend(problems)
        blocked = any(verdict.blocking for verdict in self._evaluation.gates)
        if status is None:
            status = FAILED if problems or blocked or self._has_failures else PASSED
        run = recording.seal(self._evaluation, exit_status=status)
        if reports is None:
            return run
        errors, plugin_errors = reports.write(run, self._evaluation.datasets, self._ledger.planned)
        if not errors and not plugin_errors:
            return run
        # The store has the run as it was before its reports were written.
        update = {"notes": (*run.notes, *errors, *plugin_errors)}
        return run.model_copy(update=update | ({"exit_status": status or FAILED} if errors else {}))


def add_dataset(session: Session, source: Source) -> str:
    """Add a dataset to the plan of a session; return its group.

    Args:
        session: the session.
        source: a file, a `Dataset`, or cases.

    Raises:
        DatasetError: all problems of the dataset.
        SettingsError: a selected model does not exist, or there are no models.
    """
    rootdir = session.state.settings.rootdir
    if isinstance(source, str | os.PathLike):
        path = (rootdir / source).resolve()
        inside = path.is_relative_to(rootdir.resolve())
        group = path.relative_to(rootdir.resolve()).as_posix() if inside else path.as_posix()
        session.plan.add_file(path, group)
        return group
    dataset = source if isinstance(source, Dataset) else _dataset_of(source)
    place = Position(dataset.path or dataset.name)
    problems = [
        Problem(place, f"{'.'.join(map(str, loc))}: {message}")
        for loc, message in session.state.registry.check(dataset)
    ]
    counts = Counter(case.id for case in dataset.cases)
    problems += [Problem(place, f"duplicate id {id_!r}") for id_ in counts if counts[id_] > 1]
    if problems:
        raise DatasetError(problems)
    group = dataset.path or dataset.name
    dataset = dataset.model_copy(update={"path": group})
    session.plan.matrices[group] = session.plan.matrix_of(dataset)
    return group


def _dataset_of(cases: Iterable[Case]) -> Dataset:
    """Make a dataset of cases.

    Raises:
        TypeError: something else than a case.
        DatasetError: there are none.
    """
    listed = tuple(cases)
    for number, case in enumerate(listed):
        if not isinstance(case, Case):
            raise TypeError(
                f"a dataset is a file, a Dataset, or cases; item {number} is a "
                f"{type(case).__name__}, expected a Case"
            )
    if not listed:
        raise DatasetError.at(Position("cases"), "the dataset has no cases")
    return Dataset(name="cases", path="cases", cases=listed)


@contextmanager
def _captured_output() -> Iterator[None]:
    """Let what trials print go into their records."""
    capture.install()
    try:
        yield
    finally:
        capture.remove()
