"""One stored trial in full, as lines for a terminal."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_evals.exchange import ErrorInfo, Exchange
from pytest_evals.ground.plain_text import format_cost, format_count, format_seconds
from pytest_evals.message import Message
from pytest_evals.reporters.spending_text import trial_cost_words
from pytest_evals.reporters.transcript import stages
from pytest_evals.result import AnyScore, TrialResult
from pytest_evals.score import ScoreError
from pytest_evals.storage.base import HumanScore
from pytest_evals.trace.text import lines


def describe_trial(attempts: Sequence[TrialResult], labels: Sequence[HumanScore]) -> Iterator[str]:
    """Yield the lines that describe a trial; they are not escaped yet.

    Args:
        attempts: at least one; the last one counts.
        labels: people's scores of it.
    """
    result = attempts[-1]
    yield f"trial    {result.id}"
    yield f"outcome  {result.outcome.value}{' (tolerated)' if result.tolerated else ''}"
    if result.source is not None:
        yield f"case     {result.case_id}, {result.source}"
    yield "         " + _facts(result)
    for exchange in result.exchanges:
        yield from _exchange(exchange)
    if len(result.exchanges) > 1:
        yield from _titled("stages", [f"    {line}" for line in stages(result.exchanges)])
    if result.error is not None:
        yield from _block("error", _error(result.error))
    first = () if result.first is None else result.first.scores
    yield from _titled(
        "scores of the first answer", [line for score in first for line in _score(score)]
    )
    yield from _titled("scores", [line for score in result.scores for line in _score(score)])
    yield from _titled("people", [line for label in labels for line in _label(label)])
    if result.output:
        yield from _block("output", result.output)
    yield from _titled(
        f"recorded {len(attempts)} times; the last one counts. Before it:",
        [f"    {earlier.outcome.value}  {_facts(earlier)}" for earlier in attempts[:-1]],
    )


def _facts(result: TrialResult) -> str:
    """Return score, time, tokens and cost in one line."""
    usage = result.usage
    tokens = f"{format_count(usage.total_tokens)} tokens"
    if usage.total_tokens is not None:
        tokens += (
            f" ({format_count(usage.input_tokens)} in, {format_count(usage.output_tokens)} out)"
        )
    parts = [
        "score " + ("-" if result.score is None else f"{result.score:.4g}"),
        f"latency {format_seconds(result.latency_s)}",
        tokens,
        f"cost {trial_cost_words(result)}",
    ]
    if result.revisions:
        parts.append(f"revised {'once' if result.revisions == 1 else f'{result.revisions} times'}")
    if result.retries:
        parts.append(f"{result.retries} failed {'attempt' if result.retries == 1 else 'attempts'}")
    return ", ".join(parts)


def _exchange(exchange: Exchange) -> Iterator[str]:
    """Yield an input and its answer, or the error."""
    whose = "" if exchange.role == "answer" else f" of {exchange.role}"
    turn = f", turn {exchange.request.turn + 1}" if exchange.request.turns > 1 else ""
    yield from _block(
        f"input{whose}{turn}",
        "\n".join(_messages(exchange.request.messages)) or _json(exchange.request.input),
    )
    for i, attempt in enumerate(exchange.attempts, 1):
        yield f"    attempt {i} failed: {_error(attempt)}"
    response = exchange.response
    if response is None:
        if exchange.error is not None:
            yield f"    no answer: {exchange.error.type}"
        return
    text = response.text or (response.refusal and f"(refused) {response.refusal}") or "(empty)"
    calls = [f"-> {call.name}({_json(call.arguments)})" for call in response.tool_calls]
    by = f" of {exchange.model_id}" if exchange.model_id else ""
    facts = [exchange.source, format_seconds(response.latency_s), format_cost(exchange.cost_usd)]
    if response.finish_reason:
        facts.append(response.finish_reason)
    yield from _block(f"answer{by} ({', '.join(facts)})", "\n".join([*calls, text]))
    if response.trace or response.trace_notes:
        spans = "\n".join(lines(response.trace, response.trace_notes))
        what = "1 span" if len(response.trace) == 1 else f"{len(response.trace):,} spans"
        yield from _block(f"trace{turn}, {what}", spans)


def _messages(messages: Sequence[Message]) -> Iterator[str]:
    """Yield messages, with their roles unless there is only one of the user."""
    for message in messages:
        if len(messages) > 1 or message.role != "user":
            yield f"[{message.role}]"
        yield message.text
        for call in message.tool_calls:
            yield f"-> {call.name}({_json(call.arguments)})"


def _score(score: AnyScore) -> Iterator[str]:
    """Yield a score with its reason."""
    if isinstance(score, ScoreError):
        yield f"    ERROR {score.name}: could not score"
        yield from _indented(score.message, 10)
        yield from _indented(score.detail or "", 10)
        return
    word = {True: "pass", False: "FAIL", None: "info"}[score.passed]
    value = "" if score.value is None else f" {score.value:.4g}"
    label = "" if score.label is None else f" {score.label}"
    bar = "" if score.bar is None else f" (required: {score.bar})"
    advisory = " (advisory: not counted)" if score.advisory else ""
    yield f"    {word}  {score.name}{value}{label}{bar}{advisory}"
    yield from _indented(score.reason, 10)


def _label(label: HumanScore) -> Iterator[str]:
    """Yield a score of a person."""
    value = "" if label.value is None else f" {label.value:.4g}"
    word = "" if label.label is None else f" {label.label}"
    yield f"    {label.name}{value}{word} by {label.rater}"
    yield from _indented(label.note, 10)


def _error(error: ErrorInfo) -> str:
    """Return an error with its status and detail."""
    status = "" if error.status is None else f" (HTTP {error.status})"
    detail = f"\n{error.detail}" if error.detail else ""
    return f"{error.type}{status}: {error.message}{detail}"


def _titled(title: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield a title and its lines; nothing without lines."""
    if lines:
        yield ""
        yield title
        yield from lines


def _block(title: str, text: str) -> Iterator[str]:
    """Yield a title and a text below it."""
    yield from _titled(title, list(_indented(text, 4)) or ["    (empty)"])


def _indented(text: str, by: int) -> Iterator[str]:
    """Yield a text's lines, indented; nothing for an empty text."""
    for line in text.split("\n") if text else ():
        yield " " * by + line


def _json(value: Any) -> str:
    """Write a value in one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
