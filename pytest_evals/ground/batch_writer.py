"""BatchWriter: a thread that writes items in batches, those that came while it was writing.

Knows neither what the items are nor where they go: the caller provides the function that writes.
"""

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
        self._change = threading.Condition()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: BaseException | None = None
        """Why the writer stopped; None while it works."""

    def add(self, item: T) -> None:
        """Queue an item; returns at once."""
        with self._change:
            if self.error is not None:
                return
            self._queue.append(item)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            elif len(self._queue) == 1:
                self._change.notify()

    def end(self) -> None:
        """Let the thread end once the queue is written; returns at once."""
        self._end.set()
        with self._change:
            self._change.notify()

    def close(self) -> None:
        """Return when every item is written, or the writer has stopped."""
        self.end()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        """Write until the queue is empty and no more items come."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._queue or self._end.is_set())
                if not self._queue:
                    return
            if self._gather_s:
                self._end.wait(self._gather_s)
            with self._change:
                batch, self._queue = self._queue, []
            try:
                self._write(batch)
            except BaseException as error:  # noqa: BLE001 - the owner of the writer reports it
                with self._change:
                    self.error = error
                    self._queue.clear()
                return
