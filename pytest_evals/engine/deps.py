"""EngineDeps: what a host provides to an engine."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.engine.replay_run import ReplayRun
from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.ground.redaction import Redactor
from pytest_evals.ground.watchdog import Watchdog
from pytest_evals.model import Model
from pytest_evals.providers.base import HttpClients, Provider
from pytest_evals.responses.base import ResponseStore
from pytest_evals.scorers.bound import Bound

if TYPE_CHECKING:
    from pytest_evals.engine.trial_hooks import TrialHooks


class MemberLookup(Protocol):
    """Finds registered providers and scorers by name."""

    def provider(self, name: str) -> type[Provider] | None:
        """Return a provider's class; None if there is none of that name."""
        ...

    def parse_model(self, text: str) -> Model:
        """Make a model of ``provider:model``."""
        ...

    def scorers_of(self, dataset: Dataset, case: Case) -> tuple[Bound, ...]:
        """Return the scorers of a case."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDeps:
    """What a host provides to an engine."""

    registry: MemberLookup
    http: Callable[[], HttpClients]
    """Makes the HTTP clients; called when the first provider needs one."""
    store: ResponseStore | None = None
    redactor: Redactor = field(default_factory=lambda: Redactor((), ()))
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    chain: str = ""
    """The mark of the runs that may reuse each other's answers of user code: an interrupted run and
    the one that finishes it."""
    share: WorkerShare = field(default_factory=WorkerShare)
    """This engine's part of the session's limits and budgets."""
    replays: Mapping[str, ReplayRun] = field(default_factory=dict)
    """Answers of an earlier run, by the dataset's name; its models under test are not called."""
    watchdog: Watchdog = field(default_factory=Watchdog)
    """Is told which trials execute user code."""
    trial_hooks: "TrialHooks | None" = None
    """Calls plugins before and after each trial; None if no plugin implements these hooks."""
