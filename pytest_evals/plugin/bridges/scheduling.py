"""ShareScheduling: an xdist scheduler that sends each worker its whole share at once.

xdist's own load scheduler sends a few items at a time. A worker then cannot look ahead far enough
to keep its share of the concurrency busy. A replacement worker gets the rest of its predecessor's
share; when the session must stop, queued items are taken back.
"""

import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from pytest_evals.plugin.compat import collection_difference

_SAMPLE = re.compile(r"-\d+\]$")
"""The part of a node id that differs between samples of a case and model."""


class ShareScheduling:
    """Sends each worker its whole share at once.

    The shares are interleaved, so that long and short cases, and models, are spread evenly.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._workers = _worker_count(config)
        self._collections: dict[Any, list[str]] = {}
        self._pending: dict[Any, list[int]] = {}
        self._unsent: deque[int] = deque()
        self._collection: list[str] | None = None
        self._stopped = False

    @property
    def nodes(self) -> list[Any]:
        """The workers."""
        return list(self._pending)

    @property
    def collection_is_completed(self) -> bool:
        """Whether all initial workers have collected."""
        return len(self._collections) >= self._workers

    @property
    def tests_finished(self) -> bool:
        """Whether no worker has items after the one it runs."""
        if not self.collection_is_completed or (self._unsent and not self._stopped):
            return False
        return all(len(pending) < 2 for pending in self._pending.values())

    @property
    def has_pending(self) -> bool:
        """Whether any item has not run."""
        return bool(self._unsent) or any(self._pending.values())

    def add_node(self, node: Any) -> None:
        """Add a worker."""
        self._pending[node] = []

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Store what a worker collected; a replacement with another collection is ignored."""
        if self._collection is not None and list(collection) != self._collection:
            return
        self._collections[node] = list(collection)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Remove a completed item from the worker's list."""
        pending = self._pending.get(node, [])
        if item_index in pending:
            pending.remove(item_index)

    def mark_test_pending(self, item: str) -> None:
        """Queue an item again, on behalf of another plugin."""
        assert self._collection is not None
        self._unsent.appendleft(self._collection.index(item))
        self._send()

    def remove_pending_tests_from_node(self, node: Any, indices: Sequence[int]) -> None:
        """Remove stolen items from a worker's list; they will not run."""
        stolen = set(indices)
        if node in self._pending:
            self._pending[node] = [i for i in self._pending[node] if i not in stolen]

    def remove_node(self, node: Any) -> str | None:
        """Remove a worker; its replacement runs the items it has not started.

        A worker that ended in order while the session stops has crashed at no item: it may have
        returned items of which its last message has not arrived.

        Returns:
            The item that was running when it died; None if there was none.
        """
        pending = self._pending.pop(node)
        if not pending or (self._stopped and _ended_in_order(node)):
            return None
        assert self._collection is not None
        self._unsent.extend(pending[1:])
        return self._collection[pending[0]]

    def schedule(self) -> None:
        """Send the shares; later, the rest of a dead worker's share."""
        if self._collection is None:
            if not self._same_collections():
                return
            self._collection = next(iter(self._collections.values()))
            self._unsent.extend(range(len(self._collection)))
        self._send()

    def _send(self) -> None:
        """Send the unsent items to idle workers, and tell workers to end after their last item."""
        idle = [n for n in self._pending if n in self._collections and not self._pending[n]]
        takers = idle or [n for n in self._pending if not n.shutting_down]
        if takers and self._unsent and not self._stopped:
            items = list(self._unsent)
            self._unsent.clear()
            cells = self._cells_of(items)
            for number, node in enumerate(takers):
                share = [item for cell in cells[number :: len(takers)] for item in cell]
                if not share:
                    continue
                try:
                    node.send_runtest_some(share)
                except OSError:  # the worker has ended: its replacement gets the share
                    self._unsent.extend(share)
                else:
                    self._pending[node].extend(share)
        if not self._unsent or self._stopped:
            for node in self._pending:
                node.shutdown()

    def _cells_of(self, items: Sequence[int]) -> list[list[int]]:
        """Group items by case and model: samples of one cell may depend on each other."""
        assert self._collection is not None
        cells: dict[str, list[int]] = {}
        for item in items:
            cells.setdefault(_SAMPLE.sub("]", self._collection[item]), []).append(item)
        return list(cells.values())

    def take_back(self) -> None:
        """Steal all items that no worker has started, one by one: xdist steals all or nothing."""
        if self._stopped:
            return
        self._stopped = True
        self._unsent.clear()
        for node, pending in self._pending.items():
            with suppress(OSError):  # the worker has ended: nothing is left to take back
                for index in pending[2:]:
                    node.send_steal([index])

    def _same_collections(self) -> bool:
        """Whether all workers collected the same items; if not, report the difference."""
        (first, expected), *others = self._collections.items()
        same = True
        for node, actual in others:
            if actual != expected:
                same = False
                message = collection_difference(expected, actual, first.gateway.id, node.gateway.id)
                report = pytest.CollectReport(node.gateway.id, "failed", message, [])
                self._config.hook.pytest_collectreport(report=report)
        return same


def _ended_in_order(node: Any) -> bool:
    """Whether a worker has sent its last message, and was not interrupted."""
    output = getattr(node, "workeroutput", None) or {}
    return bool(output.get("exitstatus", 2) != pytest.ExitCode.INTERRUPTED)


def _worker_count(config: pytest.Config) -> int:
    """Return how many workers the session begins with: ``--tx`` has ``popen`` or ``2*popen``."""
    counts = (spec.partition("*") for spec in config.getvalue("tx"))
    return sum(int(head) if star and head.isdecimal() else 1 for head, star, _ in counts)
