"""Sanity: whether a case's assertions notice an answer that is known to be wrong.

It stands in the place of a case's own scorers in a sanity run and lets them all speak, so that
everything else (items, reports, exit status) goes on as ever. Scorers that ask a model are asked
only where all others hold: a case that fails already needs no judge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import PrivateAttr

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.model import Model
from pytest_evals.score import Score, ScoreError
from pytest_evals.scorers.base import ScoreContext, Scorer, ScoringError, Verdict
from pytest_evals.scorers.bound import Bound, RunSync

NAME = "sanity"
"""What reports call it."""


class SanityCheck(Scorer):
    """Holds where at least one of a case's own assertions fails the answer."""

    type: ClassVar[str] = NAME
    cheap: ClassVar[bool] = False
    graded: ClassVar[bool | None] = False

    _asked: tuple[Bound, ...] = PrivateAttr(default=())

    def models(self, dataset: Dataset) -> tuple[str | Model, ...]:
        """Return the models that the case's judges ask."""
        return tuple(model for bound in self._asked for model in bound.scorer.models(dataset))


@dataclass(frozen=True, slots=True, kw_only=True)
class SanityBound(Bound):
    """A case's assertions, together, turned round."""

    asked: tuple[Bound, ...]
    """The case's own assertions, in the order they were written."""

    def evaluate_now(self, ctx: ScoreContext) -> Score | ScoreError:
        """Ask them all; only where all are `cheap`."""
        return self._turned([bound.evaluate_now(ctx) for bound in _able(self.asked, ctx)])

    async def evaluate(self, ctx: ScoreContext, run_sync: RunSync) -> Score | ScoreError:
        """Ask those that ask nobody, then judges one by one until one fails the answer."""
        able = _able(self.asked, ctx)
        judges = [bound for bound in able if bound.scorer.models(ctx.dataset)]
        scores = [await b.evaluate(ctx, run_sync) for b in able if b not in judges]
        for judge in judges:
            if any(map(_notices, scores)):
                break
            score = await judge.evaluate(ctx, run_sync)
            if isinstance(score, ScoreError) and not score.advisory:
                # Whether the case passes is not known: a judge that was not reached saves nobody.
                return self._error(ScoringError(f"`{score.name}`: {score.message}"))
            scores.append(score)
        return self._turned(scores)

    def _turned(self, scores: Sequence[Score | ScoreError]) -> Score | ScoreError:
        """Make one score of theirs: good news where one of them fails the answer."""
        noticed = [score.name for score in scores if _notices(score)]
        held = [score.name for score in scores if _holds(score)]
        if not noticed and not held:
            return self._error(ScoringError("none of the case's assertions has a vote"))
        told = {"scores": [_told(score) for score in scores]}
        if noticed:
            reason = f"fails as it must: {', '.join(dict.fromkeys(noticed))}"
            return self._score(Verdict(passed=True, reason=reason, metadata=told))
        names = ", ".join(dict.fromkeys(held))
        reason = f"passes anyway ({names}): add an assertion that this answer fails"
        return self._score(Verdict(passed=False, reason=reason, metadata=told))


def sanity_bound(asked: tuple[Bound, ...]) -> SanityBound:
    """Return what stands in the place of a case's own scorers in a sanity run."""
    check = SanityCheck()
    check._asked = asked  # noqa: SLF001 - made here, for it
    return SanityBound(
        name=NAME,
        type=NAME,
        version=check.version,
        weight=1.0,
        threshold=None,
        cheap=all(bound.cheap for bound in asked),
        scores_errors=True,
        votes=True,
        scorer=check,
        asked=asked,
    )


class SanityFinder:
    """A registry whose scorers are turned round.

    Args:
        registry: knows the providers, the models and the real scorers.
    """

    def __init__(self, registry: Any) -> None:
        self._registry = registry
        self._bounds: dict[tuple[int, ...], SanityBound] = {}

    def provider(self, name: str) -> Any:
        """Return a provider's class."""
        return self._registry.provider(name)

    def parse_model(self, written: str) -> Model:
        """Make a model of ``provider:model``."""
        model: Model = self._registry.parse_model(written)
        return model

    def scorers_of(self, dataset: Dataset, case: Case) -> tuple[Bound, ...]:
        """Return the one scorer of a case: all of its own, turned round."""
        asked: tuple[Bound, ...] = self._registry.scorers_of(dataset, case)
        key = tuple(map(id, asked))
        if key not in self._bounds:
            self._bounds[key] = sanity_bound(asked)
        return (self._bounds[key],)


def _able(bounds: Sequence[Bound], ctx: ScoreContext) -> list[Bound]:
    """Return those that can speak: of an error only some can."""
    return [bound for bound in bounds if ctx.error is None or bound.scores_errors]


def _notices(score: Score | ScoreError) -> bool:
    """Whether a score keeps the case from passing; one that could not score does so too."""
    return not score.advisory and (isinstance(score, ScoreError) or score.passed is False)


def _holds(score: Score | ScoreError) -> bool:
    """Whether a score is a vote for the answer."""
    return isinstance(score, Score) and score.passed is True and not score.advisory


def _told(score: Score | ScoreError) -> dict[str, Any]:
    """Return what is kept of a score."""
    if isinstance(score, ScoreError):
        return {"name": score.name, "error": score.message}
    return {
        "name": score.name,
        "passed": score.passed,
        "value": score.value,
        "reason": score.reason,
        "advisory": score.advisory,
    }
