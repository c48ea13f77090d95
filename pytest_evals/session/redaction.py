"""Redaction: makes the one object that removes secrets from all stored and displayed text."""

import os
import re

from pytest_evals.config import Settings
from pytest_evals.ground.errors import SettingsError
from pytest_evals.ground.redaction import Redactor, secrets_in
from pytest_evals.registry import Registry


def make_redactor(settings: Settings, registry: Registry) -> Redactor:
    """Make the redactor: keys of the environment, the user's patterns, and those of plugins.

    Raises:
        SettingsError: a pattern of ``evals_redact`` is invalid.
        PluginError: a plugin's secret or pattern is invalid.
    """
    for pattern in settings.redact:
        try:
            re.compile(pattern)
        except re.error as error:
            raise SettingsError(f"evals_redact: {pattern!r} is no pattern: {error}") from None
    redactor = Redactor(secrets_in(os.environ), settings.redact)
    redactor.add_secrets(*registry.redactions())
    return redactor
