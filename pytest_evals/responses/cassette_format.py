"""One line of a cassette: how an answer is written for people who review it, and read again."""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import ValidationError

from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.question_id import place_of

_ORDER = ("case", "model", "role", "sample", "turn", "key", "parts", "cost_usd", "identity")
_HIDDEN = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""What would turn, split or hide the text of a line in a review."""

_UNSTEADY: Any = {
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
"""What differs each time though the answer is the same."""


class Line(NamedTuple):
    """An answer and its text."""

    answer: StoredAnswer
    text: str


def write_line(answer: StoredAnswer, redact: Callable[[str], str]) -> Line:
    """Write an answer; the one in the result is what can be read again from the text.

    Keys stand where a reader looks first, characters that a reviewer could not see are escaped,
    a latency has three digits. The Key and the parts are digests and are not redacted.

    Raises:
        StoreError: the answer holds what no JSON can, or the redaction left no valid answer.
    """
    try:
        whole: dict[str, Any] = json.loads(answer.model_dump_json(exclude_defaults=True))
    except ValueError as error:
        raise StoreError(
            f"the answer of {answer.model!r} to {answer.case!r} was not recorded: it holds what no "
            f"JSON can: {error}"
        ) from error
    response = whole.pop("response")
    if "latency_s" in response:
        response["latency_s"] = float(f"{response['latency_s']:.3g}")
    own = {name: whole[name] for name in _ORDER if name in whole}
    own["response"] = response
    bare = {name: value for name, value in own.items() if name not in {"key", "parts"}}
    written = _dumps(bare)
    clean = redact(written)
    if clean != written:
        try:
            own.update(json.loads(clean))
        except ValueError as error:
            raise StoreError(
                f"the answer of {answer.model!r} to {answer.case!r} was not recorded: what the "
                f"redaction left of it is no JSON ({error}); see the patterns of `evals_redact`"
            ) from error
    text = _HIDDEN.sub(lambda match: json.dumps(match.group())[1:-1], _dumps(own))
    try:
        return parse_line(text)
    except ValueError as error:
        raise StoreError(
            f"the answer of {answer.model!r} to {answer.case!r} was not recorded: what the "
            f"redaction left of it cannot be read ({error}); see the patterns of `evals_redact`"
        ) from error


def parse_line(text: str) -> Line:
    """Read a line.

    Raises:
        ValueError: it is no answer, saying what is wrong with it.
    """
    try:
        return Line(StoredAnswer.model_validate_json(text), text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from error


def same_answer(one: StoredAnswer, other: StoredAnswer) -> bool:
    """Whether two recordings say the same, whatever it took to get the answer."""
    return (
        place_of(one) == place_of(other)
        and one.parts == other.parts
        and one.identity == other.identity
        and one.response.model_dump(exclude=_UNSTEADY)
        == other.response.model_dump(exclude=_UNSTEADY)
    )


def _dumps(value: dict[str, Any]) -> str:
    """Write JSON for reading: on one line, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
