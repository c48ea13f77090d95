"""One trial as the page's drawer shows it: plain values, neutralized, truncated. Pure.

Keys are short, as every trial has them; empty values are left out.
"""

import json
import shlex
from collections.abc import Callable, Iterable
from typing import Any

from pytest_evals.exchange import ErrorInfo, Exchange, Response, Span, total_usage
from pytest_evals.ground.plain_text import format_cost, format_count, format_seconds, neutral
from pytest_evals.message import Message, ToolCall
from pytest_evals.reporters.spending_text import trial_cost_words
from pytest_evals.result import FirstTry, TrialResult
from pytest_evals.run_record import Run
from pytest_evals.score import Score, ScoreError
from pytest_evals.trace.conventions import tokens_of
from pytest_evals.trace.text import DEEPEST, duration
from pytest_evals.trace.tree import Tree

Plain = dict[str, Any]


class TrialDetail:
    """Makes the details of trials.

    Args:
        run: the session; its options are part of the command to rerun a trial.
        longest: characters of a text before it is truncated.
    """

    def __init__(self, run: Run, longest: int) -> None:
        self._longest = longest
        self._options = _rerun_options(run)
        self.cut = 0
        """Truncated texts so far."""

    def of(self, result: TrialResult) -> Plain:
        """Return the details of a trial."""
        judges = [e for e in result.exchanges if e.role != "answer"]
        return _full(
            facts=_facts(result),
            error=self._error(result.error),
            scores=[self._score(score) for score in result.scores],
            first=self._first(result.first),
            talk=[self._exchange(exchange) for exchange in result.answers],
            judges=[self._exchange(exchange) for exchange in judges],
            output=self._text(result.output),
            metadata=self._json(result.metadata) if result.metadata else None,
            source=None if result.source is None else neutral(str(result.source)),
            rerun=neutral(" ".join(["pytest --evals", shlex.quote(result.id), *self._options])),
        )

    def _first(self, first: FirstTry | None) -> Plain | None:
        """Return the outcome and scores of the first answer, if it was revised."""
        if first is None:
            return None
        return _full(
            outcome=first.outcome.value, scores=[self._score(score) for score in first.scores]
        )

    def _text(self, text: str | None) -> str | None:
        """Return a text neutralized and truncated."""
        if not text:
            return None
        if len(text) <= self._longest:
            return neutral(text)
        self.cut += 1
        return f"{neutral(text[: self._longest])}\n… {len(text) - self._longest:,} more characters"

    def _json(self, value: Any) -> str | None:
        """Return a JSON value as readable text; a string unchanged."""
        if isinstance(value, str):
            return self._text(value)
        line = json.dumps(value, ensure_ascii=False, default=str)
        if len(line) <= 80:
            return neutral(line)
        return self._text(json.dumps(value, ensure_ascii=False, indent=1, default=str))

    def _error(self, error: ErrorInfo | None) -> Plain | None:
        if error is None:
            return None
        status = "" if error.status is None else f" (HTTP {error.status})"
        return _full(
            type=neutral(error.type) + status,
            message=self._text(error.message),
            detail=self._text(error.detail),
        )

    def _score(self, score: Score | ScoreError) -> Plain:
        common = _full(name=neutral(score.name), type=neutral(score.type), advisory=score.advisory)
        why = score.metadata.get("advisory")
        if score.advisory and isinstance(why, str):
            common["why"] = self._text(why)
        if isinstance(score, ScoreError):
            error = _full(reason=self._text(score.message), detail=self._text(score.detail))
            return {**common, "verdict": "error", **error}
        verdict = {True: "pass", False: "fail", None: "info"}[score.passed]
        return common | _full(
            verdict=verdict,
            value=None if score.value is None else f"{score.value:.4g}",
            label=self._text(score.label),
            bar=self._text(score.bar),
            weight=None if score.weight == 1 else f"{score.weight:g}",
            reason=self._text(score.reason),
            metadata=self._json(score.metadata) if score.metadata else None,
        )

    def _exchange(self, exchange: Exchange) -> Plain:
        """Return a request and its response; of a later turn only the new messages."""
        request, response = exchange.request, exchange.response
        new_messages = request.messages if request.turn == 0 else request.messages[-1:]
        messages = [self._message(message) for message in new_messages]
        if not new_messages and request.input is not None:
            messages = [_full(role="input", text=self._json(request.input))]
        return _full(
            role=neutral(exchange.role),
            model=neutral(exchange.model_id),
            source=neutral(exchange.source),
            params=self._json(request.params) if request.params else None,
            tools=[neutral(str(tool.get("name", "?"))) for tool in request.tools],
            asked=messages,
            attempts=[self._error(attempt) for attempt in exchange.attempts],
            answer=None if response is None else self._response(response),
            error=self._error(exchange.error),
            facts=[] if response is None else _exchange_facts(exchange, response),
        )

    def _response(self, response: Response) -> Plain:
        steps = response.messages if len(response.messages) > 1 else ()
        return _full(
            text=self._text(response.text),
            refusal=self._text(response.refusal),
            calls=self._calls(response.tool_calls),
            finish=None if response.finish_reason == "stop" else self._text(response.finish_reason),
            steps=[self._message(message) for message in steps],
            data=None if response.data is None else self._json(response.data),
            faults=[self._text(fault) for fault in response.faults],
            output=self._text(response.output),
            trace=_timeline(response.trace, self._json),
            trace_notes=[self._text(note) for note in response.trace_notes],
            metadata=self._json(response.metadata) if response.metadata else None,
        )

    def _message(self, message: Message) -> Plain:
        content = message.content
        parts = isinstance(content, list) and any("text" not in part for part in content)
        return _full(
            role=message.role,
            name=self._text(message.name),
            text=self._json(content) if parts else self._text(message.text),
            calls=self._calls(message.tool_calls),
        )

    def _calls(self, calls: Iterable[ToolCall]) -> list[Plain]:
        return [
            _full(
                name=neutral(call.name),
                arguments=self._json(call.arguments),
                result=self._json(call.result) if call.captured else None,
                captured=call.captured,
                error=self._text(call.error),
                took=None if call.duration_s is None else format_seconds(call.duration_s),
            )
            for call in calls
        ]


