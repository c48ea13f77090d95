"""Script: its short forms, and which events a trial gets."""

import pytest
from pydantic import ValidationError

from pytest_evals.script import Script, ToolCallEvent

HI, YO = ({"kind": "chat_response", "content": text} for text in ("hi", "yo"))


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ([HI], {"samples": [[HI]]}),
        ([HI, YO], {"samples": [[HI, YO]]}),
        ([[HI], [YO]], {"samples": [[HI], [YO]]}),
        ({"m": [HI]}, {"models": {"m": [[HI]]}}),
        ({"m": [[HI], [YO]]}, {"models": {"m": [[HI], [YO]]}}),
        ({"events": [HI]}, {"samples": [[HI]]}),
        ({"models": {"m": [HI]}}, {"models": {"m": [[HI]]}}),
        ([], {"samples": [[]]}),
    ],
)
def test_short_forms(written, same):
    """Each short form is equal to its long form, which reads back as itself."""
    script = Script.model_validate(written)
    assert script == Script.model_validate(same)
    assert Script.model_validate_json(script.model_dump_json()) == script


def test_events_and_samples_exclude_each_other():
    """The message names both keys and their meaning."""
    with pytest.raises(ValidationError, match=r"`events` .every sample. or `samples`"):
        Script.model_validate({"events": [HI], "samples": [[HI]]})


@pytest.mark.parametrize(
    ("written", "model", "sample", "expected"),
    [
        ([HI], "m", 0, "hi"),
        ([HI], "m", 7, "hi"),
        ([[HI], [YO]], "m", 1, "yo"),
        ([[HI], [YO]], "m", 2, None),
        ({"m": [YO], "n": [HI]}, "m", 3, "yo"),
        ({"m": [YO]}, "n", 0, None),
        ({"samples": [[HI]], "models": {"m": [[YO]]}}, "m", 0, "yo"),
        ({"samples": [[HI]], "models": {"m": [[YO]]}}, "n", 0, "hi"),
    ],
)
def test_events_of_a_trial(written, model, sample, expected):
    """A single list serves every sample; the events of a model override those of all."""
    events = Script.model_validate(written).events(model, sample)
    assert (None if events is None else events[0].content) == expected


@pytest.mark.parametrize(
    ("fields", "captured"),
    [({}, False), ({"result": None}, True), ({"result": 1}, True), ({"error": "e"}, True)],
)
def test_a_recorded_result_of_none_is_a_result(fields, captured):
    """Left out and None are different."""
    assert ToolCallEvent(kind="tool_call", name="t", **fields).captured == captured
