"""What plugins do before and after a trial: in threads, within the trial's time, and named.

Knows no plugin: the host gives the two functions that call them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_evals.engine.synthetic_results import unanswered
from pytest_evals.exchange import ErrorInfo
from pytest_evals.ground.canonical import to_json
from pytest_evals.ground.errors import PluginError
from pytest_evals.matrix import Trial
from pytest_evals.result import Outcome, TrialResult


class TrialHooks(Protocol):
    """Calls plugins before and after each trial; may block, and is called by several threads."""

    calling: dict[str, str]
    """What is being called, by the trial's id."""

    def before(self, trial: Trial) -> None:
        """Get everything ready.

        Raises:
            PluginError: a plugin failed; the trial is not to be run.
        """
        ...

    def after(self, trial: Trial, result: TrialResult) -> list[PluginError]:
        """Tell what became of a trial; return what went wrong."""
        ...


@dataclass(slots=True)
class TrialHookRunner:
    """Runs trials between the two."""

    hooks: TrialHooks
    run_sync: Callable[[Callable[[], Any]], Awaitable[Any]]
    """Runs a blocking callable in a thread."""
    redact: Callable[[str], str]
    """Takes secrets out of a JSON text."""
    most_s: float
    """Seconds that what is done before or after a trial may take."""
    notes: list[str]
    """What the user must know."""

    async def run(
        self, trial: Trial, inner: Callable[[Trial], Awaitable[TrialResult]]
    ) -> TrialResult:
        """Run one trial."""
        try:
            await self._within(trial, lambda: self.hooks.before(trial))
        except PluginError as error:
            result = _not_ready(trial, error)
        else:
            result = await inner(trial)
        told = self._clean(result)
        wrong: list[PluginError] = []
        try:
            wrong = await self._within(trial, lambda: self.hooks.after(trial, told))
        except PluginError as error:
            wrong = [error]
        for one in wrong:
            note = f"after a trial, {one}; its result stands"
            if note not in self.notes:
                self.notes.append(note)
        return result

    async def _within(self, trial: Trial, call: Callable[[], Any]) -> Any:
        """Call in a thread, for as long as a trial may take.

        Raises:
            PluginError: it took longer.
        """
        try:
            return await asyncio.wait_for(_awaited(self.run_sync(call)), self.most_s)
        except TimeoutError:
            name = self.hooks.calling.get(trial.id, "a plugin")
            raise PluginError(f"{name} took longer than a trial's {self.most_s:g} s") from None

    def _clean(self, result: TrialResult) -> TrialResult:
        """Take secrets out of a result."""
        result, text = to_json(result)
        clean = self.redact(text)
        return result if clean == text else TrialResult.model_validate_json(clean)


async def _awaited(found: Awaitable[Any]) -> Any:
    return await found


def _not_ready(trial: Trial, error: PluginError) -> TrialResult:
    """Make the result of a trial that a plugin could not get ready; nothing was asked."""
    message = f"before this trial, {error.message}"
    return unanswered(
        trial, Outcome.ERRORED, ErrorInfo(type="target", message=message, detail=error.detail)
    )
