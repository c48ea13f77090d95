"""Turn: what is known of one marked test while pytest is at it, and how it waits for the engine."""

import queue
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, time
from typing import Any, TypeVar

import pytest

from pytest_evals.case import Case
from pytest_evals.engine.engine import SLICE_S
from pytest_evals.engine.trial import TrialRunner
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.exchange import ErrorInfo, Exchange
from pytest_evals.matrix import Trial
from pytest_evals.plugin.session import Evals
from pytest_evals.result import AnyScore, TrialResult
from pytest_evals.scorers.bound import Bound

T = TypeVar("T")


@dataclass(slots=True)
class Turn:
    """One marked test, from its setup to its end."""

    evals: Evals
    trial: Trial
    started_at: float = field(default_factory=time)
    """Unix time, seconds."""
    began: float = field(default_factory=monotonic)
    """When the body of the test began, by `time.monotonic`; at first when its setup did."""
    clock: TrialClock | None = None
    result: TrialResult | None = None
    """What the engine says, once the test has asked for `response`."""
    asked: list[Exchange] = field(default_factory=list)
    """What `ask` was answered, in order."""
    given: list[Exchange] = field(default_factory=list)
    """What the test says that its own code answered; the last one counts."""
    judged: list[Exchange] = field(default_factory=list)
    """What judges were asked."""
    scores: list[AnyScore] = field(default_factory=list)
    """What the test scored and recorded, in order."""
    own_scores: tuple[AnyScore, ...] | None = None
    """What the dataset's scorers say of an answer that the test gave; None: not asked."""
    log: list[str] = field(default_factory=list)
    not_run: ErrorInfo | None = None
    """Why something could not be asked any more: the budget, the session's time."""
    raised_by_us: bool = False
    """Whether the failure is a score's, not an assertion's of the test."""
    ended: bool = False

    @property
    def answers(self) -> tuple[Exchange, ...]:
        """The conversation that is scored.

        What the test says was answered, else the response's, else what `ask` was answered.
        """
        if self.given:
            return (*self.asked, self.given[-1])
        if self.result is not None:
            return self.result.answers
        return tuple(self.asked)

    @property
    def case(self) -> Case:
        """The case as the dataset has it, whatever other parameters make of its id."""
        case = self.trial.case
        return case.model_copy(update={"id": case.id.partition("[")[0]})

    def time(self) -> TrialClock:
        """Return the trial's time: what the test asks uses it up."""
        if self.clock is None:
            self.clock = self.wait(self.evals.open_engine().submit(_new_clock))
        return self.clock

    def bounds(self) -> tuple[Bound, ...]:
        """Return the dataset's scorers of this case."""
        return self.evals.registry.scorers_of(self.trial.dataset, self.trial.case)

    def score(
        self, bounds: Sequence[Bound], exchanges: tuple[Exchange, ...]
    ) -> "Future[tuple[tuple[AnyScore, ...], tuple[Exchange, ...]]]":
        """Let scorers score a conversation, in the background."""
        clock = self.time()

        async def work(runner: TrialRunner) -> tuple[tuple[AnyScore, ...], tuple[Exchange, ...]]:
            return await runner.score(self.trial, bounds, exchanges, clock)

        return self.evals.open_engine().submit(work)

    def wait(self, future: "Future[T]") -> T:
        """Wait in slices, so that Ctrl-C is heard."""
        while True:
            try:
                return future.result(SLICE_S)
            except TimeoutError:
                if future.done():
                    raise


async def _new_clock(runner: TrialRunner) -> TrialClock:
    """Return a trial's time."""
    return runner.clock()


TURN = pytest.StashKey[Turn]()
"""Where a marked test's state is kept while it runs."""


def turn_of(request: pytest.FixtureRequest, fixture: str) -> Turn:
    """Return the state of the test that asks for a fixture."""
    turn: Turn | None = request.node.stash.get(TURN, None)
    if turn is None:
        pytest.fail(
            f"the fixture `{fixture}` belongs to evals: mark the test with "
            '`@pytest.mark.evals("dataset.yaml")`, or give it a fixture of its own of this name',
            pytrace=False,
        )
    return turn


async def soon(future: "Future[T]") -> T:
    """Await what happens in the background, on asyncio's loop or on trio's."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        from anyio.to_thread import run_sync

        return await run_sync(future.result, abandon_on_cancel=True)
    return await asyncio.wrap_future(future)


def _in_both(theirs: Context, call: Callable[[], T]) -> T:
    """Run a callable with the context variables of this thread, and over them those of another.

    The trial's own say where its output and its trace go, the test's what its fixtures have set.
    """
    here = copy_context()
    for variable, value in theirs.items():
        here.run(variable.set, value)
    return here.run(call)


class HostThread:
    """Runs calls of user code in the thread that waits for them: pytest's own."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = (
            queue.SimpleQueue()
        )

    async def run(self, call: Callable[[], Any]) -> Any:
        """Run a callable there, and await its result."""
        import asyncio

        future: Future[Any] = Future()
        self._jobs.put((future, partial(_in_both, copy_context(), call)))
        return await asyncio.wrap_future(future)

    async def run_async(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine there, on the event loop of the test where it has one."""
        from pytest_evals.plugin.python.loops import run_here

        return await self.run(lambda: run_here(make))

    def wait(self, done: "Future[T]") -> T:
        """Run what comes in until a result is there; what stops the session is raised here."""
        done.add_done_callback(lambda _: self._jobs.put(None))
        while not done.done():
            try:
                job = self._jobs.get(timeout=SLICE_S)
            except queue.Empty:
                continue
            if job is not None:
                self._do(*job)
        return done.result()

    def _do(self, future: "Future[Any]", call: Callable[[], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - the engine is told, whatever it is
            future.set_exception(error)
        except BaseException:
            future.set_exception(RuntimeError("the session was stopped"))
            raise
