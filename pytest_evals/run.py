"""Run: the sealed record of one session."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.model import Model


class RunStatus(StrEnum):
    """How far a run got."""

    RUNNING = "running"
    """Not sealed: still going, or killed before it could be sealed."""
    COMPLETE = "complete"
    """Every planned trial was recorded."""
    NARROWED = "narrowed"
    """The user chose a part of the matrix, and all of that was recorded."""
    INTERRUPTED = "interrupted"
    """Ended before every chosen trial was recorded."""


class GitInfo(Frozen):
    """The commit a run was made from."""

    commit: str
    branch: str | None = None
    dirty: bool = False
    """Whether tracked files differed from the commit."""
    tree: str = ""
    """16 hexadecimal digits over those differences; empty where there are none."""


class DatasetInfo(Frozen):
    """What a run keeps of a dataset."""

    name: str
    path: str
    digest: str
    prompt_digest: str | None = None
    models: tuple[Model, ...] = ()
    cases: int = 0
    planned: int = 0
    """Trials in the whole matrix."""
    selected: int = 0
    """Trials left after the user's own selection."""
    gates: tuple[Any, ...] = ()
    """The dataset's gates as written, so that a stored run and merged shards can be judged."""
    max_error_rate: float = 0.0
    """The share of trials that may be errored, 0..1."""

    @property
    def planned_by_model(self) -> dict[str, int]:
        """Trials planned of each model; every one is asked the same."""
        each = self.planned // max(1, len(self.models))
        return {model.id: each for model in self.models}


class Counts(Frozen):
    """Trials by outcome."""

    passed: int = 0
    failed: int = 0
    errored: int = 0
    skipped: int = 0
    unneeded: int = 0
    """Left out because nothing could depend on them any more."""

    @property
    def total(self) -> int:
        """All recorded trials."""
        return self.passed + self.failed + self.errored + self.skipped + self.unneeded


class Run(Frozen):
    """The record of one session: what was asked of whom, when, from which code, how it ended."""

    id: str
    """Sorts by time: ``20261121-051500-3f9a``."""
    status: RunStatus = RunStatus.RUNNING
    started_at: float
    """Unix time, seconds."""
    ended_at: float | None = None
    datasets: tuple[DatasetInfo, ...] = ()
    counts: Counts = Counts()
    tokens: int | None = None
    cost_usd: float | None = None
    """USD of the answers in this run; None where any price is unknown."""
    spent_usd: float | None = None
    """USD of what was really asked in this session (stored answers cost nothing again)."""
    git: GitInfo | None = None
    chain: str = ""
    """The mark under which answers of user code are stored: a run that finishes an interrupted one
    of the same code carries on its mark, so that it pays only for what is missing."""
    versions: dict[str, str] = Field(default_factory=dict)
    """python, pytest, pytest-evals-matrix and the platform."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The settings in force, without secrets."""
    gates: tuple[dict[str, Any], ...] = ()
    """The verdicts of all gates, as JSON (`gate.spec.GateVerdict`)."""
    decision: dict[str, Any] | None = None
    """What they come to, as JSON (`decision.Decision`); None where there are no gates."""
    exit_status: int | None = None
    notes: tuple[str, ...] = ()
    """What a reader must know: trials that were not run, stores that failed."""


def new_run_id(now: float) -> str:
    """Return an id that sorts by time: ``20261121-051500-3f9a`` (UTC, and two random bytes).

    Args:
        now: Unix time, seconds.
    """
    import secrets
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
