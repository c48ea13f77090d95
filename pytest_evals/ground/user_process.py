"""User code in processes: for calls that keep a processor busy, and that can be stopped.

A worker is a Python that runs one call at a time, sent and answered as a pickle through its
standard input and output. This module knows Python's processes, nothing of evals.
"""

import contextlib
import io
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from pytest_evals.ground.errors import EvalsError
from pytest_evals.ground.user_code import user_traceback

MOST_OUTPUT = 100_000
"""Characters kept of what a call prints."""
_START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from pytest_evals.ground.user_process import serve; serve()"
)
_LENGTH = struct.Struct(">Q")
_TAIL = 2000


class ProcessError(EvalsError):
    """A call in a process has no result.

    Args:
        message: what became of it.
        detail: the traceback of the user's code, or the last lines of a process that died.
    """

    def __init__(self, message: str, *, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


@dataclass(slots=True)
class Job:
    """One call.

    Args:
        function: can be imported by its name (a pickle holds no code).
        args: can be pickled.
        timeout_s: seconds it may run, without waiting for a process; None is no limit.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    timeout_s: float | None = None
    _worker: "_Worker | None" = None
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """Let nothing come of it any more: the process that runs it is killed."""
        with self._lock:
            self._stopped = True
            if self._worker is not None:
                self._worker.kill()

    def given_to(self, worker: "_Worker | None") -> bool:
        """Note who runs it; false where nobody must."""
        with self._lock:
            if self._stopped:
                return False
            self._worker = worker
            return True


class Processes:
    """Workers, started when first needed and kept for the next call.

    Args:
        most: processes at once, >= 1.
    """

    def __init__(self, most: int) -> None:
        self._places = threading.Semaphore(most)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False

    def call(self, job: Job) -> tuple[Any, str]:
        """Run a job, waiting for a free process; blocks. Safe in many threads.

        Returns:
            What the function returned, and what it printed.

        Raises:
            ProcessError: it raised, was stopped, its process died, or what goes to and fro cannot
                be pickled.
        """
        try:
            sent = pickle.dumps((job.function, job.args))
        except Exception as error:  # noqa: BLE001 - __reduce__ may raise anything
            raise ProcessError(
                f"what it is given cannot be sent to a process: {type(error).__name__}: {error}"
            ) from None
        with self._places:
            worker = self._take()
            ended = True
            try:
                if not job.given_to(worker):
                    raise ProcessError("it was stopped before it began")
                reply = worker.ask(sent, job.timeout_s)
                ended = not job.given_to(None)
            finally:
                self._put_back(worker, ended=ended)
        kind, value, printed = reply
        if kind == "returned":
            return value, printed
        raise ProcessError(value[0], detail=value[1])

    def close(self) -> None:
        """End all workers; what they run is lost."""
        with self._lock:
            self._closed = True
            idle, busy = list(self._idle), list(self._busy)
            self._idle.clear()
        for worker in busy:
            worker.kill()
        for worker in idle:
            worker.end()

    def _take(self) -> "_Worker":
        with self._lock:
            if self._closed:
                raise ProcessError("the processes are closed")
            worker = self._idle.pop() if self._idle else _Worker()
            self._busy.add(worker)
        return worker

    def _put_back(self, worker: "_Worker", *, ended: bool) -> None:
        with self._lock:
            self._busy.discard(worker)
            if not (ended or self._closed):
                self._idle.append(worker)
                return
        worker.end()


class _Worker:
    """A process that runs one call at a time."""

    def __init__(self) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile(prefix="pytest-evals-")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - this Python
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )

    def ask(self, sent: bytes, timeout_s: float | None) -> Any:
        """Send a call and wait for its reply.

        Raises:
            ProcessError: the process ends instead, or is stopped after its time.
        """
        if timeout_s is None:
            return self._ask(sent)
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(timeout_s, stop)
        timer.daemon = True
        timer.start()
        try:
            return self._ask(sent)
        except ProcessError:
            if late.is_set():
                raise ProcessError(f"it took over {timeout_s:g} s and was stopped") from None
            raise
        finally:
            timer.cancel()

    def _ask(self, sent: bytes) -> Any:
        tube, answers = self._process.stdin, self._process.stdout
        assert tube is not None
        assert answers is not None
        try:
            tube.write(_LENGTH.pack(len(sent)) + sent)
            tube.flush()
            reply = _read(answers)
        except (OSError, ValueError):  # a closed pipe
            reply = None
        if reply is None:
            raise self._died()
        try:
            return pickle.loads(reply)  # noqa: S301 - our own process
        except Exception as error:  # noqa: BLE001 - __setstate__ may raise anything
            raise ProcessError(f"its result cannot be read: {error}") from None

    def kill(self) -> None:
        """Stop the process and what it has started; who waits for its reply hears of it."""
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def end(self) -> None:
        """Stop it and let go of it; nobody may be waiting for its reply."""
        if self._process.returncode is None:
            self.kill()
        for tube in (self._process.stdin, self._process.stdout, self._log):
            with contextlib.suppress(OSError, ValueError):
                if tube is not None:
                    tube.close()
        self._process.wait()

    def _died(self) -> ProcessError:
        status = self._process.wait()
        how = f"with exit status {status}"
        if status < 0:
            with contextlib.suppress(ValueError):
                how = f"by {signal.Signals(-status).name}"
        with contextlib.suppress(OSError, ValueError):
            self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, self._log.tell() - _TAIL))
            tail = self._log.read().decode("utf-8", "replace").strip()
            return ProcessError(f"its process ended {how}", detail=tail or None)
        return ProcessError(f"its process ended {how}")


def serve() -> None:
    """Run calls until nobody sends any; the worker's side.

    Raises:
        OSError: the pipes are not there.
    """
    calls, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # user code that reads its input finds it empty
    os.dup2(2, 1)  # what is not printed through Python goes to the log
    while (sent := _read(calls)) is not None:
        text = _answered(sent)
        replies.write(_LENGTH.pack(len(text)) + text)
        replies.flush()


def _answered(sent: bytes) -> bytes:
    """Run a call and pickle what came of it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        kind, value = _outcome(sent)
    text = printed.getvalue()
    if len(text) > MOST_OUTPUT:
        text = f"{text[:MOST_OUTPUT]}\n... {len(text) - MOST_OUTPUT} more characters\n"
    try:
        return pickle.dumps((kind, value, text))
    except Exception as error:  # noqa: BLE001 - __reduce__ may raise anything
        said = f"its result cannot be sent back: {type(error).__name__}: {error}"
        return pickle.dumps(("raised", (said, None), text))


def _outcome(sent: bytes) -> tuple[str, Any]:
    try:
        function, args = pickle.loads(sent)  # noqa: S301 - from our own parent
        return "returned", function(*args)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - user code
        return "raised", (f"{type(error).__name__}: {error}", user_traceback(error))


def _read(stream: IO[bytes]) -> bytes | None:
    """Read one message; None at the end, and where it is cut."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    text = stream.read(length)
    return text if len(text) == length else None
