"""The hooks that register no member: secrets, trials, verdicts, sections of reports.

What a plugin returns is checked here. An error of one plugin does not affect the others.
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


class PluginTrialHooks:
    """Calls plugins before and after each trial; used by several threads.

    Args:
        hooks: the plugins.
    """

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self.calling: dict[str, str] = {}
        """The hook that is running, by the trial's id."""

    def before(self, trial: Trial) -> None:
        """Call the plugins before a trial, the one registered last first.

        Raises:
            PluginError: a plugin failed; those after it are not called.
        """
        for hook in self._hooks.each(BEFORE):
            self.calling[trial.id] = str(hook)
            _nothing(hook, hook(trial=trial))

    def after(self, trial: Trial, result: TrialResult) -> list[PluginError]:
        """Call every plugin after a trial, the one registered first first; return their errors."""
        errors: list[PluginError] = []
        for hook in reversed(list(self._hooks.each(AFTER))):
            self.calling[trial.id] = str(hook)
            try:
                _nothing(hook, hook(trial=trial, result=result))
            except PluginError as error:
                errors.append(error)
        self.calling.pop(trial.id, None)
        return errors


def trial_hooks(hooks: Hooks) -> PluginTrialHooks | None:
    """Return what calls plugins around trials; None if no plugin implements these hooks."""
    return PluginTrialHooks(hooks) if hooks.any(BEFORE, AFTER) else None


def _nothing(hook: Implementation, value: object) -> None:
    """Reject a value returned by a hook that only observes.

    Raises:
        PluginError: it returned a value.
    """
    if value is not None:
        raise PluginError(
            f"{hook} returned {_shown(value)}, but it is told, not asked: nothing comes of it"
        )


def secrets_of(hook: Implementation) -> tuple[list[str], list[re.Pattern[str]]]:
    """Return the secret texts and the patterns of one plugin.

    Raises:
        PluginError: it fails, or returns something that cannot be searched for.
    """
    value = hook()
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise PluginError(f"{hook} returned {_shown(value)}, expected a list of texts and patterns")
    texts: list[str] = []
    patterns: list[re.Pattern[str]] = []
    for i, secret in enumerate(value):
        if isinstance(secret, re.Pattern) and isinstance(secret.pattern, str):
            if secret.match(""):
                raise PluginError(
                    f"{hook}: the pattern {secret.pattern!r} matches nothing at all, so it would "
                    "match everywhere; write what has to be there"
                )
            patterns.append(secret)
        elif isinstance(secret, str) and len(secret) >= MIN_SECRET_LENGTH:
            texts.append(secret)
        elif isinstance(secret, str):  # not quoted: it is a secret
            raise PluginError(
                f"{hook}: secret number {i + 1} has {len(secret)} characters; one under "
                f"{MIN_SECRET_LENGTH} would match by chance, so give a pattern with the text "
                "around it"
            )
        else:
            raise PluginError(
                f"{hook}: entry number {i + 1} is of type {type(secret).__name__}, expected a text "
                "or a compiled pattern of text"
            )
    return texts, patterns


def verdict_notes(hooks: Hooks, verdict: "GateVerdict") -> tuple[tuple[str, ...], list[str]]:
    """Return the notes that plugins add to a verdict, and their errors."""
    notes: list[str] = []
    errors: list[str] = []
    for hook in reversed(list(hooks.each("pytest_evals_gate_verdict"))):
        try:
            notes += _sentences(hook, hook(verdict=verdict))
        except PluginError as error:
            errors.append(f"{error}; the verdict lacks its notes")
    return tuple(notes), errors


def _sentences(hook: Implementation, value: object) -> list[str]:
    """Return notes as a list.

    Raises:
        PluginError: the value is no text and no list of texts.
    """
    if value is None:
        return []
    notes = [value] if isinstance(value, str) else value
    if isinstance(notes, Iterable) and not isinstance(notes, Mapping | bytes):
        listed = list(notes)
        if all(isinstance(note, str) for note in listed):
            return listed
    raise PluginError(
        f"{hook} returned {_shown(value)}, expected a sentence, a list of them or None"
    )


def report_context(hooks: Hooks, report: "Report") -> "tuple[dict[str, ContextValue], list[str]]":
    """Return the sections that plugins add to a report, and their errors."""
    context: dict[str, ContextValue] = {}
    origins: dict[str, str] = {}
    errors: list[str] = []
    for hook in reversed(list(hooks.each("pytest_evals_report_context"))):
        try:
            sections = _sections(hook, hook(report=report))
            for title in sections.keys() & origins.keys():
                raise PluginError(f"{hook} adds {title!r}, as the plugin {origins[title]} does")
        except PluginError as error:
            errors.append(f"{error}; the reports lack its sections")
            continue
        context.update(sections)
        origins.update(dict.fromkeys(sections, hook.plugin))
    return context, errors


def _sections(hook: Implementation, value: object) -> "dict[str, ContextValue]":
    """Return one plugin's sections.

    Raises:
        PluginError: the value is no mapping of sections.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise PluginError(f"{hook} returned {_shown(value)}, expected a mapping of titles or None")
    sections: dict[str, ContextValue] = {}
    for title, section in value.items():
        if not isinstance(title, str) or not title.strip():
            raise PluginError(f"{hook}: {title!r} is no title; write a text")
        if isinstance(section, str):
            sections[title] = section
            continue
        if not isinstance(section, Mapping):
            raise PluginError(
                f"{hook}: {title!r} is {_shown(section)}, expected a text or a mapping of names to "
                "texts, numbers, truth values or None"
            )
        for name, inner in section.items():
            plain = inner is None or isinstance(inner, str | bool | int | float)
            if not isinstance(name, str) or not plain or _endless(inner):
                raise PluginError(
                    f"{hook}: {title!r} holds {_shown(name)}: {_shown(inner)}, expected a text, a "
                    "number, a truth value or None"
                )
        sections[title] = dict(section)
    return sections


def _endless(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _shown(value: object) -> str:
    """Return the repr of a value, truncated."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
