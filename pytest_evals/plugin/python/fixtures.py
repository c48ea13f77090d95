"""The fixtures of evals written in Python. Registered only with ``--evals``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_evals.case import Case
    from pytest_evals.exchange import Response
    from pytest_evals.model import Model
    from pytest_evals.plugin.python.ask import EvalAsk
    from pytest_evals.plugin.python.handles import EvalJudge, EvalTrial


@pytest.fixture
def _evals_trial(request: pytest.FixtureRequest) -> Any:
    """The number of this test's trial, by which each trial becomes an item."""
    return request.param


@pytest.fixture
def case(request: pytest.FixtureRequest) -> "Case":
    """The case of this trial (a `Case`)."""
    from pytest_evals.plugin.python.running_test import running_test

    return running_test(request, "case").case


@pytest.fixture
def model(request: pytest.FixtureRequest) -> "Model":
    """The model of this trial (a `Model`)."""
    from pytest_evals.plugin.python.running_test import running_test

    return running_test(request, "model").trial.model


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> int:
    """The number of the sample, from 0."""
    from pytest_evals.plugin.python.running_test import running_test

    return running_test(request, "sample").trial.sample


@pytest.fixture
def evals_target() -> Callable[..., Any] | None:
    """Override it to call your own code: return an agent, an app or a chain.

    It is called as ``target(input)`` or ``target(input, context)``, as the targets of
    ``provider: python`` are, sync or async. By default the model is called.
    """
    return None


@pytest.fixture
def response(request: pytest.FixtureRequest, evals_target: Callable[..., Any] | None) -> "Response":
    """The answer (a `Response`): of `evals_target`, else of the model, called ahead of the test."""
    from pytest_evals.plugin.python.answer import answer_of
    from pytest_evals.plugin.python.running_test import running_test

    return answer_of(running_test(request, "response"), evals_target)


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> "EvalTrial":
    """The trial's record, to score, to record and to log (an `EvalTrial`)."""
    from pytest_evals.plugin.python.handles import EvalTrial
    from pytest_evals.plugin.python.running_test import running_test

    return EvalTrial(running_test(request, "trial"))


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> "EvalJudge":
    """A judge of the answer: ``judge("polite?", min_score=0.8)`` (an `EvalJudge`)."""
    from pytest_evals.plugin.python.handles import EvalJudge
    from pytest_evals.plugin.python.running_test import running_test

    return EvalJudge(running_test(request, "judge"))


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> "EvalAsk":
    """Calls any model: ``ask("openai:gpt-4.1-mini", "...")`` (an `EvalAsk`)."""
    from pytest_evals.plugin.python.ask import EvalAsk
    from pytest_evals.plugin.python.running_test import running_test

    return EvalAsk(running_test(request, "ask"))
