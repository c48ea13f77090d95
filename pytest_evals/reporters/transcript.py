"""A stored trial as a conversation, and as a table of its calls with time and cost. Pure.

The lines are for people; control characters are not neutralized yet.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_evals.exchange import Exchange, Response
from pytest_evals.ground.plain_text import format_cost, format_count, format_seconds, table
from pytest_evals.message import Message, ToolCall
from pytest_evals.result import TrialResult

_HEADER = ("stage", "by", "how", "took", "tokens", "cost", "failed before")
_ALIGN = "<<<>>>>"


def transcript(result: TrialResult) -> Iterator[str]:
    """Yield the conversation with the target: messages, tool calls and their results.

    Judges are not included. A request without a response is followed by the reason.
    """
    thread: tuple[Message, ...] = ()
    for exchange in result.answers:
        # Each request holds the thread so far; only its new messages are shown.
        asked = exchange.request.messages
        for message in _new(asked, thread):
            yield from _message(message)
        if not asked:
            yield from _block("user", _text(exchange.request.input))
        if exchange.response is None:
            error = exchange.error
            yield from _block(
                "no answer", "" if error is None else f"{error.type}: {error.message}"
            )
            thread = asked
            continue
        added = exchange.response.messages or (exchange.response.message,)
        if exchange.response.refusal and not exchange.response.text:
            yield from _block("assistant refuses", exchange.response.refusal)
        else:
            yield from _answer(exchange.response)
        thread = (*asked, *added)


def _new(asked: Sequence[Message], thread: Sequence[Message]) -> Iterator[Message]:
    """Yield the messages of a request that are not in the thread so far, in its order.

    A message is the same by its role and text: a request may leave out tool calls, and messages
    that led to an answer.
    """
    at = 0
    for message in asked:
        same = (message.role, message.text)
        places = (i for i in range(at, len(thread)) if (thread[i].role, thread[i].text) == same)
        place = next(places, None)
        if place is None:
            yield message
        else:
            at = place + 1


def _answer(response: Response) -> Iterator[str]:
    """Yield a response: its messages, or its tool calls and its text."""
    if response.messages:
        for message in response.messages:
            yield from _message(message)
        if all(message.text != response.text for message in response.messages):
            yield from _block("assistant", response.text)
        return
    yield from _block("assistant", "\n".join([*map(_call, response.tool_calls), response.text]))


def _message(message: Message) -> Iterator[str]:
    who = f"{message.role} {message.name}" if message.name else message.role
    calls = list(map(_call, message.tool_calls))
    text = [message.text] if message.text or not calls else []
    yield from _block(who, "\n".join([*calls, *text]))


def _call(call: ToolCall) -> str:
    """Write a tool call, with its result if that was captured."""
    text = f"-> {call.name}({_text(call.arguments)})"
    if call.error is not None:
        return f"{text} failed: {call.error}"
    return f"{text} = {_text(call.result)}" if call.captured else text


def _block(who: str, text: str) -> Iterator[str]:
    yield f"[{who}]"
    yield from (f"    {line}" for line in (text or "(empty)").split("\n"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def stages(exchanges: Sequence[Exchange]) -> Iterator[str]:
    """Yield a table of all calls of a trial, judges included, with time and cost."""
    rows = [_stage(exchange) for exchange in exchanges]
    yield from table(_HEADER, rows, align=_ALIGN)


def _stage(exchange: Exchange) -> list[str]:
    many = exchange.request.turns > 1
    turn = f" {exchange.request.turn + 1}" if many and exchange.role == "answer" else ""
    response = exchange.response
    return [
        f"{exchange.role}{turn}",
        exchange.model_id or "-",
        exchange.source if response is not None else f"no answer: {_why(exchange)}",
        format_seconds(None if response is None else response.latency_s),
        format_count(None if response is None else response.usage.total_tokens),
        format_cost(None if response is None else exchange.cost_usd),
        str(len(exchange.attempts)),
    ]


def _why(exchange: Exchange) -> str:
    return "-" if exchange.error is None else exchange.error.type
