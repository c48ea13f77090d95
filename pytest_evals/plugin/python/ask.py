"""The fixture `ask`: a test calls models itself, within the session's limits and budget."""

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_evals.engine.trial import TrialRunner
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response
from pytest_evals.ground.errors import AnswerError, EvalsError, SettingsError
from pytest_evals.matrix import Trial
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.parameters import number_problems
from pytest_evals.plugin.python.pending import Handle, Pending, awaiting, waiting
from pytest_evals.plugin.python.running_test import RunningTest


class EvalAsk(Handle):
    """Calls a model on the test's behalf: stored, limited, counted and priced like any call.

    The fixture `ask`: ``ask(...)`` waits, ``await ask.run_async(...)`` awaits.
    """

    def _begin(
        self,
        /,
        model: str | Model,
        prompt: str | Iterable[Message | Mapping[str, Any]],
        *,
        tools: Iterable[Mapping[str, Any]] = (),
        response_format: Mapping[str, Any] | None = None,
        sample: int | None = None,
        **params: Any,
    ) -> Pending[Response]:
        """Call a model.

        Args:
            model: the id of one of the dataset's models, ``provider:model``, or a `Model`.
            prompt: a text, or chat messages.
            tools: tool definitions: name, description, parameters (JSON Schema).
            response_format: the format of the response, as the provider defines it.
            sample: the number of the repeat: equal requests with equal numbers are sent once. By
                default the trial's sample.
            params: sampling parameters over the model's own (``temperature``, ``max_tokens``).

        Returns:
            The response.

        Raises:
            AnswerError: there is no response; the trial is then an error, not a wrong answer.
            EvalsError: there is no such model or provider, or the prompt is invalid.
        """
        test, trial = self._test, self._test.trial
        messages = _messages(prompt)
        problems = [*model_problems(test, model), *(m for _, m in number_problems(params))]
        if problems:
            raise EvalsError(f"ask: {'; '.join(problems)}")
        number = len(test.asked)
        request = Request(
            messages=messages,
            input=prompt
            if isinstance(prompt, str)
            else [m.model_dump(mode="json", exclude_defaults=True) for m in messages],
            params=params,
            tools=tuple(map(dict, tools)),
            response_format=None if response_format is None else dict(response_format),
            case_id=trial.case.id,
            model_id="",
            sample=trial.sample if sample is None else sample,
            turn=number,
            turns=number + 1,
            script=trial.case.script,
        )
        clock = test.time()

        async def work(runner: TrialRunner) -> Exchange:
            return await _call(runner, trial, model, request, clock)

        return Pending(test.session.engines.main().submit(work), self._finish)

    __call__ = waiting(_begin)
    run_async = awaiting(_begin)

    def _finish(self, exchange: Exchange) -> Response:
        """Record a call and return its response.

        Raises:
            AnswerError: there is no response.
        """
        __tracebackhide__ = True
        self._test.asked.append(exchange)
        error = exchange.error
        if exchange.response is not None:
            return exchange.response
        assert error is not None
        if error.type == "not_run":
            self._test.not_run = ErrorInfo(type="not_run", message=error.message)
        raise AnswerError(error.type, error.message, status=error.status, detail=error.detail)


async def _call(
    runner: TrialRunner, trial: Trial, model: str | Model, request: Request, clock: TrialClock
) -> Exchange:
    """Call a model with a request that lacks the model's own id and parameters."""
    route = runner.route(trial, model)
    request = request.model_copy(
        update={"model_id": route.model.id, "params": {**route.model.params, **request.params}}
    )
    replay = runner.replays.get(trial.dataset.name)
    if replay is not None and trial.answered_by_code:
        return replay.exchange_of_test(trial, request)
    # Beside a `response` it only helps; else it is the answer of the model under test.
    role = "answer" if trial.answered_by_code else "ask"
    return await runner.caller.call(route, request, clock, role=role)


def model_problems(test: RunningTest, model: str | Model) -> list[str]:
    """Return the problems of a model that a test names; the dataset's own have none."""
    registry = test.session.state.registry
    if isinstance(model, str):
        if model in {model.id for model in test.trial.dataset.models}:
            return []
        try:
            model = registry.parse_model(model)
        except SettingsError as error:
            return [str(error)]
    return [message for _, message in registry.check_model(model)]


def _messages(prompt: str | Iterable[Message | Mapping[str, Any]]) -> tuple[Message, ...]:
    """Return the messages of a prompt."""
    if isinstance(prompt, str):
        return (Message(role="user", content=prompt),)
    try:
        return tuple(
            message if isinstance(message, Message) else Message.model_validate(message)
            for message in prompt
        )
    except (ValueError, TypeError) as error:
        raise EvalsError(
            f"ask: a prompt is a text, or messages with `role` and `content`; {error}"
        ) from None
