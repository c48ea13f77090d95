"""Redaction: makes the one object that removes secrets from all stored and displayed text.

Every secret that a session or a command reads is registered here: those of the environment, of
options, of datasets and of stored runs. This module knows options, not providers.
"""

import os
import re
from collections.abc import Iterator
from itertools import chain
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import SettingsError
from pytest_evals.ground.redaction import Redactor, declared_secrets, secrets_in
from pytest_evals.model import Model
from pytest_evals.registry import Registry
from pytest_evals.run_record import Run


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
    redactor = Redactor(chain(secrets_in(os.environ), _password(settings.shared)), settings.redact)
    redactor.add_secrets(*registry.redactions())
    return redactor


def add_dataset_secrets(redactor: Redactor, dataset: Dataset) -> None:
    """Register the secrets that a dataset's models, judges and scorers declare."""
    specs = {id(spec): spec for case in dataset.cases for spec in case.scorers}
    scorers = ((spec.argument, spec.options) for spec in (*dataset.scorers, *specs.values()))
    add_model_secrets(redactor, *dataset.models)
    _register(redactor, dataset.judges, *scorers)


def add_model_secrets(redactor: Redactor, *models: Model) -> None:
    """Register the secrets that models declare."""
    _register(redactor, *((model.options, model.params) for model in models))


def add_run_secrets(redactor: Redactor, run: Run) -> None:
    """Register the secrets that the models of a stored run declare."""
    add_model_secrets(redactor, *(model for info in run.datasets for model in info.models))


def _register(redactor: Redactor, *options: object) -> None:
    """Register the secrets that options declare, if there are any."""
    secrets = [s for option in options for s in declared_secrets(_plain(option), os.environ)]
    if secrets:
        redactor.add_secrets(secrets, ())


def _plain(options: object) -> object:
    """Return options as JSON; judges can be options with a model in them."""
    if isinstance(options, BaseModel):
        return options.model_dump(mode="json")
    if isinstance(options, dict):
        return {key: _plain(value) for key, value in options.items()}
    if isinstance(options, list | tuple):
        return [_plain(value) for value in options]
    return options


def _password(address: str | None) -> Iterator[str]:
    """Yield the password in the address of a store."""
    if address is not None and "://" in address:
        password = urlsplit(address).password
        if password:
            yield password
            yield unquote(password)
