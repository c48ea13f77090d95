"""explain: what changed since an answer was stored."""

import pytest

from pytest_evals.responses.stale import explain

PARTS = {"model": "1", "messages": "2", "temperature": "3"}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({**PARTS, "messages": "x"}, "the prompt changed"),
        ({**PARTS, "model": "x", "messages": "y"}, "the model and the prompt changed"),
        (
            {**PARTS, "model": "x", "messages": "y", "temperature": "z"},
            "the model, the prompt and `temperature` changed",
        ),
        ({**PARTS, "tools": "x"}, "the tools changed"),
        ({"model": "1", "messages": "2"}, "`temperature` changed"),
        (PARTS, "something in the question that its parts do not show changed"),
    ],
)
def test_changed_parts_are_named(wanted: dict[str, str], expected: str) -> None:
    """Parts that differ, are new or are gone are named in words."""
    actual = explain(PARTS, wanted)
    assert expected == actual


def test_parts_with_the_same_word_are_named_once() -> None:
    """Two names of the prompt make one word."""
    actual = explain({"messages": "1", "prompt": "1"}, {"messages": "2", "prompt": "2"})
    assert actual == "the prompt changed"
