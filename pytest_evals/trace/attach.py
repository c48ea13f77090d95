"""Attach a trace to a response: the spans, and the tool calls and usage that they show."""

from collections.abc import Sequence

from pytest_evals.exchange import Response
from pytest_evals.span import Span
from pytest_evals.trace.conventions import usage_of
from pytest_evals.trace.convert import LEFT_OUT
from pytest_evals.trace.known_calls import known_calls
from pytest_evals.trace.tree import Tree
from pytest_evals.trace.validation import problems


def attach_trace(response: Response, spans: Sequence[Span], notes: Sequence[str] = ()) -> Response:
    """Return a response with a validated trace.

    Tool calls and usage come from the spans only if the response has none. If neither the response
    nor the spans say which tools were called, the tool calls stay unknown.

    Args:
        response: what the target returned.
        spans: in any order.
        notes: what is already known to be incomplete.
    """
    all_notes = tuple(dict.fromkeys((*response.trace_notes, *notes, *problems(spans))))
    if not spans:
        return response.model_copy(update={"trace_notes": all_notes}) if all_notes else response
    tree = Tree(spans)
    change: dict[str, object] = {"trace": tree.spans, "trace_notes": all_notes}
    calls = None if response.tool_calls else known_calls(tree)
    if calls or (calls is not None and not response.tool_calls_known):
        complete = not any(LEFT_OUT in note for note in all_notes)
        change |= {"tool_calls": calls, "tool_calls_known": complete}
    usage = response.usage
    if all(getattr(usage, name) is None for name in type(usage).model_fields):
        change["usage"] = usage_of(tree)
    return response.model_copy(update=change)
