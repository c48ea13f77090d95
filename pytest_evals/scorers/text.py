"""Assertions on the text of an output: equals, contains and similar, regex."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, field_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.written import Written
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.boundaries import composed
from pytest_evals.scorers.patterns import compile_pattern, flag_bits, matches_everything, search
from pytest_evals.scorers.quoting import as_text, listed, quoted, shown


def _scalar(value: object) -> object:
    """Reject values that are not scalars."""
    if not isinstance(value, str | bool | int | float):
        message = f"expected a text (or a number), found {shown(value)}"
        raise ValueError(message)  # noqa: TRY004 - pydantic reports only ValueError
    return str(value) if isinstance(value, Written) else value


Scalar = Annotated[str | bool | int | float, BeforeValidator(_scalar)]
"""A scalar that has an obvious text."""
OneText = Annotated[
    str | bool | int | float | None, BeforeValidator(lambda v: v if v is None else _scalar(v))
]
"""A scalar, or None."""


def _expected_text(value: Scalar | None, ctx: ScoreContext) -> str:
    """Return the expected text: the option, else the `expected` of the case."""
    expected = ctx.case.expected if value is None else value
    if not isinstance(expected, str | bool | int | float):
        raise ScoringError(_no_text(expected))
    return as_text(expected)


def _no_text(expected: object) -> str:
    """Return why `expected` cannot be used as the value."""
    if expected is None:
        return "no expected text: set `value`, or `expected` of the case"
    type_name = "a list" if isinstance(expected, list | tuple) else "no text"
    return (
        f"it has no value, and the case's `expected` is {type_name}; give a value, or use a scorer "
        "that takes a list (contains_any, contains_all, equals_any)"
    )


class _OneText(Scorer):
    """Compares with one text."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TEXT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "value"
    needs_text: ClassVar[bool] = True
    """Whether an empty text cannot fail."""

    value: OneText = None
    """The text; by default the `expected` of the case."""

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there is no text, or an empty one."""
        value = self.value
        if value is None:
            if case is None:
                return
            value = case.expected
            if not isinstance(value, str | bool | int | float):
                yield f"`{self.type}`: {_no_text(value)}"
                return
        if self.needs_text and not as_text(value):
            yield f"`{self.type}` with an empty text cannot fail: every output contains it"


class Equals(_OneText):
    """The output equals this text, without surrounding whitespace."""

    type: ClassVar[str] = "equals"
    needs_text: ClassVar[bool] = False
    example: ClassVar[str] = "equals: Paris"

    ignore_case: bool = False
    """Whether case is ignored."""
    strip: bool = True
    """Whether surrounding whitespace is ignored."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare."""
        expected, answer = _expected_text(self.value, ctx), ctx.answer
        if _same(answer, expected, ignore_case=self.ignore_case, strip=self.strip):
            return Verdict(passed=True, reason=f"the output is {quoted(expected)}")
        return Verdict(
            passed=False, reason=f"the output is {quoted(answer)}, not {quoted(expected)}"
        )


def _same(answer: str, expected: str, *, ignore_case: bool, strip: bool) -> bool:
    """Whether two texts are equal; Unicode is normalized to NFC."""
    if strip:
        answer, expected = answer.strip(), expected.strip()
    if answer == expected:
        return True
    if ignore_case:
        answer, expected = answer.casefold(), expected.casefold()
    return composed(answer) == composed(expected)


def _folded(text: str) -> str:
    """Return a case-folded text in NFC form."""
    return composed(composed(text).casefold())


