"""AnswerWriter: stores answers in batches on a thread, while the event loop goes on.

Each trial waits until its answer is stored, and no longer. On a slow disk a transaction takes
milliseconds, whether it holds one answer or fifty.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from pytest_evals.ground.batch_writer import BatchWriter
from pytest_evals.ground.errors import StoreError
from pytest_evals.responses.base import ResponseStore, StoredAnswer, put_all


@dataclass(slots=True)
class _Item:
    """An answer to store; None only marks the end of all answers before it."""

    answer: StoredAnswer | None
    stored: "asyncio.Future[None]"


class AnswerWriter:
    """Stores answers in the order in which they come.

    Args:
        store: where; one that has `put_all` is given several answers at a time.
    """

    def __init__(self, store: ResponseStore | None) -> None:
        self._store = store
        self._writer: BatchWriter[_Item] = BatchWriter(self._write_batch, name="evals-store")

    async def write(self, answer: StoredAnswer) -> None:
        """Return when an answer is stored; cancelling the wait does not cancel the writing.

        Raises:
            StoreError: it could not be stored.
        """
        await self._add(answer)

    async def finish(self) -> None:
        """Return when all answers so far are stored, or failed."""
        if self._writer.error is None:
            await self._add(None)

    def close(self) -> None:
        """Let the thread end."""
        self._writer.end()

    async def _add(self, answer: StoredAnswer | None) -> None:
        """Queue an item and wait for it.

        Raises:
            StoreError: it could not be stored.
        """
        if self._writer.error is not None:
            raise StoreError(f"the writer of answers stopped: {self._writer.error!r}")
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.add(_Item(answer, stored))
        await stored

    def _write_batch(self, batch: list[_Item]) -> None:
        """Store a batch, and report to each trial. Runs on the thread."""
        answers = [item.answer for item in batch if item.answer is not None]
        errors = iter(self._store_answers(answers))
        results = [None if item.answer is None else next(errors) for item in batch]
        with suppress(RuntimeError):  # the loop is closed: no trial waits
            batch[0].stored.get_loop().call_soon_threadsafe(_report, batch, results)

    def _store_answers(self, answers: list[StoredAnswer]) -> list[Exception | None]:
        """Store answers together, or each by itself if that fails; return the error of each."""
        store = self._store
        if store is None:
            return [None] * len(answers)
        if len(answers) > 1:
            with suppress(Exception):  # one answer or the whole file; each is tried alone below
                put_all(store, answers)
                return [None] * len(answers)
        errors: list[Exception | None] = []
        for answer in answers:
            try:
                store.put(answer)
            except Exception as error:  # noqa: BLE001 - whatever it is, the trial gets it
                errors.append(error)
            else:
                errors.append(None)
        return errors


def _report(batch: list[_Item], errors: list[Exception | None]) -> None:
    """Wake the trials that wait. Runs on the event loop."""
    for item, error in zip(batch, errors, strict=True):
        if item.stored.done():
            continue
        if error is None:
            item.stored.set_result(None)
        else:
            item.stored.set_exception(error)
