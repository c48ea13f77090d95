"""Combined assertions: not, all_of, any_of, at_least."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Json
from pytest_evals.score import Score
from pytest_evals.scorers.base import ADVISORY, ScoreContext, ScorerGroup, Verdict
from pytest_evals.scorers.bound import NOTHING_EXTRACTED, Composite
from pytest_evals.scorers.options import Loc


class Not(Composite):
    """The inner assertion does not hold; an error of the inner scorer remains an error."""

    type: ClassVar[str] = "not"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.COMBINED
    shorthand: ClassVar[str | None] = "of"
    verbatim: ClassVar[frozenset[str]] = frozenset({"of"})
    example: ClassVar[str] = "not: {contains: I don't know}"

    of: Any
    """The assertion: a name, a shorthand or the long form."""

    @classmethod
    def written_parts(cls, options: Mapping[str, Json]) -> Iterator[tuple[Loc, Json]]:
        """Yield the inner assertion."""
        if "of" in options:
            yield ("of",), options["of"]

    def default_name(self) -> str:
        """Return ``not_`` and the name of the inner assertion."""
        return f"not_{self._parts[0].name}"

    def problems(self) -> Iterator[tuple[Loc, str]]:
        """Yield a problem if the inner assertion has a weight, which would be ignored."""
        if self._parts[0].weight != 1.0:
            yield (
                (),
                (
                    f"the weight of an inverted assertion belongs beside `not`: "
                    f"`{{not: {{{self._parts[0].type}: …}}, weight: {self._parts[0].weight:g}}}`"
                ),
            )

    def combine(self, ctx: ScoreContext, scores: Sequence[Score]) -> Verdict:
        """Invert the verdict and the value."""
        (score,) = scores
        nothing = bool(score.metadata.get(NOTHING_EXTRACTED))
        value = score.value
        if nothing:
            return Verdict(
                passed=score.passed, value=value, reason=score.reason, metadata=score.metadata
            )
        if value is not None:
            value = 1.0 - value if 0.0 <= value <= 1.0 else None
        return Verdict(
            passed=None if score.passed is None else not score.passed,
            value=value,
            label=score.label,
            reason=score.reason,
            bar=f"not {score.bar}" if score.bar else None,
            metadata=score.metadata,
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Check the inner assertion."""
        for message in self._parts[0].check(dataset, case):
            yield f"inside `not`: {message}"


class _Group(Composite):
    """Several assertions with one verdict; its value is their weighted mean."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.COMBINED
    graded: ClassVar[bool | None] = True
    verbatim: ClassVar[frozenset[str]] = frozenset({"of"})

    of: tuple[Any, ...] = Field(min_length=1)
    """The assertions, each with an optional `weight`."""

    @classmethod
    def written_parts(cls, options: Mapping[str, Json]) -> Iterator[tuple[Loc, Json]]:
        """Yield each assertion."""
        written = options.get("of")
        if isinstance(written, list | tuple):
            for i, item in enumerate(written):
                yield ("of", i), item

    def problems(self) -> Iterator[tuple[Loc, str]]:
        """Yield a problem for each part that can neither pass nor fail."""
        for i, part in enumerate(self._parts):
            if not part.votes:
                yield (
                    ("of", i),
                    f"`{part.type}` neither passes nor fails without a `threshold`; add one",
                )

    def required_count(self) -> int:
        """Return how many parts must pass."""
        raise NotImplementedError

    def combine(self, ctx: ScoreContext, scores: Sequence[Score]) -> Verdict:
        """Count the passing parts and take the weighted mean.

        Advisory parts are unknown. The group counts if the other parts decide it, and is advisory
        otherwise.
        """
        voting = [score for score in scores if not score.advisory]
        counted = voting or scores
        weights = sum(score.weight for score in counted)
        value = sum(score.weight * _share(score) for score in counted) / weights
        sure = sum(score.passed is True for score in voting)
        holds = sum(score.passed is True for score in scores)
        unknown = len(scores) - len(voting)
        decided = sure >= self.required_count() or sure + unknown < self.required_count()
        passed = (sure if decided else holds) >= self.required_count()
        decisive = [score for score in scores if (score.passed is True) == passed] or scores
        advisory = [f"{s.name}: {s.metadata.get(ADVISORY)}" for s in scores if s.advisory]
        return Verdict(
            passed=passed,
            value=min(1.0, max(0.0, value)),
            bar=f"{self.required_count()} of {len(scores)} hold",
            reason=f"{holds} of {len(scores)} hold: "
            + "; ".join(f"{score.name}: {score.reason}" for score in decisive),
            metadata={
                "parts": [score.model_dump(mode="json") for score in scores],
                **({} if decided else {ADVISORY: "; ".join(advisory)}),
            },
        )


def _share(score: Score) -> float:
    """Return the value of a part, else 1 if it passed or 0."""
    if score.value is None:
        return 1.0 if score.passed else 0.0
    return min(1.0, max(0.0, score.value))


class AllOf(_Group):
    """All of these assertions hold; its value is their weighted mean."""

    type: ClassVar[str] = "all_of"
    shorthand: ClassVar[str | None] = "of"
    example: ClassVar[str] = "all_of: [{contains: 30 days}, {not: {contains: never}}]"

    def required_count(self) -> int:
        """All parts."""
        return len(self._parts)


class AnyOf(_Group):
    """At least one of these assertions holds; its value is their weighted mean."""

    type: ClassVar[str] = "any_of"
    shorthand: ClassVar[str | None] = "of"
    example: ClassVar[str] = "any_of: [{contains: 30 days}, {contains: thirty days}]"

    def required_count(self) -> int:
        """One part."""
        return 1


class AtLeast(_Group):
    """At least `n` of these assertions hold; its value is their weighted mean."""

    type: ClassVar[str] = "at_least"
    example: ClassVar[str] = "at_least: {n: 2, of: [{contains: box}, {contains: receipt}, is_json]}"

    n: int = Field(ge=1)
    """The least number of assertions that must hold."""

    def problems(self) -> Iterator[tuple[Loc, str]]:
        """Yield a problem if `n` is greater than the number of parts."""
        if self.n > len(self._parts):
            yield ("n",), f"{self.n} of {len(self._parts)} assertions can never hold"
        yield from super().problems()

    def required_count(self) -> int:
        """The given number of parts."""
        return self.n
