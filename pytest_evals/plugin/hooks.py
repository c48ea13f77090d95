"""Plugins of a session: found as it begins, and later as folders' ``conftest.py`` are loaded."""

import os
from typing import TYPE_CHECKING

import pytest

from pytest_evals.ground.errors import PluginError, SettingsError, suggest
from pytest_evals.ground.plain_text import neutral
from pytest_evals.hooks import OURS, Hooks
from pytest_evals.registry import Registry
from pytest_evals.registry.builtin import Builtin

if TYPE_CHECKING:
    from pytest_evals.plugin.session import Evals
    from pytest_evals.report import Report
    from pytest_evals.responses.base import ResponseStore
    from pytest_evals.verdict.evaluation import Evaluation


def find_plugins(config: pytest.Config) -> Registry:
    """Make the session's registry: ours, conftest's and ``-p``'s, and those of entry points.

    Raises:
        PluginError: a plugin cannot be imported, fails, or brings what it must not.
    """
    hooks = Hooks(config.pluginmanager)
    hooks.register(Builtin(), "evals-builtin")
    off = getattr(config.option, "disable_plugin_autoload", False)
    if not off and not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        hooks.load_entry_points()
    return Registry(hooks)


class LatePlugins:
    """Takes in what a folder's ``conftest.py`` brings, as the folder is collected."""

    def __init__(self, evals: "Evals") -> None:
        self._evals = evals

    def pytest_plugin_registered(self) -> None:
        """Ask the plugin that has come."""
        registry = self._evals.registry
        try:
            registry.take()
            self._evals.redactor.add_secrets(*registry.redactions())
        except PluginError as error:
            raise pytest.UsageError(neutral(str(error))) from None

    def pytest_report_header(self) -> list[str]:
        """Say what plugins have brought."""
        return [
            f"evals plugin {neutral(plugin)}: "
            + ", ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items())
            for plugin, kinds in self._evals.registry.brought().items()
        ]


def check_reports(evals: "Evals") -> None:
    """Refuse reports that nobody can write, before anything is spent.

    Raises:
        SettingsError: there is no reporter of a name.
        PluginError: a plugin's cannot be imported, or is not right.
    """
    for one in evals.settings.report:
        name = one.partition("=")[0]
        if evals.registry.reporter(name) is None:
            raise SettingsError(
                f"--evals-report {one}: no reporter is called {name!r}."
                + suggest(name, evals.registry.reporters())
            )


def with_notes(evals: "Evals", judgement: "Evaluation") -> "Evaluation":
    """Return a judgement whose verdicts have the notes of plugins."""
    from pytest_evals.registry.observer_hooks import verdict_notes

    hooks = evals.registry.hooks
    if not hooks.any("pytest_evals_gate_verdict"):
        return judgement
    verdicts = []
    for verdict in judgement.gates:
        notes, wrong = verdict_notes(hooks, verdict)
        evals.notes += [text for text in wrong if text not in evals.notes]
        verdicts.append(verdict.model_copy(update={"notes": (*verdict.notes, *notes)}))
    return judgement.model_copy(update={"gates": tuple(verdicts)})


def with_context(evals: "Evals", report: "Report") -> tuple["Report", list[str]]:
    """Return a report with the sections of plugins, and what went wrong."""
    from dataclasses import replace

    from pytest_evals.registry.observer_hooks import report_context

    context, wrong = report_context(evals.registry.hooks, report)
    return replace(report, context=context), wrong


def open_shared(evals: "Evals") -> "ResponseStore | None":
    """Open the store of answers that is shared; None where none is asked for.

    Raises:
        SettingsError: there is no such store.
        StoreError: it cannot be opened.
    """
    given = evals.settings.shared
    if given is None:
        return None
    from pytest_evals.responses.named import NamedStore

    scheme, _, address = given.partition(":")
    try:
        kind = evals.registry.store(scheme)
    except PluginError as error:
        raise SettingsError(f"--evals-shared {given}: {error}") from None
    if kind is None:
        known = suggest(scheme, evals.registry.stores())
        raise SettingsError(f"--evals-shared {given}: there is no store {scheme!r}.{known}")
    origin = evals.registry.origin_of_store(scheme)
    name = f"the store {scheme!r}" if origin == OURS else f"the store {scheme!r} of {origin}"
    write = evals.settings.responses != "replay"
    return NamedStore(name, lambda: kind(address, write=write))
