"""WatchedRun: what a watchdog needs to end a run whose process cannot: its plan and its records."""

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import Any

from pytest_evals.config import Settings
from pytest_evals.matrix import Trial
from pytest_evals.report import redact_value
from pytest_evals.result import TrialResult
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.session import Session

PLAN, RECORDS = "plan.json", "trials.jsonl"
"""The files of a watched run."""
PATIENCE = 10
"""Tenths of a second in which the watchdog of a worker that died is waited for."""
_RESCUE = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from pytest_evals.session.rescue import main; sys.exit(main(sys.argv[2]))"
)


class WatchedRun:
    """Has this process watched while it runs user code or has a deadline. A `TrialObserver`.

    Args:
        session: the session.
        ledger: the run's books; None in a worker, whose trials another process records.
        junit: the JUnit report that the host writes at its end; None for none.
    """

    def __init__(
        self, session: Session, ledger: Ledger | None = None, junit: Path | None = None
    ) -> None:
        self._session = session
        self._ledger = ledger
        self._junit = junit
        self._folder: Path | None = None

    def start(self, trials: Sequence[Trial]) -> None:
        """Start the watchdog, after the run has begun.

        Args:
            trials: the trials that this process runs.
        """
        if self._folder is not None or not needs_watchdog(self._session, trials):
            return
        if self._ledger is None:
            self._start_in_worker()
            return
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="pytest-evals-"))
            (self._folder / RECORDS).touch()
            (self._folder / PLAN).write_text(json.dumps(self._plan(trials)), encoding="utf-8")
        except OSError:
            return
        self._session.engines.watchdog.start(
            limit_s=self._session.state.settings.timeout,
            rescue=[sys.executable, "-c", _RESCUE, json.dumps(sys.path), str(self._folder)],
        )

    def _start_in_worker(self) -> None:
        """Start the watchdog of a worker, which tells the process that records the run."""
        state = self._session.state
        if state.share.folder is not None and state.worker is not None:
            tell = end_file_of(state.share.folder, state.worker)
            try:
                tell.touch()
            except OSError:
                return
            self._session.engines.watchdog.start(
                limit_s=state.settings.timeout,
                tell=tell,
                over=state.share.over,
            )

    def _plan(self, trials: Sequence[Trial]) -> dict[str, object]:
        """Return what is known of the run before its first trial."""
        assert self._ledger is not None
        settings, run = self._session.state.settings, self._ledger.run
        assert run is not None
        stored = not (settings.sanity or settings.stores_nothing)
        return {
            "run": redact_value(run, self._session.state.redactor).model_dump_json(),
            "rootdir": str(settings.rootdir),
            "store": str(settings.store_path) if stored else None,
            "reports": {name: str(path) for name, path in settings.reports.items()},
            "junit": None if self._junit is None else str(self._junit),
            "timeout_s": settings.timeout,
            "trials": [
                [trial.id, trial.dataset.name, trial.case.id, trial.model.id, trial.sample]
                for trial in trials
            ],
        }

    def add(self, result: TrialResult, record: str, worker: str) -> None:
        """Write one trial where the rescue finds it."""
        if self._folder is not None:
            with suppress(OSError), (self._folder / RECORDS).open("ab", buffering=0) as file:
                file.write(f"{record}\n".encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """End the watchdog, and delete the files."""
        self._session.engines.watchdog.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def end_file_of(folder: Path, worker: str) -> Path:
    """Return the file in which the watchdog of a worker tells why the worker ended."""
    return folder / f"ended-{worker}.json"


def why_ended(folder: Path, worker: str, settings: Settings) -> str:
    """Return why a worker has died; empty if its watchdog does not tell."""
    path = end_file_of(folder, worker)
    for _ in range(PATIENCE):  # the watchdog sees it a moment later
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:  # it was not watched
            return ""
        if text:
            path.write_text("", encoding="utf-8")
            return sentence(json.loads(text), settings.timeout)
        sleep(0.1)
    return ""


def sentence(ending: dict[str, Any], timeout_s: float | None) -> str:
    """Return what happened, in one line.

    Args:
        ending: what the watchdog tells.
        timeout_s: the session's limit.
    """
    names = ending["names"]
    who = names[0] if len(names) == 1 else f"one of {len(names)} trials ({', '.join(names[:5])})"
    if ending["reason"] == "died":
        verb = "ran" if len(names) == 1 else "ran, and one of them ended it"
        return f"the process ended without a word while {', '.join(names[:5])} {verb}"
    limit = (
        f"--evals-timeout ({timeout_s:g} s)" if ending["reason"] == "deadline" else ending["reason"]
    )
    who = who if names else "code in C"
    return (
        f"{who} holds the Python interpreter past {limit}, so nothing else runs in this process: "
        "it was ended from outside. With `processes` for the model, a call is ended at its timeout"
    )


def needs_watchdog(session: Session, trials: Sequence[Trial]) -> bool:
    """Whether a process is watched: it has a deadline, or runs user code itself."""
    return session.state.settings.timeout is not None or any(
        trial.answered_by_code
        or (trial.model.provider == "python" and not trial.model.options.get("processes"))
        for trial in trials
    )
