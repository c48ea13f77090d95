"""TrialHookRunner: calls plugins before and after each trial, in threads, within the trial's time.

Knows no plugin: the host provides the two functions that call them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_evals.engine.synthetic_results import result_without_call
from pytest_evals.exchange import ErrorInfo
from pytest_evals.ground.canonical import to_json
from pytest_evals.ground.errors import PluginError
from pytest_evals.ground.notes import Notes
from pytest_evals.matrix import Trial
from pytest_evals.result import Outcome, TrialResult


class TrialHooks(Protocol):
    """Calls plugins before and after each trial; may block, and is called by several threads."""

    calling: dict[str, str]
    """The hook that is running, by the trial's id."""

    def before(self, trial: Trial) -> None:
        """Call the plugins before a trial.

        Raises:
            PluginError: a plugin failed; the trial does not run.
        """
        ...

    def after(self, trial: Trial, result: TrialResult) -> list[PluginError]:
        """Call the plugins after a trial; return their errors."""
        ...


@dataclass(slots=True)
class TrialHookRunner:
    """Runs a trial between its hooks."""

    hooks: TrialHooks
    run_sync: Callable[[Callable[[], Any]], Awaitable[Any]]
    """Runs a blocking callable in a thread."""
    redact: Callable[[str], str]
    """Removes secrets from a JSON text."""
    timeout_s: float
    """Seconds that the hooks before, or after, a trial may take."""
    notes: Notes

    async def run(
        self, trial: Trial, inner: Callable[[Trial], Awaitable[TrialResult]]
    ) -> TrialResult:
        """Run one trial."""
        try:
            await self._call_hooks(trial, lambda: self.hooks.before(trial))
        except PluginError as error:
            result = _failed_before(trial, error)
        else:
            result = await inner(trial)
        redacted = self._redacted(result)
        errors: list[PluginError] = []
        try:
            errors = await self._call_hooks(trial, lambda: self.hooks.after(trial, redacted))
        except PluginError as error:
            errors = [error]
        for failure in errors:
            self.notes.add(f"after a trial, {failure}; its result does not change")
        return result

    async def _call_hooks(self, trial: Trial, call: Callable[[], Any]) -> Any:
        """Call in a thread, within the time limit.

        Raises:
            PluginError: it took longer.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self.run_sync(call)
        except TimeoutError:
            name = self.hooks.calling.get(trial.id, "a plugin")
            raise PluginError(f"{name} took longer than a trial's {self.timeout_s:g} s") from None

    def _redacted(self, result: TrialResult) -> TrialResult:
        """Remove secrets from a result."""
        result, text = to_json(result)
        clean = self.redact(text)
        return result if clean == text else TrialResult.model_validate_json(clean)


def _failed_before(trial: Trial, error: PluginError) -> TrialResult:
    """Make the result of a trial whose hook failed; no call was made."""
    message = f"before this trial, {error.message}"
    return result_without_call(
        trial, Outcome.ERRORED, ErrorInfo(type="target", message=message, detail=error.detail)
    )
