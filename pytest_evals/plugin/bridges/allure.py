"""Allure: every trial is a result of its own in Allure's report, and every gate one.

Allure drops the brackets of a test's name and tells tests apart by their parameters, so a trial
has its model and sample as parameters. Allure reads items, and a gate is no item, so gates are
written here. Imported only if Allure's plugin is loaded.
"""

from hashlib import sha256
from time import time
from uuid import uuid4

import pytest

from pytest_evals.ground.redaction import Redactor
from pytest_evals.plugin.compat import allure_listener
from pytest_evals.plugin.items import EvalItem
from pytest_evals.plugin.wire import is_gate


class Allure:
    """Writes trials and gates into Allure's report.

    Args:
        config: pytest's.
        redactor: removes secrets.
    """

    def __init__(self, config: pytest.Config, redactor: Redactor) -> None:
        self._config = config
        self._redactor = redactor

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Add the model and the sample as parameters."""
        if not isinstance(item, EvalItem) or allure_listener(self._config) is None:
            return
        from allure_commons import plugin_manager

        for name, value in (("model", item.trial.model.id), ("sample", str(item.trial.sample))):
            text = self._redactor.redact(value)
            plugin_manager.hook.add_parameter(name=name, value=text, excluded=None, mode=None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a gate's result."""
        listener = allure_listener(self._config)
        if listener is None or report.when != "call" or not is_gate(report):
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
