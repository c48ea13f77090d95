"""Controller: the session's side of pytest-xdist. xdist is imported only if it is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import pytest

from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.plugin.bridges.scheduling import ShareScheduling
from pytest_evals.plugin.wire import read_worker_notes, write_worker_input
from pytest_evals.result import TrialResult
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.session import Session
from pytest_evals.session.watched_run import why_ended


class Controller:
    """Gives workers their parts of the session. A `TrialObserver`, which counts what they spend.

    Args:
        config: pytest's.
        session: the session.
        ledger: the run's books.
    """

    def __init__(self, config: pytest.Config, session: Session, ledger: Ledger) -> None:
        self._config = config
        self._session = session
        self._ledger = ledger
        self._scheduler: ShareScheduling | None = None
        self._failures = 0
        self._collected = False
        self._parts: dict[str, _Part] = {}
        self._free: list[_Part] = []
        self._folder: TemporaryDirectory[str] | None = None
        self._since = 0.0
        self._reason = ""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Write a worker's input; a replacement takes over the part of a dead worker."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="pytest-evals-")
            self._since = monotonic()
        part = self._free.pop() if self._free else _Part(len(self._parts))
        self._parts[node.gateway.id] = part
        state = self._session.state
        limit = state.settings.timeout
        write_worker_input(
            node.workerinput,
            run_id=state.run_id,
            mark=self._session.mark.get(),
            share=WorkerShare(
                rank=part.rank,
                used_usd=part.usd,
                used_tokens=part.tokens,
                folder=Path(self._folder.name),
            ),
            seconds=None if limit is None else limit - (monotonic() - self._since),
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Read the notes of a worker; free the part of a dead one for its replacement."""
        self._session.notes.extend(read_worker_notes(node))
        part = self._parts.get(node.gateway.id)
        if error and part is not None:
            self._free.append(part)
            self._read_end(node.gateway.id)

    def _read_end(self, worker: str) -> None:
        """Note why a worker has died, if its watchdog tells."""
        assert self._folder is not None
        self._reason = why_ended(Path(self._folder.name), worker, self._session.state.settings)
        if self._reason:
            self._session.notes.add(self._reason)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, report: Any) -> None:
        """Add to the test at which a worker died why it did."""
        if self._reason:
            report.longrepr = f"{report.longrepr}\n{self._reason}"

    @pytest.hookimpl(tryfirst=True)  # before xdist waits seconds for its workers
    def pytest_sessionfinish(self) -> None:
        """Have workers make no further call: after an interrupt they run on for a while."""
        if self._folder is not None:
            WorkerShare(folder=Path(self._folder.name)).end_all()

    def pytest_unconfigure(self) -> None:
        """Delete the folder with the workers' locks."""
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, result: TrialResult, record: str, worker: str) -> None:
        """Count the cost of a worker's trial, for the worker's replacement if it dies."""
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
        if not self._collected:
            self._collected = True
            self._ledger.expect_collected(ids)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Return our scheduler for ``--dist load``; other values keep xdist's own."""
        if config.getvalue("dist") != "load":
            return None
        self._scheduler = ShareScheduling(config)
        return self._scheduler

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take back queued items when ``-x`` or ``--maxfail`` is reached."""
        if not report.failed or self._scheduler is None:
            return
        self._failures += 1
        limit = self._config.getvalue("maxfail")
        if limit and self._failures >= limit:
            self._scheduler.take_back()


@dataclass(slots=True)
class _Part:
    """One worker's part of the limits and budgets, and how much of it is used."""

    rank: int
    usd: float = 0.0
    tokens: int = 0
