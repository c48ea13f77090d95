"""Watchdog: a process that watches this one from outside, as its own threads cannot.

It ends this process if user code holds the interpreter past a deadline or a signal, and reports if
this process dies. This module knows processes and threads. It knows nothing of evals.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

BEAT_S = 0.5
"""Seconds between two signs of life."""
_PROGRAM = Path(__file__).with_name("watchdog_process.py")


class Watchdog:
    """Starts the process, and tells it which calls of user code are under way.

    Nothing is watched until `start`.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._numbers = itertools.count()
        self._stop = threading.Event()

    def start(
        self,
        *,
        limit_s: float | None,
        rescue: Sequence[str] = (),
        tell: Path | None = None,
        over: Path | None = None,
    ) -> None:
        """Start to watch. A system that cannot start a process is not watched.

        Args:
            limit_s: seconds until this process may be ended if it is held; None for no deadline.
            rescue: a command that writes what this process cannot write. It reads a JSON object
                with `reason` (deadline, died or the name of a signal), `names` (of the calls),
                `patient` (whether to wait for locks) and `again` (whether it is called once more,
                after it failed because of a lock).
            tell: a file for the same object; None for none.
            over: a file whose existence means that this process is to end; None for none.
        """
        if self._process is not None:
            return
        order = {
            "pid": os.getpid(),
            "limit_s": limit_s,
            "rescue": list(rescue),
            "tell": "" if tell is None else str(tell),
            "over": "" if over is None else str(over),
        }
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python
                [sys.executable, "-I", "-S", str(_PROGRAM), json.dumps(order)],
                stdin=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is not for it
            )
        except OSError:
            return
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        os.set_blocking(self._pipe, False)
        self._stop.clear()
        threading.Thread(target=self._beat, name="evals-watchdog", daemon=True).start()

    @contextmanager
    def taking_signals(self) -> Iterator[None]:
        """Have the numbers of signals written to the process, whatever this one executes.

        Only while the main thread waits for a trial: an event loop of a test, such as Trio's, takes
        them for itself. Elsewhere it changes nothing.
        """
        is_main = threading.current_thread() is threading.main_thread()
        if not (self.is_on and is_main and self._set_wakeup(self._pipe)):
            yield
            return
        try:
            yield
        finally:
            self._set_wakeup(-1)

    def _set_wakeup(self, pipe: int) -> bool:
        """Set where signals are written, unless another has set it; return whether it is set."""
        with suppress(ValueError, OSError):
            before = signal.set_wakeup_fd(pipe, warn_on_full_buffer=False)
            if before in {-1, self._pipe}:
                return True
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        return False

    def stop(self) -> None:
        """End the process: nothing is left to watch."""
        process, self._process = self._process, None
        if process is None:
            return
        self._stop.set()
        self._send("done")
        self._pipe = -1
        assert process.stdin is not None
        with suppress(OSError):
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)

    @contextmanager
    def naming(self, name: str) -> Iterator[None]:
        """Give the calls of user code in a block a name; see `user_code`."""
        token = _NAMED.set((self, name))
        try:
            yield
        finally:
            _NAMED.reset(token)

    def _send(self, event: str) -> None:
        """Send an event; it is lost if the process is gone or stopped."""
        with suppress(OSError):
            os.write(self._pipe, f"{event}\n".encode())

    def _beat(self) -> None:
        """Send signs of life."""
        while not self._stop.wait(BEAT_S):
            self._send("beat")

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        """Tell that a call is under way."""
        number = next(self._numbers)
        self._send(f"begin {number} {threading.get_native_id()} {json.dumps(name)}")
        try:
            yield
        finally:
            self._send(f"end {number}")

    @property
    def is_on(self) -> bool:
        """Whether it watches."""
        return self._process is not None


_NAMED: ContextVar[tuple[Watchdog, str] | None] = ContextVar("evals_watchdog", default=None)


@contextmanager
def user_code() -> Iterator[None]:
    """Tell the watchdog of this context, if it has one, that user code runs in this thread."""
    named = _NAMED.get()
    if named is None or not named[0].is_on:
        yield
        return
    watchdog, name = named
    with watchdog._call(name):  # noqa: SLF001 - of this module
        yield
