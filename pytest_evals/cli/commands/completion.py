"""``pytest-evals completion SHELL``: a script that completes the command line, made by `shtab`.

The script holds everything that can be completed. This program does not run when Tab is pressed.
"""

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_evals.cli.parser import Parser

SHELLS = ("bash", "zsh", "fish", "tcsh")
_FILES = frozenset({"PATH", "FILE", "DIR", "FOLDER", "DATASET", "SHARD", "SOURCE", "BASELINE"})
"""Metavars that stand for the name of a file."""
_RUN = "RUN"
"""The metavar that stands for a run: its id, or `latest`."""

_EPILOG = """\
examples:
  pytest-evals completion bash > ~/.pytest-evals.bash
  pytest-evals completion zsh > ~/.zfunc/_pytest-evals
  pytest-evals completion fish > ~/.config/fish/completions/pytest-evals.fish
  pytest-evals completion tcsh > ~/.pytest-evals.tcsh

bash needs `source ~/.pytest-evals.bash` in ~/.bashrc, tcsh `source ~/.pytest-evals.tcsh` in
~/.tcshrc. zsh needs `fpath+=(~/.zfunc)` before `compinit` in ~/.zshrc. Write the script again after
an upgrade.

exit status: 0; 4 for usage."""

_RUNS: dict[str, Any] = {
    "bash": "_pytest_evals_runs",
    "zsh": "(latest)",
    "fish": "latest",
    "tcsh": "(latest)",
    "preamble": {"bash": '_pytest_evals_runs() {\n  compgen -W latest -- "$1"\n}'},
}
"""Completes a run, in shtab's form."""

_RUNS_AND_FILES: dict[str, Any] = {
    "bash": "_pytest_evals_files_and_runs",
    "zsh": "{_files; compadd latest}",
    "fish": "(__fish_complete_path (commandline -ct)) latest",
    "tcsh": "f",
    "preamble": {
        "bash": "_pytest_evals_files_and_runs() {\n"
        '  compgen -f -- "$1"\n'
        '  compgen -W latest -- "$1"\n'
        "}"
    },
}
"""Completes a run or a file, in shtab's form."""

_BASH_EQUALS = """
# bash splits `--option=value` at the equals sign; shtab's function expects two words.
_pytest_evals() {
  local -a words=()
  local i last=""
  for ((i = 0; i <= COMP_CWORD; i++)); do
    [[ ${COMP_WORDS[i]} == "=" ]] || words+=("${COMP_WORDS[i]}")
    last="${COMP_WORDS[i]}"
  done
  [[ $last == "=" ]] && words+=("")
  local -a COMP_WORDS=("${words[@]}")
  local COMP_CWORD=$((${#words[@]} - 1))
  _shtab_pytest_evals
}
complete -F _pytest_evals pytest-evals
"""


class CompletionCommand:
    """The command ``pytest-evals completion``."""

    name = "completion"
    help = "print a script that completes commands in bash, zsh, fish or tcsh"
    description = "Print a script that completes commands, options and their values with Tab."
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("shell", choices=SHELLS, help="the shell")

    def run(self, args: argparse.Namespace) -> int:
        """Print the script."""
        sys.stdout.write(completion_script(args.root_parser, args.shell))
        return 0


def completion_script(parser: "Parser", shell: str) -> str:
    """Return the script that completes a command line.

    Args:
        parser: the parser of the whole command line.
        shell: one of `SHELLS`.
    """
    import shtab

    for _, inner in parser.walk():
        for action in inner.arguments:
            value = _completed_value(action)
            if value is not None:
                # shtab reads this attribute of an argument.
                action.complete = value  # type: ignore[attr-defined]
    script: str = shtab.complete(parser, shell=shell)
    return script.rstrip("\n") + "\n" + (_BASH_EQUALS if shell == "bash" else "")


def _completed_value(action: argparse.Action) -> dict[str, Any] | None:
    """Return what completes an argument besides its choices, in shtab's form; None is nothing."""
    import shtab

    metavar = action.metavar if isinstance(action.metavar, str) else ""
    words = {word.strip("[]") for part in metavar.split() for word in part.split("|")}
    if words & _FILES:
        return _RUNS_AND_FILES if _RUN in words else shtab.FILE
    return _RUNS if _RUN in words else None
