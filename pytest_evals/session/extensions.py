"""Extensions: what plugins add to a session: stores, reporters, notes and report sections."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pluggy

from pytest_evals.ground.errors import PluginError, SettingsError, suggest
from pytest_evals.ground.notes import Notes
from pytest_evals.hooks import OURS, Hooks
from pytest_evals.registry import Registry
from pytest_evals.registry.builtin import Builtin
from pytest_evals.session.state import SessionState

if TYPE_CHECKING:
    from pytest_evals.report import Report
    from pytest_evals.responses.base import ResponseStore
    from pytest_evals.verdict.evaluation import Evaluation


def make_registry(manager: pluggy.PluginManager, *, entry_points: bool) -> Registry:
    """Make the registry of a host that has a plugin manager.

    Args:
        manager: the host's; its plugins may implement our hooks.
        entry_points: whether plugins with an entry point are loaded too.

    Raises:
        PluginError: a plugin cannot be imported, fails, or registers something invalid.
    """
    hooks = Hooks(manager)
    hooks.register(Builtin(), "evals-builtin")
    if entry_points:
        hooks.load_entry_points()
    return Registry(hooks)


def check_reporters(state: SessionState) -> None:
    """Reject unknown reporters before any money is spent.

    Raises:
        SettingsError: there is no reporter of a name.
        PluginError: a plugin's reporter cannot be imported or is invalid.
    """
    for option in state.settings.report:
        name = option.partition("=")[0]
        if state.registry.reporter(name) is None:
            raise SettingsError(
                f"--evals-report {option}: no reporter is called {name!r}."
                + suggest(name, state.registry.reporters())
            )


def with_notes(state: SessionState, notes: Notes, evaluation: "Evaluation") -> "Evaluation":
    """Return an evaluation whose gate verdicts have the notes of plugins.

    Args:
        state: the session's fixed values.
        notes: receives what is wrong with a plugin.
        evaluation: the evaluation.
    """
    from pytest_evals.registry.observer_hooks import verdict_notes

    hooks = state.registry.hooks
    if not hooks.any("pytest_evals_gate_verdict"):
        return evaluation
    verdicts = []
    for verdict in evaluation.gates:
        added, errors = verdict_notes(hooks, verdict)
        notes.extend(errors)
        verdicts.append(verdict.model_copy(update={"notes": (*verdict.notes, *added)}))
    return evaluation.model_copy(update={"gates": tuple(verdicts)})


def with_context(state: SessionState, report: "Report") -> tuple["Report", list[str]]:
    """Return a report with the sections of plugins, and the errors of plugins."""
    from pytest_evals.registry.observer_hooks import report_context

    context, errors = report_context(state.registry.hooks, report)
    return replace(report, context=context), errors


def open_shared(state: SessionState) -> "ResponseStore | None":
    """Open the shared store of answers; None if the settings name none.

    Raises:
        SettingsError: there is no such store.
        StoreError: it cannot be opened.
    """
    address = state.settings.shared
    if address is None:
        return None
    from pytest_evals.responses.named import NamedStore

    scheme, _, rest = address.partition(":")
    try:
        store_class = state.registry.store(scheme)
    except PluginError as error:
        raise SettingsError(f"--evals-shared {address}: {error}") from None
    if store_class is None:
        hint = suggest(scheme, state.registry.stores())
        raise SettingsError(f"--evals-shared {address}: there is no store {scheme!r}.{hint}")
    origin = state.registry.origin_of_store(scheme)
    name = f"the store {scheme!r}" if origin == OURS else f"the store {scheme!r} of {origin}"
    write = state.settings.responses != "replay"
    return NamedStore(name, lambda: store_class(rest, write=write))
