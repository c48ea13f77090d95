"""What other packages do not promise: private names of pytest, xdist, Allure and asyncio.

All of them are here, so that a new version of a package breaks one module. Each function has a
test that fails when the private name is gone. Where a feature can be lost instead of the session,
the function returns nothing.
"""

import inspect
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import asyncio

_STREAMS = ("tmpfile", "_old")
"""Where pytest's capture holds the stream while it captures, and while it does not."""


def option_group_with(parser: pytest.Parser, name: str, *, other_than: object) -> str | None:
    """Return the name of the group in which another plugin has registered an option."""
    for group in getattr(parser, "_groups", ()):
        if group is not other_than and any(name in option.names() for option in group.options):
            return str(group.name)
    return None


def keep_rootdir(config: pytest.Config, args: list[str], values: Sequence[tuple[str, str]]) -> None:
    """Undo a move of pytest's rootdir and ini file by the values of our options.

    Before plugins are loaded pytest knows no option of theirs, so it takes an existing path after
    a space for a test path.

    Args:
        config: after plugins are loaded, before conftest files are.
        args: the command line, which receives the ``addopts`` of the right ini file.
        values: the flags and values that are words of their own.

    Raises:
        UsageError: this version of pytest cannot be put right; says how to write the option.
    """
    given = [str(path) for path in config.known_args_namespace.file_or_dir]
    right = _guess_roots(config, given)
    for flag, value in values:
        moved = _guess_roots(config, [*given, value])
        if moved[:2] == right[:2] or moved[:2] != (config.rootpath, config.inipath):
            continue
        try:
            _put_right(config, args, right)
        except AttributeError:
            raise pytest.UsageError(
                f"{flag} {value}: pytest takes an existing path after a space for a test path, "
                f"and so uses rootdir {moved[0]}. Write {flag}={shlex.quote(value)}"
            ) from None


def _guess_roots(config: pytest.Config, paths: Sequence[str]) -> tuple[Path, Path | None, Any]:
    """Return pytest's rootdir, ini file and ini values for test paths."""
    from _pytest.config.findpaths import determine_setup

    options = config.known_args_namespace
    values = {
        "inifile": options.inifilename,
        "override_ini": options.override_ini,
        "args": paths,
        "rootdir_cmd_arg": options.rootdir or None,
        "invocation_dir": config.invocation_params.dir,
    }
    taken = inspect.signature(determine_setup).parameters
    return determine_setup(**{name: values[name] for name in values if name in taken})[:3]


def _put_right(config: Any, args: list[str], right: tuple[Path, Path | None, Any]) -> None:
    """Set what pytest reads of the rootdir and the ini file at its start."""
    parser, before = config._parser, config.getini("addopts")  # noqa: SLF001 - not public
    values = "_inicfg" if hasattr(config, "_inicfg") else "inicfg"
    for name, value in zip(("_rootpath", "_inipath", values), right, strict=True):
        getattr(config, name)
        setattr(config, name, value)
    config._inicache.clear()  # noqa: SLF001 - not public
    parser.extra_info.update(rootdir=str(right[0]), inifile=str(right[1]))
    if args[: len(before)] == before:
        del args[: len(before)]
    args[:0] = config.getini("addopts")
    config.known_args_namespace = parser.parse_known_args(args, namespace=copy(config.option))
    # Newer versions have set it by now; older ones do it in a hook that comes after ours.
    getattr(config, "_configure_python_path", lambda: None)()
    config.pluginmanager.consider_preparse(args, exclude_only=False)
    if config.known_args_namespace.confcutdir is None:
        config.known_args_namespace.confcutdir = str(right[1].parent if right[1] else right[0])


def terminal_width(reporter: "pytest.TerminalReporter") -> int:
    """Return the terminal's width in columns."""
    return int(reporter._tw.fullwidth)  # noqa: SLF001 - not public


def used_width(reporter: "pytest.TerminalReporter") -> int:
    """Return the columns already written on the current line."""
    return int(reporter._tw.width_of_current_line)  # noqa: SLF001 - not public


def start_line(reporter: "pytest.TerminalReporter") -> None:
    """Start a new line; after the dots of workers pytest does not know that it has to."""
    reporter.ensure_newline()
    if used_width(reporter):
        reporter._tw.line()  # noqa: SLF001 - not public


def terminal_stream(reporter: "pytest.TerminalReporter") -> Any:
    """Return the stream the reporter writes to; writing to it leaves its width unchanged."""
    return getattr(reporter._tw, "_file", sys.stdout)  # noqa: SLF001 - not public


def terminal_reporter(config: pytest.Config) -> "pytest.TerminalReporter | None":
    """Return pytest's terminal reporter; None if it is disabled."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin("terminalreporter")
    return reporter


def capture_suspended(config: pytest.Config) -> AbstractContextManager[None]:
    """Suspend pytest's capture for a block: during an item, stdout is not the terminal."""
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    suspended: AbstractContextManager[None] = (
        nullcontext() if manager is None else manager.global_and_fixture_disabled()
    )
    return suspended


def captured_streams(config: pytest.Config) -> Iterator[Any]:
    """Yield the streams that pytest's capture puts at ``sys.stdout`` and ``sys.stderr``."""
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    for name in ("out", "err"):
        channel = getattr(capturing, name, None)
        channel = getattr(channel, "syscapture", channel)
        for attribute in _STREAMS:
            stream = getattr(channel, attribute, None)
            if stream is not None and hasattr(stream, "__dict__"):
                yield stream


