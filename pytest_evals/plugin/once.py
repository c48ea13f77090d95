"""Trials run once, whatever plugin there is that runs failed tests again.

A trial is one sample of a model: asked again until it passes it would say nothing of the model, be
paid several times and counted several times. Faults that may go away are tried again by the engine;
who wants to know more of an answer asks for more samples.
"""

from typing import Any

import pytest

from pytest_evals.plugin.collect import EvalItem

NOTE = (
    "--reruns leaves evals alone: a trial is one sample, and an answer asked again until it passes "
    "says nothing. Transient faults are tried again anyway (evals_max_retries); for more answers "
    "give --evals-samples"
)


class Once:
    """Runs trials as pytest itself does, before a plugin of reruns can.

    Registered after the installed plugins, it is called before them, but after those that only
    note what runs next and have asked to be first.
    """

    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Run a trial once; leave other tests to whoever runs them."""
        if not is_trial(item):
            return None
        runner: Any = item.config.pluginmanager.getplugin("runner")  # pytest's own
        return bool(runner.pytest_runtest_protocol(item, nextitem))


def is_trial(item: pytest.Item) -> bool:
    """Whether an item is a trial: of a dataset, or of a test function marked with one."""
    mark = item.get_closest_marker("evals")
    return isinstance(item, EvalItem) or bool(mark and (mark.args or mark.kwargs))


def reruns(config: pytest.Config) -> bool:
    """Whether pytest-rerunfailures was asked to run failed tests again."""
    if not hasattr(config.option, "reruns"):
        return False  # it is not there
    given = config.option.reruns
    return bool(int(config.getini("reruns") or 0) if given is None else given)
