"""User code in processes: calls that use a CPU for long, with a timeout that kills them.

A worker is a Python process that runs one call at a time. Calls and results are pickles on its
standard input and output. This module knows processes and pipes. It knows nothing of evals.
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
from functools import partial
from typing import IO, Any

from pytest_evals.ground.errors import EvalsError
from pytest_evals.ground.process_tree import ProcessTree
from pytest_evals.ground.user_code import user_traceback

MAX_OUTPUT = 100_000
"""Maximum number of characters kept of the output of a call."""
_START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from pytest_evals.ground.user_process import serve; serve()"
)
_LENGTH = struct.Struct(">Q")
_TAIL = 2000
"""Bytes of a dead process's log shown in the error."""


class ProcessError(EvalsError):
    """A call in a process returned no result.

    Args:
        message: what happened to it.
        detail: traceback of the user's code, or the last lines of a dead process's log.
    """

    def __init__(self, message: str, *, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


@dataclass(slots=True)
class Job:
    """One call of a function in a process.

    Args:
        function: a function that can be imported by its name, because a pickle contains no code.
        args: its arguments; they must be picklable.
        timeout_s: maximum run time in seconds, without the wait for a free process; None: no limit.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    timeout_s: float | None = None
    _worker: "_Worker | None" = None
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """Cancel the job: kill the process that runs it, or prevent its start."""
        with self._lock:
            self._stopped = True
            if self._worker is not None:
                self._worker.kill()

    def assign(self, worker: "_Worker | None") -> bool:
        """Set the worker that runs the job; return False if the job was stopped."""
        with self._lock:
            if self._stopped:
                return False
            self._worker = worker
            return True


class ProcessPool:
    """A pool of workers. A worker starts when it is first needed and is reused.

    Args:
        size: maximum number of processes at once, >= 1.
    """

    def __init__(self, size: int) -> None:
        self._slots = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False

    def call(self, job: Job) -> tuple[Any, str]:
        """Run a job in a free process; block until it ends. Thread-safe.

        Returns:
            The function's return value and its output.

        Raises:
            ProcessError: the function raised, the job was stopped, the process died, or the
                arguments or the result cannot be pickled.
        """
        try:
            request = pickle.dumps((job.function, job.args))
        except Exception as error:  # noqa: BLE001 - __reduce__ may raise anything
            raise ProcessError(
                f"its arguments cannot be sent to a process: {type(error).__name__}: {error}"
            ) from None
        with self._slots:
            worker = self._acquire()
            discard = True
            try:
                if not job.assign(worker):
                    raise ProcessError("it was stopped before it began")
                reply = worker.call(request, job.timeout_s)
                discard = not job.assign(None)
            finally:
                self._release(worker, discard=discard)
        status, value, output = reply
        if status == "returned":
            return value, output
        raise ProcessError(value[0], detail=value[1])

    def close(self) -> None:
        """Kill all workers and the jobs that they run."""
        with self._lock:
            self._closed = True
            idle, busy = list(self._idle), list(self._busy)
            self._idle.clear()
        for worker in busy:
            worker.kill()
        for worker in idle:
            worker.end()

    def _acquire(self) -> "_Worker":
        """Return an idle worker, or start one."""
        with self._lock:
            if self._closed:
                raise ProcessError("the process pool is closed")
            worker = self._idle.pop() if self._idle else _Worker()
            self._busy.add(worker)
        return worker

    def _release(self, worker: "_Worker", *, discard: bool) -> None:
        """Keep a worker for the next call, or end it."""
        with self._lock:
            self._busy.discard(worker)
            if not (discard or self._closed):
                self._idle.append(worker)
                return
        worker.end()


class _Worker:
    """A process that runs one call at a time."""

    def __init__(self) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile(prefix="pytest-evals-")  # noqa: SIM115 - closed with the process
        self._tree = ProcessTree()
        self._process = subprocess.Popen(  # noqa: S603 - this Python
            [sys.executable, "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._tree.environ(os.environ),
            start_new_session=True,
        )

    def call(self, request: bytes, timeout_s: float | None) -> Any:
        """Send a pickled call and wait for its reply.

        Raises:
            ProcessError: the process ended before it replied, or was killed at the timeout.
        """
        if timeout_s is None:
            return self._exchange(request)
        timed_out = threading.Event()

        def stop() -> None:
            timed_out.set()
            self.kill()

        timer = threading.Timer(timeout_s, stop)
        timer.daemon = True
        timer.start()
        try:
            return self._exchange(request)
        except ProcessError:
            if timed_out.is_set():
                raise ProcessError(f"it took over {timeout_s:g} s and was stopped") from None
            raise
        finally:
            timer.cancel()

    def _exchange(self, request: bytes) -> Any:
        """Write a request to the process and read the reply."""
        requests, replies = self._process.stdin, self._process.stdout
        assert requests is not None
        assert replies is not None
        try:
            requests.write(_LENGTH.pack(len(request)) + request)
            requests.flush()
            reply = _read(replies)
        except (OSError, ValueError):  # a closed pipe
            reply = None
        if reply is None:
            raise self._death()
        try:
            return pickle.loads(reply)  # noqa: S301 - our own process
        except Exception as error:  # noqa: BLE001 - __setstate__ may raise anything
            raise ProcessError(f"its result cannot be read: {error}") from None

    def kill(self) -> None:
        """Kill the process and its children. A waiting `call` then raises."""
        with contextlib.suppress(OSError):
            if not self._tree.kill(self._process.pid):
                self._process.kill()

    def end(self) -> None:
        """Kill the process and close its pipes. No `call` may be waiting for a reply."""
        self.kill()  # if it has ended: what it has started
        for stream in (self._process.stdin, self._process.stdout, self._log):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()
        self._process.wait()

    def _death(self) -> ProcessError:
        """Return the error for a process that ended: its exit status and the end of its log."""
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
    """Run calls until standard input closes. This is the main function of a worker.

    Raises:
        OSError: standard input or output is closed.
    """
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)  # user code reads an empty standard input
    os.dup2(2, 1)  # output that bypasses Python goes to the log
    from pytest_evals.ground.user_loop import Loan, UserLoop

    loop = UserLoop()  # for all calls: clients that they share are bound to it
    while (request := _read(requests)) is not None:
        reply = Loan(loop).run(partial(_reply, request))
        replies.write(_LENGTH.pack(len(reply)) + reply)
        replies.flush()


def _reply(request: bytes) -> bytes:
    """Run a call and return its pickled result and output."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status, value = _run(request)
    text = output.getvalue()
    if len(text) > MAX_OUTPUT:
        text = f"{text[:MAX_OUTPUT]}\n... {len(text) - MAX_OUTPUT} more characters\n"
    try:
        return pickle.dumps((status, value, text))
    except Exception as error:  # noqa: BLE001 - __reduce__ may raise anything
        message = f"its result cannot be sent back: {type(error).__name__}: {error}"
        return pickle.dumps(("raised", (message, None), text))


def _run(request: bytes) -> tuple[str, Any]:
    """Run a call; return its status (returned or raised) and its value or error."""
    try:
        function, args = pickle.loads(request)  # noqa: S301 - from our own parent
        return "returned", function(*args)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - user code
        return "raised", (f"{type(error).__name__}: {error}", user_traceback(error))


def _read(stream: IO[bytes]) -> bytes | None:
    """Read one message; None at the end of the stream or if the message is incomplete."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    text = stream.read(length)
    return text if len(text) == length else None
