"""Makes the requests of a case, turn by turn. Pure."""

from collections.abc import Iterator
from typing import Any

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import canonical
from pytest_evals.ground.errors import AnswerError, TemplateError
from pytest_evals.ground.templates import render
from pytest_evals.matrix import Trial
from pytest_evals.message import Message


def turns_of(trial: Trial) -> tuple[Any, ...]:
    """Return the user's messages of a trial, turn by turn."""
    return trial.case.turns or (trial.case.input,)


def first_messages(trial: Trial) -> tuple[Message, ...]:
    """Return the messages of the first request.

    Raises:
        AnswerError: of type ``template``: the prompt does not render for this case.
    """
    first = turns_of(trial)[0]
    prompt = trial.dataset.prompt
    if prompt is None:
        return _as_messages(first)
    variables = {**trial.case.variables, "input": _plain(first)}
    try:
        return tuple(_rendered(message, variables) for message in prompt.messages)
    except TemplateError as error:
        raise AnswerError("template", f"the prompt: {error}") from error


def request_of(trial: Trial, messages: tuple[Message, ...], turn: int) -> Request:
    """Make the request of one turn."""
    turns = turns_of(trial)
    return Request(
        messages=messages,
        input=_plain(turns[turn]),
        variables=trial.case.variables,
        params=trial.model.params,
        tools=trial.dataset.tools_of(trial.case),
        response_format=trial.dataset.response_format,
        case_id=trial.case.id,
        model_id=trial.model.id,
        sample=trial.sample,
        turn=turn,
        turns=len(turns),
        script=trial.case.script,
    )


def following(messages: tuple[Message, ...], response: Response, text: str) -> tuple[Message, ...]:
    """Return the thread with the response and the user's next message appended."""
    answer = response.messages or tuple(_answer_messages(response))
    return (*messages, *answer, Message(role="user", content=text))


def _answer_messages(response: Response) -> Iterator[Message]:
    """Yield a response as messages.

    Tool calls without a result are left out: servers reject them.
    """
    calls = response.tool_calls
    if calls and all(call.captured and call.id for call in calls):
        yield Message(role="assistant", tool_calls=calls)
        for call in calls:
            result = call.error if call.error is not None else call.result
            text = result if isinstance(result, str) else canonical(result)
            yield Message(role="tool", content=text, tool_call_id=call.id)
    yield Message(role="assistant", content=response.text)


def _as_messages(content: Any) -> tuple[Message, ...]:
    """Make messages from an input: chat messages unchanged, a text as the user's message."""
    if (
        isinstance(content, tuple)
        and content
        and all(isinstance(item, Message) for item in content)
    ):
        return content
    if content is None:
        return ()
    text = content if isinstance(content, str) else canonical(content)
    return (Message(role="user", content=text),)


def _plain(content: Any) -> Any:
    """Return an input as plain data."""
    if isinstance(content, tuple):
        return [
            item.model_dump(mode="json", exclude_defaults=True)
            if isinstance(item, Message)
            else item
            for item in content
        ]
    return content


def _rendered(message: Message, variables: dict[str, Any]) -> Message:
    """Render a message's text, or the texts among its parts."""
    if isinstance(message.content, str):
        content: Any = render(message.content, variables)
    else:
        content = [
            {**part, "text": render(str(part["text"]), variables)} if "text" in part else part
            for part in message.content
        ]
    return message.model_copy(update={"content": content})
