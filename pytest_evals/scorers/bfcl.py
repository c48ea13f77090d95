"""Function calls against possible answers, as the Berkeley leaderboard writes them.

An answer is ``{function: {parameter: [allowed values]}}``; ``""`` among the allowed values means
that the parameter may be left out. The rules are those of the leaderboard's AST check for Python
(Patil et al. 2025, `bfcl-eval` 2026.3.23): texts are compared without case, spaces and ``,./-_*^``;
whole numbers are taken for floats; objects and lists of objects name allowed values for each key.
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
from pytest_evals.scorers.toolmatch import format_calls

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
    """The calls are among the possible answers: a function's name and each parameter's values.

    As many calls as answers; each answer takes the first call that fits it. Types and required
    parameters are those of the declared tools, where there are.
    """

    type: ClassVar[str] = "bfcl_calls"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.TOOL
    graded: ClassVar[bool | None] = False
    shorthand: ClassVar[str | None] = "answers"
    example: ClassVar[str] = 'bfcl_calls: [{get_weather: {city: [Paris], unit: [celsius, ""]}}]'

    answers: tuple[dict[str, dict[str, list[Any]]], ...] | None = Field(default=None, min_length=1)
    """The possible answers; without them, the case's `expected`."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Match calls and answers."""
        answers = self._answers(ctx.case)
        if answers is None:
            raise ScoringError("it has no answers, and the case's `expected` is no list of them")
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
                    # By place: a call with 10.0 equals one with 10, and is another one here.
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
        """Return the possible answers."""
        answers: Any = self.answers if self.answers is not None else case.expected
        if not isinstance(answers, list | tuple) or not answers:
            return None
        return answers if all(_is_answer(answer) for answer in answers) else None

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Answers are needed, each of one function, on which something can be wrong."""
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
    """Return why a call is not a possible one; None where it is.

    Args:
        call: the call that was made.
        answer: one possible call.
        tools: the parameters' schema of each declared_schemas tool; may be empty.
    """
    ((name, allowed),) = answer.items()
    if _plain_name(call.name) != _plain_name(name):
        return f"`{call.name}` was called, not `{name}`"
    if isinstance(call.arguments, str):
        return f"`{name}`: the arguments are no JSON object"
    schema = tools.get(name, tools.get(call.name, {}))
    faults = _argument_faults(call.arguments, allowed, schema)
    words = next(iter(faults), None)
    return None if words is None else f"`{name}`: {words}"


def _argument_faults(
    arguments: Mapping[str, Json], allowed: Mapping[str, Sequence[Json]], schema: Json
) -> Iterator[str]:
    """Yield what is wrong with a call's arguments."""
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
    """Return a function's name as servers take it, which allow no dot."""
    return name.replace(".", "_")


def plain_text(text: str) -> str:
    """Return a text without case, spaces and the marks that do not count."""
    return re.sub(r"[ ,./\-_*^]", "", text).lower().replace("'", '"')


def _allowed(value: Json, options: Sequence[Json], schema: Mapping[str, Any]) -> bool:
    """Whether a value is one of those allowed."""
    option_type = next((type(option) for option in options if option != ""), None)
    expected_type = _TYPES.get(str(schema.get("type")), option_type)
    if expected_type is None:
        return value in options
    if expected_type is float and type(value) is int:
        value = float(value)
    if type(value) is not expected_type:
        # A variable's name may stand where a value does: then it must be written just so.
        return option_type is not None and type(value) is option_type and value in options
    if option_type is not None and option_type is not expected_type:
        return _inner_types(value, options, schema) and value in options
    return _inner_types(value, options, schema) and _same(value, options, schema)


def _inner_types(value: Json, options: Sequence[Json], schema: Mapping[str, Any]) -> bool:
    """Whether the items of an array are of the declared type, or of that of an allowed array."""
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
    """Whether a value of the right type is one of those allowed."""
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
    """Return a text without what does not count, and any other value as it is."""
    return plain_text(value) if isinstance(value, str) else value


def _same_object(value: Mapping[str, Json], option: Mapping[str, Json]) -> bool:
    """Whether an object's values are among those allowed for each key."""
    for key, item in value.items():
        if key not in option:
            return False
        allowed = option[key] if isinstance(option[key], list) else [option[key]]
        if _plain(item) not in [_plain(other) for other in allowed]:
            return False
    return all(key in value or "" in allowed for key, allowed in option.items())


def _same_objects(value: Sequence[Json], option: Sequence[Json]) -> bool:
    """Whether a list's objects are, one by one, as allowed."""
    return len(value) == len(option) and all(
        isinstance(item, Mapping) and isinstance(other, Mapping) and _same_object(item, other)
        for item, other in zip(value, option, strict=True)
    )
