"""SessionState: the values every part of a session may know, fixed when the session begins."""

from dataclasses import dataclass, field

from pytest_evals.config import Settings
from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.ground.redaction import Redactor
from pytest_evals.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """Settings, registry and identity of one process's part of a session."""

    settings: Settings
    registry: Registry
    run_id: str
    redactor: Redactor
    """Removes secrets from all stored and displayed text."""
    share: WorkerShare = field(default_factory=WorkerShare)
    """This process's part of the limits and budgets."""
    worker: str | None = None
    """The id of this worker process; None in the process that records the run."""
