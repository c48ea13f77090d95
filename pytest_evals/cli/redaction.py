"""The redactor of the command line: it knows the environment and installed plugins, no session."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_evals.ground.redaction import Redactor
    from pytest_evals.registry import Registry

_VARIABLE = "PYTEST_EVALS_REDACT"


def environment_redactor(registry: "Registry") -> "Redactor":
    """Make the redactor of keys and patterns of the environment, and of plugins.

    Raises:
        SettingsError: a pattern of ``PYTEST_EVALS_REDACT`` is not valid.
        PluginError: a plugin's secret or pattern is not valid.
    """
    from pytest_evals.config import read_settings
    from pytest_evals.session.redaction import make_redactor

    # Other settings of the environment are those of a session.
    environ = {_VARIABLE: os.environ[_VARIABLE]} if _VARIABLE in os.environ else {}
    settings = read_settings(Path.cwd(), command_line={}, environ=environ, ini={})
    return make_redactor(settings, registry)
