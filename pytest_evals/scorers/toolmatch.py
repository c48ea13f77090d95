"""Match tool calls by name, by a subset of their arguments and by a subset of their result."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.message import ToolCall
from pytest_evals.scorers.base import ScoringError
from pytest_evals.scorers.quoting import shown
from pytest_evals.scorers.subset import difference


class Count(Frozen):
    """The required number of matching calls: exactly, at least or at most.

    The notation is ``{exactly: 2}``, ``{op: at_least, n: 1}``, or a number (exactly).
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
                raise ValueError(f"a count must have `op` and `n`, found {shown(dict(data))}")
            return {str(data["op"]): data["n"]}
        return data

    @model_validator(mode="after")
    def _some(self) -> Self:
        """Reject an empty count."""
        if not self.model_fields_set:
            raise ValueError("a count must have `exactly`, `at_least` or `at_most`")
        return self

    def allows(self, calls: int) -> bool:
        """Whether this number of calls is allowed."""
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
    """A required (or, with a count of 0, forbidden) call."""

    name: str = Field(min_length=1)
    """The name of the tool."""
    args_subset: Any = None
    """Required arguments: objects by subset of keys; arrays must be equal."""
    result_subset: Any = None
    """Required content of the result, by subset; an unknown result that decides is an error."""
    count: Count = Count(at_least=1)
    """The required number of calls; by default at least one."""

    def matches(self, call: ToolCall) -> bool | None:
        """Whether a call matches; None if its arguments or its result decide and are unknown."""
        if call.name != self.name:
            return False
        unknown = False
        if self.args_subset is not None:
            if isinstance(call.arguments, str):
                return False
            unknown = call.arguments is None
            if call.arguments is not None and difference(self.args_subset, call.arguments):
                return False
        if self.result_subset is not None:
            unknown = unknown or not call.captured
            if call.captured and difference(self.result_subset, read_result(call.result)):
                return False
        return None if unknown else True

    def fault(self, calls: Iterable[ToolCall]) -> str | None:
        """Return why the calls do not match; None if they do.

        Raises:
            ScoringError: unknown arguments or results decide it.
        """
        called = list(calls)
        matched = [self.matches(call) for call in called]
        count, unknown = matched.count(True), matched.count(None)
        if len({self.count.allows(n) for n in range(count, count + unknown + 1)}) > 1:
            missing = "result" if self.args_subset is None else "arguments or result"
            raise ScoringError(
                f"the {missing} of {unknown} calls of `{self.name}` is unknown, so they cannot be "
                "compared"
            )
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
    """Return the result of a tool; a JSON string is parsed."""
    if isinstance(result, str) and result.strip()[:1] in {"{", "["}:
        try:
            return json.loads(result)
        except (ValueError, RecursionError):
            return result
    return result


def format_calls(calls: Iterable[ToolCall], *, limit: int = 5) -> str:
    """Format calls as ``name(arguments)``."""
    made = list(calls)
    words = ", ".join(f"{call.name}({_arguments(call)})" for call in made[:limit])
    if not made:
        return "none"
    return f"{words} and {len(made) - limit} more" if len(made) > limit else words


def _arguments(call: ToolCall) -> str:
    """Format the arguments of a call; unknown ones are ``?``."""
    if call.arguments is None:
        return "?"
    return shown(call.arguments, limit=80).removeprefix("{").removesuffix("}")


def require_arguments(calls: Iterable[ToolCall]) -> None:
    """Check that the arguments of every call are known.

    Raises:
        ScoringError: those of a call are unknown.
    """
    names = dict.fromkeys(call.name for call in calls if call.arguments is None)
    if names:
        raise ScoringError(
            f"the arguments of {', '.join(f'`{name}`' for name in names)} are unknown, so they "
            "cannot be compared; return them with the answer (`tool_calls`), or let the "
            "instrumentation capture content"
        )


def names_of(calls: Iterable[ToolCall]) -> list[str]:
    """Return the names of calls, in order."""
    return [call.name for call in calls]


def is_subsequence(expected: Iterable[str], actual: Iterable[str]) -> bool:
    """Whether the expected names are a subsequence of the actual names."""
    rest = iter(actual)
    return all(any(name == other for other in rest) for name in expected)
