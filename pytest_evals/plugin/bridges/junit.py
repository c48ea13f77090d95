"""JUnit: properties of the whole run in pytest's JUnit report, beside pytest's own cases."""

from collections.abc import Iterator

import pytest

from pytest_evals.ground.plain_text import neutral
from pytest_evals.plugin.compat import junit_report
from pytest_evals.session.evaluation import RunEvaluation
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.state import SessionState


class JUnit:
    """Adds the run's properties, where the session is.

    Args:
        state: the session's fixed values.
        ledger: the run's books.
        evaluation: the verdicts.
    """

    def __init__(self, state: SessionState, ledger: Ledger, evaluation: RunEvaluation) -> None:
        self._state = state
        self._ledger = ledger
        self._evaluation = evaluation

    @pytest.hookimpl(tryfirst=True)  # pytest's own implementation writes the report
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Add the properties if a report is written and anything was run."""
        report = junit_report(session.config)
        if report is None or self._ledger.run is None or not self._ledger.infos:
            return
        for name, value in self._properties():
            text = self._state.redactor.redact(value)
            report.add_global_property(f"evals.{name}", neutral(text, lines=False))

    def _properties(self) -> Iterator[tuple[str, str]]:
        """Yield names and values."""
        run, cost = self._ledger.run, self._ledger.summary.cost_usd
        yield "run", self._state.run_id
        for info in self._ledger.infos:
            yield f"digest.{info.name}", info.digest
            yield f"models.{info.name}", ", ".join(model.id for model in info.models)
        if run is not None and run.git is not None:
            yield "commit", run.git.commit
        if cost is not None:
            yield "cost_usd", f"{cost:.6g}"
        if self._evaluation.decision is not None:
            yield "decision", self._evaluation.decision.decision
