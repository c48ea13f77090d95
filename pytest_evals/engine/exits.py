"""Turns `os._exit` in a trial into an error of the trial.

It would end the session without a word, with the status that it names: also 0, which a CI system
takes for success. Other threads, and processes that user code forks, end as ever.
"""

import os
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from pytest_evals.engine.capture import current_buffer


class ExitGuard:
    """Replaces `os._exit` while an engine runs; several may overlap."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._pid = -1
        self._exit: Callable[[int], Any] = os._exit

    def install(self) -> None:
        """Replace the function."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._pid = os.getpid()
                self._exit = os._exit
                os._exit = self._end

    def remove(self) -> None:
        """Restore the function."""
        with self._lock:
            self._users -= 1
            if not self._users:
                os._exit = self._exit  # type: ignore[assignment]

    def _end(self, status: int) -> NoReturn:
        """Raise in a trial; end the process elsewhere.

        Raises:
            SystemExit: the caller is the code of a trial.
        """
        if current_buffer() is not None and os.getpid() == self._pid:
            raise SystemExit(f"os._exit({status}), which would end the session")
        self._exit(status)
        raise AssertionError("the process has ended")


EXIT_GUARD = ExitGuard()
"""Guards the one function of this process."""
