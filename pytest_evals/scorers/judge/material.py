"""Material: the untrusted parts of a trial that a judge gets."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_evals.exchange import Exchange, Span
from pytest_evals.ground.canonical import Json
from pytest_evals.message import Message, ToolCall
from pytest_evals.scorers.base import ScoreContext, ScoringError
from pytest_evals.scorers.judge.fence import Piece

_TEXTS = ("text", "content", "page_content", "document", "passage")
_LISTS = ("documents", "contexts", "context", "chunks", "retrieved", "output", "result", *_TEXTS)
_UNSEEN = frozenset({"system", "developer"})
"""Roles with instructions to the model under test; judges do not get them."""


def question_of(ctx: ScoreContext) -> str:
    """Return the question as a text: the input of the case, else the first user message."""
    case_input = ctx.case.input
    if (
        isinstance(case_input, tuple)
        and case_input
        and all(isinstance(item, Message) for item in case_input)
    ):
        messages = [message for message in case_input if message.role not in _UNSEEN]
        if len(messages) == 1:
            return str(messages[0].text)
        return "\n".join(f"{message.role}: {message.text}" for message in messages)
    if ctx.case.turns:
        return "\n".join(ctx.case.turns)
    if case_input is not None:
        return as_text(case_input)
    for exchange in ctx.exchanges:
        for message in reversed(exchange.request.messages):
            if message.role == "user":
                return message.text
    return ""


def answer_material(ctx: ScoreContext, *more: Piece, transcript: bool = False) -> tuple[Piece, ...]:
    """Return the question, additional pieces, and the output.

    Args:
        ctx: the trial.
        more: pieces between the question and the output.
        transcript: whether the whole conversation replaces the question.
    """
    question = conversation_of(ctx) if transcript else (Piece("question", question_of(ctx)),)
    return (*question, *more, Piece("answer", ctx.answer))


def conversation_of(ctx: ScoreContext, *, max_chars: int = 96_000) -> tuple[Piece, ...]:
    """Return the messages and tool calls of the conversation.

    Every message is a separate piece, so that none can imitate another.

    Args:
        ctx: the trial.
        max_chars: the length limit of the conversation; the middle of a longer one is replaced by
            a note.
    """
    pieces = [
        piece for i, e in enumerate(ctx.exchanges) for piece in _exchange_pieces(e, first=i == 0)
    ]
    if sum(len(piece.text) for piece in pieces) <= max_chars:
        return tuple(pieces)
    return _shortened(pieces, max_chars)


def _shortened(pieces: Sequence[Piece], max_chars: int) -> tuple[Piece, ...]:
    """Keep the first message and as many of the last messages as fit."""
    room = max_chars - len(pieces[0].text)
    kept = 0
    while kept < len(pieces) - 2 and len(pieces[-1 - kept].text) <= room:
        room -= len(pieces[-1 - kept].text)
        kept += 1
    kept = max(1, kept)
    middle = pieces[1 : len(pieces) - kept]
    if not middle:
        return tuple(pieces)
    left_out = sum(len(piece.text) for piece in middle)
    note = f"{len(middle)} messages with {left_out:,} characters are left out here"
    return (pieces[0], Piece("left-out", note), *pieces[len(pieces) - kept :])


def _exchange_pieces(exchange: Exchange, *, first: bool) -> Iterator[Piece]:
    """Yield the messages of one turn."""
    request = exchange.request.messages if first else exchange.request.messages[-1:]
    for message in request:
        if message.role not in _UNSEEN:
            yield from _message_pieces(message)
    response = exchange.response
    if response is None:
        return
    if response.messages:
        for message in response.messages:
            yield from _message_pieces(message)
        if any(message.text == response.text for message in response.messages):
            return
    else:
        for call in response.tool_calls:
            yield from _call_pieces(call)
    if response.text:
        yield Piece("assistant", response.text)


def _message_pieces(message: Message) -> Iterator[Piece]:
    """Yield a message and its tool calls."""
    if message.text:
        yield Piece("tool-result" if message.role == "tool" else message.role, message.text)
    for call in message.tool_calls:
        yield from _call_pieces(call)


def _call_pieces(call: ToolCall) -> Iterator[Piece]:
    """Yield a tool call, and its result or error if captured."""
    yield Piece("tool-call", f"{call.name}({as_text(call.arguments)})")
    if call.error is not None:
        yield Piece("tool-error", call.error)
    elif call.captured:
        yield Piece("tool-result", as_text(call.result))


def contexts_of(ctx: ScoreContext, written: Sequence[str]) -> tuple[str, ...]:
    """Return the retrieved passages.

    They come from the option of the judge, else from the variable `context` of the case, else from
    the metadata of the response, else from the retrieval spans of its trace.

    Args:
        ctx: the trial.
        written: the rendered option of the judge; may be empty.

    Raises:
        ScoringError: there are no passages.
    """
    if written:
        return _passages(list(written))
    for key in ("context", "contexts"):
        if key in ctx.case.variables:
            return _passages(ctx.case.variables[key])
    if ctx.response is not None:
        for key in ("context", "contexts", "documents", "retrieved"):
            if ctx.response.metadata.get(key):
                return _passages(ctx.response.metadata[key])
        spans = [s for e in ctx.exchanges if e.response for s in e.response.trace]
        passages = [text for span in spans if span.kind == "retrieval" for text in _retrieved(span)]
        if passages:
            return tuple(passages)
    raise ScoringError(
        "there is no context; add a variable `context` to the case, set "
        '`context: "{{ … }}"` in the judge, or let the application report its passages (metadata '
        "`context`, or a trace with retrieval spans)"
    )


def _passages(value: Json) -> tuple[str, ...]:
    """Return the passages in a text, or in a list of texts or documents."""
    items = value if isinstance(value, list | tuple) else [value]
    texts = [_passage(item) for item in items]
    passages = tuple(text for text in texts if text.strip())
    if not passages:
        raise ScoringError("the context is empty")
    return passages


def _passage(item: Json) -> str:
    """Return the text of a document."""
    if isinstance(item, Mapping):
        for key in _TEXTS:
            if isinstance(item.get(key), str):
                return str(item[key])
    return as_text(item)


def _retrieved(span: Span) -> Iterator[str]:
    """Yield the documents of a retrieval span."""
    for key in _LISTS:
        value = span.attributes.get(key)
        if value:
            items = value if isinstance(value, list | tuple) else [value]
            yield from (text for item in items if (text := _passage(item)).strip())
            return


def as_text(value: Json) -> str:
    """Return a text as it is, and any other value as JSON."""
    import json

    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    except (TypeError, ValueError):
        return repr(value)


def _plain(value: Any) -> Any:
    """Convert an object that JSON cannot hold."""
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", exclude_defaults=True) if callable(dump) else repr(value)


def expected_text(ctx: ScoreContext) -> str:
    """Return the reference answer of the case.

    Raises:
        ScoringError: the case has no `expected`.
    """
    if ctx.case.expected is None:
        raise ScoringError(f"case {ctx.case.id!r} has no `expected` to compare the answer with")
    return as_text(ctx.case.expected)
