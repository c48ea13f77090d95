"""Whether the number in an answer is the right one."""

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
    r"""The number in the answer is this one, within a tolerance.

    Looked for in the last ``\boxed{}``, else in the whole text. An answer with several numbers is
    read by `pick`; thousands may be grouped by commas, a percent sign is not read.
    """

    type: ClassVar[str] = "numeric"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.CHOICE
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "value"
    example: ClassVar[str] = "numeric: {value: 3.1416, abs: 0.001}"

    value: float | str | None = None
    """The number; without it, the case's `expected`."""
    abs: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How far off it may be."""
    rel: float = Field(default=1e-9, ge=0, lt=1)
    """How far off it may be as a share of the right number."""
    pick: Literal["last", "first", "any", "only"] = "last"
    """Which number counts where there are several; `only` fails where there are several."""

    @model_validator(mode="after")
    def _number(self) -> "Numeric":
        """A text must be a number, or a template that will become one."""
        if isinstance(self.value, str) and "{" not in self.value:
            _as_number(self.value)
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"`value` is a finite number, found {self.value}")
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
                passed=False, bar=required, reason=f"the answer has no number: {quoted(ctx.answer)}"
            )
        if self.pick == "only" and len(numbers) > 1:
            return Verdict(
                passed=False,
                bar=required,
                reason=f"the answer has {len(numbers)} numbers ({', '.join(texts[:5])}), not one",
            )
        picked = numbers if self.pick == "any" else [numbers[0 if self.pick == "first" else -1]]
        near = [number for number in picked if self._close(number, expected)]
        number = near[0] if near else picked[-1]
        return Verdict(
            passed=bool(near),
            bar=required,
            reason=f"the answer's number is {number:.12g}, {'' if near else 'not '}{expected:.12g}",
            metadata={"found": number if math.isfinite(number) else str(number)},
        )

    def _close(self, number: float, expected: float) -> bool:
        """Whether a number is near enough."""
        return abs(number - expected) <= max(self.abs, self.rel * abs(expected))

    def _bar(self, expected: float) -> str:
        """Say what is asked for."""
        tolerance = max(self.abs, self.rel * abs(expected))
        return f"= {expected:.12g}" + (
            f" ± {tolerance:g}" if tolerance > 1e-6 * abs(expected) else ""
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """A number is needed."""
        if self.value is None and case is not None:
            try:
                _as_number(case.expected)
            except ValueError as error:
                yield f"`numeric`: {error}"


def _as_number(value: object) -> float:
    """Return the one number that a value is.

    Raises:
        ValueError: it is none.
    """
    if value is None:
        raise ValueError("it has no value and the case has no `expected` number to compare with")
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    else:
        numbers = numbers_in(value) if isinstance(value, str) else []
        if len(numbers) != 1:
            raise ValueError(f"a number is expected, found {value!r}")
        number = float(numbers[0])
    if not math.isfinite(number):
        raise ValueError(f"a finite number is expected, found {value!r}")
    return number
