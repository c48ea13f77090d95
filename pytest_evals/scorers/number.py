"""Whether the number in an output is the expected number."""

import math
from collections.abc import Iterable
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.extract import boxed, numbers_in
from pytest_evals.scorers.quoting import quoted


class Numeric(Scorer):
    r"""The number in the output is this one, within a tolerance.

    The number is taken from the last ``\boxed{}``, else from the whole text; `pick` selects one of
    several numbers. Commas may group thousands; a percent sign is ignored.
    """

    type: ClassVar[str] = "numeric"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.CHOICE
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "value"
    example: ClassVar[str] = "numeric: {value: 3.1416, abs: 0.001}"

    value: float | str | None = None
    """The number; by default the `expected` of the case."""
    abs: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """The absolute tolerance."""
    rel: float = Field(default=1e-9, ge=0, lt=1)
    """The tolerance relative to the expected number."""
    pick: Literal["last", "first", "any", "only"] = "last"
    """Which of several numbers counts; `only` fails if there are several."""

    @model_validator(mode="after")
    def _number(self) -> "Numeric":
        """Reject a string that is neither a number nor a template."""
        if isinstance(self.value, str) and "{" not in self.value:
            _as_number(self.value)
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"`value` must be a finite number, found {self.value}")
        return self

    def score(self, ctx: ScoreContext) -> Verdict:
        """Find the number and compare it."""
        try:
            expected = _as_number(ctx.case.expected if self.value is None else self.value)
        except ValueError as error:
            raise ScoringError(str(error)) from None
        inside = boxed(ctx.answer)
        texts = numbers_in(inside) if inside is not None else []
        texts = texts or numbers_in(ctx.answer)
        numbers = [float(text) for text in texts]
        required = self._bar(expected)
        if not numbers:
            return Verdict(
                passed=False, bar=required, reason=f"the output has no number: {quoted(ctx.answer)}"
            )
        if self.pick == "only" and len(numbers) > 1:
            return Verdict(
                passed=False,
                bar=required,
                reason=f"the output has {len(numbers)} numbers ({', '.join(texts[:5])}), "
                "expected one",
            )
        picked = numbers if self.pick == "any" else [numbers[0 if self.pick == "first" else -1]]
        near = [number for number in picked if self._close(number, expected)]
        number = near[0] if near else picked[-1]
        return Verdict(
            passed=bool(near),
            bar=required,
            reason=f"the output's number is {number:.12g}, {'' if near else 'not '}{expected:.12g}",
            metadata={"found": number if math.isfinite(number) else str(number)},
        )

    def _close(self, number: float, expected: float) -> bool:
        """Whether a number is within the tolerance."""
        return abs(number - expected) <= max(self.abs, self.rel * abs(expected))

    def _bar(self, expected: float) -> str:
        """Return the expected number and the tolerance."""
        tolerance = max(self.abs, self.rel * abs(expected))
        return f"= {expected:.12g}" + (
            f" ± {tolerance:g}" if tolerance > 1e-6 * abs(expected) else ""
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there is no expected number."""
        if self.value is None and case is not None:
            try:
                _as_number(case.expected)
            except ValueError as error:
                yield f"`numeric`: {error}"


def _as_number(value: object) -> float:
    """Return the number in a value.

    Raises:
        ValueError: the value is not a single finite number.
    """
    if value is None:
        raise ValueError("no expected number: set `value`, or `expected` of the case")
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    else:
        numbers = numbers_in(value) if isinstance(value, str) else []
        if len(numbers) != 1:
            raise ValueError(f"expected a number, found {value!r}")
        number = float(numbers[0])
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, found {value!r}")
    return number
