"""The text of a trial that did not pass: input, output, scores, and the command to rerun it."""

import shlex
from collections.abc import Iterable, Iterator

from pytest_evals.config import Settings
from pytest_evals.exchange import Exchange
from pytest_evals.ground.canonical import canonical
from pytest_evals.ground.plain_text import (
    format_cost,
    format_count,
    format_seconds,
    neutral,
    shorten,
)
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.reporters.spending_text import trial_cost_words
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.score import Score, ScoreError

MAX_SPANS = 25
"""Spans displayed of a turn."""

SPAN_SCORERS = frozenset(
    {"span", "span_order", "no_error_spans", "max_span_duration_s", "valid_trace"}
)
"""Scorers of the trace."""

MAX_CHARACTERS = 4000
"""Characters displayed of an input or an output."""


def headline(result: TrialResult) -> str:
    """Return why a trial did not pass, in one line, for pytest's short summary."""
    if result.error is not None:
        return shorten(neutral(f"{result.error.type}: {result.error.message}"), 200)
    for score in result.scores:
        if isinstance(score, ScoreError) and not score.advisory:
            return shorten(neutral(f"{score.name} could not score: {score.message}"), 200)
    return headline_of(result.scores)


def headline_of(scores: Iterable[Score | ScoreError]) -> str:
    """Return which scores fail a trial, and why, in one line."""
    failed = [score for score in scores if _voted_no(score)]
    reasons = "; ".join(f"{score.name}: {_one_line(score)}" for score in failed)
    return shorten(neutral(reasons.replace("\n", " ")), 200)


def describe(result: TrialResult, model: Model, settings: Settings) -> str:
    """Return the whole text of a failure, without control characters."""
    return neutral("\n".join(_lines(result, model, settings)))


def _lines(result: TrialResult, model: Model, settings: Settings) -> Iterator[str]:
    """Yield the text's lines."""
    yield f"case    {result.case_id}   {result.source or ''}".rstrip()
    yield f"model   {model_line(model)}   sample {result.sample}"
    for exchange in result.answers:
        yield from _exchange(exchange)
    yield from _trace(result)
    if result.error is not None:
        yield "error"
        yield from _indented(f"{result.error.type}: {result.error.message}")
        if result.error.detail:
            yield from _indented(result.error.detail)
    if result.scores:
        yield "scores"
        for score in result.scores:
            yield from _score(score)
    if result.output:
        yield "captured output"
        yield from _indented(result.output)
    yield "        " + facts(result)
    yield f"rerun   {rerun(result, settings)}"


def _trace(result: TrialResult) -> Iterator[str]:
    """Yield the spans of every turn, if an assertion on them does not hold."""
    if not any(
        score.type in SPAN_SCORERS and (isinstance(score, ScoreError) or score.passed is False)
        for score in result.scores
    ):
        return
    from pytest_evals.trace.text import lines

    for exchange in result.answers:
        response = exchange.response
        if response is not None and (response.trace or response.trace_notes):
            turn = f" of turn {exchange.request.turn + 1}" if exchange.request.turns > 1 else ""
            yield f"trace{turn}"
            spans = lines(response.trace, response.trace_notes, limit=MAX_SPANS)
            yield from (f"    {line}" for line in spans)


def _exchange(exchange: Exchange) -> Iterator[str]:
    """Yield one input and its output."""
    first = exchange.request.turn == 0
    messages = exchange.request.messages if first else exchange.request.messages[-1:]
    yield "input"
    if not messages and exchange.request.input is not None:
        yield from _indented(canonical(exchange.request.input))
    for message in messages:
        yield from _message(message, only=len(messages) == 1)
    for attempt in exchange.attempts:
        yield f"    (an attempt failed: {attempt.type}: {shorten(attempt.message, 160)})"
    response = exchange.response
    if response is None:
        return
    yield "output"
    for call in response.tool_calls:
        arguments = "?" if call.arguments is None else call.arguments
        arguments = arguments if isinstance(arguments, str) else canonical(arguments)
        yield f"    -> {call.name}({shorten(arguments, 200)})"
    if response.refusal:
        yield from _indented(f"(refused) {response.refusal}")
    yield from _indented(response.text or "(empty)")
    if response.finish_reason not in {None, "stop", "tool_calls"}:
        yield f"    (finish reason: {response.finish_reason})"


