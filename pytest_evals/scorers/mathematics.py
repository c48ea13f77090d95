"""Whether the formula in an output equals the expected formula, in any notation."""

import re
from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.extract import boxed, numbers_in
from pytest_evals.scorers.formula import FormulaError, read_formula, same_value
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
        nearest = ""
        for candidate in _candidates(ctx.answer):
            nearest = nearest or candidate
            if _plain(candidate) == _plain(text) or self._same_with_units(candidate, text):
                return Verdict(passed=True, reason=f"{quoted(candidate)} equals {quoted(text)}")
            if _reads(candidate):
                nearest = candidate
                break
        return Verdict(
            passed=False,
            reason=f"{quoted(nearest)} does not equal {quoted(text)}: {quoted(ctx.answer)}",
        )

    def _same_with_units(self, candidate: str, text: str) -> bool:
        """Whether a candidate equals a formula; units must be the same if both have one."""
        bare, unit = _without_unit(candidate)
        right, right_unit = _without_unit(text)
        if unit and right_unit and unit != right_unit:
            return False
        pairs = ((bare, right),) if unit or right_unit else ((candidate, text),)
        return any(self._equal(*pair) for pair in pairs)

    def _equal(self, candidate: str, text: str) -> bool:
        """Whether two texts are equal formulas."""
        try:
            return same_value(read_formula(candidate), read_formula(text), rel=self.rel)
        except FormulaError:
            return False

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there is no expected formula, or an empty one."""
        given = self.value if self.value is not None or case is None else case.expected
        if isinstance(given, str) and not _plain(given):
            yield "`math_equal` with an empty formula: an empty output would equal it"
        if self.value is None and case is not None:
            expected = case.expected
            if not isinstance(expected, str | int | float) or isinstance(expected, bool):
                yield (
                    f"`math_equal` needs a formula or number as `expected`, found {shown(expected)}"
                )


_UNIT = re.compile(
    r"(?P<value>.*[\d)}])\s*(?:\\[,;! ]\s*)*(?:\\(?:text|mathrm|mbox|textrm|operatorname)\s*"
    r"\{\s*(?P<latex>[^{}\d]*[^{}\d\s])\s*\}|(?P<plain>mm|cm|dm|km|mg|kg|ms|min|minutes?|hours?|"
    r"seconds?|days?|years?|weeks?|months?|meters?|metres?|centimeters?|inches|feet|ft|miles?|"
    r"grams?|kilograms?|liters?|litres?|ml|dollars?|cents?|euros?|degrees?|units?|people|mph|km/h|"
    r"m/s|Hz|kHz|MHz|kJ|kW|kWh|GB|MB|KB))\s*(?P<raised>\^\s*\{?[23]\}?|[\u00b2\u00b3])?\s*\.?",
    re.DOTALL,
)


def _without_unit(text: str) -> tuple[str, str]:
    """Return a formula without the unit after its number, and the unit; empty without one."""
    match = _UNIT.fullmatch(text.strip().strip("$")) if len(text) < 500 else None
    if match is None:
        return text, ""
    unit = (match["latex"] or match["plain"]).strip().rstrip(".").casefold()
    raised = re.sub(r"[^23\u00b2\u00b3]", "", match["raised"] or "")
    return match["value"], unit + raised.translate({0xB2: "2", 0xB3: "3"})


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
