"""Assertions on the arguments of tool calls, and on their declared schemas."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Frozen, Json, canonical
from pytest_evals.ground.errors import suggest
from pytest_evals.message import ToolCall
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.jsonschemas import Schema
from pytest_evals.scorers.quoting import shown
from pytest_evals.scorers.subset import difference
from pytest_evals.scorers.toolmatch import format_calls, require_arguments


class ToolArgs(Scorer):
    """A tool was called with these arguments: exactly, by subset, or by JSON Schema."""

    type: ClassVar[str] = "tool_args"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    example: ClassVar[str] = "tool_args: {tool: get_weather, subset: {city: Paris}}"

    tool: str = Field(min_length=1)
    """The name of the tool."""
    exact: dict[str, Any] | None = None
    """The exact arguments."""
    subset: dict[str, Any] | None = None
    """Required arguments: objects by subset of keys; arrays must be equal."""
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    """A JSON Schema for the arguments."""
    which: Literal["any", "all", "first", "last"] = "any"
    """Which calls of the tool must match."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        """Reject a missing condition."""
        if self.exact is None and self.subset is None and self.schema_ is None:
            raise ValueError("it needs `exact`, `subset` or `schema`")
        if self.schema_ is not None:
            Schema(self.schema_)
        return self

    @cached_property
    def _schema(self) -> Schema | None:
        return None if self.schema_ is None else Schema(self.schema_)

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the calls of the tool."""
        calls = [call for call in ctx.tool_calls if call.name == self.tool]
        if not calls:
            return Verdict(
                passed=False,
                reason=f"`{self.tool}` was not called; the calls: {format_calls(ctx.tool_calls)}",
            )
        if self.which in {"first", "last"}:
            calls = [calls[0 if self.which == "first" else -1]]
        faults = [self._faults(call) for call in calls if call.arguments is not None]
        decided = any(not fault for fault in faults) if self.which == "any" else any(faults)
        if not decided:
            require_arguments(calls)
        wrong = [fault for fault in faults if fault]
        passed = len(wrong) < len(faults) if self.which == "any" else not wrong
        if passed:
            return Verdict(passed=True, reason=f"the arguments are right: {format_calls(calls)}")
        return Verdict(
            passed=False,
            reason=f"`{self.tool}`: {'; '.join(wrong[-1][:5])}; its calls: {format_calls(calls)}",
        )

    def _faults(self, call: ToolCall) -> list[str]:
        """Return what is wrong with the arguments of a call."""
        if isinstance(call.arguments, str):
            return [f"its arguments are not a JSON object: {shown(call.arguments)}"]
        assert call.arguments is not None
        wrong: list[str] = []
        if self.exact is not None:
            wrong += difference(self.exact, call.arguments, exact=True)
        if self.subset is not None:
            wrong += difference(self.subset, call.arguments)
        if self._schema is not None:
            wrong += self._schema.problems(call.arguments)
        return wrong

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem for an empty subset, which cannot fail."""
        if self.subset == {} and self.exact is None and self.schema_ is None:
            yield "`tool_args` with an empty subset checks no argument; use `tool_called`"


def declared_schemas(tools: Sequence[Mapping[str, Any]]) -> dict[str, Json]:
    """Return the parameter schema of each declared tool, by name.

    Besides the dataset format, those of OpenAI (``{type: function, function: {…}}``) and
    Anthropic (``input_schema``) are supported.
    """
    schemas: dict[str, Json] = {}
    for tool in tools:
        inner = tool.get("function")
        plain = inner if isinstance(inner, Mapping) else tool
        schema = plain.get("parameters", plain.get("input_schema", {}))
        schemas[str(plain.get("name"))] = schema
    return schemas


_KINDS = {"dict": "object", "float": "number", "tuple": "array", "hashmap": "object"}


def _json_schema(schema: Json, *, strict: bool) -> Json:
    """Return a schema with JSON Schema type names; if `strict`, without additional properties."""
    if isinstance(schema, list):
        return [_json_schema(item, strict=strict) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    changed: dict[str, Json] = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, str):
            if value == "any":
                continue
            changed[key] = _KINDS.get(value, value)
        elif key == "properties" and isinstance(value, Mapping):
            changed[key] = {n: _json_schema(item, strict=strict) for n, item in value.items()}
        elif key in {"enum", "const", "default", "examples"}:
            if key in {"enum", "const"}:
                changed[key] = value
        else:
            changed[key] = _json_schema(value, strict=strict)
    if strict and changed.get("properties") and "additionalProperties" not in changed:
        changed["additionalProperties"] = False
    return changed


@lru_cache(maxsize=512)
def _compiled(text: str, *, strict: bool) -> Schema:
    """Compile the parameter schema of a tool; cached."""
    import json

    return Schema(_json_schema(json.loads(text), strict=strict))


class ValidToolCall(Scorer):
    """Every call names a declared tool, and its arguments are valid by the schema of the tool.

    The tools are those of the case, else those of the dataset. Without a call it fails, unless
    `min` is 0.
    """

    type: ClassVar[str] = "valid_tool_call"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = True
    example: ClassVar[str] = "valid_tool_call"

    tools: tuple[dict[str, Any], ...] | None = None
    """The declared tools; by default those of the case."""
    min: int = Field(default=1, ge=0)
    """The least number of calls."""
    strict: bool = True
    """Whether undeclared arguments are errors if the schema does not say."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Check each call; the value is the share of valid calls."""
        tools = declared_schemas(self._tools(ctx.dataset, ctx.case))
        if not tools:
            raise ScoringError("neither the case nor the dataset declares `tools`")
        calls = ctx.tool_calls
        require_arguments(call for call in calls if call.name in tools)
        wrong = [words for call in calls if (words := self._fault(call, tools)) is not None]
        if len(calls) < self.min:
            wrong.append(f"{len(calls)} tools were called, at least {self.min} required")
        return Verdict(
            passed=not wrong,
            value=0.0 if not calls and wrong else 1 - min(1, len(wrong) / max(1, len(calls))),
            reason="; ".join(wrong[:5]) or f"all calls are valid: {format_calls(calls)}",
        )

    def _tools(self, dataset: Dataset, case: Case) -> Sequence[Mapping[str, Any]]:
        """Return the declared tools."""
        return dataset.tools_of(case) if self.tools is None else self.tools

    def _fault(self, call: ToolCall, tools: Mapping[str, Json]) -> str | None:
        """Return what is wrong with a call."""
        if call.name not in tools:
            return f"no tool is called {call.name!r}.{suggest(call.name, tools)}"
        if isinstance(call.arguments, str):
            return f"`{call.name}`: its arguments are not a JSON object: {shown(call.arguments)}"
        try:
            schema = _compiled(canonical(tools[call.name]), strict=self.strict)
        except ValueError as error:
            raise ScoringError(f"the declaration of `{call.name}`: {error}") from None
        wrong = schema.problems(call.arguments)
        return f"`{call.name}`: {'; '.join(wrong[:3])}" if wrong else None

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem for missing tools and invalid schemas."""
        if case is None and self.tools is None:
            return
        tools = self.tools if case is None else self._tools(dataset, case)
        if not tools:
            yield "`valid_tool_call`: neither the case nor the dataset declares `tools`"
        yield from self._schema_problems(tools or ())

    def _schema_problems(self, tools: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Yield what is wrong with the schemas."""
        for name, schema in declared_schemas(tools).items():
            try:
                _compiled(canonical(schema), strict=self.strict)
            except ValueError as error:
                yield f"`valid_tool_call`: the declaration of `{name}`: {error}"


