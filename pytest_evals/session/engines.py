"""Engines: the engine of the planned trials, and the one that confirms failing cases."""

from collections.abc import Callable

from pytest_evals.config import Settings
from pytest_evals.engine import Engine, EngineDeps, Progress
from pytest_evals.engine.deps import MemberLookup
from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.ground.watchdog import Watchdog
from pytest_evals.providers.base import HttpClients
from pytest_evals.registry.observer_hooks import trial_hooks
from pytest_evals.session.plan import Plan
from pytest_evals.session.state import SessionState
from pytest_evals.session.stores import Stores


class Engines:
    """Makes the engines of one process of a session.

    Args:
        state: the session's fixed values.
        plan: its datasets, and the recorded answers it replays.
        stores: holds the stored answers.
        chain: returns the mark under which answers of user code may be reused.
    """

    def __init__(
        self, state: SessionState, plan: Plan, stores: Stores, chain: Callable[[], str]
    ) -> None:
        self._state = state
        self._plan = plan
        self._stores = stores
        self._chain = chain
        self._main: Engine | None = None
        self.watchdog = Watchdog()
        """Watches this process from outside, once it is started."""

    def main(self) -> Engine:
        """Return the engine of the planned trials, made on the first call.

        Raises:
            StoreError: the stored answers to replay cannot be read.
            SettingsError: the cassette or the shared store is invalid.
        """
        if self._main is None:
            state = self._state
            self._main = Engine(
                state.settings,
                EngineDeps(
                    registry=self._finder(),
                    http=http_clients,
                    store=self._stores.answers(self._datasets()),
                    redactor=state.redactor,
                    chain=self._chain(),
                    share=state.share,
                    replays=self._plan.recorded,
                    watchdog=self.watchdog,
                    trial_hooks=trial_hooks(state.registry.hooks),
                ),
            )
        return self._main

    def for_confirmation(self, settings: Settings, share: WorkerShare) -> Engine:
        """Return a second engine, which runs failing cases again after the planned trials.

        Args:
            settings: the session's, with the rest of its time.
            share: the part of its budgets that is used up.
        """
        state = self._state
        return Engine(
            settings,
            EngineDeps(
                registry=state.registry,
                http=http_clients,
                store=self._stores.answers(self._datasets()),
                redactor=state.redactor,
                chain=self._chain(),
                share=share,
                replays=self._plan.recorded,
                watchdog=self.watchdog,
                trial_hooks=trial_hooks(state.registry.hooks),
            ),
        )

    def refusing(self, reason: str) -> Engine:
        """Return an engine that runs no trial and gives the reason.

        Workers use it: a usage error raised there looks like a crash.
        """
        if self._main is None:
            tools = EngineDeps(registry=self._state.registry, http=http_clients)
            self._main = Engine(self._state.settings, tools)
        self._main.refuse(reason)
        return self._main

    def progress(self) -> Progress | None:
        """Return the progress of the planned trials; None before the engine is made."""
        return None if self._main is None else self._main.progress

    def notes(self) -> tuple[str, ...]:
        """Return the engine's notes for the user."""
        return () if self._main is None else self._main.notes

    def stop(self) -> None:
        """Stop the engine, if there is one."""
        if self._main is not None:
            self._main.stop()

    def _datasets(self) -> set[str]:
        return {matrix.dataset.name for matrix in self._plan.matrices.values()}

    def _finder(self) -> MemberLookup:
        """Return the scorers' finder; a sanity run inverts them."""
        if not self._state.settings.sanity:
            return self._state.registry
        from pytest_evals.scorers.sanity import SanityRegistry

        return SanityRegistry(self._state.registry)


def http_clients() -> HttpClients:
    """Make the HTTP clients."""
    from pytest_evals.providers.transport import HttpClientPool

    return HttpClientPool()
