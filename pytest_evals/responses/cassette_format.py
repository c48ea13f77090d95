"""The format of a cassette: one response a line, written for review in a diff."""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import ValidationError

from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.question_id import question_id

_ORDER = ("case", "model", "role", "sample", "turn", "key", "parts", "cost_usd", "identity")
_HIDDEN = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Characters that reverse, split or hide the text of a line in a review."""

_VOLATILE: Any = {
    "latency_s": True,
    "cost_usd": True,
    "usage": True,
    "metadata": True,
    "trace": True,
    "trace_notes": True,
    "output": True,
    "tool_calls": {"__all__": {"duration_s"}},
    "messages": {"__all__": {"tool_calls": {"__all__": {"duration_s"}}}},
}
"""Fields that differ between recordings of the same response."""


class Line(NamedTuple):
    """A response and its line."""

    answer: StoredAnswer
    text: str


def write_line(answer: StoredAnswer, redact: Callable[[str], str]) -> Line:
    """Write a response; the result holds the response as it is parsed from the line.

    The keys that identify it come first, invisible characters are escaped, and a latency has three
    digits. The Key and the parts are digests and are not redacted.

    Raises:
        StoreError: the response has no JSON form, or is invalid after redaction.
    """
    try:
        record: dict[str, Any] = json.loads(answer.model_dump_json(exclude_defaults=True))
    except ValueError as error:
        raise StoreError(
            f"the answer of {answer.model!r} to {answer.case!r} was not recorded: it holds what no "
            f"JSON can: {error}"
        ) from error
    response = record.pop("response")
    if "latency_s" in response:
        response["latency_s"] = float(f"{response['latency_s']:.3g}")
    ordered = {name: record[name] for name in _ORDER if name in record}
    ordered["response"] = response
    unredacted = _dumps({k: v for k, v in ordered.items() if k not in {"key", "parts"}})
    redacted = redact(unredacted)
    if redacted != unredacted:
        try:
            ordered.update(json.loads(redacted))
        except ValueError as error:
            raise StoreError(
                f"the answer of {answer.model!r} to {answer.case!r} was not recorded: what the "
                f"redaction left of it is no JSON ({error}); see the patterns of `evals_redact`"
            ) from error
    text = _HIDDEN.sub(lambda match: json.dumps(match.group())[1:-1], _dumps(ordered))
    try:
        return parse_line(text)
    except ValueError as error:
        raise StoreError(
            f"the answer of {answer.model!r} to {answer.case!r} was not recorded: what the "
            f"redaction left of it cannot be read ({error}); see the patterns of `evals_redact`"
        ) from error


def parse_line(text: str) -> Line:
    """Parse a line.

    Raises:
        ValueError: it is no response; says why.
    """
    try:
        return Line(StoredAnswer.model_validate_json(text), text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise ValueError(f"{field}: {first['msg']}" if field else first["msg"]) from error


def same_answer(first: StoredAnswer, second: StoredAnswer) -> bool:
    """Return whether two recordings differ in volatile fields only."""
    return (
        question_id(first) == question_id(second)
        and first.parts == second.parts
        and first.identity == second.identity
        and first.response.model_dump(exclude=_VOLATILE)
        == second.response.model_dump(exclude=_VOLATILE)
    )


def _dumps(value: dict[str, Any]) -> str:
    """Write JSON on one line, with characters unescaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
