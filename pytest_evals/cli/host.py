"""What the command line has in the place of a session: the registry, the redaction, the clients.

Imported late: it knows providers and scorers.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.ground.redaction import Redactor, secrets_in

if TYPE_CHECKING:
    from pytest_evals.providers.base import HttpClients
    from pytest_evals.registry import Registry


def registry() -> "Registry":
    """Return every provider, scorer, loader and reporter, those of installed plugins among them.

    Raises:
        PluginError: a plugin cannot be imported, or brings what it must not.
    """
    from pytest_evals.registry import Registry

    return Registry.installed()


def redactor() -> Redactor:
    """Make the redaction of what is written: keys and patterns of the environment, and of plugins.

    Raises:
        SettingsError: a pattern of ``PYTEST_EVALS_REDACT`` is not right.
        PluginError: a plugin says what cannot be looked for.
    """
    from pytest_evals.config import read_settings

    settings = read_settings(Path.cwd(), command_line={}, environ=_of_redaction(), ini={})
    made = Redactor(secrets_in(os.environ), settings.redact)
    made.add_secrets(*registry().redactions())
    return made


def http_clients() -> "HttpClients":
    """Make the HTTP clients."""
    from pytest_evals.providers.transport import HttpClientPool

    return HttpClientPool()


def _of_redaction() -> dict[str, str]:
    """Return what the environment says of redaction: other settings are a session's."""
    name = "PYTEST_EVALS_REDACT"
    return {name: os.environ[name]} if name in os.environ else {}
