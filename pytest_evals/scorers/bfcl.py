"""Compare function calls with possible answers, in the format of the Berkeley leaderboard.

A possible answer is ``{function: {parameter: [allowed values]}}``; ``""`` among the allowed values
makes the parameter optional. The rules are those of the leaderboard's AST check for Python (Patil
et al. 2025, `bfcl-eval` 2026.3.23). Strings are compared without case, spaces and ``,./-_*^``.
Whole numbers are accepted as floats. Objects and lists of objects have allowed values for each key.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Json
from pytest_evals.message import ToolCall
from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.quoting import shown
from pytest_evals.scorers.toolargs import declared_schemas
from pytest_evals.scorers.toolmatch import format_calls, require_arguments

Possible = Mapping[str, Mapping[str, Sequence[Json]]]
"""One possible call: its name, and the allowed values of each parameter."""

_TYPES: dict[str, type] = {
    "string": str,
    "any": str,
    "integer": int,
    "float": float,
    "number": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "object": dict,
}


class BfclCalls(Scorer):
    """The calls match the possible answers: function names and allowed parameter values.

    The number of calls must equal the number of answers; each answer is matched with the first call
    that fits. Types and required parameters come from the declared tools, if there are any.
    """

    type: ClassVar[str] = "bfcl_calls"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "answers"
    example: ClassVar[str] = 'bfcl_calls: [{get_weather: {city: [Paris], unit: [celsius, ""]}}]'

    answers: tuple[dict[str, dict[str, list[Any]]], ...] | None = Field(default=None, min_length=1)
    """The possible answers; by default the `expected` of the case."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Match the calls with the possible answers."""
        answers = self._answers(ctx.case)
        if answers is None:
            raise ScoringError(
                "no possible answers: set `answers`, or a list of them as `expected` of the case"
            )
        tools = declared_schemas(ctx.dataset.tools_of(ctx.case))
        calls = list(ctx.tool_calls)
        if len(calls) != len(answers):
            return Verdict(
                passed=False,
                reason=f"{len(calls)} calls were made, expected {len(answers)}: "
                f"{format_calls(calls)}",
            )
        left = list(calls)
        for answer in answers:
            faults: list[str] = []
            for i, call in enumerate(left):
                fault = call_fault(call, answer, tools)
                if fault is None:
                    # Delete by index: a call with 10.0 equals another one with 10.
                    del left[i]
                    break
                faults.append(fault)
            else:
                return Verdict(
                    passed=False,
                    reason=f"no call fits {shown(answer)}: {'; '.join(faults[:3])}",
                )
        return Verdict(passed=True, reason=f"the calls are possible answers: {format_calls(calls)}")

    def _answers(self, case: Case) -> Sequence[Possible] | None:
        """Return the possible answers; None if there are none or they are invalid."""
        answers: Any = self.answers if self.answers is not None else case.expected
        if not isinstance(answers, list | tuple) or not answers:
            return None
        return answers if all(_is_answer(answer) for answer in answers) else None

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there are no valid possible answers."""
        if case is None and self.answers is None:
            return
        answers = self.answers if case is None else self._answers(case)
        if answers is None or not all(_is_answer(answer) for answer in answers):
            yield (
                "`bfcl_calls` needs a list of `{function: {parameter: [allowed values]}}` as its "
                "answers or as the case's `expected`"
            )


def _is_answer(answer: object) -> bool:
    """Whether a value is one possible call."""
    return (
        isinstance(answer, Mapping)
        and len(answer) == 1
        and all(
            isinstance(params, Mapping) and all(isinstance(v, list) for v in params.values())
            for params in answer.values()
        )
    )


def call_fault(call: ToolCall, answer: Possible, tools: Mapping[str, Json]) -> str | None:
    """Return why a call does not match a possible call; None if it does.

    Args:
        call: the actual call.
        answer: the possible call.
        tools: the parameter schema of each declared tool; may be empty.
    """
    ((name, allowed),) = answer.items()
    if _plain_name(call.name) != _plain_name(name):
        return f"`{call.name}` was called, not `{name}`"
    require_arguments([call])
    if isinstance(call.arguments, str) or call.arguments is None:
        return f"`{name}`: the arguments are not a JSON object"
    schema = tools.get(name, tools.get(call.name, {}))
    faults = _argument_faults(call.arguments, allowed, schema)
    words = next(iter(faults), None)
    return None if words is None else f"`{name}`: {words}"


def _argument_faults(
    arguments: Mapping[str, Json], allowed: Mapping[str, Sequence[Json]], schema: Json
) -> Iterator[str]:
    """Yield what is wrong with the arguments of a call."""
    properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    for parameter in schema.get("required", ()) if properties else ():
        if parameter not in arguments:
            yield f"the required `{parameter}` is missing"
    for parameter, value in arguments.items():
        if parameter not in allowed or (properties and parameter not in properties):
            yield f"`{parameter}` was not expected"
        elif not _allowed(value, allowed[parameter], properties.get(parameter, {})):
            named = [option for option in allowed[parameter] if option != ""]
            yield f"`{parameter}` is {shown(value)}, not one of {shown(named)}"
    for parameter, options in allowed.items():
        if parameter not in arguments and "" not in options:
            yield f"`{parameter}` is missing"


def _plain_name(name: str) -> str:
    """Return a function name without dots, which servers do not allow."""
    return name.replace(".", "_")


def plain_text(text: str) -> str:
    """Return a text in lower case, without spaces and ignored punctuation."""
    return re.sub(r"[ ,./\-_*^]", "", text).lower().replace("'", '"')


def _allowed(value: Json, options: Sequence[Json], schema: Mapping[str, Any]) -> bool:
    """Whether a value is allowed."""
    option_type = next((type(option) for option in options if option != ""), None)
    expected_type = _TYPES.get(str(schema.get("type")), option_type)
    if expected_type is None:
        return value in options
    if expected_type is float and type(value) is int:
        value = float(value)
    if type(value) is not expected_type:
        # The value may be the name of a variable, which must match exactly.
        return option_type is not None and type(value) is option_type and value in options
    if option_type is not None and option_type is not expected_type:
        return _inner_types(value, options, schema) and value in options
    return _inner_types(value, options, schema) and _same(value, options, schema)


def _inner_types(value: Json, options: Sequence[Json], schema: Mapping[str, Any]) -> bool:
    """Whether the items of an array have the declared type, or the type of an allowed array."""
    items = schema.get("items")
    if not isinstance(value, list) or not isinstance(items, Mapping):
        return True
    inner = _TYPES.get(str(items.get("type")))
    if inner is None:
        return True
    for option in options:
        if not isinstance(option, list):
            return True
        kinds = {inner, *[type(item) for item in option if item != ""][:1]}
        if all(type(item) in kinds for item in value):
            return True
    return False


def _same(value: Json, options: Sequence[Json], schema: Mapping[str, Any]) -> bool:
    """Whether a value of the right type is allowed."""
    if isinstance(value, str):
        plain = plain_text(value)
        return any(isinstance(o, str) and plain_text(o) == plain for o in options)
    if isinstance(value, dict):
        return any(_same_object(value, o) for o in options if isinstance(o, Mapping))
    if isinstance(value, list):
        lists = [option for option in options if isinstance(option, list)]
        items = schema.get("items")
        item_type = items.get("type") if isinstance(items, Mapping) else None
        objects = _TYPES.get(str(item_type)) is dict or (
            item_type is None and bool(value) and all(isinstance(item, dict) for item in value)
        )
        if objects:
            return any(_same_objects(value, option) for option in lists)
        plain_list = [_plain(item) for item in value]
        return any(plain_list == [_plain(item) for item in option] for option in lists)
    return value in options


def _plain(value: Json) -> Json:
    """Return a normalized text, and any other value unchanged."""
    return plain_text(value) if isinstance(value, str) else value


def _same_object(value: Mapping[str, Json], option: Mapping[str, Json]) -> bool:
    """Whether every value of an object is allowed for its key."""
    for key, item in value.items():
        if key not in option:
            return False
        allowed = option[key] if isinstance(option[key], list) else [option[key]]
        if _plain(item) not in [_plain(other) for other in allowed]:
            return False
    return all(key in value or "" in allowed for key, allowed in option.items())


def _same_objects(value: Sequence[Json], option: Sequence[Json]) -> bool:
    """Whether each object of a list is allowed at its position."""
    return len(value) == len(option) and all(
        isinstance(item, Mapping) and isinstance(other, Mapping) and _same_object(item, other)
        for item, other in zip(value, option, strict=True)
    )
