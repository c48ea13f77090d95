"""`--help` teaches: every command has an example that runs, and fits a terminal of 80 columns."""

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_evals.cli import build_parser
from pytest_evals.cli.commands import COMMANDS


def parsers(parser=None, name=""):
    """Yield every command with its parser."""
    for action in (parser or build_parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield f"{name} {word}".strip(), inner
                yield from parsers(inner, f"{name} {word}".strip())


ALL = dict(parsers())
LEAVES = {name: it for name, it in ALL.items() if not any(o.startswith(f"{name} ") for o in ALL)}


def test_all_commands_are_there():
    """The list of commands is what the parser has."""
    assert [command.name for command in COMMANDS] == [name for name in ALL if " " not in name]


ELSEWHERE = {
    "curate": "traces/test_curate.py",
    "export": "reporters/test_export.py",
    "merge": "plugin/test_shards.py",
    "plugins": "hooks/test_example_plugin.py",
}
"""Commands that are tested beside the package that does their work."""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_has_a_file_and_tests(command):
    """One module named after the command, and one file of tests."""
    folder = Path(__file__).parents[1]
    module = "import_" if command.name == "import" else command.name
    assert (folder.parent / f"pytest_evals/cli/commands/{module}.py").is_file()
    tests = ELSEWHERE.get(command.name, f"cli/test_cli_{command.name}.py")
    assert f'"{command.name}"' in (folder / tests).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ALL)
def test_it_fits_and_teaches(name, monkeypatch):
    """No line is longer than 80 columns; there is an example and an exit status."""
    monkeypatch.setenv("COLUMNS", "80")
    text = ALL[name].format_help()
    assert max(map(len, text.splitlines())) <= 80
    assert "\nexamples:\n  pytest-evals " in text
    assert name not in LEAVES or "exit status: 0" in " ".join(text.split())


@pytest.mark.parametrize("name", ALL)
def test_examples_are_right(name):
    """Every example is a command line that the parser takes."""
    examples = re.findall(r"^  pytest-evals (.*)$", ALL[name].epilog, re.MULTILINE)
    assert examples
    for example in examples:
        words = shlex.split(re.split(r" {2,}| > ", example)[0])
        assert callable(build_parser().parse_args(words).run)


def test_every_command_has_its_statuses_on_their_page():
    """The page's table names each command that does something, and no other."""
    page = Path(__file__).parents[2] / "docs/reference/exit-status.md"
    rows = re.findall(r"^\| (`[a-z].*?) \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert set(LEAVES) - {"serve"} == named - {"serve"}


def test_ctrl_c_is_no_traceback(monkeypatch, capsys):
    """130, as of any program that was interrupted."""
    from pytest_evals.cli import main
    from pytest_evals.cli.commands.lint import LintCommand

    def interrupted(_self, _args):
        raise KeyboardInterrupt

    monkeypatch.setattr(LintCommand, "run", interrupted)
    assert main(["lint", "x"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_help_imports_nothing_heavy():
    """No model of pydantic, no client and no store is imported to show a help text."""
    code = (
        "import sys; from pytest_evals.cli import build_parser; build_parser(); "
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"pydantic", "httpx", "jinja2", "yaml", "sqlite3", "asyncio", "shtab", "pytest"}
    assert set() == heavy & set(done.stdout.split())
