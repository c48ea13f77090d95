"""Engine: what a host (pytest, a script, the command line) sees of all calls and scores.

A host passes the planned trials in order and takes their results in the same order. Meanwhile
trials run ahead of the host on one background event loop, inside a bounded window. The window is
what an early stop can waste. `lookahead` decides what may start; this module starts it.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.engine.answer_writer import AnswerWriter
from pytest_evals.engine.baton import Baton
from pytest_evals.engine.call_attempts import CallAttempts
from pytest_evals.engine.deps import EngineDeps
from pytest_evals.engine.exits import EXIT_GUARD
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.lookahead import LookaheadWindow, Wake
from pytest_evals.engine.model_call import ModelCaller
from pytest_evals.engine.route import Route
from pytest_evals.engine.routes import ModelRoutes
from pytest_evals.engine.scoring import TrialScorer
from pytest_evals.engine.stored_answers import StoredAnswers
from pytest_evals.engine.synthetic_results import internal_error_result
from pytest_evals.engine.threads import DaemonPool
from pytest_evals.engine.trial import TrialRunner
from pytest_evals.engine.trial_hooks import TrialHookRunner
from pytest_evals.exchange import Response
from pytest_evals.ground.canonical import to_json
from pytest_evals.ground.notes import Notes
from pytest_evals.ground.user_loop import UserLoop
from pytest_evals.matrix import Trial
from pytest_evals.providers.base import Provider, ProviderContext
from pytest_evals.result import TrialResult

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pytest_evals.certificate import Certificate
    from pytest_evals.engine.adaptive_sampling import AdaptiveSampling

T = TypeVar("T")

SLICE_S = 0.2
"""Seconds a host waits between two looks at signals, so that Ctrl-C works."""
GATHER_S = 0.02
"""Seconds in which results gather before the host is woken (see `Wake.SOON`)."""
STOP_S = 2.0
"""Seconds that running calls have to end when the engine stops."""
WRITE_S = 12.0
"""Seconds to store the last answers when the engine stops (another session may be writing)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of the engine, for the live line."""

    waiting: int
    """Trials that have not started."""
    in_flight: int
    """Calls under way."""
    ready: int
    """Results that the host has not taken."""
    calls: int
    reused: int
    """Answers taken from the store."""
    retries: int
    cost_usd: float
    tokens: int


class Engine:
    """Runs trials ahead of a host.

    Args:
        settings: the session's settings.
        deps: what the host provides.
    """

    def __init__(self, settings: Settings, deps: EngineDeps) -> None:
        self._settings = settings
        self._deps = deps
        self._certificates: dict[int, Mapping[str, Certificate]] = {}
        self._lock = threading.Condition()
        """Guards the window and the tasks; the host waits on it."""
        self._baton = Baton()
        self._window = LookaheadWindow(settings.lookahead)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._stopping = False
        self._user_loop = UserLoop()
        self._pool = DaemonPool(max(settings.concurrency, 1), "evals-target", self._user_loop)
        self._answer_writer = AnswerWriter(deps.store)
        self._caller = self._new_caller()
        self._routes = ModelRoutes(settings, deps, self._caller, self._pool, self._user_loop)
        self._sampling: AdaptiveSampling | None = None
        self._runner = TrialRunner(
            scorer=TrialScorer(
                caller=self._caller,
                route=self._routes.route,
                run_sync=self._pool.run,
                rootdir=settings.rootdir,
                certificates=self._certificates_of,
            ),
            scorers=lambda trial: deps.registry.scorers_of(trial.dataset, trial.case),
            trial_timeout_s=settings.trial_timeout,
            session_end=None if settings.timeout is None else monotonic() + settings.timeout,
            replays=deps.replays,
            watchdog=deps.watchdog,
        )

    def _new_caller(self) -> ModelCaller:
        """Make what calls models."""
        settings, share = self._settings, self._deps.share
        return ModelCaller(
            answers=StoredAnswers(
                store=self._deps.store,
                mode=settings.responses,
                write=self._answer_writer.write,
                notes=Notes(),
            ),
            attempts=CallAttempts(
                session=Limiter(share.part(settings.concurrency)),
                budget=share.budget(settings.max_cost, settings.max_tokens),
                redact=self._redacted,
                is_over=share.is_over,
            ),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must know: stores that failed, calls that were not stored."""
        return tuple(self._caller.notes)

    @property
    def spent_usd(self) -> float:
        """USD spent by this engine; a stored answer costs nothing."""
        return self._caller.attempts.budget.cost_usd

    @property
    def progress(self) -> Progress:
        """The current state."""
        counts, budget = self._caller.counts, self._caller.attempts.budget
        return Progress(
            waiting=self._window.waiting,
            in_flight=counts.in_flight,
            ready=self._window.ready,
            calls=counts.calls,
            reused=counts.reused,
            retries=counts.retries,
            cost_usd=budget.cost_usd,
            tokens=budget.tokens,
        )

    def prepare(self, trials: Iterable[Trial]) -> None:
        """Check everything that can be checked before the first call, and report it at once.

        Raises:
            SettingsError: missing API keys, missing prices that a budget needs, targets that
                cannot be imported, programs that do not exist.
        """
        self._routes.prepare(trials)

    def code_route(self, trial: Trial, make: Callable[[ProviderContext], Provider]) -> Route:
        """Return the route to user code that answers for a trial's model.

        Args:
            trial: the trial.
            make: makes the trial's provider; limits and circuit breaker are shared by all trials
                of one dataset and model.
        """
        return self._routes.code_route(trial, make)

    def start(self) -> None:
        """Start the background event loop."""
        if self._thread is not None:
            return
        EXIT_GUARD.install()
        ready = threading.Event()

        def serve() -> None:
            loop = self._loop = self._baton.event_loop()
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.set)
            try:
                loop.run_forever()
            except BaseException as error:  # noqa: BLE001 - the host must hear of it
                with self._lock:
                    self._failure = error
                    self._lock.notify_all()

        self._thread = threading.Thread(target=serve, name="evals-engine", daemon=True)
        self._thread.start()
        ready.wait()

    def expect(self, trials: Iterable[Trial]) -> None:
        """Queue trials in the order in which the host will take them; known ones are left out."""
        with self._lock:
            self._window.expect(trials)
        self._refill()

    def expect_only(self, trials: Iterable[Trial]) -> None:
        """Replace the queued trials; those that have started go on."""
        with self._lock:
            self._window.drop_queue()
        self.expect(trials)

    def refuse(self, reason: str) -> None:
        """Make no call at all: every trial is reported as not run, with the reason."""
        self._caller.refusal = reason

    def result(
        self, trial: Trial, tick: Callable[[], None] | None = None, *, hold: bool = False
    ) -> TrialResult:
        """Wait for a trial's result.

        A trial whose result was taken before (a rerun), or that was never expected, runs now.

        Args:
            trial: the trial.
            tick: called whenever the host is about to wait; quick and non-blocking.
            hold: whether the host has a little work during which the engine may pause; it calls
                `release` if it takes no further result.

        Raises:
            RuntimeError: the engine is not running.
        """
        trial_id = trial.id
        with self._lock:
            must_start = self._window.want(trial)
        if must_start:
            self._refill()
        with self._deps.watchdog.taking_signals(), self._lock:
            try:
                while (result := self._window.take(trial_id)) is None:
                    if self._failure is not None:
                        raise RuntimeError("the engine's event loop died") from self._failure
                    if self._loop is None or self._stopping:
                        raise RuntimeError("the engine is not running")
                    if tick is not None:
                        tick()
                    self._baton.give()
                    self._lock.wait(SLICE_S)
            finally:
                self._window.stop_waiting()
            needs_refill = self._window.needs_refill
        if needs_refill:
            self._refill()
        if hold:
            self._baton.take()
        else:
            self._baton.give()
        return result

    def release(self) -> None:
        """Let the engine run on while the host does something else."""
        self._baton.give()

    def submit(self, work: "Callable[[TrialRunner], Coroutine[Any, Any, T]]") -> "Future[T]":
        """Run a coroutine of the host on the event loop, besides the planned trials.

        Args:
            work: makes the coroutine; its calls are stored, limited and counted like any other.

        Raises:
            RuntimeError: the engine is not running.
        """
        if self._loop is None or self._stopping:
            raise RuntimeError("the engine is not running")
        return asyncio.run_coroutine_threadsafe(work(self._runner), self._loop)

    def _refill(self) -> None:
        """Have the event loop start the trials that may start."""
        if self._loop is not None and not self._stopping:
            self._loop.call_soon_threadsafe(self._start_trials)

    def _start_trials(self) -> None:
        """Start every trial that may start now. Runs on the event loop."""
        with self._lock:
            while not self._stopping and (trial := self._window.start()) is not None:
                self._start_task(trial)

    def _start_task(self, trial: Trial) -> None:
        """Start a trial's task. The lock is held."""
        assert self._loop is not None
        self._tasks[trial.id] = self._loop.create_task(self._run(trial))

    def _adaptive_sampling(self) -> "AdaptiveSampling":
        """Return what decides on optional samples, made when first needed."""
        if self._sampling is None:
            from pytest_evals.engine.adaptive_sampling import AdaptiveSampling

            self._sampling = AdaptiveSampling(self._hasten, self._release_place)
        return self._sampling

    def _hasten(self, trial_id: str) -> bool:
        """Start a queued trial that another one depends on; return whether it runs here."""
        with self._lock:
            if self._window.has_begun(trial_id):
                return True
            if self._loop is None or self._stopping:
                return False
            trial = self._window.hasten(trial_id)
            if trial is not None:
                self._start_task(trial)
        return trial is not None

    def _release_place(self, trial_id: str) -> None:
        """Free the window place of a trial that waits, and start another one."""
        with self._lock:
            was_released = self._window.release_place(trial_id)
        if was_released:
            self._start_trials()

    async def _run(self, trial: Trial) -> None:
        """Run one trial and hand its result over; no error may leave the host waiting."""
        try:
            result = await self._result_of(trial)
        except (Exception, asyncio.CancelledError) as error:
            if self._stopping:
                raise
            result = internal_error_result(trial, error)
        if trial.min_samples:
            self._adaptive_sampling().record(trial, result)
        with self._lock:
            trial_id = trial.id
            self._tasks.pop(trial_id, None)
            wake = self._window.finish(trial_id, result)
            if wake is Wake.NOW:
                self._lock.notify_all()
            elif wake is Wake.SOON:
                assert self._loop is not None
                self._loop.call_later(GATHER_S, self._wake_host)

    async def _result_of(self, trial: Trial) -> TrialResult:
        """Run one trial between the hooks of plugins, unless it is skipped."""
        if trial.min_samples:
            skipped = await self._adaptive_sampling().skip_result(trial)
            if skipped is not None:
                return skipped
        if self._deps.trial_hooks is None or self._caller.refusal is not None:
            return await self._runner.run(trial)
        hook_runner = TrialHookRunner(
            self._deps.trial_hooks,
            self._pool.run,
            self._deps.redactor.redact_json,
            self._settings.trial_timeout,
            self._caller.notes,
        )
        return await hook_runner.run(trial, self._runner.run)

    def _wake_host(self) -> None:
        """Wake the host."""
        with self._lock:
            self._lock.notify_all()

    def stop(self) -> None:
        """Cancel what is running, close connections, and end the thread."""
        self._baton.give()
        self._routes.undo()
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        EXIT_GUARD.remove()
        with self._lock:
            self._stopping = True
            self._window.drop_queue()
        with suppress(TimeoutError, RuntimeError):
            asyncio.run_coroutine_threadsafe(self._shutdown(), loop).result(STOP_S + WRITE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_S)
        if not thread.is_alive():
            loop.close()
        self._pool.close()
        self._answer_writer.close()
        self._user_loop.close()
        self._loop = self._thread = None

    async def _shutdown(self) -> None:
        """Cancel the trials, then close every provider."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)
        await self._routes.aclose()
        await self._answer_writer.finish()
        await asyncio.sleep(0)

    def _certificates_of(self, dataset: Dataset) -> "Mapping[str, Certificate]":
        """Return the calibration of a dataset's judges, read once, if any of them requires it."""
        certificates = self._certificates.get(id(dataset))
        if certificates is None:
            certificates = {}
            if any(judge.get("requires_certificate") for judge in dataset.judges.values()):
                from pytest_evals.storage.certificates import read_certificates

                folder = (self._settings.rootdir / dataset.path).parent
                certificates = read_certificates(folder, dataset)
            self._certificates[id(dataset)] = certificates
        return certificates

    def _redacted(self, response: Response) -> Response:
        """Remove secrets from a response."""
        response, text = to_json(response)
        clean = self._deps.redactor.redact_json(text)
        return response if clean == text else Response.model_validate_json(clean)
