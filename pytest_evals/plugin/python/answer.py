"""The answer of a marked test: asked of the model ahead of it, or of user code at its turn."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_evals.exchange import Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.plugin.failure import NoAnswer, headline
from pytest_evals.plugin.python.plan import APP
from pytest_evals.plugin.python.turn import HostThread, Turn
from pytest_evals.providers.base import Provider, ProviderContext
from pytest_evals.providers.python import PythonProvider
from pytest_evals.result import Outcome, TrialResult

if TYPE_CHECKING:
    from pytest_evals.engine.trial import TrialRunner
    from pytest_evals.plugin.runner import Runner


def answer_of(turn: Turn, target: Callable[..., Any] | None) -> Response:
    """Wait for the answer.

    Args:
        turn: the test.
        target: what answers instead of the model.

    Raises:
        NoAnswer: there is none, or a scorer of the dataset could not score it.
    """
    trial = turn.trial
    if target is None and trial.model.provider == APP.provider:
        raise AnswerError(
            "target",
            "the dataset names no model, and no fixture `evals_target` says how a case is "
            "answered; give the mark `models=[...]`, or define `evals_target`",
        )
    played = trial.dataset.name in turn.evals.recorded
    if target is None or played:
        runner = cast("Runner", turn.evals.config.pluginmanager.getplugin("evals-runner"))
        result = runner.wait(trial)
    else:
        result = _called(turn, target)
    turn.result = result
    if result.outcome is Outcome.SKIPPED:
        turn.not_run = result.error
        pytest.skip("not run" if result.error is None else f"not run: {result.error.message}")
    if result.outcome is Outcome.ERRORED:
        raise NoAnswer(headline(result))
    return result.response or Response(finish_reason="error")


def _called(turn: Turn, target: Callable[..., Any]) -> TrialResult:
    """Call the user's code in this thread, with all that a call to a model has."""
    trial, host, engine = turn.trial, HostThread(), turn.evals.open_engine()
    if not callable(target):
        raise AnswerError(
            "target",
            f"the fixture `evals_target` returned {type(target).__name__}; expected what can be "
            "called as target(input) or target(input, context)",
        )
    plain = getattr(target, "func", target)
    where = getattr(plain, "__module__", type(plain).__module__)
    name = f"{where}:{getattr(plain, '__qualname__', type(plain).__qualname__)}"

    def make(context: ProviderContext) -> Provider:
        from dataclasses import replace

        here = replace(context, run_sync=host.run, run_async=host.run_async)
        return PythonProvider.calling(target, name, trial.model, here)

    route = engine.code_route(trial, make)

    async def work(runner: "TrialRunner") -> TrialResult:
        return await runner.run(trial, route)

    return host.wait(engine.submit(work))
