"""Small fakes of the engine's Protocols, and datasets to run with them."""

import asyncio
import inspect
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

from pytest_evals.case import Case
from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.engine import Engine, EngineDeps
from pytest_evals.engine.budget import Breaker, Budget
from pytest_evals.engine.call_attempts import CallAttempts
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.model_call import ModelCaller
from pytest_evals.engine.retry import RetryPolicy
from pytest_evals.engine.route import ModelRoute, RouteLimits
from pytest_evals.engine.stored_answers import StoredAnswers
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.exchange import Exchange, Request, Response, Usage
from pytest_evals.ground.canonical import Frozen
from pytest_evals.ground.errors import AnswerError
from pytest_evals.ground.notes import Notes
from pytest_evals.matrix import Trial
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.registry import Registry
from pytest_evals.result import Outcome, TrialResult

BUILTIN = Registry.builtin()
Answer = Callable[[Request], Any]


def provider_class(answer: Answer | str = "yes", **flags: Any) -> type:
    """Make a provider that answers by a function, and keeps the requests that reached it."""

    class Fake:
        name = "fake"
        Options = Frozen
        opaque = flags.get("opaque", False)
        recorded = flags.get("recorded", False)
        local = flags.get("local", False)
        calls: ClassVar[list[Request]] = []
        made: ClassVar[list[Model]] = []
        closed = 0

        def __init__(self, model: Model, context: Any) -> None:
            self.model = model
            self.made.append(model)

        @classmethod
        def required_env(cls, model: Model) -> tuple[str, ...]:
            return flags.get("required_env", ())

        def host(self) -> str | None:
            return flags.get("host")

        def prepare(self) -> None:
            if (problem := flags.get("problem")) is not None:
                raise AnswerError("target", problem)

        def identity(self, request: Request) -> Any:
            return {"messages": [message.text for message in request.messages]}

        async def complete(self, request: Request) -> Response:
            self.calls.append(request)
            response = answer(request) if callable(answer) else Response(text=answer)
            return await response if inspect.isawaitable(response) else response

        async def aclose(self) -> None:
            type(self).closed += 1

    return Fake


class Lookup:
    """The built-in scorers, and fake providers by name."""

    def __init__(self, **providers: type) -> None:
        self.providers = providers

    def provider(self, name: str) -> type | None:
        """Return a provider's class."""
        return self.providers.get(name) or BUILTIN.provider(name)

    def parse_model(self, text: str) -> Model:
        """Make a model of ``provider:model``."""
        provider, _, name = text.partition(":")
        return Model(id=text, provider=provider, model=name or None)

    def scorers_of(self, dataset: Dataset, case: Case) -> tuple[Any, ...]:
        """Return the scorers of a case."""
        return BUILTIN.scorers_of(dataset, case)


def dataset_of(*cases: dict[str, Any], **fields: Any) -> Dataset:
    """Make a dataset; a case that says nothing asks `hi` and expects `yes`."""
    data = {"name": "d", "path": "d.evals.yaml", "scorers": [{"type": "contains"}], **fields}
    rows = [
        {"id": f"c{i}", "input": "hi", "expected": "yes", **case}
        for i, case in enumerate(cases or ({},))
    ]
    return Dataset.model_validate({**data, "cases": rows})


MODEL = Model(id="m", provider="fake")


def trials_of(dataset: Dataset, model: Model = MODEL, samples: int = 1) -> list[Trial]:
    """Return the trials of a dataset."""
    return [
        Trial(dataset, case, model, sample, samples)
        for case in dataset.cases
        for sample in range(samples)
    ]


def trial_of(model: Model = MODEL, **case: Any) -> Trial:
    """Return the trial of a dataset with one case."""
    return trials_of(dataset_of(case), model)[0]


def result_of(trial: Trial, outcome: Outcome = Outcome.PASSED, **fields: Any) -> TrialResult:
    """Make a trial's result."""
    return TrialResult(
        id=trial.id, dataset=trial.dataset.name, case_id=trial.case.id, model_id=trial.model.id,
        sample=trial.sample, outcome=outcome, started_at=0.0, **fields,
    )  # fmt: skip


def request_of(text: str = "hi", **fields: Any) -> Request:
    """Make a request with one user message."""
    values = {"case_id": "c0", "model_id": "m", **fields}
    return Request(messages=(Message(role="user", content=text),), **values)


def route_to(provider: Any, model: Model = MODEL, **fields: Any) -> ModelRoute:
    """Make a route to a provider (an instance or a class)."""
    if isinstance(provider, type):
        provider = provider(model, None)
    values: dict[str, Any] = {
        "limits": RouteLimits(model=Limiter(10)),
        "breaker": Breaker(model.id, 3),
        "retry": RetryPolicy(2, base_s=0.001),
        "attempt_timeout_s": 5.0,
    }
    return ModelRoute(model=model, provider=provider, **{**values, **fields})


def caller_with(store: Any = None, *, mode: str = "auto", budget: Budget | None = None) -> Any:
    """Make a caller that stores at once."""

    async def write(answer: Any) -> None:
        store.put(answer)

    return ModelCaller(
        answers=StoredAnswers(store, mode, write, Notes()),
        attempts=CallAttempts(Limiter(10), budget or Budget(), lambda response: response),
    )


def clock() -> TrialClock:
    """Return the clock of a trial with a minute."""
    return TrialClock(60.0)


def used(tokens: int, text: str = "yes", **fields: Any) -> Response:
    """Make a response that reports its tokens."""
    return Response(text=text, usage=Usage(input_tokens=tokens, output_tokens=0), **fields)


def exchange_of(request: Request, text: str | None, error: str = "timeout") -> Exchange:
    """Make an exchange with a response, or with an error."""
    from pytest_evals.exchange import ErrorInfo

    if text is None:
        return Exchange(request=request, error=ErrorInfo(type=error, message=error))
    return Exchange(request=request, response=Response(text=text), model_id="m")


def run(coroutine: Any, timeout_s: float = 20) -> Any:
    """Run a coroutine; one that hangs fails."""

    async def limited() -> Any:
        async with asyncio.timeout(timeout_s):
            return await coroutine

    return asyncio.run(limited())


@contextmanager
def engine_with(provider: type, root: Path, *, deps: Any = None, **settings: Any) -> Any:
    """Run an engine with one fake provider."""
    fields = {"registry": Lookup(fake=provider), "http": _no_http, **(deps or {})}
    engine = Engine(Settings(rootdir=root, **settings), EngineDeps(**fields))
    result = engine.result

    def result_in_time(trial: Trial, tick: Any = None, **options: Any) -> TrialResult:
        end = monotonic() + 30

        def guarded_tick() -> None:
            assert monotonic() < end, "the host waits forever"
            if tick is not None:
                tick()

        return result(trial, guarded_tick, **options)

    engine.result = result_in_time  # type: ignore[method-assign]
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def _no_http() -> Any:
    raise AssertionError("no HTTP client is needed")
