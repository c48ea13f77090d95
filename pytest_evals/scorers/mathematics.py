"""Whether the formula in an answer is equal to the right one, however it is written."""

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
    r"""The formula in the answer equals this one: `1/2` is `0.5` is `\frac{1}{2}`, `2(x+1)` `2x+2`.

    Looked for in the last ``\boxed{}``, else the whole answer, else behind "answer is", else in the
    last line, else the last number. Formulas with letters are compared at random places; nothing is
    run. A set or an interval is compared as a text.
    """

    type: ClassVar[str] = "math_equal"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.CHOICE
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "value"
    example: ClassVar[str] = r"math_equal: \frac{1}{2}"

    value: str | int | float | None = None
    """The formula; without it, the case's `expected`."""
    rel: float = Field(default=1e-6, ge=0, lt=1)
    """How far off a number may be, as a share."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Read both and compare them."""
        expected = ctx.case.expected if self.value is None else self.value
        if not isinstance(expected, str | int | float) or isinstance(expected, bool):
            raise ScoringError("it has no value and the case has no `expected` formula or number")
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
        """Whether a candidate is equal."""
        try:
            return same_value(read_formula(candidate), right, rel=self.rel)
        except FormulaError:
            return False

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """A formula is needed."""
        if self.value is None and case is not None:
            expected = case.expected
            if not isinstance(expected, str | int | float) or isinstance(expected, bool):
                yield (
                    f"`math_equal` needs a formula or number as `expected`, found {shown(expected)}"
                )


def _reads(text: str) -> bool:
    """Whether a text is a formula."""
    try:
        read_formula(text)
    except FormulaError:
        return False
    return True


def _candidates(answer: str) -> Iterable[str]:
    """Yield what may be the formula, the likeliest first."""
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
    """Return a formula's text without its spaces and dollar signs."""
    return re.sub(r"\\(?:left|right|,|;|!)|[\s$]", "", text)
