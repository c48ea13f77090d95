"""Allure beside us: every trial a result of its own, and every gate one.

Allure takes what stands in brackets off a test's name, and tells tests apart by their parameters:
so a trial has its model and its sample as such. A gate is no item, and Allure looks at items: it is
told of gates here. Imported only where Allure's plugin is there.
"""

from hashlib import sha256
from time import time
from typing import Any
from uuid import uuid4

import pytest

from pytest_evals.ground.redaction import Redactor
from pytest_evals.plugin.collect import EvalItem


class Allure:
    """Tells Allure of trials and gates.

    Args:
        config: pytest's, where Allure's listener is found if a report is written at all.
        redactor: what is told of trials passes it.
    """

    def __init__(self, config: pytest.Config, redactor: Redactor) -> None:
        self._config = config
        self._redactor = redactor

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Tell trials apart."""
        if not isinstance(item, EvalItem) or not self._config.pluginmanager.hasplugin(_LISTENER):
            return
        from allure_commons import plugin_manager

        for name, value in (("model", item.trial.model.id), ("sample", str(item.trial.sample))):
            shown = self._redactor.redact(value)
            plugin_manager.hook.add_parameter(name=name, value=shown, excluded=None, mode=None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a gate's result."""
        listener: Any = self._config.pluginmanager.getplugin(_LISTENER)
        if listener is None or report.when != "call" or not getattr(report, "evals_gate", False):
            return
        from allure_commons.model2 import Label, StatusDetails, TestResult

        path, _, name = report.nodeid.partition("::")
        skipped = isinstance(report.longrepr, tuple)
        text = report.longrepr[2] if skipped else report.longreprtext  # type: ignore[index]
        now, digest = round(time() * 1000), sha256(report.nodeid.encode()).hexdigest()
        result = TestResult(
            uuid=str(uuid4()),
            name=name,
            fullName=f"{path}#{name}",
            testCaseId=digest,
            historyId=digest,
            status=report.outcome,
            statusDetails=StatusDetails(message=text.partition("\n")[0], trace=text),
            labels=[Label(name="suite", value=path), Label(name="tag", value="gate")],
            start=now,
            stop=now,
        )
        listener.allure_logger.schedule_test(result.uuid, result)
        listener.allure_logger.close_test(result.uuid)


_LISTENER = "allure_listener"
