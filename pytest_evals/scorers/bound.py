"""Bound: a scorer as a dataset uses it, with its name, weight, threshold and transform.

A verdict becomes a stored Score only here: the transform runs before the scorer, the threshold is
applied after it, and a scorer that cannot score gives a ScoreError. How a Bound is made of a spec
is decided in `binding`.
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from pydantic import PrivateAttr, ValidationError

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import AnswerError, EvalsError, TemplateError
from pytest_evals.ground.user_code import user_traceback
from pytest_evals.ground.watchdog import user_code
from pytest_evals.model import Model
from pytest_evals.score import NO_LABEL, Score, ScoreError
from pytest_evals.scorers.base import ADVISORY, ScoreContext, Scorer, ScoringError, Verdict
from pytest_evals.scorers.options import (
    Loc,
    check_templates,
    option_problems,
    render_options,
    texts_in,
)
from pytest_evals.scorers.quoting import quoted
from pytest_evals.scorers.reasoning import without_reasoning
from pytest_evals.scorers.transforms import Transform

RunSync = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a blocking callable in a thread and awaits its result."""

NOTHING_EXTRACTED = "nothing_extracted"
"""The key in the metadata of a Score: its transform found nothing in the output."""


class Composite(Scorer):
    """A scorer made of other scorers."""

    _parts: "tuple[Bound, ...]" = PrivateAttr(default=())

    @classmethod
    def written_parts(cls, options: Mapping[str, Json]) -> Iterator[tuple[Loc, Json]]:
        """Yield each part as it is written, with its location in the options."""
        raise NotImplementedError

    def combine(self, ctx: ScoreContext, scores: Sequence[Score]) -> Verdict:
        """Combine the scores of the parts into one verdict; none of them is an error."""
        raise NotImplementedError

    def problems(self) -> Iterator[tuple[Loc, str]]:
        """Yield what is wrong with the combination of parts."""
        yield from ()

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Check each part."""
        for part in self._parts:
            for message in part.check(dataset, case):
                yield f"`{part.type}` in `{self.type}`: {message}"
            if part.scorer.revisions(dataset):
                yield (
                    f"`{part.type}` in `{self.type}` has `revise`, which only a judge outside of "
                    "groups may have; remove `revise`"
                )

    def models(self, dataset: Dataset) -> tuple[str | Model, ...]:
        """Return the models that the parts call."""
        return tuple(model for part in self._parts for model in part.scorer.models(dataset))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A scorer as a dataset uses it."""

    name: str
    """The `metric`, else the type."""
    type: str
    version: str
    weight: float
    threshold: float | None
    cheap: bool
    """Whether `evaluate_now` may be called on an event loop."""
    scores_errors: bool
    """Whether it also scores trials without an output."""
    votes: bool
    """Whether its scores pass or fail the output."""
    scorer: Scorer
    parts: "tuple[Bound, ...]" = ()
    """The scorers inside a group or `not`."""
    transform: Transform | None = None
    templated: Mapping[str, Json] = field(default_factory=dict)
    """The options as written if some are templates; else empty."""

    def evaluate_now(self, ctx: ScoreContext) -> Score | ScoreError:
        """Score an output synchronously; requires `cheap`. Raises nothing."""
        try:
            prepared = self._prepared(ctx)
            if isinstance(prepared, Score):
                return prepared
            if self.parts:
                return self._combined(prepared, [p.evaluate_now(prepared) for p in self.parts])
            with user_code():
                return self._score(self._scorer(prepared.case).score(prepared))
        except Exception as error:  # noqa: BLE001 - every exception of a scorer becomes a ScoreError
            return self._error(error)

    async def evaluate(self, ctx: ScoreContext, run_sync: RunSync) -> Score | ScoreError:
        """Score an output. Raises nothing except a cancellation of the task.

        Args:
            ctx: the trial to score.
            run_sync: runs a scorer that blocks.
        """
        if self.cheap:
            return self.evaluate_now(ctx)
        try:
            prepared = self._prepared(ctx)
            if isinstance(prepared, Score):
                return prepared
            if self.parts:
                scores = [await part.evaluate(prepared, run_sync) for part in self.parts]
                return self._combined(prepared, scores)
            scorer = self._scorer(prepared.case)
            if iscoroutinefunction(scorer.score):
                return self._score(await scorer.score(prepared))
            verdict = await run_sync(partial(_score_in_thread, scorer, prepared))
            return self._score(await verdict if isawaitable(verdict) else verdict)
        except Exception as error:  # noqa: BLE001 - every exception of a scorer becomes a ScoreError
            return self._error(error)

    def check(self, dataset: Dataset, case: Case | None) -> Iterator[str]:
        """Yield what is wrong with this use of the scorer.

        Args:
            dataset: the dataset that uses it.
            case: the case that uses it; None for a scorer of the whole dataset.
        """
        if case is not None and self.transform is not None:
            yield from self._transform_problems(self.transform, case)
        if not self.templated:
            yield from self.scorer.check(dataset, case)
            return
        if case is None:
            return
        try:
            check_templates(texts_in(self.templated, self.scorer.verbatim), case)
            scorer = self._scorer(case)
        except (TemplateError, ScoringError) as error:
            yield str(error)
            return
        yield from scorer.check(dataset, case)

    def _transform_problems(self, transform: Transform, case: Case) -> Iterator[str]:
        """Yield what is wrong with the templates of a transform on a case."""
        try:
            check_templates(transform.templates, case, "answer")
        except TemplateError as error:
            yield f"`{self.type}`, its transform: {error}"

    def for_case(self, case: Case) -> Scorer:
        """Return the scorer with its templates rendered for a case.

        Raises:
            ScoringError: the rendered options are invalid.
            TemplateError: a template cannot be rendered.
        """
        return self._scorer(case)

    def _scorer(self, case: Case) -> Scorer:
        """Return the scorer with its templates rendered for a case."""
        if not self.templated:
            return self.scorer
        options = render_options(self.templated, case, self.scorer.verbatim)
        try:
            return type(self.scorer).model_validate(options)
        except ValidationError as error:
            words = "; ".join(m for _, m in option_problems(type(self.scorer), error, {}))
            raise ScoringError(f"with the case's variables filled in: {words}") from None

    def _prepared(self, ctx: ScoreContext) -> ScoreContext | Score:
        """Apply the transform; return a failing score if it found nothing in the output.

        Reasoning inside the output is removed first.
        """
        answer = without_reasoning(ctx.answer)
        if answer is not ctx.answer:
            ctx = replace(ctx, answer=answer)
        if self.transform is None:
            return ctx
        extracted = self.transform(ctx.answer, ctx)
        if extracted is not None:
            return replace(ctx, answer=extracted)
        graded = self.scorer.graded or self.threshold is not None
        truth = self._scorer(ctx.case).truth(ctx.case)
        missed = {} if truth is None else {"expected": truth}
        verdict = Verdict(
            passed=False if self.votes else None,
            value=0.0 if graded or not self.votes else None,
            label=None if truth is None else NO_LABEL,
            reason=f"{self.transform.describe()} found nothing in {quoted(ctx.answer)}",
            metadata={NOTHING_EXTRACTED: True, **missed},
        )
        return self._score(verdict)

    def _combined(self, ctx: ScoreContext, scores: Sequence[Score | ScoreError]) -> Score:
        """Combine the scores of the parts.

        Raises:
            ScoringError: a part could not score.
        """
        good = [s if isinstance(s, Score) else _unknown(s) for s in scores if _counts(s)]
        bad = [score for score in scores if isinstance(score, ScoreError) and not score.advisory]
        if bad:
            words = "; ".join(f"`{score.name}`: {score.message}" for score in bad)
            details = [score.detail for score in bad if score.detail]
            raise ScoringError(words, detail="\n".join(details) or None)
        assert isinstance(self.scorer, Composite)
        return self._score(self.scorer.combine(ctx, good))

    def _score(self, verdict: object) -> Score:
        """Make the stored score of a verdict.

        Raises:
            ScoringError: the verdict is empty or no `Verdict`, or its value is not finite.
        """
        if not isinstance(verdict, Verdict):
            raise ScoringError(f"the scorer returned {type(verdict).__name__}, expected a Verdict")
        value, passed, bar = verdict.value, verdict.passed, verdict.bar
        if value is not None and not math.isfinite(value):
            raise ScoringError(f"the scorer returned the value {value}, expected a finite number")
        if self.threshold is not None:
            if value is None:
                raise ScoringError(
                    f"there is a threshold of {self.threshold:g}, but the scorer returned no value"
                )
            # Tolerate rounding: a sum of seven tenths reaches a threshold of 0.7.
            passed = value >= self.threshold - 1e-12
            bar = f">= {self.threshold:g}"
        if value is None and passed is None and verdict.label is None:
            raise ScoringError("the scorer returned no verdict, no value and no label")
        return Score(
            name=self.name,
            type=self.type,
            version=self.version,
            value=value,
            passed=passed,
            label=verdict.label,
            reason=verdict.reason,
            bar=bar,
            weight=self.weight,
            advisory=ADVISORY in verdict.metadata,
            metadata=plain(verdict.metadata) if verdict.metadata else {},
        )

    def _error(self, error: Exception) -> ScoreError:
        """Make the stored error of an exception."""
        detail: str | None = None
        advisory: str | None = None
        if isinstance(error, ScoringError):
            message, detail, advisory = error.message, error.detail, error.advisory
        elif isinstance(error, AnswerError):
            message, detail = f"no response from the judge: {error.message}", error.detail
        elif isinstance(error, EvalsError):
            message = str(error)
        else:
            message = f"the scorer failed with {type(error).__name__}: {error}"
            detail = user_traceback(error)
        return ScoreError(
            name=self.name,
            type=self.type,
            version=self.version,
            message=message,
            detail=detail,
            weight=self.weight,
            advisory=advisory is not None,
            metadata={} if advisory is None else {ADVISORY: advisory},
        )


def _score_in_thread(scorer: Scorer, ctx: ScoreContext) -> Any:
    """Score an output; the watchdog of its trial knows in which thread."""
    with user_code():
        return scorer.score(ctx)


def _counts(score: Score | ScoreError) -> bool:
    """Whether the score of a part is combined: every score, and errors that are advisory."""
    return isinstance(score, Score) or score.advisory


def _unknown(error: ScoreError) -> Score:
    """Turn an advisory error into an advisory score without a verdict."""
    return Score(
        name=error.name,
        type=error.type,
        version=error.version,
        label="error",
        reason=f"could not score: {error.message}",
        weight=error.weight,
        advisory=True,
        metadata=error.metadata,
    )


def plain(value: Any, *, depth: int = 0) -> Any:
    """Return a JSON value; objects that JSON cannot hold become their `repr`."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if depth > 50:
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth=depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth=depth + 1) for item in value]
    return repr(value)
