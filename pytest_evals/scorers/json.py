"""JSON in an output: well-formed, valid by a schema, equal to a value."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field, field_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Json
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.jsonfind import NotJsonError, find_json, read_json
from pytest_evals.scorers.jsonschemas import Schema, vacuous_reason
from pytest_evals.scorers.quoting import quoted, shown
from pytest_evals.scorers.subset import difference


class _JsonScorer(Scorer):
    """Parses JSON and compares it with a schema, a subset or paths."""

    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.FORMAT
    graded: ClassVar[bool | None] = False
    inside: ClassVar[bool] = False
    """Whether the JSON may be fenced or surrounded by prose."""

    schema_: dict[str, Any] | bool | None = Field(default=None, alias="schema")
    """A JSON Schema for the value."""
    subset: Any = None
    """Required content: a subset of the keys of objects; arrays must be equal."""
    paths: dict[str, Any] = Field(default_factory=dict)
    """JMESPath expressions with their required values."""

    @field_validator("schema_")
    @classmethod
    def _sound(cls, value: Json) -> Json:
        """Reject an invalid JSON Schema."""
        if value is not None:
            Schema(value)
        return value

    @field_validator("paths")
    @classmethod
    def _compile(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Reject an invalid JMESPath."""
        for path in value:
            _jmespath(path)
        return value

    @cached_property
    def _schema(self) -> Schema | None:
        return None if self.schema_ is None else Schema(self.schema_)

    def score(self, ctx: ScoreContext) -> Verdict:
        """Parse the JSON, then compare."""
        try:
            value = (
                find_json(ctx.answer, fits=lambda item: not self._wrong(item), scalar=False)
                if self.inside
                else read_json(ctx.answer)
            )
        except NotJsonError as error:
            what = "contains no JSON" if self.inside else "is not JSON"
            return Verdict(
                passed=False, reason=f"the output {what} ({error}); it is {quoted(ctx.answer)}"
            )
        wrong = self._wrong(value)
        if not wrong:
            return Verdict(passed=True, reason=f"the output's JSON is {shown(value)}")
        return Verdict(passed=False, reason="; ".join(wrong[:5]), metadata={"problems": wrong[:50]})

    def _wrong(self, value: Json) -> list[str]:
        """Return what is wrong with a value."""
        wrong = [] if self._schema is None else self._schema.problems(value)
        if self.subset is not None:
            wrong += difference(self.subset, value)
        return wrong + [
            f"`{path}` is {shown(actual)}, not {shown(expected)}"
            for path, expected in self.paths.items()
            if difference(expected, actual := _jmespath(path).search(value), exact=True)
        ]

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the schema cannot fail or cannot pass."""
        if self.schema_ is not None:
            wrong = vacuous_reason(self.schema_)
            if wrong:
                yield f"`{self.type}`: {wrong}"


def _jmespath(path: str) -> Any:
    """Compile a JMESPath."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.compile(path)
    except JMESPathError as error:
        raise ValueError(f"{path!r} is not a valid JMESPath: {error}") from None


class IsJson(_JsonScorer):
    """The whole output is one JSON value; optionally with a schema or required values."""

    type: ClassVar[str] = "is_json"
    example: ClassVar[str] = "is_json"


class ContainsJson(_JsonScorer):
    """The output contains a JSON object or array: bare, in a code fence, or in prose."""

    type: ClassVar[str] = "contains_json"
    inside: ClassVar[bool] = True
    example: ClassVar[str] = 'contains_json: {paths: {"order.status": shipped}}'


class JsonSchema(Scorer):
    """The output is JSON that is valid by a JSON Schema; references must be local."""

    type: ClassVar[str] = "json_schema"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.FORMAT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "schema"
    example: ClassVar[str] = "json_schema: {type: object, required: [city]}"

    schema_: dict[str, Any] | bool = Field(alias="schema")
    """The schema; its draft is `$schema`, else 2020-12."""
    inside: bool = False
    """Whether the JSON may be fenced or surrounded by prose."""

    @field_validator("schema_")
    @classmethod
    def _sound(cls, value: Json) -> Json:
        """Reject an invalid JSON Schema."""
        Schema(value)
        return value

    @cached_property
    def _schema(self) -> Schema:
        return Schema(self.schema_)

    def score(self, ctx: ScoreContext) -> Verdict:
        """Parse the JSON, then validate it."""
        try:
            value = (
                find_json(ctx.answer, fits=lambda item: not self._schema.problems(item))
                if self.inside
                else read_json(ctx.answer)
            )
        except NotJsonError as error:
            return Verdict(
                passed=False,
                reason=f"the output is not JSON ({error}); it is {quoted(ctx.answer)}",
            )
        wrong = self._schema.problems(value)
        if wrong:
            return Verdict(
                passed=False, reason="; ".join(wrong[:5]), metadata={"problems": wrong[:50]}
            )
        return Verdict(passed=True, reason=f"the output is valid by the schema: {shown(value)}")

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if the schema cannot fail or cannot pass."""
        wrong = vacuous_reason(self.schema_)
        if wrong:
            yield f"`json_schema`: {wrong}"


class JsonEquals(Scorer):
    """The JSON in the output equals this value; the order of keys does not matter."""

    type: ClassVar[str] = "json_equals"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.FORMAT
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "value"
    example: ClassVar[str] = "json_equals: {city: Paris, days: 30}"

    value: Any = None
    """The value; by default the `expected` of the case."""
    inside: bool = True
    """Whether the JSON may be fenced or surrounded by prose."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Parse the JSON, then compare it."""
        expected = ctx.case.expected if self.value is None else self.value
        if expected is None:
            raise ScoringError("no expected value: set `value`, or `expected` of the case")
        right = _value_of(expected)
        try:
            actual = (
                find_json(ctx.answer, fits=lambda item: not difference(right, item, exact=True))
                if self.inside
                else read_json(ctx.answer)
            )
        except NotJsonError as error:
            return Verdict(
                passed=False, reason=f"the output contains no JSON ({error}): {quoted(ctx.answer)}"
            )
        wrong = difference(right, actual, exact=True)
        if wrong:
            return Verdict(
                passed=False, reason="; ".join(wrong[:5]), metadata={"problems": wrong[:50]}
            )
        return Verdict(passed=True, reason=f"the output's JSON is {shown(actual)}")

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there is no expected value."""
        if self.value is None and case is not None and case.expected is None:
            yield "`json_equals` has no `value` and the case has no `expected`"


def _value_of(expected: Json) -> Json:
    """Parse an expected value that is written as a JSON string."""
    if isinstance(expected, str) and expected.strip()[:1] in {"{", "["}:
        try:
            return read_json(expected)
        except NotJsonError:
            return expected
    return dict(expected) if isinstance(expected, Mapping) else expected
