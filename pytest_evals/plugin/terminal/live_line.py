"""The live line: the engine's progress, while pytest waits for it.

On a terminal it is drawn to the right of pytest's output, on the same line, and erased before
pytest writes again: it never scrolls and never mixes with pytest's output. In a log it is a plain
line every 30 seconds. With ``-q`` there is none.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import pytest

from pytest_evals.engine import Progress, capture
from pytest_evals.ground.plain_text import format_cost, format_seconds
from pytest_evals.plugin.compat import (
    capture_suspended,
    terminal_reporter,
    terminal_stream,
    terminal_width,
    used_width,
)
from pytest_evals.plugin.terminal.guard import drawing
from pytest_evals.plugin.wire import read_brief

MIN_WIDTH = 24
"""The minimum width, in columns."""


class LiveLine:
    """Draws the live line.

    Args:
        config: pytest's.
        progress: returns the engine's progress; None before there is an engine.
        every_s: seconds between plain lines in a log.
    """

    def __init__(
        self,
        config: pytest.Config,
        progress: Callable[[], Progress | None],
        *,
        every_s: float = 30.0,
    ) -> None:
        self._every_s = every_s
        self._config = config
        self._progress = progress
        self._drawn = 0
        self._last = monotonic()
        self._started = monotonic()
        self._total = 0
        self._is_controller = False
        self._done = self._failed = self._errored = 0

    def expect(self, total: int) -> None:
        """Set the number of trials."""
        self._total = total
        self._started = self._last = monotonic()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Set the number of items: with workers, this process collects none itself."""
        if not self._total:
            self.expect(len(ids))
            self._is_controller = True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(
        self, report: pytest.TestReport
    ) -> Generator[None, object, object]:
        """Count a trial; erase the line before pytest writes."""
        self.clear()
        self._count(report)
        result = yield
        if self._is_controller:  # this process never waits for a trial, so it draws here
            self._show(None)
        return result

    def _count(self, report: pytest.TestReport) -> None:
        """Count a trial."""
        if read_brief(report) is not None:
            self._done += 1
            self._failed += report.failed and report.when == "call"
            self._errored += report.failed and report.when != "call"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        """Erase the line before pytest writes."""
        self.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Erase the line before the summary."""
        self.clear()

    def tick(self) -> None:
        """Draw, while waiting."""
        progress = self._progress()
        if progress is not None:
            self._show(progress)

    def _show(self, progress: Progress | None) -> None:
        """Draw on a terminal; in a log, write a line every so many seconds."""
        with drawing(self._config):
            self._show_on_reporter(progress)

    def _show_on_reporter(self, progress: Progress | None) -> None:
        reporter = terminal_reporter(self._config)
        if reporter is None:
            return
        if getattr(reporter, "isatty", False):  # other reporters may lack it
            self._draw(reporter, progress)
        elif monotonic() - self._last >= self._every_s:
            self._last = monotonic()
            with self._uncaptured():
                reporter.ensure_newline()
                reporter.write_line(f"evals: {self.text(progress)}")

    def text(self, progress: Progress | None) -> str:
        """Return the progress: done of all, in flight, failed, errored, cost, rate, time left.

        Args:
            progress: the engine's; None if the engines run in other processes.
        """
        elapsed = monotonic() - self._started
        done = self._done + (0 if progress is None else progress.ready)
        parts = [f"{done}/{self._total}"]
        if progress is not None:
            parts.append(f"{progress.in_flight} in flight")
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._errored:
            parts.append(f"{self._errored} errors")
        if progress is not None and progress.retries:
            parts.append(f"{progress.retries} retries")
        if progress is not None and progress.cost_usd:
            parts.append(format_cost(progress.cost_usd))
        if done and elapsed > 1:
            rate = done / elapsed
            parts.append(f"{rate:.1f}/s")
            if done < self._total:
                parts.append(f"{format_seconds((self._total - done) / rate)} left")
        return ", ".join(parts)

    def _draw(self, reporter: "pytest.TerminalReporter", progress: Progress | None) -> None:
        """Write to the right of the cursor and move the cursor back."""
        room = terminal_width(reporter) - used_width(reporter) - 2
        text = self.text(progress)[: max(0, room)]
        if len(text) < MIN_WIDTH:
            return
        self._write(reporter, f"\x1b[K  \x1b[2m{text}\x1b[0m\x1b[{len(text) + 2}D")
        self._drawn = len(text)

    def clear(self) -> None:
        """Erase what was drawn."""
        reporter = terminal_reporter(self._config) if self._drawn else None
        if reporter is not None:
            self._drawn = 0
            with drawing(self._config):
                self._write(reporter, "\x1b[K")

    def _write(self, reporter: "pytest.TerminalReporter", text: str) -> None:
        """Write past pytest's capture, and past the count of used columns."""
        stream = terminal_stream(reporter)
        with self._uncaptured():
            stream.write(text)
            stream.flush()

    @contextmanager
    def _uncaptured(self) -> Iterator[None]:
        """Suspend pytest's capture: while an item runs, stdout is not the terminal."""
        with capture_suspended(self._config):
            yield
        capture.install()
