"""Sampling parameters: which of them are numbers. Pure."""

import reprlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

NUMBERS = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "seed", "n"),
        *("max_tokens", "max_completion_tokens", "max_output_tokens", "top_logprobs"),
        *("frequency_penalty", "presence_penalty", "repetition_penalty", "dimensions"),
    }
)
"""Parameters that are one number wherever they are known."""


def number_problems(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each parameter with a list or a mapping where a number belongs, and a message.

    A server would reject it, or worse, ignore it; a program of the user would get the list.
    """
    for name, value in params.items():
        if name in NUMBERS and isinstance(value, list | tuple | dict | set):
            yield name, f"`{name}` is one number, found {reprlib.repr(value)}"


def _check(params: dict[str, Any]) -> dict[str, Any]:
    """Reject lists where numbers belong.

    Raises:
        ValueError: there are some; pydantic reports it.
    """
    if problems := [message for _, message in number_problems(params)]:
        raise ValueError("; ".join(problems))
    return params


Params = Annotated[dict[str, Any], AfterValidator(_check)]
"""Sampling parameters as an option of a scorer."""
