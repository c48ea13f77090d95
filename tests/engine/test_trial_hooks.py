"""Hooks of plugins around a trial: order, errors, time limits and redaction."""

import asyncio
import threading

import pytest

from pytest_evals.engine.trial_hooks import TrialHookRunner
from pytest_evals.ground.errors import PluginError
from pytest_evals.ground.notes import Notes
from pytest_evals.result import Outcome
from tests.engine._fakes import result_of, run, trial_of

TRIAL = trial_of()


class Hooks:
    """Records its calls; can fail or hang."""

    def __init__(self, *, before=None, after=(), hang=None):
        self.calling = {}
        self.order = []
        self.results = []
        self._before, self._after, self._hang = before, list(after), hang

    def before(self, trial):
        """Be called before a trial."""
        self.order.append("before")
        self.calling[trial.id] = "the hook of plugin p"
        if self._hang is not None:
            self._hang.wait(10)
        if self._before is not None:
            raise self._before

    def after(self, trial, result):
        """Be called after a trial."""
        self.order.append("after")
        self.results.append(result)
        return self._after


def run_with(hooks, *, timeout_s=10.0, redact=lambda text: text, output=""):
    """Run one trial between hooks; return its result and the notes."""
    notes = Notes()
    runner = TrialHookRunner(hooks, asyncio.to_thread, redact, timeout_s, notes)

    async def inner(trial):
        hooks.order.append("trial")
        return result_of(trial, output=output)

    return run(runner.run(TRIAL, inner)), list(notes)


def test_hooks_surround_the_trial():
    """Its result is handed on unchanged."""
    hooks = Hooks()
    result, notes = run_with(hooks)
    assert hooks.order == ["before", "trial", "after"]
    assert (result.outcome, notes, hooks.results) == (Outcome.PASSED, [], [result])


def test_a_hook_that_fails_before_a_trial_is_its_error():
    """No call is made, and the hooks after it still see the result."""
    hooks = Hooks(before=PluginError("p raised ValueError", detail="traceback"))
    result, notes = run_with(hooks)
    assert hooks.order == ["before", "after"]
    assert (result.outcome, result.error.type) == (Outcome.ERRORED, "target")
    assert result.error.message == "before this trial, p raised ValueError"
    assert (result.error.detail, notes) == ("traceback", [])


def test_hooks_that_fail_after_a_trial_are_notes():
    """The result stands."""
    hooks = Hooks(after=[PluginError("p raised A"), PluginError("q raised B")])
    result, notes = run_with(hooks)
    assert result.outcome is Outcome.PASSED
    assert notes == [
        f"after a trial, {x}; its result does not change" for x in ("p raised A", "q raised B")
    ]


@pytest.mark.heavy
def test_a_hook_that_hangs_is_named():
    """The trial ends within its time."""
    release = threading.Event()
    try:
        result, _ = run_with(Hooks(hang=release), timeout_s=0.05)
    finally:
        release.set()
    assert result.error.message == (
        "before this trial, the hook of plugin p took longer than a trial's 0.05 s"
    )


@pytest.mark.parametrize("secret", [True, False])
def test_hooks_see_no_secret(secret):
    """The result itself is redacted where it is recorded."""
    hooks = Hooks()
    redact = (lambda text: text.replace("sesame", "***")) if secret else (lambda text: text)
    result, _ = run_with(hooks, redact=redact, output="open sesame")
    assert hooks.results[0].output == ("open ***" if secret else "open sesame")
    assert result.output == "open sesame"