def junit_report(config: pytest.Config) -> Any:
    """Return pytest's JUnit report; None if none is written."""
    try:
        from _pytest.junitxml import xml_key
    except ImportError:
        return None
    return config.stash.get(xml_key, None)


def last_failed_cache(config: pytest.Config) -> Any:
    """Return the plugin of ``--lf``; None if it is disabled."""
    return config.pluginmanager.getplugin("lfplugin")


def run_item(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run an item by pytest's own protocol."""
    runner: Any = item.config.pluginmanager.getplugin("runner")
    return bool(runner.pytest_runtest_protocol(item, nextitem))


def reruns_requested(config: pytest.Config) -> bool:
    """Whether pytest-rerunfailures is to run failed tests again."""
    if not hasattr(config.option, "reruns"):
        return False
    reruns = config.option.reruns
    return bool(int(config.getini("reruns") or 0) if reruns is None else reruns)


def fixture_functions(definition: Any, name: str) -> Sequence[Callable[..., Any]]:
    """Return the functions of the fixtures of a name that a test can see."""
    fixtures = getattr(getattr(definition, "_fixtureinfo", None), "name2fixturedefs", {})
    return [fixture.func for fixture in fixtures.get(name) or ()]


def failure_text(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException], text: str) -> Any:
    """Return pytest's representation of a failure, with a text in place of the traceback.

    It crosses to the controller of workers and feeds the short summary and JUnit.
    """
    path, line, _ = item.reportinfo()
    return _failure_at(excinfo, text, str(path), (line or 0) + 1)


def failure_of_text(sentence: str, text: str, location: tuple[str, int | None, str]) -> Any:
    """Return pytest's representation of a failure that no exception has caused.

    Args:
        sentence: what is wrong.
        text: what is displayed.
        location: the file, the 0-based line and the name of what failed.
    """
    path, line, _ = location
    try:
        raise AssertionError(sentence)
    except AssertionError as error:
        return _failure_at(pytest.ExceptionInfo.from_exception(error), text, path, (line or 0) + 1)


def _failure_at(
    excinfo: pytest.ExceptionInfo[BaseException], text: str, path: str, line: int
) -> Any:
    """Return the representation of a failure at a line, with the attributes that plugins read."""
    from _pytest._code.code import ReprFileLocation

    shown: Any = excinfo.getrepr(style="native", chain=False)
    entry = shown.reprtraceback.reprentries[0]
    shown.reprtraceback.reprentries[:] = [entry]
    entry.lines = [text, "\n"]
    message = str(excinfo.value)
    shown.reprcrash.message, shown.reprcrash.path, shown.reprcrash.lineno = message, path, line
    entry.reprfileloc = ReprFileLocation(path, line, message)
    return shown


def runs_no_test(config: pytest.Config) -> bool:
    """Whether pytest was asked to show items or their setup, and to run no test."""
    names = ("collectonly", "setuponly", "setupplan")
    return any(getattr(config.option, name, False) for name in names)


class SetupFailureItem(pytest.Item):
    """An item that displays errors of its setup as it displays failures of its test.

    pytest reads and parses our source for a traceback of the setup. That is slow, and crashes
    Python 3.11's parser if another thread parses at the same time.
    """

    def describes(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Whether `repr_failure` describes this error."""
        return False

    def _repr_failure_py(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> Any:
        if self.describes(excinfo):
            return self.repr_failure(excinfo)
        return super()._repr_failure_py(excinfo, style)


def queued_items(session: pytest.Session) -> list[pytest.Item]:
    """Return the items in this xdist worker's queue, in order; empty if they cannot be read.

    Without them the engine loses the look-ahead, nothing else.
    """
    for plugin in session.config.pluginmanager.get_plugins():
        queue = getattr(plugin, "torun", None)
        if queue is None or type(plugin).__name__ != "WorkerInteractor":
            continue
        try:
            with queue.lock() as waiting:
                indices = [entry for entry in waiting if isinstance(entry, int)]
        except (AttributeError, TypeError):
            return []
        return [session.items[index] for index in indices]
    return []


def collection_difference(
    expected: Sequence[str], actual: Sequence[str], expected_id: str, actual_id: str
) -> str:
    """Return how the tests two xdist workers collected differ."""
    from xdist.report import report_collection_diff

    return str(report_collection_diff(expected, actual, expected_id, actual_id))


def has_allure(config: pytest.Config) -> bool:
    """Whether Allure's plugin is loaded."""
    return config.pluginmanager.hasplugin("allure_pytest")


def allure_listener(config: pytest.Config) -> Any:
    """Return Allure's listener; None if Allure writes no report."""
    return config.pluginmanager.getplugin("allure_listener")


def thread_event_loop() -> "asyncio.AbstractEventLoop | None":
    """Return the event loop set for this thread; None if there is none, and none is made."""
    import asyncio

    if sys.version_info >= (3, 14):
        try:
            return asyncio.get_event_loop()
        except RuntimeError:
            return None
    policy = asyncio.get_event_loop_policy()
    loop: asyncio.AbstractEventLoop | None = getattr(getattr(policy, "_local", None), "_loop", None)
    return loop
