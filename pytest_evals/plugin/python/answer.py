"""The answer of a marked test: of the model, requested ahead, or of user code called right now."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_evals.exchange import Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.plugin.exceptions import NoAnswer
from pytest_evals.plugin.python.marks import APP
from pytest_evals.plugin.python.running_test import HostThread, RunningTest
from pytest_evals.providers.base import Provider, ProviderContext
from pytest_evals.providers.python import PythonProvider
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.session.failure_text import headline

if TYPE_CHECKING:
    from pytest_evals.engine.trial import TrialRunner


def answer_of(test: RunningTest, target: Callable[..., Any] | None) -> Response:
    """Wait for the answer.

    Args:
        test: the test.
        target: user code that answers instead of the model.

    Raises:
        NoAnswer: there is none, or a scorer of the dataset could not score it.
    """
    trial = test.trial
    if target is None and trial.model.provider == APP.provider:
        raise AnswerError(
            "target",
            "the dataset names no model, and no fixture `evals_target` says how a case is "
            "answered; give the mark `models=[...]`, or define `evals_target`",
        )
    if trial.dataset.name in test.session.plan.recorded:
        target = None  # the answers are replayed
    result = test.results.wait(trial) if target is None else _call(test, target)
    test.result = result
    if result.outcome is Outcome.SKIPPED:
        test.not_run = result.error
        pytest.skip("not run" if result.error is None else f"not run: {result.error.message}")
    if result.outcome is Outcome.ERRORED:
        raise NoAnswer(headline(result))
    return result.response or Response(finish_reason="error")


def _call(test: RunningTest, target: Callable[..., Any]) -> TrialResult:
    """Call user code in this thread: stored, limited and scored like a call to a model."""
    trial, host, engine = test.trial, HostThread(), test.session.engines.main()
    if not callable(target):
        raise AnswerError(
            "target",
            f"the fixture `evals_target` returned {type(target).__name__}; expected what can be "
            "called as target(input) or target(input, context)",
        )
    function = getattr(target, "func", target)
    module = getattr(function, "__module__", type(function).__module__)
    name = f"{module}:{getattr(function, '__qualname__', type(function).__qualname__)}"

    def make(context: ProviderContext) -> Provider:
        in_thread = replace(context, run_sync=host.run, run_async=host.run_async)
        scope = trial.dataset.name  # one for each test function, whose fixtures may differ
        return PythonProvider.calling(target, name, trial.model, in_thread, scope=scope)

    route = engine.code_route(trial, make)

    async def work(runner: "TrialRunner") -> TrialResult:
        return await runner.run(trial, route)

    return host.wait(engine.submit(work))