def _message(message: Message, *, only: bool) -> Iterator[str]:
    """Yield a message; with its role if there are several."""
    if only and message.role == "user":
        yield from _indented(message.text)
        return
    yield f"    [{message.role}]"
    yield from _indented(message.text)


def _score(score: Score | ScoreError) -> Iterator[str]:
    """Yield one score: its verdict, name, value, required value and reason."""
    if isinstance(score, ScoreError):
        yield f"    ERROR {score.name}: could not score"
        yield from _indented(score.message, 10)
        if score.detail:
            yield from _indented(score.detail, 10)
        return
    word = {True: "pass ", False: "FAIL ", None: "info "}[score.passed]
    if score.advisory:
        word = "note "
    value = "" if score.value is None else f" {score.value:.4g}"
    label = "" if score.label is None else f" {score.label}"
    required = "" if score.bar is None else f" (required: {shorten(score.bar, 120)})"
    yield f"    {word} {score.name}{value}{label}{required}"
    if score.reason:
        yield from _indented(score.reason, 10)


def _indented(text: str, width: int = 4) -> Iterator[str]:
    """Yield a text's lines, indented; a very long text is truncated."""
    shown = text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS]
    for line in shown.splitlines() or [""]:
        yield " " * width + line
    if len(text) > MAX_CHARACTERS:
        yield " " * width + f"... {len(text) - MAX_CHARACTERS} more characters"


def _voted_no(score: Score | ScoreError) -> bool:
    """Whether a score is a vote against the answer."""
    return isinstance(score, Score) and score.passed is False and not score.advisory


def _one_line(score: Score | ScoreError) -> str:
    """Return a score's reason as one line."""
    reason = score.message if isinstance(score, ScoreError) else score.reason
    return " ".join(reason.split()) or "failed"


def model_line(model: Model) -> str:
    """Return a model and its parameters, in one line."""
    name = model.provider if model.model is None else f"{model.provider} {model.model}"
    params = ", ".join(f"{key}={value}" for key, value in sorted(model.params.items()))
    described = f"{name}, {params}" if params else name
    is_default_id = model.id == f"{model.provider}:{model.model}"
    return model.id if is_default_id else f"{model.id} ({described})"


def facts(result: TrialResult) -> str:
    """Return latency, tokens, cost and the source of the output, in one line."""
    parts: list[str] = []
    if result.latency_s is not None:
        parts.append(format_seconds(result.latency_s))
    if result.usage.total_tokens is not None:
        parts.append(f"{format_count(result.usage.total_tokens)} tokens")
    cost = trial_cost_words(result)
    parts.append(f"cost {cost}" if result.cost_usd is None else cost)
    if result.retries:
        parts.append(f"{result.retries} retries")
    if result.revisions:
        parts.append(revised_words(result))
    sources = sorted({exchange.source for exchange in result.answers})
    if sources and sources != ["asked"]:
        parts.append(f"output {', '.join(sources)}")
    return " | ".join(parts)


def rerun(result: TrialResult, settings: Settings) -> str:
    """Return the command that reruns this trial alone."""
    parts = ["pytest", "--evals", shlex.quote(result.id)]
    parts += [f"--evals-model={shlex.quote(name)}" for name in settings.model]
    if settings.samples is not None:
        parts.append(f"--evals-samples={settings.samples}")
    if settings.sanity:
        parts.append("--evals-sanity")
    if settings.from_run is not None:
        parts.append(f"--evals-from={shlex.quote(settings.from_run)}")
    return " ".join(parts)


def brief(result: TrialResult) -> str:
    """Return what ``-v`` displays beside a trial's outcome: score, latency, cost."""
    parts = [revised_words(result)] if result.revisions else []
    parts += [] if result.score is None else [f"{result.score:.2f}"]
    if result.latency_s is not None:
        parts.append(format_seconds(result.latency_s))
    if result.cost_usd is not None:
        parts.append(format_cost(result.cost_usd))
    return " ".join(parts)


def revised_words(result: TrialResult) -> str:
    """Return how often the answer was revised."""
    return "after 1 revision" if result.revisions == 1 else f"after {result.revisions} revisions"


def is_stale(result: TrialResult) -> bool:
    """Whether a trial has no answer because no stored response matches its request."""
    return (
        result.outcome is Outcome.ERRORED
        and result.error is not None
        and result.error.type == "stale"
    )
