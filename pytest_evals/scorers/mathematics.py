"""Whether the formula in an output equals the expected formula, in any notation."""

import re
from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.extract import boxed, numbers_in
from pytest_evals.scorers.formula import Formula, FormulaError, read_formula, same_value
from pytest_evals.scorers.quoting import as_text, quoted, shown

_SAID = re.compile(
    r"\b(?:answer|result|solution|value)\b(?:\s+is)?\s*[:=]?\s*([^\n]+?)\s*(?:\.(?=\s|$)|$)",
    re.IGNORECASE | re.MULTILINE,
)


class MathEqual(Scorer):
    r"""The formula in the output equals this one: `1/2` is `0.5` is `\frac{1}{2}`, `2(x+1)` `2x+2`.

    The formula is the content of the last ``\boxed{}``, else the whole output, else the text after
    "answer is", else the last line, else the last number. Formulas with variables are compared at
    random points; no code is executed. Sets and intervals are compared as text.
    """

    type: ClassVar[str] = "math_equal"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.CHOICE
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "value"
    example: ClassVar[str] = r"math_equal: \frac{1}{2}"

    value: str | int | float | None = None
    """The formula; by default the `expected` of the case."""
    rel: float = Field(default=1e-6, ge=0, lt=1)
    """The relative tolerance of a number."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the candidates in the output with the expected formula."""
        expected = ctx.case.expected if self.value is None else self.value
        if not isinstance(expected, str | int | float) or isinstance(expected, bool):
            raise ScoringError(
                "no expected value: set `value`, or a formula or number as `expected` of the case"
            )
        text = as_text(expected)
        try:
            right: Formula | None = read_formula(text)
        except FormulaError:
            right = None
        nearest = ""
        for candidate in _candidates(ctx.answer):
            nearest = nearest or candidate
            if _plain(candidate) == _plain(text) or (right and self._equal(candidate, right)):
                return Verdict(passed=True, reason=f"{quoted(candidate)} equals {quoted(text)}")
            if _reads(candidate):
                nearest = candidate
                break
        return Verdict(
            passed=False,
            reason=f"{quoted(nearest)} does not equal {quoted(text)}: {quoted(ctx.answer)}",
        )

    def _equal(self, candidate: str, right: Formula) -> bool:
        """Whether a candidate equals a formula."""
        try:
            return same_value(read_formula(candidate), right, rel=self.rel)
        except FormulaError:
            return False

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there is no expected formula."""
        if self.value is None and case is not None:
            expected = case.expected
            if not isinstance(expected, str | int | float) or isinstance(expected, bool):
                yield (
                    f"`math_equal` needs a formula or number as `expected`, found {shown(expected)}"
                )


def _reads(text: str) -> bool:
    """Whether a text can be parsed as a formula."""
    try:
        read_formula(text)
    except FormulaError:
        return False
    return True


def _candidates(answer: str) -> Iterable[str]:
    """Yield the possible formulas in an output, the likeliest first."""
    inside = boxed(answer)
    if inside is not None:
        yield inside
        return
    yield answer.strip()
    stated = _SAID.findall(answer)
    if stated:
        yield stated[-1].strip("*` $")
    lines = [line.strip("*` $") for line in answer.splitlines() if line.strip()]
    if lines:
        yield lines[-1]
        if "=" in lines[-1]:
            yield lines[-1].rpartition("=")[2].strip("*` $.")
    numbers = numbers_in(answer)
    if numbers:
        yield numbers[-1]


def _plain(text: str) -> str:
    """Return the text of a formula without spaces and dollar signs."""
    return re.sub(r"\\(?:left|right|,|;|!)|[\s$]", "", text)
