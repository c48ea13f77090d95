"""Similarity of an output and a reference by characters or words, with `rapidfuzz`."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, Verdict
from pytest_evals.scorers.boundaries import composed
from pytest_evals.scorers.optional_deps import import_library, missing_libraries
from pytest_evals.scorers.quoting import quoted
from pytest_evals.scorers.references import (
    References,
    as_references,
    reference_problems,
    references_for,
)

MAX_CHARS = 50_000
"""The number of characters of each text that are compared."""


class _Near(Scorer):
    """Compares with one or more references; the most similar one counts."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TEXT
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "reference"
    cheap: ClassVar[bool] = False

    reference: Annotated[References, BeforeValidator(as_references)] = None
    """One or more references, the most similar one counts; by default the case's `expected`."""
    ignore_case: bool = False
    """Whether case is ignored."""

    def texts(self, ctx: ScoreContext) -> tuple[str, list[str]]:
        """Return the normalized output and references."""
        answer = composed(ctx.answer).strip()[:MAX_CHARS]
        written = references_for(self.reference, ctx)
        references = [composed(text).strip()[:MAX_CHARS] for text in written]
        if self.ignore_case:
            return answer.casefold(), [text.casefold() for text in references]
        return answer, references

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the library or a reference is missing."""
        yield from missing_libraries(self.type, "rapidfuzz")
        yield from reference_problems(self.type, self.reference, case)


class Levenshtein(_Near):
    """The edit distance (insertions, deletions, substitutions) to a reference is at most `max`.

    Its value is 1 - distance / length of the longer text.
    """

    type: ClassVar[str] = "levenshtein"
    example: ClassVar[str] = "levenshtein: {reference: 30 days, max: 2}"

    max: int | None = Field(default=None, ge=0)
    """The greatest distance that passes; without it, add a `threshold` for the value."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compute the distance to the nearest reference."""
        measure = import_library("rapidfuzz.distance").Levenshtein.distance
        answer, references = self.texts(ctx)
        distances = [(measure(answer, text), text) for text in references]
        distance, nearest = min(distances, key=lambda pair: pair[0])
        longest = max(len(answer), len(nearest))
        return Verdict(
            passed=None if self.max is None else distance <= self.max,
            value=1.0 - distance / longest if longest else 1.0,
            bar=None if self.max is None else f"distance <= {self.max}",
            reason=f"{distance} edits from {quoted(nearest)} to {quoted(answer)}",
            metadata={"distance": distance},
        )


class Similarity(_Near):
    """The similarity of the output and a reference, 0 to 1; add a `threshold`."""

    type: ClassVar[str] = "similarity"
    votes: ClassVar[bool] = False
    example: ClassVar[str] = "{type: similarity, reference: You have 30 days, threshold: 0.6}"

    method: Literal["ratio", "partial", "token_sort", "token_set", "jaro_winkler"] = "ratio"
    """`ratio`: insertions and deletions relative to both lengths; `partial`: the best substring of
    the longer text; `token_sort`: sorted words; `token_set`: common words; `jaro_winkler`."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compute the similarity to the most similar reference."""
        answer, references = self.texts(ctx)
        if self.method == "jaro_winkler":
            measure, full = import_library("rapidfuzz.distance").JaroWinkler.similarity, 1.0
        else:
            names = {"ratio": "ratio", "partial": "partial_ratio"}
            name = names.get(self.method, f"{self.method}_ratio")
            measure, full = getattr(import_library("rapidfuzz.fuzz"), name), 100.0
        similarities = [(float(measure(answer, text)) / full, text) for text in references]
        value, nearest = max(similarities, key=lambda pair: pair[0])
        return Verdict(
            value=min(1.0, value),
            reason=f"similarity {value:.3f} ({self.method}) to {quoted(nearest)}: {quoted(answer)}",
        )
