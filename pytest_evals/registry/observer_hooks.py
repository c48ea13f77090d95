"""The hooks that bring no member of a family: secrets, trials, verdicts, sections of reports.

What a plugin says is looked at here; a fault of one plugin takes nothing from the others.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pytest_evals.ground.errors import PluginError
from pytest_evals.ground.redaction import MIN_SECRET_LENGTH
from pytest_evals.hooks import Hooks, Implementation
from pytest_evals.matrix import Trial
from pytest_evals.result import TrialResult

if TYPE_CHECKING:
    from pytest_evals.report import ContextValue, Report
    from pytest_evals.verdict.gate.spec import GateVerdict

BEFORE, AFTER = "pytest_evals_before_trial", "pytest_evals_after_trial"


class TrialHooks:
    """Calls plugins before and after each trial; used by several threads.

    Args:
        hooks: the plugins.
    """

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self.calling: dict[str, str] = {}
        """What is being called, by the trial's id."""

    def before(self, trial: Trial) -> None:
        """Let plugins get ready, the one registered last first.

        Raises:
            PluginError: one failed; those after it are not called.
        """
        for one in self._hooks.each(BEFORE):
            self.calling[trial.id] = str(one)
            _nothing(one, one(trial=trial))

    def after(self, trial: Trial, result: TrialResult) -> list[PluginError]:
        """Tell every plugin, the one registered first first; return what went wrong."""
        wrong: list[PluginError] = []
        for one in reversed(list(self._hooks.each(AFTER))):
            self.calling[trial.id] = str(one)
            try:
                _nothing(one, one(trial=trial, result=result))
            except PluginError as error:
                wrong.append(error)
        self.calling.pop(trial.id, None)
        return wrong


def trial_hooks(hooks: Hooks) -> TrialHooks | None:
    """Return what calls plugins around trials; None where no plugin wants to be called."""
    return TrialHooks(hooks) if hooks.any(BEFORE, AFTER) else None


def _nothing(one: Implementation, found: object) -> None:
    """Refuse an answer of who is told, not asked.

    Raises:
        PluginError: it returned something.
    """
    if found is not None:
        raise PluginError(
            f"{one} returned {_shown(found)}, but it is told, not asked: nothing comes of it"
        )


def secrets_of(one: Implementation) -> tuple[list[str], list[re.Pattern[str]]]:
    """Return the secret texts and the patterns of one plugin.

    Raises:
        PluginError: it fails, or says what cannot be looked for.
    """
    found = one()
    if isinstance(found, str | bytes) or not isinstance(found, Iterable):
        raise PluginError(f"{one} returned {_shown(found)}, expected a list of texts and patterns")
    texts: list[str] = []
    patterns: list[re.Pattern[str]] = []
    for i, secret in enumerate(found):
        if isinstance(secret, re.Pattern) and isinstance(secret.pattern, str):
            if secret.match(""):
                raise PluginError(
                    f"{one}: the pattern {secret.pattern!r} matches nothing at all, so it would "
                    "match everywhere; write what has to be there"
                )
            patterns.append(secret)
        elif isinstance(secret, str) and len(secret) >= MIN_SECRET_LENGTH:
            texts.append(secret)
        elif isinstance(secret, str):  # not quoted: it is a secret
            raise PluginError(
                f"{one}: secret number {i + 1} has {len(secret)} characters; one under "
                f"{MIN_SECRET_LENGTH} would match by chance, so give a pattern with what stands "
                "around it"
            )
        else:
            raise PluginError(
                f"{one}: entry number {i + 1} is of type {type(secret).__name__}, expected a text "
                "or a compiled pattern of text"
            )
    return texts, patterns


def verdict_notes(hooks: Hooks, verdict: "GateVerdict") -> tuple[tuple[str, ...], list[str]]:
    """Return the notes that plugins add to a verdict, and what went wrong."""
    notes: list[str] = []
    wrong: list[str] = []
    for one in reversed(list(hooks.each("pytest_evals_gate_verdict"))):
        try:
            notes += _sentences(one, one(verdict=verdict))
        except PluginError as error:
            wrong.append(f"{error}; the verdict stands without its notes")
    return tuple(notes), wrong


def _sentences(one: Implementation, found: object) -> list[str]:
    """Return notes as a list.

    Raises:
        PluginError: they are no texts.
    """
    if found is None:
        return []
    notes = [found] if isinstance(found, str) else found
    if isinstance(notes, Iterable) and not isinstance(notes, Mapping | bytes):
        listed = list(notes)
        if all(isinstance(note, str) for note in listed):
            return listed
    raise PluginError(
        f"{one} returned {_shown(found)}, expected a sentence, a list of them or None"
    )


def report_context(hooks: Hooks, report: "Report") -> "tuple[dict[str, ContextValue], list[str]]":
    """Return the sections that plugins add to a report, and what went wrong."""
    context: dict[str, ContextValue] = {}
    origins: dict[str, str] = {}
    wrong: list[str] = []
    for one in reversed(list(hooks.each("pytest_evals_report_context"))):
        try:
            sections = _sections(one, one(report=report))
            for title in sections.keys() & origins.keys():
                raise PluginError(f"{one} adds {title!r}, as the plugin {origins[title]} does")
        except PluginError as error:
            wrong.append(f"{error}; reports stand without its sections")
            continue
        context.update(sections)
        origins.update(dict.fromkeys(sections, one.plugin))
    return context, wrong


def _sections(one: Implementation, found: object) -> "dict[str, ContextValue]":
    """Return one plugin's sections.

    Raises:
        PluginError: they are no sections.
    """
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise PluginError(f"{one} returned {_shown(found)}, expected a mapping of titles or None")
    sections: dict[str, ContextValue] = {}
    for title, value in found.items():
        if not isinstance(title, str) or not title.strip():
            raise PluginError(f"{one}: {title!r} is no title; write a text")
        if isinstance(value, str):
            sections[title] = value
            continue
        if not isinstance(value, Mapping):
            raise PluginError(
                f"{one}: {title!r} is {_shown(value)}, expected a text or a mapping of names to "
                "texts, numbers, truth values or None"
            )
        for name, inner in value.items():
            plain = inner is None or isinstance(inner, str | bool | int | float)
            if not isinstance(name, str) or not plain or _endless(inner):
                raise PluginError(
                    f"{one}: {title!r} holds {_shown(name)}: {_shown(inner)}, expected a text, a "
                    "number, a truth value or None"
                )
        sections[title] = dict(value)
    return sections


def _endless(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _shown(value: object) -> str:
    """Show a value that was found."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
