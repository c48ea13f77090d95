"""What JUnit says of the run as a whole: properties of the suite, beside pytest's own cases."""

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_evals.ground.plain_text import neutral
from pytest_evals.plugin.session import Evals


class JUnit:
    """Adds the run's properties to pytest's JUnit report; lives where the session is."""

    def __init__(self, evals: Evals) -> None:
        self._evals = evals

    @pytest.hookimpl(tryfirst=True)  # the report is written by the hook's other implementation
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Add them, where a report is written and anything was run."""
        try:
            from _pytest.junitxml import xml_key
        except ImportError:  # not pytest's public interface: without it there are no properties
            return
        written = session.config.stash.get(xml_key, None)
        recorder: Any = session.config.pluginmanager.getplugin("evals-recorder")
        if written is None or recorder.run is None or not recorder.infos:
            return
        for name, value in self._properties(recorder):
            text = self._evals.redactor.redact(value)
            written.add_global_property(f"evals.{name}", neutral(text, lines=False))

    def _properties(self, recorder: Any) -> Iterator[tuple[str, str]]:
        """Yield names and values."""
        gates: Any = self._evals.config.pluginmanager.getplugin("evals-gates")
        yield "run", self._evals.run_id
        for info in recorder.infos:
            yield f"digest.{info.name}", info.digest
            yield f"models.{info.name}", ", ".join(model.id for model in info.models)
        if recorder.run.git is not None:
            yield "commit", recorder.run.git.commit
        if recorder.summary.cost_usd is not None:
            yield "cost_usd", f"{recorder.summary.cost_usd:.6g}"
        if gates.decision is not None:
            yield "decision", gates.decision.decision
