"""A case made of what happened: of a stored trial, or of traces; and what of it would be lost.

Nothing is guessed: where the record does not hold what a replay needs, that is told in `lost`, and
the command refuses the case.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pytest_evals.case import slug
from pytest_evals.curation.draft import CaseDraft, Event
from pytest_evals.exchange import Exchange, Response, Usage
from pytest_evals.ground.redaction import MARK
from pytest_evals.message import ToolCall
from pytest_evals.result import TrialResult
from pytest_evals.script import ScriptErrorType
from pytest_evals.trace.convert import CUT


def of_trial(result: TrialResult, run_id: str, *, trace: bool = False) -> CaseDraft:
    """Make a case of a stored trial.

    Args:
        result: the trial.
        run_id: the run it is from.
        trace: whether its spans are kept in the script.
    """
    made = CaseDraft()
    answers = result.answers
    if result.revisions:
        made.lost.append(f"a judge sent the answer back {result.revisions} times")
    if not answers:
        made.lost.append("nothing was asked")
        return made
    asked = answers[0].request
    made.case["id"] = slug(f"{result.case_id}-{result.model_id}-{result.sample}")
    made.case.update(_asked(answers, made.lost))
    if asked.variables:
        made.case["variables"] = asked.variables
    if result.tags:
        made.case["tags"] = list(result.tags)
    made.case["metadata"] = {"curated_from": f"run {run_id}: {result.id}"}
    script: list[Event] = []
    for exchange in answers:
        at = f"turn {exchange.request.turn + 1}: " if exchange.request.turns > 1 else ""
        script += _events(exchange, at, made, trace=trace)
    made.case["script"] = script
    finish(made)
    return made


def finish(made: CaseDraft) -> None:
    """Look for what was already taken out of the texts of a case."""
    for where, text in _texts(made.case):
        if MARK in text:
            made.lost.append(f"{where}: a secret was replaced by {MARK}")
        if CUT in text:
            made.lost.append(f"{where}: the text was cut when the trace was kept")


def _asked(answers: Sequence[Exchange], lost: list[str]) -> dict[str, Any]:
    """Return what was asked: an input, or the turns of a conversation."""
    first = answers[0].request
    if first.turns == 1:
        value = first.input
        if value is None:
            value = [m.model_dump(mode="json", exclude_defaults=True) for m in first.messages]
        if value in (None, []):
            lost.append("the record does not hold what was asked")
        return {"input": value}
    turns = [exchange.request.input for exchange in answers]
    if len(turns) < first.turns and answers[-1].response is not None:
        lost.append(f"{len(turns)} of {first.turns} turns were recorded")
    if not all(isinstance(turn, str) for turn in turns):
        lost.append("a turn is not a text")
    return {"turns": turns}


def _events(exchange: Exchange, at: str, made: CaseDraft, *, trace: bool) -> Iterator[Event]:
    """Yield what a model did in one turn."""
    response = exchange.response
    if response is None:
        error = exchange.error
        error_name = "none" if error is None else error.type
        if error is None or error_name not in get_args(ScriptErrorType):
            made.lost.append(f"{at}there is no answer ({error_name}), and no script can play that")
            return
        yield {"kind": "error", "error_type": error_name, "message": error.message}
        return
    made.lost.extend(f"{at}{fault}" for fault in response.faults)
    for call in response.tool_calls:
        yield called(call, at, made.lost)
    if response.refusal:
        made.lost.append(f"{at}the model refused by a field of its own, which no script has")
    if response.data is not None and not _is_data(response):
        made.lost.append(f"{at}its structured answer is not its text, and a script has texts only")
    if not response.text.strip() and not response.tool_calls:
        made.lost.append(f"{at}the answer is empty")
    yield spoken(response, trace=trace)
    if response.trace and not trace:
        made.notes.append(
            f"{at}the trace ({len(response.trace)} spans) is left out; --with-trace keeps it for "
            "scorers of spans"
        )
    if len(response.messages) > 1:
        made.notes.append(f"{at}the messages between are left out: a script has the calls alone")


def called(call: ToolCall, at: str, lost: list[str]) -> Event:
    """Return the event of a call."""
    event: Event = {"kind": "tool_call", "name": call.name}
    if call.id is not None:
        event["id"] = call.id
    if isinstance(call.arguments, str):
        lost.append(f"{at}the arguments of {call.name} are no object: {call.arguments[:60]!r}")
    elif call.arguments is not None:
        event["arguments"] = call.arguments
    if call.error is not None:
        event["error"] = call.error
    elif call.captured:
        event["result"] = call.result
    return event


def spoken(response: Response, *, trace: bool = False) -> Event:
    """Return the event of an answer."""
    event: Event = {"kind": "chat_response", "content": response.text}
    tokens = _tokens(response.usage)
    if tokens:
        event["tokens"] = tokens
    if response.finish_reason not in {None, "stop"}:
        event["finish_reason"] = response.finish_reason
    if response.latency_s is not None:
        event["latency_s"] = round(response.latency_s, 3)
    if trace and response.trace:
        event["trace"] = [
            span.model_dump(mode="json", exclude_defaults=True) for span in response.trace
        ]
    return event


def _tokens(usage: Usage) -> dict[str, int]:
    """Return token counts by a script's names."""
    names = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cached_tokens,
        "cache_creation_tokens": usage.cache_write_tokens,
        "thinking_tokens": usage.reasoning_tokens,
    }
    return {name: count for name, count in names.items() if count is not None}


def _is_data(response: Response) -> bool:
    """Whether a structured answer is just what the text says."""
    if response.data == response.text:
        return True
    try:
        return bool(json.loads(response.text) == response.data)
    except ValueError:
        return False


def _texts(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a value with the way to it."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{at}.{key}".lstrip("."))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _texts(item, f"{at}[{i}]")
