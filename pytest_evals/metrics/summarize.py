"""From a trial's record to its TrialStats. Pure."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from sys import intern
from typing import Any

from pytest_evals.exchange import Response
from pytest_evals.ground.canonical import digest
from pytest_evals.message import ToolCall
from pytest_evals.metrics.trial_stats import Origin, TrialStats
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.score import Score, ScoreError, withheld_reason

EXCERPT = 120
"""Characters kept of an answer and of a reason."""


_SHOWN_REASONS = 3


_NOTHING: Mapping[str, Any] = {}


def summarize_trial(result: TrialResult, *, compared: bool = True) -> TrialStats:
    """Return the part of a trial's record that aggregation, baselines and diffs need.

    For a revised answer, the verdict and the scores of the first answer count.

    Args:
        result: the trial's record.
        compared: whether its answer is compared with another run's; if not, `answer_digest` and
            `draw` stay empty.
    """
    revised = result.revised
    if result.first is not None and result.outcome is not Outcome.ERRORED:
        first = result.first
        first_verdict = {"outcome": first.outcome, "scores": first.scores, "score": first.score}
        result = result.model_copy(update=first_verdict)
    responses = [e.response for e in result.answers if e.response is not None]
    calls = [call for response in responses for call in response.tool_calls]
    names, values, verdicts = _merge_scores(result.scores)
    answered = any(exchange.response is not None for exchange in result.exchanges)
    answer = result.answer if responses else None
    return TrialStats(
        id=result.id,
        case=intern(result.case_id),
        model=intern(result.model_id),
        sample=result.sample,
        outcome=result.outcome,
        error=result.error.type if result.error else None,
        score=result.score,
        names=names,
        values=values,
        verdicts=verdicts,
        failing=_same(_failing(result)),
        unscored=_same(tuple(s.name for s in result.scores if isinstance(s, ScoreError))),
        withheld=_withheld(result.scores),
        labels=_labels(result),
        reasons=_reasons(result),
        tokens=result.usage.total_tokens if answered else None,
        cost_usd=result.cost_usd,
        latency_s=result.latency_s,
        answered=answered,
        tags=_same(result.tags),
        metadata=result.metadata or _NOTHING,
        case_digest=intern(result.case_digest),
        scorers_digest=intern(result.scorers_digest or _scorers_seen(result)),
        asked=_asked(result),
        answer=None if answer is None else excerpt(answer),
        answer_digest=_answer_digest(answer, calls) if responses and compared else "",
        tools=_same(tuple(excerpt(call.name, 60) for call in calls)),
        draw=_drawn(result, responses) if compared else "",
        key=next((e.key[:16] for e in reversed(result.answers) if e.response is not None), ""),
        origin=_origin([e.source for e in result.answers]),
        beyond=result.beyond,
        revised=revised,
    )


def excerpt(text: str, length: int = EXCERPT) -> str:
    """Return the beginning of a text on one line, without invisible characters.

    Args:
        text: any text, such as a model's answer.
        length: characters; a longer text is truncated, and ends in three dots.
    """
    flat = " ".join(text[: 4 * length].split())
    if not flat.isascii() or not flat.isprintable():
        flat = "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in flat)
    return flat if len(flat) <= length else flat[: length - 3] + "..."


@lru_cache(maxsize=4096)
def _same(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the shared tuple of equal tuples; most trials share theirs."""
    return tuple(map(intern, words))


@lru_cache(maxsize=4096)
def _same_verdicts(verdicts: tuple[bool | None, ...]) -> tuple[bool | None, ...]:
    """Return the shared tuple of equal tuples."""
    return verdicts


def _merge_scores(
    scores: Iterable[Score | ScoreError],
) -> tuple[tuple[str, ...], tuple[float | None, ...], tuple[bool | None, ...]]:
    """Merge scores of one name: the mean of the values, and whether all verdicts passed."""
    values: dict[str, list[float]] = {}
    verdicts: dict[str, list[bool]] = {}
    for score in scores:
        if isinstance(score, ScoreError):
            continue
        of_name = values.setdefault(score.name, [])
        if score.value is not None:
            of_name.append(score.value)
        if score.passed is not None:
            verdicts.setdefault(score.name, []).append(score.passed)
    return (
        _same(tuple(values)),
        tuple(sum(of) / len(of) if of else None for of in values.values()),
        _same_verdicts(tuple(all(verdicts[n]) if n in verdicts else None for n in values)),
    )


def _failing(result: TrialResult) -> tuple[str, ...]:
    if result.outcome is not Outcome.FAILED:
        return ()
    failing = (
        score.name
        for score in result.scores
        if isinstance(score, Score) and score.passed is False and not score.advisory
    )
    return tuple(dict.fromkeys(failing))


def _asked(result: TrialResult) -> str | None:
    if result.outcome is Outcome.PASSED or not result.answers:
        return None
    request = result.answers[0].request
    if isinstance(request.input, str) and request.input:
        return excerpt(request.input)
    texts = [message.text for message in request.messages if message.role == "user"]
    return excerpt(texts[0]) if texts else None


def _withheld(scores: Iterable[Score | ScoreError]) -> tuple[tuple[str, str], ...]:
    return tuple((s.name, why) for s in scores if s.metadata and (why := withheld_reason(s)))


def _labels(result: TrialResult) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (intern(score.name), intern(str(score.metadata["expected"])), intern(score.label))
        for score in result.scores
        if isinstance(score, Score) and score.label is not None and "expected" in score.metadata
    )


def _reasons(result: TrialResult) -> tuple[str, ...]:
    if result.outcome is Outcome.PASSED:
        return ()
    reasons = [] if result.error is None else [f"{result.error.type}: {result.error.message}"]
    for score in result.scores:
        if score.advisory:
            continue
        if isinstance(score, ScoreError):
            reasons.append(f"{score.name}: {score.message}")
        elif score.passed is False:
            reasons.append(f"{score.name}: {score.reason}" if score.reason else score.name)
    return tuple(excerpt(reason) for reason in reasons[:_SHOWN_REASONS])


def _scorers_seen(result: TrialResult) -> str:
    """Return a digest of the assertions that the scores name."""
    seen = [[s.name, s.type, s.version, s.weight, s.advisory] for s in result.scores]
    return digest(seen, length=16) if seen else ""


def _answer_digest(answer: str | None, calls: Iterable[ToolCall]) -> str:
    made = [call.model_dump_json(include={"name", "arguments"}) for call in calls]
    return digest([answer, made], length=12)


def _drawn(result: TrialResult, responses: Sequence[Response]) -> str:
    if not responses:
        return _draw_of_error(result)
    return digest([r.model_dump_json(exclude={"output"}) for r in responses], length=8)


def _draw_of_error(result: TrialResult) -> str:
    """Return a digest of an error; unscripted errors differ by time, as they are never stored."""
    if result.error is None:
        return ""
    scripted = _origin([e.source for e in result.answers]) == "scripted"
    return digest([result.error.type, 0 if scripted else result.started_at], length=8)


def _origin(sources: list[str]) -> Origin:
    freshest: tuple[Origin, ...] = ("asked", "stored", "cassette", "scripted")
    return next((origin for origin in freshest if origin in sources), "")
