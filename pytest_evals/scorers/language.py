"""The language of an output, detected by `py3langid`."""

import math
from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, Verdict
from pytest_evals.scorers.optional_deps import import_library, missing_libraries
from pytest_evals.scorers.quoting import quoted

MAX_CHARS = 20_000
"""The number of characters of an output that are examined."""


class Language(Scorer):
    """The output is written in this language; its value is the probability of the language.

    Detection is unreliable for short outputs; list the possible languages in `among`.
    """

    type: ClassVar[str] = "language"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TEXT
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "code"
    cheap: ClassVar[bool] = False
    example: ClassVar[str] = "language: {code: de, among: [de, en, fr]}"

    code: str = Field(pattern=r"^[a-z]{2,3}$")
    """The ISO 639 code, such as `en`."""
    among: tuple[str, ...] = ()
    """The possible codes; by default all 97 codes of py3langid."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Detect the language."""
        text = ctx.answer[:MAX_CHARS]
        if not any(c.isalpha() for c in text):
            return Verdict(
                passed=False, value=0.0, reason=f"the output has no words: {quoted(ctx.answer)}"
            )
        ranked = [(code, float(weight)) for code, weight in import_library("py3langid").rank(text)]
        if self.among:
            ranked = [pair for pair in ranked if pair[0] in {self.code, *self.among}]
        shares = _shares(ranked)
        best = max(shares, key=lambda code: shares[code]) if shares else ""
        return Verdict(
            passed=best == self.code,
            value=shares.get(self.code, 0.0),
            label=best or None,
            reason=f"the output is in {best!r} ({shares.get(best, 0):.2f}): {quoted(ctx.answer)}",
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the library is missing or the assertion cannot fail."""
        yield from missing_libraries("language", "py3langid")
        if self.among and not set(self.among) - {self.code}:
            yield (
                f"`language` among {self.code!r} alone cannot fail; add other languages to `among`"
            )


def _shares(ranked: list[tuple[str, float]]) -> dict[str, float]:
    """Convert log weights to probabilities."""
    if not ranked:
        return {}
    top = max(weight for _, weight in ranked)
    weights = {code: math.exp(weight - top) for code, weight in ranked}
    total = sum(weights.values())
    return {code: weight / total for code, weight in weights.items()}
