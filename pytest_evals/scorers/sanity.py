"""The null-answer check (``--evals-sanity``): do the assertions of a case fail a useless output?

One scorer replaces the scorers of a case and evaluates all of them; items, reports and the exit
status work as in any run. Judges are called only if every other assertion passes: a case that fails
already needs no judge.
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
"""The name of the check in reports."""


class SanityCheck(Scorer):
    """Passes if at least one assertion of the case fails the output."""

    type: ClassVar[str] = NAME
    cheap: ClassVar[bool] = False
    graded: ClassVar[bool | None] = False

    _assertions: tuple[Bound, ...] = PrivateAttr(default=())

    def models(self, dataset: Dataset) -> tuple[str | Model, ...]:
        """Return the models that the judges of the case call."""
        return tuple(model for bound in self._assertions for model in bound.scorer.models(dataset))


@dataclass(frozen=True, slots=True, kw_only=True)
class SanityBound(Bound):
    """The assertions of a case as one null-answer check."""

    assertions: tuple[Bound, ...]
    """The assertions of the case, in the order of the dataset."""

    def evaluate_now(self, ctx: ScoreContext) -> Score | ScoreError:
        """Evaluate all assertions; requires that all are `cheap`."""
        return self._check_score(
            [bound.evaluate_now(ctx) for bound in _applicable(self.assertions, ctx)]
        )

    async def evaluate(self, ctx: ScoreContext, run_sync: RunSync) -> Score | ScoreError:
        """Evaluate the assertions without a model, then judges until one fails the output."""
        applicable = _applicable(self.assertions, ctx)
        judges = [bound for bound in applicable if bound.scorer.models(ctx.dataset)]
        scores = [await b.evaluate(ctx, run_sync) for b in applicable if b not in judges]
        for judge in judges:
            if any(map(_rejects, scores)):
                break
            score = await judge.evaluate(ctx, run_sync)
            if isinstance(score, ScoreError) and not score.advisory:
                # An unreachable judge does not count as having rejected the wrong output.
                return self._error(ScoringError(f"`{score.name}`: {score.message}"))
            scores.append(score)
        return self._check_score(scores)

    def _check_score(self, scores: Sequence[Score | ScoreError]) -> Score | ScoreError:
        """Combine the scores: the check passes if one of them fails the output."""
        rejecting = [score.name for score in scores if _rejects(score)]
        accepting = [score.name for score in scores if _accepts(score)]
        if not rejecting and not accepting:
            return self._error(
                ScoringError(
                    "none of the assertions of the case counts: all are advisory or have no verdict"
                )
            )
        metadata = {"scores": [_summary(score) for score in scores]}
        if rejecting:
            reason = f"fails as it must: {', '.join(dict.fromkeys(rejecting))}"
            return self._score(Verdict(passed=True, reason=reason, metadata=metadata))
        names = ", ".join(dict.fromkeys(accepting))
        reason = f"passes anyway ({names}): add an assertion that this output fails"
        return self._score(Verdict(passed=False, reason=reason, metadata=metadata))


def sanity_bound(assertions: tuple[Bound, ...]) -> SanityBound:
    """Return the check that replaces the scorers of a case."""
    check = SanityCheck()
    check._assertions = assertions  # noqa: SLF001 - set once, by the maker of the check
    return SanityBound(
        name=NAME,
        type=NAME,
        version=check.version,
        weight=1.0,
        threshold=None,
        cheap=all(bound.cheap for bound in assertions),
        scores_errors=True,
        votes=True,
        scorer=check,
        assertions=assertions,
    )


class SanityRegistry:
    """A registry that returns the null-answer check in place of the scorers of a case.

    Args:
        registry: the providers, the models and the real scorers.
    """

    def __init__(self, registry: Any) -> None:
        self._registry = registry
        self._bounds: dict[tuple[int, ...], SanityBound] = {}

    def provider(self, name: str) -> Any:
        """Return a provider's class."""
        return self._registry.provider(name)

    def parse_model(self, written: str) -> Model:
        """Parse ``provider:model``."""
        model: Model = self._registry.parse_model(written)
        return model

    def scorers_of(self, dataset: Dataset, case: Case) -> tuple[Bound, ...]:
        """Return the check of a case as its only scorer."""
        assertions: tuple[Bound, ...] = self._registry.scorers_of(dataset, case)
        key = tuple(map(id, assertions))
        if key not in self._bounds:
            self._bounds[key] = sanity_bound(assertions)
        return (self._bounds[key],)


def _applicable(bounds: Sequence[Bound], ctx: ScoreContext) -> list[Bound]:
    """Return the assertions that apply: for an error, only those with `scores_errors`."""
    return [bound for bound in bounds if ctx.error is None or bound.scores_errors]


def _rejects(score: Score | ScoreError) -> bool:
    """Whether a score makes the case fail; a scorer that could not score does too."""
    return not score.advisory and (isinstance(score, ScoreError) or score.passed is False)


def _accepts(score: Score | ScoreError) -> bool:
    """Whether a score passes the output and counts."""
    return isinstance(score, Score) and score.passed is True and not score.advisory


def _summary(score: Score | ScoreError) -> dict[str, Any]:
    """Return the part of a score that is stored."""
    if isinstance(score, ScoreError):
        return {"name": score.name, "error": score.message}
    return {
        "name": score.name,
        "passed": score.passed,
        "value": score.value,
        "reason": score.reason,
        "advisory": score.advisory,
    }
