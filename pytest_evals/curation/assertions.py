"""The assertions of a drafted case: those given in YAML, and those its record suggests."""

from collections.abc import Sequence
from typing import Any

from pytest_evals.curation.draft import CaseDraft
from pytest_evals.ground.errors import DatasetError, SettingsError
from pytest_evals.loaders.yaml import YamlLoader


def complete_case(
    draft: CaseDraft, *, case_id: str | None, assertions: Sequence[str], tools: bool
) -> dict[str, Any]:
    """Return the case with its id and scorers, keys in the order of a hand-written one.

    Args:
        draft: the case as recorded.
        case_id: its id; None keeps the draft's.
        assertions: scorers in YAML.
        tools: whether its tool calls are asserted, in order.

    Raises:
        SettingsError: an assertion is not valid YAML, or there are no tool calls to assert.
    """
    case = dict(draft.case)
    if case_id is not None:
        case["id"] = case_id
    scorers = [_parsed(text) for text in assertions]
    if tools:
        if not draft.tools:
            raise SettingsError("--tools: no tool was called, so there is nothing to assert")
        scorers.append({"tool_sequence": draft.tools})
    last = draft.script[-1] if draft.script else {}
    if last.get("kind") == "error" and not scorers:
        scorers.append({"expected_error": last["error_type"]})
    if scorers:
        case["scorers"] = scorers
    script = case.pop("script")
    return {**case, "script": script}


def _parsed(text: str) -> Any:
    """Parse one assertion."""
    try:
        return YamlLoader().parse(text.encode(), "--assert").data
    except DatasetError as error:
        raise SettingsError(f"--assert {text!r}: {error.problems[0].message}") from None