class ExpectedCall(Frozen):
    """An expected call."""

    name: str = Field(min_length=1)
    """The name of the tool."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """The arguments."""


class ToolCallF1(Scorer):
    """The calls are exactly these, in any order; its value is the F1.

    Calls are compared as multisets, by name and arguments.
    """

    type: ClassVar[str] = "tool_call_f1"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = True
    shorthand: ClassVar[str | None] = "calls"
    example: ClassVar[str] = "tool_call_f1: [{name: get_weather, arguments: {city: Paris}}]"

    calls: tuple[ExpectedCall, ...] = Field(min_length=1)
    """The expected calls: names and arguments."""
    names_only: bool = False
    """Whether arguments are ignored."""

    @field_validator("calls", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        """Accept a name for a call without arguments."""
        if isinstance(value, list | tuple):
            return [{"name": item} if isinstance(item, str) else item for item in value]
        return value

    def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the calls."""
        if not self.names_only:
            expected_names = {call.name for call in self.calls}
            require_arguments(call for call in ctx.tool_calls if call.name in expected_names)
        expected = Counter(self._mark(call.name, call.arguments) for call in self.calls)
        made = Counter(self._mark(call.name, call.arguments) for call in ctx.tool_calls)
        same = sum((expected & made).values())
        precision = same / sum(made.values()) if made else 0.0
        recall = same / sum(expected.values())
        f1 = 2 * precision * recall / (precision + recall) if same else 0.0
        lacking = [call.name for call in self.calls if not made[self._mark_of(call)]]
        return Verdict(
            passed=expected == made,
            value=f1,
            reason=f"{same} of {len(self.calls)} expected calls are among the {sum(made.values())} "
            f"made{f' (lacking: {shown(lacking)})' if lacking else ''}: "
            f"{format_calls(ctx.tool_calls)}",
            metadata={"precision": precision, "recall": recall, "f1": f1},
        )

    def _mark_of(self, call: ExpectedCall) -> str:
        """Return the key of an expected call."""
        return self._mark(call.name, call.arguments)

    def _mark(self, name: str, arguments: Json) -> str:
        """Return the key of a call; 1 and 1.0 have the same key."""
        if self.names_only:
            return name
        try:
            return f"{name} {canonical(_whole(arguments))}"
        except (TypeError, ValueError):
            return f"{name} {arguments!r}"


def _whole(value: Json) -> Json:
    """Return a value with integers in place of whole floats."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value
