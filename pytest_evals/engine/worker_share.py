"""WorkerShare: the part of a session's limits and budgets that one engine may use.

A session with xdist has an engine in each worker. A limit that can be divided is divided. A limit
smaller than the number of engines cannot be; there the processes share it through locked files.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pytest_evals.engine.budget import Budget
from pytest_evals.ground.files import FileLock

POLL_S = 0.02
"""Mean seconds between two attempts to lock a slot."""

_OVER = "over"
"""The file whose existence ends the calls of all workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerShare:
    """One engine's part."""

    workers: int = 1
    """How many engines divide the whole, >= 1."""
    rank: int = 0
    """0-based; the first ones get the remainder of a division."""
    used_usd: float = 0.0
    """USD of this part that a predecessor has spent."""
    used_tokens: int = 0
    """Tokens of this part that a predecessor has used."""
    folder: Path | None = None
    """Where the locked files are; None for a single engine."""

    def end_all(self) -> None:
        """Have all engines with this folder make no further call."""
        if self.over is not None:
            with suppress(FileNotFoundError):
                self.over.touch()

    @property
    def over(self) -> Path | None:
        """The file whose existence ends the calls of all engines; None for a single engine."""
        return None if self.folder is None else self.folder / _OVER

    def is_over(self) -> bool:
        """Whether the session of this engine has ended: it said so, or removed its folder."""
        if self.folder is None:
            return False
        return (self.folder / _OVER).exists() or not self.folder.exists()

    def part(self, whole: int) -> int:
        """Return this engine's part of a limit, at least 1 (see `process_limits`)."""
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

    def process_limits(self, name: str, whole: int) -> "tuple[ProcessLimit, ...]":
        """Return a limit over all processes if it is smaller than their number; else nothing.

        Args:
            name: what is limited, the same in every engine.
            whole: concurrent calls over all engines.
        """
        if self.folder is None or whole >= self.workers:
            return ()
        return (ProcessLimit(self.folder, sha256(name.encode()).hexdigest()[:16], whole),)


@dataclass(frozen=True, slots=True)
class ProcessLimit:
    """Limits concurrent calls over all processes: each call holds a locked file.

    The operating system unlocks the files of a killed process.
    """

    folder: Path
    name: str
    slots: int

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a slot for the length of a call."""
        lock = await self._lock_slot()
        try:
            yield
        finally:
            lock.release()

    async def _lock_slot(self) -> FileLock:
        """Wait for a free slot and lock it."""
        while True:
            for number in range(self.slots):
                lock = FileLock(self.folder / f"{self.name}-{number}")
                if lock.is_held:
                    return lock
                lock.release()
            await asyncio.sleep(POLL_S * random.uniform(0.5, 1.5))  # noqa: S311 - jitter


@asynccontextmanager
async def hold_all(limits: tuple[ProcessLimit, ...]) -> AsyncIterator[None]:
    """Hold a slot of each limit; all engines lock them in the same order, so none deadlocks."""
    async with AsyncExitStack() as stack:
        for limit in limits:
            await stack.enter_async_context(limit.slot())
        yield
