"""Match tool calls by name, by a subset of their arguments and by a subset of their result."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.message import ToolCall
from pytest_evals.scorers.quoting import shown
from pytest_evals.scorers.subset import difference


class Count(Frozen):
    """How many calls must match: exactly, at least or at most so many.

    Written as ``{exactly: 2}``, ``{op: at_least, n: 1}``, or a bare number (exactly).
    """

    exactly: int | None = Field(default=None, ge=0)
    at_least: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: object) -> object:
        """Accept a number, and an operator with a number."""
        if isinstance(data, int) and not isinstance(data, bool):
            return {"exactly": data}
        if isinstance(data, Mapping) and "op" in data:
            if set(data) != {"op", "n"}:
                raise ValueError(f"a count is `op` and `n`, found {shown(dict(data))}")
            return {str(data["op"]): data["n"]}
        return data

    @model_validator(mode="after")
    def _some(self) -> Self:
        """One of the three is needed."""
        if not self.model_fields_set:
            raise ValueError("a count is `exactly`, `at_least` or `at_most`")
        return self

    def allows(self, calls: int) -> bool:
        """Whether this many calls are right."""
        return (
            (self.exactly is None or calls == self.exactly)
            and (self.at_least is None or calls >= self.at_least)
            and (self.at_most is None or calls <= self.at_most)
        )

    @property
    def empty(self) -> bool:
        """Whether every number is allowed."""
        return self.at_least == 0 and self.exactly is None and self.at_most is None

    def __str__(self) -> str:
        parts = [
            f"{name.replace('_', ' ')} {value}"
            for name in ("exactly", "at_least", "at_most")
            if (value := getattr(self, name)) is not None
        ]
        return " and ".join(parts)


class CallMatcher(Frozen):
    """A call that must (or must not) be made."""

    name: str = Field(min_length=1)
    """The tool's name."""
    args_subset: Any = None
    """What its arguments must hold: objects by subset of keys, arrays whole and in order."""
    result_subset: Any = None
    """The same of what the tool gave back; a call whose result is not known does not match."""
    count: Count = Count(at_least=1)
    """How many calls must match; by default at least one."""

    def matches(self, call: ToolCall) -> bool:
        """Whether a call is such a call."""
        if call.name != self.name:
            return False
        if self.args_subset is not None and (
            isinstance(call.arguments, str) or difference(self.args_subset, call.arguments)
        ):
            return False
        return self.result_subset is None or (
            call.captured and not difference(self.result_subset, read_result(call.result))
        )

    def fault(self, calls: Iterable[ToolCall]) -> str | None:
        """Return why the calls do not satisfy it; None where they do."""
        called = list(calls)
        count = sum(self.matches(call) for call in called)
        if self.count.allows(count):
            return None
        filters = [
            f"with {words} {shown(subset)}"
            for words, subset in (("arguments", self.args_subset), ("result", self.result_subset))
            if subset is not None
        ]
        named = [call for call in called if call.name == self.name]
        made = f"; its calls: {format_calls(named)}" if named else ""
        what = " ".join([f"`{self.name}`", *filters])
        return f"{count} calls of {what}, expected {self.count}{made}"


def read_result(result: Json) -> Json:
    """Return a tool's result; of a text that is JSON, what it holds."""
    if isinstance(result, str) and result.strip()[:1] in {"{", "["}:
        try:
            return json.loads(result)
        except (ValueError, RecursionError):
            return result
    return result


def format_calls(calls: Iterable[ToolCall], *, limit: int = 5) -> str:
    """Write calls as ``name(arguments)``."""
    made = list(calls)
    words = ", ".join(
        f"{call.name}({shown(call.arguments, limit=80).removeprefix('{').removesuffix('}')})"
        for call in made[:limit]
    )
    if not made:
        return "none"
    return f"{words} and {len(made) - limit} more" if len(made) > limit else words


def names_of(calls: Iterable[ToolCall]) -> list[str]:
    """Return the names of calls, in order."""
    return [call.name for call in calls]


def is_subsequence(expected: Iterable[str], actual: Iterable[str]) -> bool:
    """Whether the wanted names stand in the found ones in this order, others between them."""
    rest = iter(actual)
    return all(any(name == other for other in rest) for name in expected)
