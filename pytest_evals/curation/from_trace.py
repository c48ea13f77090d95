"""Cases made of traces that an application wrote in production, as OTLP/JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_evals.case import slug
from pytest_evals.curation.draft import CaseDraft, Event
from pytest_evals.curation.from_trial import called, finish, spoken
from pytest_evals.exchange import Response
from pytest_evals.message import Message, ToolCall
from pytest_evals.span import Span
from pytest_evals.trace.call_messages import CallMessages
from pytest_evals.trace.content import inputs_of, outputs_of
from pytest_evals.trace.conventions import (
    arguments_captured,
    read_json,
    tool_call,
    tool_name,
    usage_of,
)
from pytest_evals.trace.convert import STILL_OPEN, convert
from pytest_evals.trace.raw_span import OtlpTrace
from pytest_evals.trace.tree import Tree
from pytest_evals.trace.validation import problems

NO_CONTENT = (
    "was recorded without its messages; record with content capture on, into spans "
    "(OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY, older ones: =true)"
)
_THREADS = ("gen_ai.conversation.id", "session.id")
_ERRORS = (
    (("ratelimit", "rate_limit", "429", "toomanyrequests"), "rate_limit"),
    (("timeout", "timedout", "deadline"), "timeout"),
    (("context_length", "contextlength", "context_window"), "context_overflow"),
    (("contentfilter", "content_filter"), "content_filtered"),
    (("overloaded", "529", "503", "unavailable"), "overloaded"),
    (("authentication", "permission", "unauthorized", "401", "403"), "unauthorized"),
    (("notfound", "not_found", "404"), "model_not_found"),
    (("badrequest", "bad_request", "invalid", "400"), "invalid_request"),
)


@dataclass(slots=True)
class _Turn:
    """What one trace tells of one turn."""

    asked: list[Message] = field(default_factory=list)
    """Without the instructions, which are the application's."""
    events: list[Event] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    model: str | None = None


def threads_of(traces: Sequence[OtlpTrace]) -> list[tuple[str, list[OtlpTrace]]]:
    """Return the traces of each conversation in order; a trace that names none is one by itself."""
    threads: dict[str, list[OtlpTrace]] = {}
    for trace in traces:
        named = (
            str(span.attributes[key])
            for span in trace.spans
            for key in _THREADS
            if span.attributes.get(key)
        )
        threads.setdefault(next(named, trace.id), []).append(trace)
    return list(threads.items())


def of_thread(name: str, traces: Sequence[OtlpTrace], *, trace: bool = False) -> CaseDraft:
    """Make a case of the traces of one conversation.

    Args:
        name: the conversation's or the trace's id.
        traces: one a turn, in order.
        trace: whether the spans are kept in the script.
    """
    made = CaseDraft()
    turns = [_turn(otlp_trace, kept=trace) for otlp_trace in traces]
    for number, turn in enumerate(turns, start=1):
        at = f"turn {number}: " if len(turns) > 1 else ""
        made.lost += [f"{at}{reason}" for reason in turn.lost]
    question = _question(turns, made.lost)
    asked = next((turn.asked[-1].text for turn in turns if turn.asked), "") or name
    made.case = {"id": slug(asked), **question}
    models = sorted({turn.model for turn in turns if turn.model})
    made.case["metadata"] = {
        "curated_from": f"trace {', '.join(otlp_trace.id for otlp_trace in traces)}"
    }
    if models:
        made.case["metadata"]["recorded_models"] = models
    made.case["script"] = [event for turn in turns for event in turn.events]
    finish(made)
    return made


def _question(turns: Sequence[_Turn], lost: list[str]) -> dict[str, Any]:
    """Return the input, or the turns of a conversation."""
    if not all(turn.asked for turn in turns):
        return {"input": None}
    if len(turns) > 1:
        return {"turns": [turn.asked[-1].text for turn in turns]}
    (turn,) = turns
    if turn.asked[-1].role != "user":
        lost.append(f"the last message before the answer is not the user's: {turn.asked[-1].role}")
    if len(turn.asked) == 1:
        return {"input": turn.asked[0].text}
    messages = [message.model_dump(mode="json", exclude_defaults=True) for message in turn.asked]
    return {"input": messages}


def _turn(trace: OtlpTrace, *, kept: bool) -> _Turn:
    """Read one trace."""
    turn = _Turn()
    made = convert(trace.spans, whole=True)
    tree = Tree(made.spans)
    turn.lost += [note for note in made.notes if STILL_OPEN in note or "dropped" in note]
    if not _has_remote_parent(made.spans):
        turn.lost += problems(made.spans)
    calls = _model_calls(tree)
    if not calls:
        turn.lost.append(
            f"trace {trace.id} has no span of a model call (`gen_ai.operation.name: chat`)"
        )
        return turn
    _read_question(turn, calls[0])
    turn.events += _tools(tree, calls, turn.lost)
    turn.events.append(_answer(turn, tree, calls[-1], trace=kept))
    named = calls[-1].attributes
    model = named.get("gen_ai.response.model") or named.get("gen_ai.request.model")
    turn.model = None if model is None else str(model)
    return turn


