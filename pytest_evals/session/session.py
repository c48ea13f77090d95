"""Session: everything one process of a session shares, made and connected. Knows no host.

A host (pytest, the command line, a script) makes one and adds datasets to its plan. It runs the
trials by the engine, hands each result to a `RunRecorder`, and evaluates the run at the end.
"""

from dataclasses import dataclass

from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.notes import Notes
from pytest_evals.session.baselines import Baselines
from pytest_evals.session.engines import Engines
from pytest_evals.session.plan import Plan
from pytest_evals.session.resume import ResumeMark
from pytest_evals.session.state import SessionState
from pytest_evals.session.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The parts every process of a session has, workers included."""

    state: SessionState
    notes: Notes
    mark: ResumeMark
    plan: Plan
    stores: Stores
    baselines: Baselines
    engines: Engines

    @classmethod
    def of(cls, state: SessionState, mark: ResumeMark | None = None) -> "Session":
        """Make the parts and connect them.

        Args:
            state: the session's fixed values.
            mark: where another process has determined it; by default of this run.
        """
        notes = Notes()
        mark = mark or ResumeMark(state.run_id)
        plan, stores = Plan(state, notes), Stores(state, notes)
        return cls(
            state=state,
            notes=notes,
            mark=mark,
            plan=plan,
            stores=stores,
            baselines=Baselines(state.settings, plan, state.run_id),
            engines=Engines(state, plan, stores, mark.get),
        )

    def close(self) -> list[StoreError]:
        """Stop the engine and close the stores; return the errors."""
        self.engines.stop()
        return self.stores.close()
