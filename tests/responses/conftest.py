"""Answers to store."""

from collections.abc import Callable

import pytest

from pytest_evals.exchange import Response, Usage
from pytest_evals.responses.base import StoredAnswer


@pytest.fixture
def make_answer() -> Callable[..., StoredAnswer]:
    """Return a function that makes an answer."""

    def make(
        key: str, text: str = "thirty days", *, case: str = "a", **more: object
    ) -> StoredAnswer:
        response = Response(text=text, usage=Usage(input_tokens=3, output_tokens=4), latency_s=0.25)
        return StoredAnswer(
            **{"model": "m", "parts": {"messages": "1"}, "response": response, **more},
            key=key,
            case=case,
        )

    return make
