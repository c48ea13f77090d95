"""BatchWriter: a thread that writes items in batches, those that came while it was writing.

Knows neither what the items are nor where they go: the caller provides the function that writes.
"""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class BatchWriter(Generic[T]):
    """Writes items in the order in which they come.

    Args:
        write: writes a batch. If it raises, the writer stops: `error` is set and further items are
            dropped.
        name: the name of the thread, which starts with the first item.
        gather_s: seconds in which items gather before a batch is written.
    """

    def __init__(
        self, write: Callable[[list[T]], None], *, name: str, gather_s: float = 0.0
    ) -> None:
        self._write = write
        self._name = name
        self._gather_s = gather_s
        self._queue: list[T] = []
        self._lock = threading.Lock()
        self._is_writing = False
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Wakes the thread; cheaper than a condition, which costs much for single items."""
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: BaseException | None = None
        """Why the writer stopped; None while it works."""

    def add(self, item: T) -> None:
        """Queue an item; returns at once."""
        with self._lock:
            if self.error is not None:
                return
            self._queue.append(item)
            must_wake, self._is_writing = not self._is_writing, True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
        if must_wake:
            self._wake.put(None)

    def end(self) -> None:
        """Let the thread end once the queue is written; returns at once."""
        self._end.set()
        self._wake.put(None)

    def close(self) -> None:
        """Return when every item is written, or the writer has stopped."""
        self.end()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        """Write until the queue is empty and no more items come."""
        while not (self._end.is_set() and self._is_idle()):
            self._wake.get()
            while (batch := self._next_batch()) is not None:
                try:
                    self._write(batch)
                except BaseException as error:  # noqa: BLE001 - the owner of the writer reports it
                    with self._lock:
                        self.error = error
                        self._queue.clear()
                    return

    def _is_idle(self) -> bool:
        """Whether no item waits."""
        with self._lock:
            return not self._queue

    def _next_batch(self) -> list[T] | None:
        """Take the items that wait, once they have gathered; None if there are none."""
        if self._gather_s:
            self._end.wait(self._gather_s)
        with self._lock:
            if not self._queue:
                self._is_writing = False
                return None
            batch, self._queue = self._queue, []
        return batch