class EqualsAny(Scorer):
    """The output equals one of these texts, without surrounding whitespace."""

    type: ClassVar[str] = "equals_any"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TEXT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "values"
    example: ClassVar[str] = "equals_any: [Paris, City of Paris]"

    values: tuple[Scalar, ...] | None = Field(default=None, min_length=1)
    """The texts; by default the `expected` of the case."""
    ignore_case: bool = False
    """Whether case is ignored."""
    strip: bool = True
    """Whether surrounding whitespace is ignored."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare with each text."""
        texts = _expected_texts(self.values, ctx)
        for text in texts:
            if _same(ctx.answer, text, ignore_case=self.ignore_case, strip=self.strip):
                return Verdict(passed=True, reason=f"the output is {quoted(text)}")
        return Verdict(
            passed=False, reason=f"the output is {quoted(ctx.answer)}, none of {listed(texts)}"
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there are no texts."""
        yield from _list_problems(self, self.values, case)


class Contains(_OneText):
    """The output contains this text."""

    type: ClassVar[str] = "contains"
    example: ClassVar[str] = "contains: 30 days"

    def score(self, ctx: ScoreContext) -> Verdict:
        """Search the output."""
        return _contains(ctx.answer, _expected_text(self.value, ctx), ignore_case=False)


class IContains(_OneText):
    """The output contains this text, case-insensitively."""

    type: ClassVar[str] = "icontains"
    example: ClassVar[str] = "icontains: thirty days"

    def score(self, ctx: ScoreContext) -> Verdict:
        """Search the output."""
        return _contains(ctx.answer, _expected_text(self.value, ctx), ignore_case=True)


def _contains(answer: str, expected: str, *, ignore_case: bool) -> Verdict:
    """Return the verdict on whether an output contains a text."""
    change = _folded if ignore_case else composed
    if change(expected) in change(answer):
        return Verdict(passed=True, reason=f"the output contains {quoted(expected)}")
    return Verdict(
        passed=False,
        reason=f"the output does not contain {quoted(expected)}; it is {quoted(answer)}",
    )


class _ManyTexts(Scorer):
    """Searches for several texts."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TEXT
    shorthand: ClassVar[str | None] = "values"
    ignore_case: ClassVar[bool] = False

    values: tuple[Scalar, ...] | None = None
    """The texts; by default the `expected` of the case, one text or a list."""

    def split_by_presence(self, ctx: ScoreContext) -> tuple[list[str], list[str]]:
        """Return the texts that the output contains, and those that it does not."""
        change = _folded if self.ignore_case else composed
        answer = change(ctx.answer)
        present: list[str] = []
        missing: list[str] = []
        for text in _expected_texts(self.values, ctx):
            (present if change(text) in answer else missing).append(text)
        return present, missing

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there are no texts, or empty ones."""
        yield from _list_problems(self, self.values, case)


def _expected_texts(values: tuple[Scalar, ...] | None, ctx: ScoreContext) -> list[str]:
    """Return the expected texts: the option, else the `expected` of the case."""
    expected: Any = ctx.case.expected if values is None else values
    texts = _texts(expected)
    if not texts:
        raise ScoringError("no expected texts: set `values`, or `expected` of the case")
    return texts


def _texts(value: object) -> list[str]:
    """Return one text or a list of texts as a list; empty for any other value."""
    if isinstance(value, str | bool | int | float):
        return [as_text(value)]
    if isinstance(value, list | tuple):
        return [as_text(item) for item in value if isinstance(item, str | bool | int | float)]
    return []


def _list_problems(
    scorer: Scorer, values: tuple[Scalar, ...] | None, case: Case | None
) -> Iterable[str]:
    """Yield what is wrong with a list of texts."""
    expected: Any = values
    if values is None:
        if case is None:
            return
        expected = case.expected
        if not _texts(expected):
            yield (
                f"`{scorer.type}` has no `values` and the case has no text or list as `expected`"
            )
            return
    texts = _texts(expected)
    if not texts:
        yield _nothing_listed(scorer.type)
    elif not all(texts) and scorer.type != "equals_any":
        yield f"`{scorer.type}` has an empty text, which every output contains; remove it"


def _nothing_listed(name: str) -> str:
    """Return the message for an empty list."""
    can = "pass" if name.endswith("_any") else "fail"
    return f"`{name}` with an empty list cannot {can}; add texts"


class ContainsAny(_ManyTexts):
    """The output contains at least one of these texts."""

    type: ClassVar[str] = "contains_any"
    graded: ClassVar[bool | None] = False
    example: ClassVar[str] = "contains_any: [30 days, thirty days]"

    def score(self, ctx: ScoreContext) -> Verdict:
        """Search for each text."""
        present, missing = self.split_by_presence(ctx)
        if present:
            return Verdict(passed=True, reason=f"the output contains {listed(present)}")
        return Verdict(
            passed=False,
            reason=f"the output contains none of {listed(missing)}; it is {quoted(ctx.answer)}",
        )


class IContainsAny(ContainsAny):
    """The output contains at least one of these texts, case-insensitively."""

    type: ClassVar[str] = "icontains_any"
    ignore_case: ClassVar[bool] = True
    example: ClassVar[str] = "icontains_any: [thirty days, a month]"


class ContainsAll(_ManyTexts):
    """The output contains all of these texts; its value is the share of contained texts."""

    type: ClassVar[str] = "contains_all"
    graded: ClassVar[bool | None] = True
    example: ClassVar[str] = "contains_all: [30 days, original box]"

    def score(self, ctx: ScoreContext) -> Verdict:
        """Search for each text."""
        present, missing = self.split_by_presence(ctx)
        value = len(present) / (len(present) + len(missing))
        if not missing:
            return Verdict(passed=True, value=1.0, reason=f"the output contains {listed(present)}")
        return Verdict(
            passed=False,
            value=value,
            reason=f"the output does not contain {listed(missing)}; it is {quoted(ctx.answer)}",
            metadata={"missing": missing},
        )


class IContainsAll(ContainsAll):
    """The output contains all of these texts, case-insensitively; its value is the share."""

    type: ClassVar[str] = "icontains_all"
    ignore_case: ClassVar[bool] = True
    example: ClassVar[str] = "icontains_all: [Refund, Original box]"


class StartsWith(_OneText):
    """The output begins with this text, without leading whitespace."""

    type: ClassVar[str] = "starts_with"
    example: ClassVar[str] = "starts_with: Dear"

    ignore_case: bool = False
    """Whether case is ignored."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the beginning."""
        change = _folded if self.ignore_case else composed
        expected = _expected_text(self.value, ctx)
        begins = ctx.answer[: len(expected) + 40]
        if change(ctx.answer.lstrip()).startswith(change(expected.lstrip())):
            return Verdict(passed=True, reason=f"the output begins with {quoted(expected)}")
        return Verdict(
            passed=False, reason=f"the output begins with {quoted(begins)}, not {quoted(expected)}"
        )


class EndsWith(_OneText):
    """The output ends with this text, without trailing whitespace."""

    type: ClassVar[str] = "ends_with"
    example: ClassVar[str] = "ends_with: Kind regards"

    ignore_case: bool = False
    """Whether case is ignored."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the end."""
        change = _folded if self.ignore_case else composed
        expected = _expected_text(self.value, ctx)
        ends = ctx.answer[-len(expected) - 40 :]
        if change(ctx.answer.rstrip()).endswith(change(expected.rstrip())):
            return Verdict(passed=True, reason=f"the output ends with {quoted(expected)}")
        return Verdict(
            passed=False, reason=f"the output ends with {quoted(ends)}, not {quoted(expected)}"
        )


class Regex(Scorer):
    """The output contains a match of a regular expression; a timeout of the search is an error."""

    type: ClassVar[str] = "regex"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TEXT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "pattern"
    example: ClassVar[str] = r"regex: '\b30\s+days\b'"

    pattern: str
    """A pattern in the syntax of Python's `re`; inline flags such as ``(?i)`` are supported."""
    full: bool = False
    """Whether it must match the whole output."""
    ignore_case: bool = False
    """Whether case is ignored."""
    multiline: bool = False
    """Whether ``^`` and ``$`` also match at line breaks."""
    dotall: bool = False
    """Whether ``.`` also matches line breaks."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        """Reject an invalid regular expression, except templates."""
        if "{{" not in value and "{%" not in value:
            compile_pattern(value)
        return value

    def _compiled(self) -> Any:
        names = [n for n in ("ignore_case", "multiline", "dotall") if getattr(self, n)]
        return compile_pattern(self.pattern, flag_bits(tuple(names)) if names else 0)

    def score(self, ctx: ScoreContext) -> Verdict:
        """Search the output."""
        match = search(self._compiled(), ctx.answer, full=self.full)
        if match is not None:
            return Verdict(
                passed=True, reason=f"the output matches {self.pattern!r} with {quoted(match[0])}"
            )
        return Verdict(
            passed=False,
            reason=f"the output does not match {self.pattern!r}; it is {quoted(ctx.answer)}",
        )

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the pattern matches every output."""
        if matches_everything(self._compiled(), full=self.full):
            yield f"`regex` with {self.pattern!r} cannot fail: it matches every output"