def _has_remote_parent(spans: Sequence[Span]) -> bool:
    """Whether all is right but for one parent above everything, in a service that is not ours."""
    ids = {span.id for span in spans}
    top = {span.parent for span in spans if span.parent not in ids}
    mended = [s.model_copy(update={"parent": None}) if s.parent in top else s for s in spans]
    return len(top) == 1 and top != {None} and not problems(mended)


def _model_calls(tree: Tree) -> list[Span]:
    """Return the model calls in order, each once: the innermost span of it that has content."""
    calls: dict[int, Span] = {}
    for span in tree.spans:
        if span.kind != "llm_call" or any(s.kind == "llm_call" for s in tree.below(span)):
            continue
        around = [span, *(s for s in tree.above(span) if s.kind == "llm_call")]
        innermost = next((s for s in around if outputs_of(s) is not None), span)
        calls[id(innermost)] = innermost
    return list(calls.values())


def _read_question(turn: _Turn, call: Span) -> None:
    """Read what was asked of the first model call."""
    content = inputs_of(call)
    if content is None:
        turn.lost.append(f"span {call.name!r} {NO_CONTENT}")
        return
    turn.lost += [f"span {call.name!r}, input: {reason}" for reason in content.lost]
    turn.asked = [m for m in content.messages if m.role not in {"system", "developer"}]
    if not turn.asked:
        turn.lost.append(f"span {call.name!r}: no message of a user is in its input")


def _answer(turn: _Turn, tree: Tree, call: Span, *, trace: bool) -> Event:
    """Return the event that ends the turn."""
    content = outputs_of(call)
    if call.error is not None and content is None:
        error_name = str(call.attributes.get("error.type", ""))
        return {
            "kind": "error",
            "error_type": error_type(error_name, call.error),
            "message": call.error,
        }
    text, finish_reason = "", None
    if content is None:
        turn.lost.append(f"span {call.name!r} {NO_CONTENT}")
    else:
        turn.lost += [f"span {call.name!r}, output: {reason}" for reason in content.lost]
        text = "".join(message.text for message in content.messages)
        finish_reason = content.finish_reason
        if not text.strip():
            asks = [c.name for m in content.messages for c in m.tool_calls]
            ends = f"ends by asking for {', '.join(asks)}" if asks else "has an empty answer"
            turn.lost.append(
                f"the last model call, span {call.name!r}, {ends}: no final answer was recorded"
            )
    began = tree.spans[0].start_s
    ended = [span.end_s for span in tree.spans if span.end_s is not None]
    response = Response(
        text=text,
        usage=usage_of(tree),
        finish_reason=finish_reason,
        latency_s=max(ended) - began if ended else None,
        trace=tree.spans,
    )
    return spoken(response, trace=trace)


def _tools(tree: Tree, calls: Sequence[Span], lost: list[str]) -> Iterator[Event]:
    """Yield the calls of tools: from their own spans, else from the messages of the models."""
    asked: list[ToolCall] = []
    results: dict[str, Any] = {}
    for span in calls:
        for message in (inputs_of(span) or CallMessages()).messages:
            if message.role == "tool" and message.tool_call_id:
                results[message.tool_call_id] = read_json(message.text)
        for message in (outputs_of(span) or CallMessages()).messages:
            asked += message.tool_calls
    spans = [
        span
        for span in tree.spans
        if span.kind == "tool_call"
        and not any(
            s.kind == "tool_call" and tool_name(s) == tool_name(span) for s in tree.below(span)
        )
    ]
    by_id = {call.id: call for call in asked if call.id}
    made = [_completed(tool_call(span), span, by_id, lost) for span in spans] or asked
    for call in made:
        if not call.captured and call.id in results:
            call = call.model_copy(update={"result": results[call.id], "captured": True})  # noqa: PLW2901
        if not call.captured:
            lost.append(f"what the tool {call.name} gave back was not recorded")
        yield called(call, "", lost)


def _completed(call: ToolCall, span: Span, by_id: dict[str, ToolCall], lost: list[str]) -> ToolCall:
    """Return a call with the arguments that the model asked for, where its span has none."""
    if arguments_captured(span):
        return call
    same = by_id.get(call.id or "")
    if same is None:
        lost.append(f"what the tool {call.name} was called with was not recorded")
        return call
    return call.model_copy(update={"arguments": same.arguments})


def error_type(error_name: str, message: str) -> str:
    """Return the script's word for a recorded error."""
    text = f"{error_name} {message}".lower()
    return next((name for marks, name in _ERRORS if any(m in text for m in marks)), "provider")
