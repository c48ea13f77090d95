"""The pytest plugin. This module is imported in every pytest session, so it stays light.

Without ``--evals`` it registers options, the marker and one hint, and nothing else happens. With
it, `composition` makes the plugin objects: a *runner* where items run, a *recorder* where the
session is.
"""

from fnmatch import fnmatch
from pathlib import Path

import pytest

from pytest_evals.config import FILES_DEFAULT, OPTIONS, detached_values
from pytest_evals.ground.installation import missing_packages, shadowed_by_another
from pytest_evals.plugin.compat import keep_rootdir, option_group_with

if problem := shadowed_by_another(Path(__file__).parents[1]):
    raise pytest.UsageError(problem)

_SUFFIXES = (".yaml", ".yml", ".json", ".jsonl", ".csv")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add our hooks, also without ``--evals``: a ``conftest.py`` may have them."""
    from pytest_evals import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--evals``, ``--evals-*`` and the ini options."""
    group = parser.getgroup("evals", "evals that are tests (pytest-evals-matrix)")
    _add(
        group,
        parser,
        "--evals",
        action="store_true",
        default=False,
        help="Collect eval datasets and run them. They can cost money, so they are opt in.",
    )
    parser.addini(
        "evals_files",
        "File names (globs) that are collected as datasets.",
        type="args",
        default=list(FILES_DEFAULT),
    )
    for option in OPTIONS:
        if option.command_line and option.switch:
            _add(
                group,
                parser,
                option.flag,
                dest=option.dest,
                action="store_const",
                const="true",
                default=None,
                help=option.help,
            )
        elif option.command_line:
            _add(
                group,
                parser,
                option.flag,
                dest=option.dest,
                action="append" if option.many else "store",
                default=None,
                metavar=option.metavar,
                help=option.help,
            )
        if option.many:
            parser.addini(option.ini, option.help, type="linelist", default=[])
        else:
            parser.addini(option.ini, option.help, default="")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Keep pytest's rootdir where it is without the paths of our options."""
    if early_config.known_args_namespace.evals and (values := detached_values(args, OPTIONS)):
        keep_rootdir(early_config, args, values)


def _add(group: pytest.OptionGroup, parser: pytest.Parser, name: str, **attrs: object) -> None:
    """Add an option; if another plugin has taken its name, name that plugin."""
    owner = option_group_with(parser, name, other_than=group)
    if owner is not None:
        raise pytest.UsageError(
            f"pytest-evals-matrix cannot add {name}: the plugin with the option group "
            f"{owner!r} has taken it. Turn one of the two off with -p no:NAME "
            "(ours is -p no:evals-matrix)"
        )
    group.addoption(name, **attrs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; with ``--evals``, the session's two plugin objects."""
    config.addinivalue_line("markers", "evals: an eval; runs only with --evals")
    if config.getoption("evals"):
        if problem := missing_packages():
            raise pytest.UsageError(problem)
        from pytest_evals.plugin.process.exit import no_collection

        with no_collection():  # saves about 30 ms of the imports
            from pytest_evals.plugin.composition import begin

            begin(config)
    else:
        config.pluginmanager.register(_Inert(), "evals-inert")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the session."""
    if config.getoption("evals", False) and not missing_packages():
        from pytest_evals.plugin.composition import end

        end(config)


class _Inert:
    """The plugin without ``--evals``: it skips marked evals and displays one hint."""

    def __init__(self) -> None:
        self.hints: list[str] = []
        self._datasets: list[str] = []

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> None:
        """Notice a dataset that was named on the command line."""
        named = file_path.suffix in _SUFFIXES and parent.session.isinitpath(file_path)
        if named and not self.hints:
            self.hints.append(f"{file_path.name} looks like an eval dataset: run it with --evals")
        if any(fnmatch(file_path.name, glob) for glob in parent.config.getini("evals_files")):
            self._datasets.append(file_path.name)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Skip tests that are marked as evals."""
        marked = [item for item in items if item.get_closest_marker("evals")]
        if marked:
            skip = pytest.mark.skip(reason="an eval: runs only with --evals")
            for item in marked:
                item.add_marker(skip)
            count = "1 eval was" if len(marked) == 1 else f"{len(marked)} evals were"
            them = "it" if len(marked) == 1 else "them"
            self.hints.append(f"{count} skipped: run {them} with --evals")

    def pytest_terminal_summary(
        self, terminalreporter: "pytest.TerminalReporter", exitstatus: int
    ) -> None:
        """Display the hint; where nothing ran, also for datasets that were not named."""
        if self._datasets and not self.hints and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            more = f" and {len(self._datasets) - 1} more" if self._datasets[1:] else ""
            self.hints.append(f"{self._datasets[0]}{more}: run with --evals")
        for hint in self.hints:
            terminalreporter.write_line(f"pytest-evals-matrix: {hint}")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return the header lines; none without ``--evals``."""
    if not config.getoption("evals"):
        return []
    from pytest_evals.plugin.composition import header

    return header(config)
