"""The fixture `ask`: a test's own questions to models, within the session's limits and budget."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from pytest_evals.engine.trial import TrialRunner
from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response
from pytest_evals.ground.errors import AnswerError, EvalsError, SettingsError
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.plugin.python.turn import Turn, soon


class EvalAsk:
    """Asks a model on the test's behalf: stored, limited, counted and priced like any call.

    The fixture `ask`.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def __call__(
        self,
        model: str | Model,
        prompt: str | Iterable[Message | Mapping[str, Any]],
        *,
        tools: Iterable[Mapping[str, Any]] = (),
        response_format: Mapping[str, Any] | None = None,
        sample: int | None = None,
        **params: Any,
    ) -> Response:
        """Ask.

        Args:
            model: the id of one of the dataset's models, ``provider:model``, or a `Model`.
            prompt: a text, or chat messages.
            tools: tool definitions: name, description, parameters (JSON Schema).
            response_format: the shape wanted, as the provider writes it.
            sample: the number of the repeat: equal questions of equal numbers are asked once. By
                default the trial's sample.
            params: sampling parameters over the model's own (``temperature``, ``max_tokens``).

        Returns:
            The answer.

        Raises:
            AnswerError: there is none; the trial is then an error, not a wrong answer.
            EvalsError: no such model and no such provider, or the prompt is none.
        """
        __tracebackhide__ = True
        asked = self._submit(model, prompt, (tools, response_format, sample, params))
        return self._answer(self._turn.wait(asked))

    async def run_async(
        self,
        model: str | Model,
        prompt: str | Iterable[Message | Mapping[str, Any]],
        *,
        tools: Iterable[Mapping[str, Any]] = (),
        response_format: Mapping[str, Any] | None = None,
        sample: int | None = None,
        **params: Any,
    ) -> Response:
        """Do as a call, without holding up the test's event loop; several may run at once."""
        asked = self._submit(model, prompt, (tools, response_format, sample, params))
        return self._answer(await soon(asked))

    def _submit(
        self,
        model: str | Model,
        prompt: str | Iterable[Message | Mapping[str, Any]],
        more: tuple[Any, Any, int | None, dict[str, Any]],
    ) -> "Future[Exchange]":
        """Ask in the background."""
        turn, trial = self._turn, self._turn.trial
        tools, response_format, sample, params = more
        messages = _messages(prompt)
        if problems := unusable(turn, model):
            raise EvalsError(f"ask: {'; '.join(problems)}")
        number = len(turn.asked)
        clock = turn.time()
        # Beside a `response` it is help on the way; else it is the answer of the model under test.
        role = "answer" if trial.answered_by_code else "ask"

        async def work(runner: TrialRunner) -> Exchange:
            route = runner.route(trial, model)
            request = Request(
                messages=messages,
                input=prompt
                if isinstance(prompt, str)
                else [m.model_dump(mode="json", exclude_defaults=True) for m in messages],
                params={**route.model.params, **params},
                tools=tuple(map(dict, tools)),
                response_format=None if response_format is None else dict(response_format),
                case_id=trial.case.id,
                model_id=route.model.id,
                sample=trial.sample if sample is None else sample,
                turn=number,
                turns=number + 1,
                script=trial.case.script,
            )
            replay = runner.replays.get(trial.dataset.name)
            if replay is None or not trial.answered_by_code:
                return await runner.caller.call(route, request, clock, role=role)
            return replay.exchange_of_test(trial, request)

        return turn.evals.open_engine().submit(work)

    def _answer(self, exchange: Exchange) -> Response:
        """Note what was answered, and return it.

        Raises:
            AnswerError: there is no answer.
        """
        __tracebackhide__ = True
        self._turn.asked.append(exchange)
        error = exchange.error
        if exchange.response is not None:
            return exchange.response
        assert error is not None
        if error.type == "not_run":
            self._turn.not_run = ErrorInfo(type="not_run", message=error.message)
        raise AnswerError(error.type, error.message, status=error.status, detail=error.detail)


def unusable(turn: Turn, model: str | Model) -> list[str]:
    """Return what is wrong with a model that a test names; nothing of the dataset's own."""
    known = {one.id for one in turn.trial.dataset.models}
    if isinstance(model, str):
        if model in known:
            return []
        try:
            model = turn.evals.registry.parse_model(model)
        except SettingsError as error:
            return [str(error)]
    return [message for _, message in turn.evals.registry.check_model(model)]


def _messages(prompt: str | Iterable[Message | Mapping[str, Any]]) -> tuple[Message, ...]:
    """Make the thread of a prompt."""
    if isinstance(prompt, str):
        return (Message(role="user", content=prompt),)
    try:
        return tuple(
            one if isinstance(one, Message) else Message.model_validate(one) for one in prompt
        )
    except (ValueError, TypeError) as error:
        raise EvalsError(
            f"ask: a prompt is a text, or messages with `role` and `content`; {error}"
        ) from None
