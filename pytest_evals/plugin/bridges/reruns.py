"""Reruns: trials run once, whatever plugin runs failed tests again.

A trial is one sample of a model. Repeated until it passes it would say nothing about the model, and
be paid and counted several times. The engine retries transient errors; more samples measure more.
"""

import pytest

from pytest_evals.plugin.compat import run_item
from pytest_evals.plugin.items import EvalItem, is_marked

NOTE = (
    "--reruns does not apply to evals: a trial is one sample, and repeating it until it passes "
    "measures nothing. Transient errors are retried anyway (evals_max_retries); for more samples "
    "use --evals-samples"
)


class SingleRun:
    """Runs trials by pytest's own protocol, before a plugin of reruns can.

    It is registered after the installed plugins, so its hook is called before theirs. Hooks marked
    `tryfirst` still come before it; they only note the next item.
    """

    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Run a trial once; leave other tests to other plugins."""
        is_trial = isinstance(item, EvalItem) or is_marked(item)
        return run_item(item, nextitem) if is_trial else None
