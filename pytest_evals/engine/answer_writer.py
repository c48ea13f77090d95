"""AnswerWriter: puts answers into the store on a thread, those that came meanwhile together.

Whoever brings an answer waits until it is kept, and no longer than that: one transaction takes
milliseconds where a disk is slow, whether it holds one answer or fifty.
"""

import asyncio
import threading
from contextlib import suppress

from pytest_evals.engine.threads import DaemonPool
from pytest_evals.responses.base import ResponseStore, StoredAnswer, put_all

_Waiting = tuple[StoredAnswer, "asyncio.Future[None]"]


class AnswerWriter:
    """Keeps answers, in the order in which they come.

    Args:
        store: where; one that has `put_all` is given several at a time.
    """

    def __init__(self, store: ResponseStore | None) -> None:
        self._store = store
        self._thread = DaemonPool(1, "evals-store")
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._working = False

    async def write(self, answer: StoredAnswer) -> None:
        """Return when an answer is kept; who stops waiting does not stop the writing.

        Raises:
            StoreError: it could not be kept.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            self._waiting.append((answer, future))
            begin, self._working = not self._working, True
        if begin:
            self._thread.submit(lambda: self._work(loop))
        await future

    async def finish(self) -> None:
        """Return when all that was brought is kept, or could not be."""
        await self._thread.run(lambda: None)  # behind the work: there is one thread

    def close(self) -> None:
        """Let the thread end."""
        self._thread.close()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write until nothing waits any more."""
        while True:
            with self._lock:
                batch, self._waiting = self._waiting, []
                if not batch:
                    self._working = False
                    return
            errors = self._put([answer for answer, _ in batch])
            with suppress(RuntimeError):  # the loop is gone: nobody waits
                loop.call_soon_threadsafe(_tell, batch, errors)

    def _put(self, answers: list[StoredAnswer]) -> list[Exception | None]:
        """Put answers into the store; return what went wrong with each."""
        assert self._store is not None
        if len(answers) > 1:
            with suppress(Exception):  # one of them, or the file: each is told its own error below
                put_all(self._store, answers)
                return [None] * len(answers)
        errors: list[Exception | None] = []
        for answer in answers:
            try:
                self._store.put(answer)
            except Exception as error:  # noqa: BLE001 - the trial is told, whatever it is
                errors.append(error)
            else:
                errors.append(None)
        return errors


def _tell(batch: list[_Waiting], errors: list[Exception | None]) -> None:
    """Tell those who wait."""
    for (_, future), error in zip(batch, errors, strict=True):
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
