"""WorkerShare: which part of a session's limits and budgets one engine may use.

A session may have several engines (xdist's workers). What can be divided is divided; a limit that
is smaller than the number of engines cannot be, so there they take turns, by locked files.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pytest_evals.engine.budget import Budget
from pytest_evals.ground.files import FileLock

LOOK_S = 0.02
"""Seconds between two looks at whose turn it is, on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerShare:
    """One engine's part."""

    workers: int = 1
    """How many engines divide the whole."""
    rank: int = 0
    """0-based; the first ones get what does not divide evenly."""
    used_usd: float = 0.0
    """USD of this part that a predecessor has spent."""
    used_tokens: int = 0
    """Tokens of this part that a predecessor has used."""
    folder: Path | None = None
    """Where the engines take turns; None where there is no other."""

    def part(self, whole: int) -> int:
        """Return this engine's part of a limit, at least 1 (see `turns`)."""
        return max(1, whole // self.workers + (self.rank < whole % self.workers))

    def rate(self, whole: float | None) -> float | None:
        """Return this engine's part of a rate; None is unlimited."""
        return None if whole is None else whole / self.workers

    def budget(self, max_cost_usd: float | None, max_tokens: int | None) -> Budget:
        """Return this engine's part of the budget."""
        return Budget(
            None if max_cost_usd is None else max_cost_usd / self.workers,
            None if max_tokens is None else self.part(max_tokens),
            cost_usd=self.used_usd,
            tokens=self.used_tokens,
        )

    def turns(self, name: str, whole: int) -> "tuple[Turns, ...]":
        """Return how a limit is kept that is smaller than the number of engines; else nothing.

        Args:
            name: what is limited, the same in every engine.
            whole: calls at once, over all engines.
        """
        if self.folder is None or whole >= self.workers:
            return ()
        return (Turns(self.folder, sha256(name.encode()).hexdigest()[:16], whole),)


@dataclass(frozen=True, slots=True)
class Turns:
    """Lets so many calls through at once, over all processes: each holds a locked file.

    The operating system lets go of the lock of a process that was killed.
    """

    folder: Path
    name: str
    most: int

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one place for the length of a call."""
        claim = await self._claim()
        try:
            yield
        finally:
            claim.release()

    async def _claim(self) -> FileLock:
        """Wait for a place."""
        while True:
            for number in range(self.most):
                claim = FileLock(self.folder / f"{self.name}-{number}")
                if claim.is_held:
                    return claim
                claim.release()
            await asyncio.sleep(LOOK_S * random.uniform(0.5, 1.5))  # noqa: S311 - jitter


@asynccontextmanager
async def at_each(turns: tuple[Turns, ...]) -> AsyncIterator[None]:
    """Hold a place at each; all engines take them in the same order."""
    async with AsyncExitStack() as stack:
        for turn in turns:
            await stack.enter_async_context(turn.slot())
        yield
