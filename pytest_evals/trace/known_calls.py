"""The tool calls that a trace shows: by the spans of tools and by the messages of model calls.

A trace without such evidence does not show that no tool was called: its calls are then unknown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_evals.message import Message, ToolCall
from pytest_evals.span import Span
from pytest_evals.trace.content import inputs_of, outputs_of
from pytest_evals.trace.conventions import merge_calls, read_json, tool_calls_of
from pytest_evals.trace.tree import Tree

_NOT_NEEDED = ("not a text", "without its arguments", "answers to one question")
"""Ends of notes about losses that do not hide a call."""


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """A tool call in the output of a model call."""

    span: Span
    call: ToolCall


def known_calls(tree: Tree) -> tuple[ToolCall, ...] | None:
    """Return the tool calls of a trace; empty if it shows that there are none, None if unknown.

    The spans of tools count first. A call that a model requested and that has no such span counts
    if no span of a tool exists, or if a later message has its result.
    """
    made = list(tool_calls_of(tree))
    requested = _with_results(tree, _requested(tree))
    rest = list(range(len(made)))
    extra: list[ToolCall] = []
    for item in requested:
        place = next(iter(_same_calls(item, made, rest)), None)
        if place is not None:
            rest.remove(place)
            made[place] = merge_calls(made[place], item)
        elif not made or item.captured:
            extra.append(item)
    if made or extra:
        return (*made, *extra)
    return () if _all_readable(tree) else None


def _model_calls(tree: Tree) -> Iterator[Span]:
    """Yield the model calls without a model call below them, by start time."""
    for span in tree.spans:
        if span.kind == "llm_call" and all(s.kind != "llm_call" for s in tree.below(span)):
            yield span


def _outputs(tree: Tree, span: Span) -> tuple[list[Message], bool]:
    """Return the output of a model call, from its span or one around it, and if it is whole."""
    around = [s for s in tree.above(span) if s.kind == "llm_call"]
    for candidate in (span, *around):
        content = outputs_of(candidate)
        if content is None:
            continue
        whole = all(any(end in note for end in _NOT_NEEDED) for note in content.lost)
        if content.messages or whole:
            return content.messages, whole
    return [], False


def _requested(tree: Tree) -> list[RequestedCall]:
    """Return the calls that models requested; a call that two instrumentations report is one."""
    requested: list[RequestedCall] = []
    for span in _model_calls(tree):
        for message in _outputs(tree, span)[0]:
            for call in message.tool_calls:
                if not any(_reported(other, span, call) for other in requested):
                    requested.append(RequestedCall(span, call))
    return requested


def _reported(other: RequestedCall, span: Span, call: ToolCall) -> bool:
    """Whether another span of the same time reports the same call."""
    if other.span is span or call.id is None:
        return False
    same = (other.call.id, other.call.name) == (call.id, call.name)
    return same and (other.span.end_s is None or span.start_s < other.span.end_s)


def _with_results(tree: Tree, requested: Sequence[RequestedCall]) -> list[ToolCall]:
    """Return the calls with the results that later model calls received."""
    calls = [item.call for item in requested]
    joined: set[int] = set()
    for span in tree.spans:
        content = inputs_of(span) if span.kind == "llm_call" else None
        for message in () if content is None else content.messages:
            if message.role != "tool" or message.tool_call_id is None:
                continue
            for i, item in enumerate(requested):
                before = item.span.start_s < span.start_s
                if i not in joined and before and item.call.id == message.tool_call_id:
                    joined.add(i)
                    result = read_json(message.text)
                    calls[i] = calls[i].model_copy(update={"result": result, "captured": True})
                    break
    return calls


def _same_calls(call: ToolCall, made: Sequence[ToolCall], places: Sequence[int]) -> Iterator[int]:
    """Yield where the spans' records of a requested call can be: by its id, then by its name."""
    yield from (i for i in places if call.id is not None and made[i].id == call.id)
    for i in places:
        if made[i].name == call.name and (made[i].id is None or call.id is None):
            yield i


def _all_readable(tree: Tree) -> bool:
    """Whether there are model calls, and the messages of all of them could be read."""
    calls = list(_model_calls(tree))
    return bool(calls) and all(_outputs(tree, span)[1] for span in calls)
