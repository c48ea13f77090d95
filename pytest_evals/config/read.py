"""Read the settings of a session: command line, then environment, then ini file, then default."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from pytest_evals.config.option import Option
from pytest_evals.config.settings import OPTIONS, REPORT_OPTIONS, Settings
from pytest_evals.ground.errors import SettingsError

FLAG = attrgetter("flag")
"""How a command line spells an option."""


def read_settings(
    rootdir: Path,
    *,
    command_line: Mapping[str, Any],
    environ: Mapping[str, str],
    ini: Mapping[str, Any],
    spelling: Callable[[Option], str] = FLAG,
    folder: Path | None = None,
) -> Settings:
    """Make the settings of a session.

    Args:
        rootdir: where relative paths begin.
        command_line: texts by option name; None or an empty list where an option is not given.
        environ: the environment.
        ini: texts (or lists of texts) by option name; empty where not given.
        folder: where relative paths of the command line begin; None: in the rootdir.
        spelling: returns how the user spells an option in `command_line`, for messages.

    Raises:
        SettingsError: an invalid value, with its origin, or options that contradict each other.
    """
    values: dict[str, Any] = {}
    folder = None if folder == rootdir else folder
    for option in OPTIONS:
        given = command_line.get(option.name)
        if any(not str(text).strip() for text in (given if isinstance(given, list) else [given])):
            expected = option.metavar or "a value"
            raise SettingsError(f"{spelling(option)}: expected {expected}, found an empty text")
        for origin, value in (
            (spelling(option), command_line.get(option.name)),
            (option.variable, environ.get(option.variable)),
            (f"{option.ini} in the ini file", ini.get(option.name)),
        ):
            if value is None or value in ("", [], ()):
                continue
            begins = folder if value is given else None
            values[option.attribute] = _parse(option, origin, _located(option, value, begins))
            break
    scripted = spelling is not FLAG
    settings = Settings(rootdir=rootdir, scripted=scripted, **values)
    _check_contradictions(settings)
    return _for_sanity(settings) if settings.sanity else settings


def _located(option: Option, value: Any, folder: Path | None) -> Any:
    """Return a value with its paths in a folder; None leaves them as they are."""
    if option.located is None or folder is None:
        return value
    if isinstance(value, list | tuple):
        return [option.located(str(text), folder) for text in value]
    return option.located(str(value), folder)


def _parse(option: Option, origin: str, value: Any) -> Any:
    """Parse the text, or the list of texts, that was given for an option.

    Raises:
        SettingsError: an invalid value, with its origin.
    """
    texts = [str(text) for text in (value if isinstance(value, list | tuple) else [value])]
    if option.many:
        parts = [part for text in texts for part in _split_list(text, origin) if part]
    else:
        parts = [texts[-1].strip()]
    values = []
    for part in parts:
        try:
            values.append(option.parse(part))
        except ValueError as error:
            raise SettingsError(f"{origin}: {error}, found {part!r}") from None
    return tuple(values) if option.many else values[0]


def _split_list(text: str, origin: str) -> list[str]:
    """Split an environment variable at its commas; a text from elsewhere is one entry."""
    return [part.strip() for part in text.split(",")] if origin.startswith("PYTEST_") else [text]


def _for_sanity(settings: Settings) -> Settings:
    """Drop the baseline and the cassette: a null-answer check compares and stores nothing.

    Raises:
        SettingsError: an option that would save it as a run of the models.
    """
    incompatible = ("update_baseline", "reset_baseline", "from_run")
    for option in OPTIONS:
        if option.attribute in incompatible and getattr(settings, option.attribute):
            raise SettingsError(
                f"--evals-sanity calls no model under test, so {option.flag} has no effect with "
                "it; drop one of the two"
            )
    return replace(settings, baseline=None, cassette=None)


def _check_contradictions(settings: Settings) -> None:
    """Reject options that contradict each other.

    Raises:
        SettingsError: the two options, and what to do.
    """
    if settings.from_run is not None and settings.samples is not None:
        raise SettingsError(
            "--evals-from uses the recorded samples, so --evals-samples has no effect with it; "
            "drop one of the two"
        )
    for flag, path in (("cassette", settings.cassette), ("shared", settings.shared)):
        if settings.responses == "off" and path is not None:
            raise SettingsError(
                f"--evals-responses=off stores no responses, but --evals-{flag} records them; "
                "drop one of the two"
            )
    names = [item.partition("=")[0] for item in settings.report]
    for name in names:
        has_option = name in REPORT_OPTIONS and getattr(settings, name) is not None
        if has_option or names.count(name) > 1:
            raise SettingsError(f"duplicate report {name!r}; name one file for it")
