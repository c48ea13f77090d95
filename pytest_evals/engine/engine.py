"""Engine: what a host (pytest, a script, the command line) sees of all the asking and scoring.

A host gives it the planned trials in order and takes their results in the same order. Between the
two, trials run ahead of the host on one background event loop, inside a bounded window: so many may
be under way or ready before the host has come to them. That window is what an early stop can waste.
"""

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.engine.answer_writer import AnswerWriter
from pytest_evals.engine.baton import Baton
from pytest_evals.engine.deps import EngineDeps
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.model_call import Line, ModelCaller
from pytest_evals.engine.routes import ModelRoutes
from pytest_evals.engine.synthetic_results import broken
from pytest_evals.engine.threads import DaemonPool, UserLoop
from pytest_evals.engine.trial import TrialRunner
from pytest_evals.engine.trial_hooks import TrialHookRunner
from pytest_evals.exchange import Response
from pytest_evals.ground.canonical import to_json
from pytest_evals.matrix import Trial
from pytest_evals.providers.base import Provider, ProviderContext
from pytest_evals.result import TrialResult

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pytest_evals.certificate import Certificate
    from pytest_evals.engine.adaptive_sampling import AdaptiveSampling

T = TypeVar("T")

SLICE_S = 0.2
"""Seconds a host waits before it looks up, so that Ctrl-C is heard."""
GATHER_S = 0.02
"""Seconds in which results gather before the host is woken: two threads that wake each other for
every single one take a fifth more of the processor's time."""
STOP_S = 2.0
"""Seconds running calls have to let go when the engine stops."""
WRITE_S = 12.0
"""Seconds the last answers have to be stored when the engine stops (another session may write)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the engine is; for the live line."""

    waiting: int
    in_flight: int
    ready: int
    asked: int
    reused: int
    retried: int
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
        self._baton = Baton()
        self._queue: deque[Trial] = deque()
        self._planned: dict[str, int] = {}
        self._places = itertools.count()
        self._done: dict[str, TrialResult] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._wanted: str | None = None
        self._ahead: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._stopping = False
        size = settings.concurrency
        self._pool = DaemonPool(max(size, 1), "evals-target")
        self._keeper = AnswerWriter(deps.store)
        self._user_loop = UserLoop()
        share = deps.share
        self._caller = ModelCaller(
            everything=Limiter(share.part(settings.concurrency)),
            budget=share.budget(settings.max_cost, settings.max_tokens),
            store=deps.store,
            mode=settings.responses,
            keep=self._keeper.keep,
            redact=self._redacted,
        )
        self._ways = ModelRoutes(settings, deps, self._caller, self._pool, self._user_loop)
        self._early: AdaptiveSampling | None = None
        self._runner = TrialRunner(
            caller=self._caller,
            route=self._ways.to,
            scorers=lambda trial: deps.registry.scorers_of(trial.dataset, trial.case),
            run_sync=self._pool.run,
            rootdir=settings.rootdir,
            trial_timeout_s=settings.trial_timeout,
            session_end=None if settings.timeout is None else monotonic() + settings.timeout,
            certificates=self._certificates_of,
            replays=deps.replays,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must know: stores that failed, budgets that ran out."""
        return tuple(self._caller.notes)

    @property
    def spent_usd(self) -> float:
        """USD spent by this engine; stored answers cost nothing again."""
        return self._caller.budget.cost_usd

    @property
    def progress(self) -> Progress:
        """How far it is."""
        caller = self._caller
        return Progress(
            waiting=len(self._queue),
            in_flight=caller.in_flight,
            ready=len(self._done),
            asked=caller.asked,
            reused=caller.reused,
            retried=caller.retried,
            cost_usd=caller.budget.cost_usd,
            tokens=caller.budget.tokens,
        )

    def prepare(self, trials: Iterable[Trial]) -> None:
        """Check all that can be checked before the first call, and say everything at once.

        Raises:
            SettingsError: keys that are not set, prices that a cap needs, targets that cannot be
                imported, programs that do not exist.
        """
        self._ways.prepare(trials)

    def code_route(self, trial: Trial, make: Callable[[ProviderContext], Provider]) -> Line:
        """Return the way to user code that answers in the place of a trial's model.

        Args:
            trial: the trial.
            make: makes the provider, one for each trial; limits and the breaker are those of all
                trials of its dataset and model.
        """
        return self._ways.own(trial, make)

    def start(self) -> None:
        """Start the background event loop."""
        if self._thread is not None:
            return
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
        """Say what the host will come to, in order; trials it already knows are left out."""
        with self._lock:
            for trial in trials:
                if trial.id not in self._planned:
                    self._planned[trial.id] = next(self._places)
                    self._queue.append(trial)
        self._wake()

    def expect_only(self, trials: Iterable[Trial]) -> None:
        """Replace what the host was expected to come to; what has begun goes on."""
        with self._lock:
            for trial in self._queue:
                self._planned.pop(trial.id, None)
            self._queue.clear()
        self.expect(trials)

    def refuse(self, reason: str) -> None:
        """Ask nothing at all: every trial is reported as not run, with the reason."""
        self._caller.refusal = reason

    def result(
        self, trial: Trial, tick: Callable[[], None] | None = None, *, hold: bool = False
    ) -> TrialResult:
        """Wait for a trial's result.

        A trial that was taken before (a rerun) or never expected is run now.

        Args:
            trial: what is wanted.
            tick: called whenever there is reason to wait; quick, and without waiting itself.
            hold: whether the host has a little work to do with it in which the engine may pause; it
                calls `release` when there is nothing more to come.

        Raises:
            RuntimeError: the engine is not running.
        """
        self._want(trial)
        with self._lock:
            try:
                while trial.id not in self._done:
                    if self._failure is not None:
                        raise RuntimeError("the engine's event loop died") from self._failure
                    if self._loop is None or self._stopping:
                        raise RuntimeError("the engine is not running")
                    if tick is not None:
                        tick()
                    self._baton.give()
                    self._lock.wait(SLICE_S)
                result = self._done.pop(trial.id)
            finally:
                self._wanted = None
            self._pass(self._planned.pop(trial.id, -1))
            room = self._settings.lookahead - len(self._ahead)
            wake = bool(self._queue) and (room * 4 >= self._settings.lookahead or not self._ahead)
        if wake:
            self._wake()
        if hold:
            self._baton.take()
        else:
            self._baton.give()
        return result

    def release(self) -> None:
        """Let the engine run on while the host does something else."""
        self._baton.give()

    def submit(self, work: "Callable[[TrialRunner], Coroutine[Any, Any, T]]") -> "Future[T]":
        """Do something on the event loop besides the planned trials, for code of the host.

        Args:
            work: makes the coroutine; what it asks is stored, limited and counted like any call.

        Raises:
            RuntimeError: the engine is not running.
        """
        if self._loop is None or self._stopping:
            raise RuntimeError("the engine is not running")
        return asyncio.run_coroutine_threadsafe(work(self._runner), self._loop)

    def _pass(self, place: int) -> None:
        """Give the host's place in the window free, and those it left out on its way here."""
        while self._ahead:
            first = next(iter(self._ahead))
            if self._ahead[first] > place:
                return
            del self._ahead[first]

    def _want(self, trial: Trial) -> None:
        """Let a trial start at once if it has not."""
        with self._lock:
            self._wanted = trial.id
            known = trial.id in self._done or trial.id in self._under_way
            if known:
                return
            if trial.id in self._planned:
                first = self._queue and self._queue[0].id == trial.id
                if not first:
                    self._queue = deque(t for t in self._queue if t.id != trial.id)
                    self._queue.appendleft(trial)
            else:
                self._planned[trial.id] = -1
                self._queue.appendleft(trial)
        self._wake()

    def _wake(self) -> None:
        """Let the event loop look at the queue."""
        if self._loop is not None and not self._stopping:
            self._loop.call_soon_threadsafe(self._pump)

    def _pump(self) -> None:
        """Start as many trials as the window has room for. Runs on the event loop."""
        while True:
            with self._lock:
                must = bool(self._queue) and self._queue[0].id == self._wanted
                room = len(self._ahead) < self._settings.lookahead
                if self._stopping or not self._queue or not (room or must):
                    return
                trial = self._queue.popleft()
                if not must:  # the host is at it: it is not ahead of the host
                    self._ahead[trial.id] = self._planned.get(trial.id, -1)
                assert self._loop is not None
                task = self._loop.create_task(self._run(trial))
                self._under_way[trial.id] = task

    def _early_stops(self) -> "AdaptiveSampling":
        """Return what holds back samples that may not be needed, made when first asked for."""
        if self._early is None:
            from pytest_evals.engine.adaptive_sampling import AdaptiveSampling

            self._early = AdaptiveSampling(self._hasten, self._waits)
        return self._early

    def _hasten(self, trial_id: str) -> bool:
        """Start a trial that waits in the queue: another one needs to know what becomes of it."""
        with self._lock:
            if trial_id in self._under_way or trial_id in self._done:
                return True
            trial = next((one for one in self._queue if one.id == trial_id), None)
            if trial is None or self._loop is None or self._stopping:
                return False
            self._queue.remove(trial)
            self._under_way[trial_id] = self._loop.create_task(self._run(trial))
        return True

    def _waits(self, trial_id: str) -> None:
        """Give the place of a trial that asks nothing yet to another one."""
        with self._lock:
            gave = self._ahead.pop(trial_id, None) is not None
        if gave:
            self._pump()

    async def _run(self, trial: Trial) -> None:
        """Run one trial and hand its result over."""
        try:
            spared = await self._early_stops().unneeded(trial) if trial.min_samples else None
            result = spared or await self._surrounded(trial)
        except (Exception, asyncio.CancelledError) as error:  # nothing may leave the host waiting
            if self._stopping:
                raise
            result = broken(trial, error)
        if trial.min_samples:
            self._early_stops().ended(trial, result)
        with self._lock:
            self._under_way.pop(trial.id, None)
            self._done[trial.id] = result
            enough = not self._under_way or len(self._done) * 8 >= self._settings.lookahead
            if enough and self._wanted in self._done:
                self._lock.notify_all()
            elif self._wanted == trial.id:
                assert self._loop is not None
                self._loop.call_later(GATHER_S, self._tell)

    def _tell(self) -> None:
        """Wake the host."""
        with self._lock:
            self._lock.notify_all()

    async def _surrounded(self, trial: Trial) -> TrialResult:
        """Run one trial, with what plugins do before and after it."""
        if self._deps.trial_hooks is None or self._caller.refusal is not None:
            return await self._runner.run(trial)
        surroundings = TrialHookRunner(
            self._deps.trial_hooks,
            self._pool.run,
            self._deps.redactor.redact_json,
            self._settings.trial_timeout,
            self._caller.notes,
        )
        return await surroundings.run(trial, self._runner.run)

    def stop(self) -> None:
        """Cancel what is running, close connections, and end the thread."""
        self._baton.give()
        self._ways.undo()
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        with self._lock:
            self._stopping = True
            self._queue.clear()
        with suppress(TimeoutError, RuntimeError):
            asyncio.run_coroutine_threadsafe(self._shutdown(), loop).result(STOP_S + WRITE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_S)
        if not thread.is_alive():
            loop.close()
        self._pool.close()
        self._keeper.close()
        self._user_loop.close()
        self._loop = self._thread = None

    async def _shutdown(self) -> None:
        """Cancel the trials, then close every provider."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)
        await self._ways.aclose()
        await self._keeper.finish()
        await asyncio.sleep(0)

    def _certificates_of(self, dataset: Dataset) -> "Mapping[str, Certificate]":
        """Return the certificates of a dataset's judges, read once, where any is asked for."""
        known = self._certificates.get(id(dataset))
        if known is None:
            known = {}
            if any(written.get("requires_certificate") for written in dataset.judges.values()):
                from pytest_evals.storage.certificates import read_certificates

                known = read_certificates((self._settings.rootdir / dataset.path).parent, dataset)
            self._certificates[id(dataset)] = known
        return known

    def _redacted(self, response: Response) -> Response:
        """Take secrets out of an answer."""
        response, text = to_json(response)
        clean = self._deps.redactor.redact_json(text)
        return response if clean == text else Response.model_validate_json(clean)
