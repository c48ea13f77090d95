"""What a report says of a marked test, besides what pytest says of any."""

from typing import TYPE_CHECKING, Any

import pytest

from pytest_evals.plugin.collect import shown_instead
from pytest_evals.plugin.failure import NoAnswer, describe
from pytest_evals.plugin.python.outcome import Unmet, ended
from pytest_evals.plugin.python.turn import TURN

if TYPE_CHECKING:
    from pytest_evals.plugin.runner import Runner


def mark(
    runner: "Runner", item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> None:
    """Put the trial's record on the report of the phase that ends a test."""
    turn = item.stash.get(TURN, None)
    if turn is None:
        return
    if report.when == "teardown":
        del item.stash[TURN]
        return
    result = ended(turn, report.when, None if call.excinfo is None else call.excinfo.value)
    if result is None:
        return
    marked: Any = report
    result = runner.end(item, result, marked)
    if result.unneeded:
        marked.evals_word = ""  # the user's own skip, which pytest has a word for
    if hasattr(report, "wasxfail"):
        marked.evals_word = marked.evals_brief = ""
    if not report.failed or call.excinfo is None:
        return
    evals = turn.evals
    text = evals.redactor.redact(describe(result, turn.trial.model, evals.settings))
    if isinstance(call.excinfo.value, NoAnswer | Unmet):
        report.longrepr = shown_instead(item, call.excinfo, text)
    else:
        report.sections.append(("evals", text))


def may_be_skipped(item: pytest.Item) -> bool:
    """Whether marks may skip a test, so that its answer is not asked for ahead of it."""
    if item.get_closest_marker("skip") is not None:
        return True
    if any(not xfail.kwargs.get("run", True) for xfail in item.iter_markers("xfail")):
        return True
    return any(
        isinstance(condition, str) or condition
        for skipif in item.iter_markers("skipif")
        for condition in (skipif.kwargs.get("condition"), *skipif.args)
        if condition is not None
    )
