"""Under pytest-xdist: whole shares for the workers, so that each can look far enough ahead.

xdist's own load scheduler hands out a few items at a time; a worker then cannot keep its share of
the concurrency busy. `ShareScheduling` sends every worker its whole share at once, and a
replacement gets what its predecessor left. When the session must stop, what is still queued is
taken back. xdist is imported only where it is already loaded.
"""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import pytest

from pytest_evals.plugin.session import Evals
from pytest_evals.result import TrialResult

_SAMPLE = re.compile(r"-\d+\]$")
"""What tells the samples of a case and model apart in their node ids."""


class Controller:
    """The controller's side."""

    def __init__(self, evals: Evals) -> None:
        self._evals = evals
        self._scheduler: ShareScheduling | None = None
        self._failures = 0
        self._told = False
        self._parts: dict[str, _Part] = {}
        self._free: list[_Part] = []
        self._folder: TemporaryDirectory[str] | None = None
        self._since = 0.0

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker which run it works for, and its part; a replacement takes over a part."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="pytest-evals-")
            self._since = monotonic()
        part = self._free.pop() if self._free else _Part(len(self._parts))
        self._parts[node.gateway.id] = part
        limit = self._evals.settings.timeout
        node.workerinput.update(
            evals_run=self._evals.run_id,
            evals_chain=self._evals.chain(),
            evals_rank=part.rank,
            evals_used=[part.usd, part.tokens],
            evals_folder=self._folder.name,
            evals_seconds=None if limit is None else limit - (monotonic() - self._since),
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take over what a worker has to tell; what a dead one leaves goes to its replacement."""
        output = getattr(node, "workeroutput", None) or {}
        self._evals.notes.extend(output.get("evals_notes", ()))
        part = self._parts.get(node.gateway.id)
        if error and part is not None:
            self._free.append(part)

    def pytest_unconfigure(self) -> None:
        """Remove the folder where workers take turns."""
        if self._folder is not None:
            self._folder.cleanup()

    def spent(self, worker: str, result: TrialResult) -> None:
        """Count what a worker's trial has cost, for the case that the worker dies."""
        part = self._parts.get(worker)
        if part is None:
            return
        for exchange in result.exchanges:
            if exchange.response is not None and exchange.source == "asked":
                part.usd += exchange.cost_usd or 0.0
                part.tokens += exchange.response.usage.total_tokens or 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """Note what was collected."""
        recorder = self._evals.config.pluginmanager.getplugin("evals-recorder")
        if recorder is not None and not self._told:
            self._told = True
            recorder.collected_ids(ids)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Bring our scheduler for ``--dist load``; other ways of distributing are left alone."""
        if config.getvalue("dist") != "load":
            return None
        self._scheduler = ShareScheduling(config)
        return self._scheduler

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take back what is queued when ``-x`` or ``--maxfail`` is reached."""
        if not report.failed or self._scheduler is None:
            return
        self._failures += 1
        most = self._evals.config.getvalue("maxfail")
        if most and self._failures >= most:
            self._scheduler.take_back()


@dataclass(slots=True)
class _Part:
    """One worker's part of the limits and budgets, and what has been used of it."""

    rank: int
    usd: float = 0.0
    tokens: int = 0


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
                from xdist.report import report_collection_diff

                message = report_collection_diff(expected, found, first.gateway.id, node.gateway.id)
                report = pytest.CollectReport(node.gateway.id, "failed", message, [])
                self._config.hook.pytest_collectreport(report=report)
        return same


def _worker_count(config: pytest.Config) -> int:
    """Return how many workers the session begins with: ``--tx`` has ``popen`` or ``2*popen``."""
    counts = (spec.partition("*") for spec in config.getvalue("tx"))
    return sum(int(head) if star and head.isdecimal() else 1 for head, star, _ in counts)


def queued_items(session: pytest.Session) -> list[pytest.Item] | None:
    """Return the items that wait in this worker's queue, in order; None where xdist hides them.

    The queue is not part of xdist's public interface: without it, only looking ahead is lost.
    """
    for plugin in session.config.pluginmanager.get_plugins():
        queue = getattr(plugin, "torun", None)
        if queue is None or type(plugin).__name__ != "WorkerInteractor":
            continue
        try:
            with queue.lock() as waiting:
                indices = [entry for entry in waiting if isinstance(entry, int)]
        except (AttributeError, TypeError):
            return None
        return [session.items[index] for index in indices]
    return None