def _full(**keys: Any) -> Plain:
    """Return a mapping without empty values."""
    return {key: value for key, value in keys.items() if value or type(value) in {int, float}}


def _facts(result: TrialResult) -> list[tuple[str, str]]:
    """Return the numbers of a trial as pairs of a name and a text."""
    facts = [("Score", "-" if result.score is None else f"{result.score:.3g}")]
    facts.append(("Latency", format_seconds(result.latency_s)))
    facts += _tokens(result)
    facts.append(("Cost", trial_cost_words(result)))
    if result.revisions:
        facts.append(("Revisions", format_count(result.revisions)))
    if result.retries:
        facts.append(("Retries", format_count(result.retries)))
    facts.append(("Whole trial", format_seconds(result.duration_s)))
    return facts


def _tokens(result: TrialResult) -> list[tuple[str, str]]:
    """Return the tokens of a trial; of the answers alone where a judge's are unknown."""
    usage, name = result.usage, "Tokens"
    if usage.total_tokens is None:
        answered = [e.response.usage for e in result.answers if e.response is not None]
        usage, name = total_usage(answered), "Tokens of answers"
    if usage.total_tokens is None:
        return [("Tokens", "-")]
    parts = [f"{format_count(usage.input_tokens)} in", f"{format_count(usage.output_tokens)} out"]
    if usage.cached_tokens:
        parts.append(f"{format_count(usage.cached_tokens)} cached")
    if usage.reasoning_tokens:
        parts.append(f"{format_count(usage.reasoning_tokens)} reasoning")
    return [(name, f"{format_count(usage.total_tokens)} ({', '.join(parts)})")]


def _exchange_facts(exchange: Exchange, response: Response) -> list[str]:
    """Return the known numbers of one call."""
    facts = []
    if response.latency_s is not None:
        facts.append(format_seconds(response.latency_s))
    if response.usage.total_tokens is not None:
        facts.append(f"{format_count(response.usage.total_tokens)} tokens")
    if exchange.cost_usd is not None:
        facts.append(format_cost(exchange.cost_usd))
    if response.model and response.model != exchange.model_id:
        facts.append(f"served by {neutral(response.model)}")
    return facts


def _timeline(spans: tuple[Span, ...], shown: Callable[[Any], str | None]) -> list[Plain]:
    """Return the spans of a trace in tree order, each with depth, start and length.

    Start and length are shares of the whole duration, 0..1.
    """
    total = max((span.end_s or span.start_s for span in spans), default=0.0) or 1.0
    return [
        _full(
            name=neutral(span.name),
            kind=neutral(span.kind),
            depth=min(depth, DEEPEST),
            start=round(max(0.0, span.start_s) / total, 4),
            length=None
            if span.end_s is None
            else round(min(1.0, max(0.0, span.end_s - span.start_s) / total), 4),
            took=duration(span),
            tokens=_span_tokens(span),
            error=shown(span.error) if span.error else None,
            attributes=shown(span.attributes) if span.attributes else None,
        )
        for span, depth in Tree(spans).walk()
    ]


def _span_tokens(span: Span) -> str | None:
    """Return the tokens of a span, in words."""
    usage = tokens_of(span)
    if usage.total_tokens is None:
        return None
    return f"{format_count(usage.input_tokens)} in, {format_count(usage.output_tokens)} out"


def _rerun_options(run: Run) -> list[str]:
    """Return the options needed to reproduce this trial's request."""
    models, samples = run.options.get("model") or (), run.options.get("samples")
    options = [f"--evals-model={shlex.quote(str(name))}" for name in models]
    if samples is not None:
        options.append(f"--evals-samples={samples}")
    return options
