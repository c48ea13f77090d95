"""Watches another process from outside. Standard library only: it is started by its path.

Code in C can hold the interpreter of the watched process: then none of its threads runs, no
deadline is kept, and no signal is handled. This process reads events on its standard input:

``beat``                     the watched process is alive (any event says so)
``begin NUMBER THREAD NAME`` a call of user code begins in a thread
``end NUMBER``               it has ended
``done``                     nothing is left to watch

The C handler of signals writes the number of a signal as a byte there (`signal.set_wakeup_fd`).
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, TypeAlias

Events: TypeAlias = "queue.SimpleQueue[bytes | None]"
"""The lines of standard input; None is their end."""

SILENT_S = 3.0
"""Seconds without an event after which a process is held; it sends a beat twice a second."""
STEP_S = 0.25
RESCUE_S = 30.0
"""Seconds that the rescue may take."""
_CONTROL = bytes(range(32))
SPIN = 10
"""Context switches in `SPIN_S` of a thread that waits for the interpreter: it looks 200 times a
second. Other threads wait or calculate, and switch far less."""
SPIN_S = 0.4


class Watch:
    """The state of the watched process, as its events tell it.

    Args:
        pid: the process.
        limit_s: seconds until its deadline; None without one.
        over: a file whose existence means that the process is to end; empty for none.
    """

    def __init__(self, pid: int, limit_s: float | None, over: str) -> None:
        self.pid = pid
        self.deadline = None if limit_s is None else time.monotonic() + limit_s
        self.heard = time.monotonic()
        self.over = over
        self.ended_at = 0.0
        self.ended_by = ""
        self.calls: dict[str, tuple[int, str]] = {}
        self.is_done = False

    def hear(self, line: bytes) -> None:
        """Take an event, before which there may be numbers of signals."""
        self.heard = time.monotonic()
        words = line.lstrip(_CONTROL)
        for byte in line[: len(line) - len(words)]:
            if byte in {signal.SIGINT, signal.SIGTERM}:
                self.ended_at, self.ended_by = self.heard, signal.Signals(byte).name
        event, _, rest = words.decode("utf-8", "replace").strip().partition(" ")
        if event == "begin":
            number, thread, name = rest.split(" ", 2)
            self.calls[number] = (int(thread), json.loads(name))
        elif event == "end":
            self.calls.pop(rest, None)
        elif event == "done":
            self.is_done = True

    def verdict(self) -> str:
        """Return why the process must be ended now: ``deadline``, a signal, or nothing."""
        now = time.monotonic()
        if now - self.heard < SILENT_S:
            return ""
        if not self.ended_at and self.over and Path(self.over).exists():
            self.ended_at, self.ended_by = now, "the end of the session"
        if self.ended_at and now - self.ended_at >= SILENT_S:
            return self.ended_by
        late = self.deadline is not None and now >= self.deadline
        return "deadline" if late and self.calls else ""

    def suspects(self, *, is_alive: bool) -> list[str]:
        """Return the names of the calls that may hold the interpreter, the newest first."""
        calls = list(self.calls.values())[::-1]
        threads = {thread for thread, _ in calls}
        others = waiting_threads(self.pid, threads) if is_alive else set()
        locked = {thread for thread in threads if is_at_lock(self.pid, thread)}
        if is_alive and threads - others - locked:
            others |= locked
        holding = [name for thread, name in calls if thread not in others]
        return list(dict.fromkeys(holding or [name for _, name in calls]))


def waiting_threads(pid: int, threads: set[int]) -> set[int]:
    """Return which threads wait for the interpreter; none where the system does not tell."""
    before = {thread: switches(pid, thread) for thread in threads}
    time.sleep(SPIN_S)
    return {
        thread
        for thread, count in before.items()
        if count is not None and (switches(pid, thread) or 0) - count >= SPIN
    }


def switches(pid: int, thread: int) -> int | None:
    """Return how often a thread has waited so far; None where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/task/{thread}/status").read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    return None


def is_at_lock(pid: int, thread: int) -> bool:
    """Whether a thread waits for a lock, which code that holds the interpreter seldom does."""
    try:
        return "futex" in Path(f"/proc/{pid}/task/{thread}/wchan").read_text()
    except OSError:
        return False


def is_parent(pid: int) -> bool:
    """Whether the watched process is alive: it started this one."""
    return os.name == "nt" or os.getppid() == pid


def read(events: Events) -> None:
    """Pass on the lines of standard input, a signal before its line, and None at the end."""
    rest = b""
    while chunk := os.read(sys.stdin.fileno(), 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            events.put(line)
        words = rest.lstrip(_CONTROL)
        if words != rest:
            events.put(rest[: len(rest) - len(words)])
            rest = words
    events.put(None)


def run(watch: Watch, events: Events) -> str:
    """Return why the watched process has to be ended, or ``died``; nothing if all went well."""
    stepped = time.monotonic()
    while not watch.is_done:
        try:
            line = events.get(timeout=STEP_S)
        except queue.Empty:
            line = b""
        if line is None or not is_parent(watch.pid):
            while line is not None and not watch.is_done:  # what it said before it died
                if line:
                    watch.hear(line)
                try:
                    line = events.get(timeout=STEP_S)
                except queue.Empty:
                    break
            return "died" if watch.calls and not watch.is_done else ""
        now = time.monotonic()
        if now - stepped > STEP_S + 1:  # the whole machine slept
            watch.heard = now
        stepped = now
        if line:
            watch.hear(line)
        elif reason := watch.verdict():
            return reason
    return ""


def rescue(argv: list[str], ending: dict[str, Any]) -> bool:
    """Have the results written that the process cannot write; return whether it worked."""
    try:
        given = json.dumps(ending).encode()
        done = subprocess.run(argv, input=given, timeout=RESCUE_S, check=False)  # noqa: S603 - our parent's
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def end(pid: int) -> None:
    """Kill a process."""
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        return


def main() -> None:
    """Watch until the process is done, has died, or must be ended."""
    order = json.loads(sys.argv[1])
    pid, argv = order["pid"], order["rescue"]
    state = Watch(pid, order["limit_s"], order["over"])
    events: Events = queue.SimpleQueue()
    threading.Thread(target=read, args=(events,), daemon=True).start()
    reason = run(state, events)
    if reason:
        alive = reason != "died"
        ending: dict[str, Any] = {"reason": reason, "names": state.suspects(is_alive=alive)}
        if order["tell"]:
            draft = Path(order["tell"] + ".tmp")
            draft.write_text(json.dumps(ending))
            draft.replace(order["tell"])
        # The caller of the process must find everything written when it ends. But it may hold a
        # lock of the store; then it is ended first.
        is_written = not argv or rescue(argv, {**ending, "patient": not alive, "again": False})
        if alive:
            end(pid)
        if not is_written and alive:
            rescue(argv, {**ending, "patient": True, "again": True})
    sys.stdout.flush()
    os._exit(0)  # the reader waits for a line


if __name__ == "__main__":
    main()
