"""RunningTest: the state of one marked test while it runs, and how it waits for the engine."""

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
from pytest_evals.plugin.compat import runs_no_test
from pytest_evals.plugin.items import TRIAL
from pytest_evals.plugin.results import TrialResults
from pytest_evals.result import AnyScore, TrialResult
from pytest_evals.scorers.bound import Bound
from pytest_evals.session.session import Session

T = TypeVar("T")
Scored = tuple[tuple[AnyScore, ...], tuple[Exchange, ...]]
"""Scores, and the calls of their judges."""


@dataclass(slots=True)
class RunningTest:
    """One marked test, from its setup to its end."""

    session: Session
    results: TrialResults
    trial: Trial
    started_at: float = field(default_factory=time)
    """Unix time, seconds."""
    began: float = field(default_factory=monotonic)
    """When the body of the test began, by `time.monotonic`; before that, when its setup did."""
    clock: TrialClock | None = None
    result: TrialResult | None = None
    """The engine's result, once the test has requested `response`."""
    asked: list[Exchange] = field(default_factory=list)
    """The calls of `ask`, in order."""
    given: list[Exchange] = field(default_factory=list)
    """The answers of the test's own code; the last one counts."""
    judged: list[Exchange] = field(default_factory=list)
    """The calls of judges."""
    scores: list[AnyScore] = field(default_factory=list)
    """The scores the test made and recorded, in order."""
    dataset_scores: tuple[AnyScore, ...] | None = None
    """The scores of the dataset's scorers on an answer of the test; None if they did not run."""
    log: list[str] = field(default_factory=list)
    not_run: ErrorInfo | None = None
    """Why a call was not made: the budget or the session's time is used up."""
    failed_by_score: bool = False
    """Whether a score fails the test, not an assertion in it."""
    ended: bool = False

    @property
    def answers(self) -> tuple[Exchange, ...]:
        """The conversation to score.

        It ends with the answer of the test's own code, else of `response`, else of `ask`.
        """
        if self.given:
            return (*self.asked, self.given[-1])
        if self.result is not None:
            return self.result.answers
        return tuple(self.asked)

    @property
    def case(self) -> Case:
        """The case with the id it has in the dataset, without other parameters."""
        case = self.trial.case
        return case.model_copy(update={"id": case.id.partition("[")[0]})

    @property
    def all_scores(self) -> tuple[AnyScore, ...]:
        """All scores so far: those of the dataset's scorers, then those of the test."""
        engine_scores = () if self.result is None else self.result.scores
        return (*engine_scores, *(self.dataset_scores or ()), *self.scores)

    def time(self) -> TrialClock:
        """Return the trial's clock: the calls of the test use up its time."""
        if self.clock is None:
            self.clock = self.wait(self.session.engines.main().submit(_new_clock))
        return self.clock

    def bounds(self) -> tuple[Bound, ...]:
        """Return the dataset's scorers of this case."""
        return self.session.state.registry.scorers_of(self.trial.dataset, self.trial.case)

    def score(self, bounds: Sequence[Bound], exchanges: tuple[Exchange, ...]) -> "Future[Scored]":
        """Score a conversation in the background."""
        clock = self.time()

        async def work(runner: TrialRunner) -> Scored:
            return await runner.score(self.trial, bounds, exchanges, clock)

        return self.session.engines.main().submit(work)

    def wait(self, future: "Future[T]") -> T:
        """Wait in slices, so that Ctrl-C is handled."""
        while True:
            try:
                return future.result(SLICE_S)
            except TimeoutError:
                if future.done():
                    raise


async def _new_clock(runner: TrialRunner) -> TrialClock:
    """Return a trial's clock."""
    return runner.clock()


RUNNING = pytest.StashKey[RunningTest]()
"""The state of a marked test, on its item's stash while it runs."""


def running_test(request: pytest.FixtureRequest, fixture: str) -> RunningTest:
    """Return the state of the test that requests a fixture."""
    test: RunningTest | None = request.node.stash.get(RUNNING, None)
    if test is None and TRIAL in request.node.stash and runs_no_test(request.config):
        pytest.skip("no model is called: this session only displays the setup")
    if test is None:
        pytest.fail(
            f"the fixture `{fixture}` belongs to evals: mark the test with "
            '`@pytest.mark.evals("dataset.yaml")`, or give it a fixture of its own of this name',
            pytrace=False,
        )
    return test


async def await_future(future: "Future[T]") -> T:
    """Await a background result, on asyncio's loop or on trio's."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        from anyio.to_thread import run_sync

        return await run_sync(future.result, abandon_on_cancel=True)
    return await asyncio.wrap_future(future)


def _in_both(trial_context: Context, call: Callable[[], T]) -> T:
    """Run a callable with the context variables of this thread, overlaid by those of a trial.

    The trial's direct its output and trace; this thread's are set by the fixtures of the test.
    """
    context = copy_context()
    for variable, value in trial_context.items():
        context.run(variable.set, value)
    return context.run(call)


class HostThread:
    """Runs user code in the thread that waits for it, which is pytest's own."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = (
            queue.SimpleQueue()
        )

    async def run(self, call: Callable[[], Any]) -> Any:
        """Run a callable in that thread, and await its result."""
        import asyncio

        future: Future[Any] = Future()
        self._jobs.put((future, partial(_in_both, copy_context(), call)))
        return await asyncio.wrap_future(future)

    async def run_async(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine in that thread, on the event loop of the test if it has one."""
        from pytest_evals.plugin.python.loops import run_in_thread

        return await self.run(lambda: run_in_thread(make))

    def wait(self, done: "Future[T]") -> T:
        """Run calls until a result is there; an exception that stops the session is raised."""
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
        except Exception as error:  # noqa: BLE001 - the engine receives it, whatever it is
            future.set_exception(error)
        except BaseException:
            future.set_exception(RuntimeError("the session was stopped"))
            raise
