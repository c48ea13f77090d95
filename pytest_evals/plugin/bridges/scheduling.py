"""ShareScheduling: an xdist scheduler that sends each worker its whole share at once.

xdist's own load scheduler sends a few items at a time. A worker then cannot look ahead far enough
to keep its share of the concurrency busy. A replacement worker gets the rest of its predecessor's
share; when the session must stop, queued items are taken back.
"""

import re
from collections import deque
from collections.abc import Sequence
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
        self._left: deque[int] = deque()
        self._collection: list[str] | None = None
        self._stopped = False

    @property
    def nodes(self) -> list[Any]:
        """The workers."""
        return list(self._pending)

    @property
    def collection_is_completed(self) -> bool:
        """Whether all first workers have collected."""
        return len(self._collections) >= self._workers

    @property
    def tests_finished(self) -> bool:
        """Whether no worker has more than the item it runs."""
        if not self.collection_is_completed or (self._left and not self._stopped):
            return False
        return all(len(pending) < 2 for pending in self._pending.values())

    @property
    def has_pending(self) -> bool:
        """Whether any item has not been run."""
        return bool(self._left) or any(self._pending.values())

    def add_node(self, node: Any) -> None:
        """Take a worker in."""
        self._pending[node] = []

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Note what a worker collected; a replacement must have collected the same."""
        if self._collection is not None and list(collection) != self._collection:
            return
        self._collections[node] = list(collection)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Cross an item off."""
        self._pending[node].remove(item_index)

    def mark_test_pending(self, item: str) -> None:
        """Put an item back (a plugin wants it run again)."""
        assert self._collection is not None
        self._left.appendleft(self._collection.index(item))
        self._hand_out()

    def remove_pending_tests_from_node(self, node: Any, indices: Sequence[int]) -> None:
        """Cross off what a worker gave back: it will not be run."""
        gone = set(indices)
        if node in self._pending:
            self._pending[node] = [i for i in self._pending[node] if i not in gone]

    def remove_node(self, node: Any) -> str | None:
        """Let a worker go; what it had not begun is left for its replacement.

        Returns:
            The item that was running when it died; None where it had none.
        """
        pending = self._pending.pop(node)
        if not pending:
            return None
        assert self._collection is not None
        self._left.extend(pending[1:])
        return self._collection[pending[0]]

    def schedule(self) -> None:
        """Hand out the shares; later, what a dead worker left."""
        if self._collection is None:
            if not self._same_collections():
                return
            self._collection = next(iter(self._collections.values()))
            self._left.extend(range(len(self._collection)))
        self._hand_out()

    def _hand_out(self) -> None:
        """Send what is left to the workers that can still take it, and let them end after it."""
        idle = [n for n in self._pending if n in self._collections and not self._pending[n]]
        takers = idle or [n for n in self._pending if not n.shutting_down]
        if takers and self._left and not self._stopped:
            items = list(self._left)
            self._left.clear()
            cells = self._cells_of(items)
            for number, node in enumerate(takers):
                share = [item for cell in cells[number :: len(takers)] for item in cell]
                if share:
                    self._pending[node].extend(share)
                    node.send_runtest_some(share)
        if not self._left or self._stopped:
            for node in self._pending:
                node.shutdown()

    def _cells_of(self, items: Sequence[int]) -> list[list[int]]:
        """Return items by case and model: their samples may have to know of each other."""
        assert self._collection is not None
        cells: dict[str, list[int]] = {}
        for item in items:
            cells.setdefault(_SAMPLE.sub("]", self._collection[item]), []).append(item)
        return list(cells.values())

    def take_back(self) -> None:
        """Take back what no worker has begun. A worker gives all that is asked for, or nothing."""
        if self._stopped:
            return
        self._stopped = True
        self._left.clear()
        for node, pending in self._pending.items():
            for index in pending[2:]:
                node.send_steal([index])

    def _same_collections(self) -> bool:
        """Whether all workers collected the same; where not, say how they differ."""
        (first, expected), *others = self._collections.items()
        same = True
        for node, found in others:
            if found != expected:
                same = False
                message = collection_difference(expected, found, first.gateway.id, node.gateway.id)
                report = pytest.CollectReport(node.gateway.id, "failed", message, [])
                self._config.hook.pytest_collectreport(report=report)
        return same


def _worker_count(config: pytest.Config) -> int:
    """Return how many workers the session begins with: ``--tx`` has ``popen`` or ``2*popen``."""
    counts = (spec.partition("*") for spec in config.getvalue("tx"))
    return sum(int(head) if star and head.isdecimal() else 1 for head, star, _ in counts)
