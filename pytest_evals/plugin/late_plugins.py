"""LatePlugins: registers what a folder's ``conftest.py`` adds, when the folder is collected."""

import pytest

from pytest_evals.ground.errors import PluginError
from pytest_evals.ground.plain_text import neutral
from pytest_evals.session.state import SessionState


class LatePlugins:
    """Registers what late plugins add.

    Args:
        state: holds the registry and the redactor.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state

    def pytest_plugin_registered(self) -> None:
        """Register what the new plugin adds."""
        registry = self._state.registry
        try:
            registry.take()
            self._state.redactor.add_secrets(*registry.redactions())
        except PluginError as error:
            raise pytest.UsageError(neutral(str(error))) from None

    def pytest_report_header(self) -> list[str]:
        """Say what plugins have added."""
        return [
            f"evals plugin {neutral(plugin)}: "
            + ", ".join(f"{noun} {', '.join(names)}" for noun, names in families.items())
            for plugin, families in self._state.registry.members_by_plugin().items()
        ]
