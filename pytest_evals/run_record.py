"""Run: the sealed record of one session.

This module knows models. It knows nothing of stores, metrics or pytest.
"""

from enum import StrEnum
from typing import Any

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.model import Model
from pytest_evals.result import TrialResult


class RunStatus(StrEnum):
    """State of completion of a run."""

    RUNNING = "running"
    """Not sealed: it is running, or it was killed."""
    COMPLETE = "complete"
    """All planned trials are recorded."""
    NARROWED = "narrowed"
    """The user selected a part of the matrix, and all of it is recorded."""
    INTERRUPTED = "interrupted"
    """Ended before all selected trials were recorded."""


class GitInfo(Frozen):
    """The git commit of a run's code."""

    commit: str
    """Hash of the commit."""
    branch: str | None = None
    """Name of the branch; None if detached."""
    dirty: bool = False
    """Whether tracked files had uncommitted changes."""
    tree: str = ""
    """Digest of the uncommitted changes, 16 hexadecimal digits; empty if there are none."""


class DatasetInfo(Frozen):
    """What a run records of a dataset."""

    name: str
    """Name of the dataset."""
    path: str
    """Path of its file."""
    digest: str
    """Digest of the dataset, 64 hexadecimal digits."""
    prompt_digest: str | None = None
    """Digest of the prompt, 16 hexadecimal digits; None without a prompt."""
    models: tuple[Model, ...] = ()
    """Models that ran."""
    cases: int = 0
    """Number of cases."""
    planned: int = 0
    """Number of trials in the whole matrix."""
    selected: int = 0
    """Number of trials after the user's selection."""
    gates: tuple[Any, ...] = ()
    """Gates as written in the dataset, to evaluate stored runs and merged shards."""
    max_error_rate: float = 0.0
    """Maximum share of trials with an error, 0..1."""

    @property
    def planned_by_model(self) -> dict[str, int]:
        """Number of planned trials by model id; equal for all models."""
        each = self.planned // max(1, len(self.models))
        return {model.id: each for model in self.models}


class Counts(Frozen):
    """Number of trials by outcome."""

    passed: int = 0
    """Trials that passed."""
    failed: int = 0
    """Trials with a failed assertion."""
    errored: int = 0
    """Trials without a response or a score."""
    skipped: int = 0
    """Trials that did not run."""
    unneeded: int = 0
    """Trials that did not run because no verdict depended on them."""

    @property
    def total(self) -> int:
        """Number of recorded trials."""
        return self.passed + self.failed + self.errored + self.skipped + self.unneeded


class Spending(Frozen):
    """The calls of one role that a session made and that were answered."""

    calls: int = 0
    """Number of calls."""
    tokens: int = 0
    """Tokens that they reported, input and output."""
    unmetered: int = 0
    """Calls that reported no tokens."""
    cost_usd: float = 0.0
    """USD of the calls whose cost is known."""
    unpriced: int = 0
    """Calls whose cost is unknown."""

    def __add__(self, other: "Spending") -> "Spending":
        """Add the calls of another role or session."""
        fields = Spending.model_fields
        return Spending(**{name: getattr(self, name) + getattr(other, name) for name in fields})


ROLES = ("answers", "revisions", "judges", "confirmation")
"""What calls are made for: the answers of the models under test, answers that a judge sent back,
judges and embeddings, and the confirmation of broken cases (its judges included)."""


class Run(Frozen):
    """The record of one session: datasets, models, times, code version and results."""

    id: str
    """Unique id that sorts by time: ``20261121-051500-3f9a``."""
    status: RunStatus = RunStatus.RUNNING
    """State of completion."""
    started_at: float
    """Unix time, seconds."""
    ended_at: float | None = None
    """Unix time, seconds; None if it is not sealed."""
    datasets: tuple[DatasetInfo, ...] = ()
    """The datasets of the session."""
    counts: Counts = Counts()
    """Number of trials by outcome."""
    tokens: int | None = None
    """Tokens of all responses; None if any response reports none."""
    cost_usd: float | None = None
    """Cost of all responses in USD; None if any price is unknown."""
    spent_usd: float | None = None
    """Cost in USD of the calls made in this session, without stored responses; None if any is
    unknown."""
    spending: dict[str, Spending] = Field(default_factory=dict)
    """The calls made in this session by role: ``answers``, ``revisions``, ``judges`` and
    ``confirmation``. A role without calls is left out."""
    git: GitInfo | None = None
    """The commit; None outside a git repository."""
    chain: str = ""
    """Label under which responses of user code are stored. A run that resumes an interrupted run of
    the same code inherits its label, and so reuses these responses."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of python, pytest and pytest-evals-matrix, and the platform."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Effective settings, without secrets."""
    gates: tuple[dict[str, Any], ...] = ()
    """Verdicts of all gates, as JSON (`verdict.gate.spec.GateVerdict`)."""
    decision: dict[str, Any] | None = None
    """The decision over all gates, as JSON (`verdict.decision.Decision`); None without gates."""
    exit_status: int | None = None
    """Exit status of pytest; None if the session did not end."""
    confirmations: dict[str, tuple[TrialResult, ...]] = Field(default_factory=dict)
    """Confirmation samples, by the dataset's name: cases that looked broken, run again before the
    verdict. They decide breaks only, and are no trials of the run. A dataset has an entry, possibly
    empty, if its comparison could be confirmed."""
    notes: tuple[str, ...] = ()
    """Warnings for the reader, such as trials that did not run or a store that failed."""

    @property
    def strict(self) -> bool:
        """Whether an inconclusive comparison fails (``--evals-strict``), for later readers too."""
        return bool(self.options.get("strict", False))

    @property
    def baseline_source(self) -> str | None:
        """What ``--evals-baseline`` named; None is each dataset's own baseline."""
        source = self.options.get("baseline")
        return None if source is None else str(source)


def new_run_id(now: float) -> str:
    """Return a new id that sorts by time: UTC time and two random bytes.

    Args:
        now: Unix time, seconds.
    """
    import secrets
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
