"""``pytest-evals completion SHELL``: a script that completes the command line, made of its parser.

Nothing of this program runs when Tab is pressed: what there is to complete stands in the script.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SHELLS = ("bash", "zsh", "fish")
_FILES = frozenset({"PATH", "FILE", "DIR", "FOLDER", "DATASET", "SHARD", "SOURCE", "PATH|RUN"})
"""What stands for a file's name in help texts."""
_RUNS = "RUN"

_EPILOG = """\
examples:
  pytest-evals completion bash > ~/.pytest-evals.bash
  pytest-evals completion zsh > ~/.zfunc/_pytest-evals
  pytest-evals completion fish > ~/.config/fish/completions/pytest-evals.fish

bash wants `source ~/.pytest-evals.bash` in ~/.bashrc. zsh wants `fpath+=(~/.zfunc)` before
`compinit` in ~/.zshrc. Write it anew after an upgrade.

exit status: 0; 4 for usage."""


class CompletionCommand:
    """The command ``pytest-evals completion``."""

    name = "completion"
    help = "print a script that completes commands in bash, zsh or fish"
    description = "Print a script that completes commands, options and their values with Tab."
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("shell", choices=SHELLS, help="the shell")

    def run(self, args: argparse.Namespace) -> int:
        """Print the script."""
        commands = list(_command(args.root_parser, "", "").walk())
        made = {"bash": _bash, "zsh": _zsh, "fish": _fish}[args.shell](commands)
        sys.stdout.write("\n".join(made) + "\n")
        return 0


@dataclass(frozen=True, slots=True)
class _Option:
    """One option of a command."""

    names: tuple[str, ...]
    help: str
    value: bool
    """Whether a value stands behind it."""
    choices: tuple[str, ...] = ()
    files: bool = False
    """Whether the value is a file's name."""


@dataclass(frozen=True, slots=True)
class _Command:
    """One command: what can stand behind it."""

    path: str
    """Its words, with spaces; empty for the program itself."""
    help: str
    options: tuple[_Option, ...]
    words: tuple[str, ...] = ()
    """Commands below it, and choices of its arguments."""
    files: bool = False
    """Whether an argument is a file's name."""
    below: "tuple[_Command, ...]" = field(default=())

    def walk(self) -> "Iterator[_Command]":
        """Yield it and all commands below it."""
        yield self
        for command in self.below:
            yield from command.walk()


def _command(parser: argparse.ArgumentParser, path: str, told: str) -> _Command:
    """Return what a parser takes."""
    options: list[_Option] = []
    words: list[str] = []
    files = False
    below: list[_Command] = []
    for action in parser._actions:  # noqa: SLF001 - argparse tells its arguments no other way
        metavar = str(action.metavar or "")
        choices = tuple(map(str, action.choices or ()))
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            helps = {one.dest: one.help or "" for one in action._choices_actions}  # noqa: SLF001
            below = [
                _command(inner, f"{path} {word}".strip(), helps.get(word, ""))
                for word, inner in action.choices.items()
            ]
            words += choices
        elif action.option_strings:
            value = action.nargs != 0
            is_file = value and metavar in _FILES
            names = tuple(action.option_strings)
            options.append(_Option(names, _short(action.help), value, choices, is_file))
        else:
            words += [*choices, *(["latest"] if _RUNS in metavar.split() else [])]
            files = files or any(part.strip("[]") in _FILES for part in metavar.split())
            files = files or "BASELINE" in metavar
    return _Command(path, _short(told), tuple(options), tuple(words), files, tuple(below))


def _short(text: str | None) -> str:
    """Return the beginning of a help text, harmless in a script."""
    first = " ".join((text or "").split()).partition(";")[0].partition(" (")[0]
    return "".join(c for c in first if c.isalnum() or c in " ,./-_*=").strip()


def _cases(commands: Sequence[_Command]) -> Iterator[str]:
    """Yield what finds out which command is meant: the same in bash and zsh."""
    for command in commands:
        if command.path:
            before, _, word = command.path.rpartition(" ")
            yield f"      {shlex.quote(f'{before} {word}')}) cmd={shlex.quote(command.path)} ;;"


def _values(commands: Sequence[_Command]) -> Iterator[tuple[str, _Option]]:
    """Yield a pattern of a command and an option, and the option, for each that has a value."""
    for command in commands:
        for option in command.options:
            if option.value:
                names = "|".join(shlex.quote(f"{command.path}:{name}") for name in option.names)
                yield names, option


def _bash(commands: Sequence[_Command]) -> Iterator[str]:
    """Yield the script of bash; it works from version 3.2 on."""
    yield "# Completes `pytest-evals` in bash. Made by `pytest-evals completion bash`."
    yield "_pytest_evals() {"
    yield '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"'
    yield '  local cmd="" i words="" options="" files=""'
    yield "  local IFS=$' \\t\\n'"
    yield '  if [[ $cur == "=" ]]; then cur=""; elif [[ $prev == "=" ]]; then'
    yield '    prev="${COMP_WORDS[COMP_CWORD-2]}"; fi'
    yield "  for ((i = 1; i < COMP_CWORD; i++)); do"
    yield '    case "$cmd ${COMP_WORDS[i]}" in'
    yield from _cases(commands)
    yield "    esac"
    yield "  done"
    yield "  COMPREPLY=()"
    yield '  case "$cmd:$prev" in'
    for names, option in _values(commands):
        if option.choices:
            words = shlex.quote(" ".join(option.choices))
            yield f'    {names}) COMPREPLY=($(compgen -W {words} -- "$cur")); return ;;'
        elif option.files:
            yield f'    {names}) _pytest_evals_files "$cur"; return ;;'
        else:
            yield f"    {names}) return ;;"
    yield "  esac"
    yield '  case "$cmd" in'
    for command in commands:
        options = " ".join(name for option in command.options for name in option.names)
        yield f"    {shlex.quote(command.path)}) options={shlex.quote(options)}"
        yield f"      words={shlex.quote(' '.join(command.words))} files={int(command.files)} ;;"
    yield "  esac"
    yield "  if [[ $cur == -* ]]; then"
    yield '    COMPREPLY=($(compgen -W "$options" -- "$cur"))'
    yield "    return"
    yield "  fi"
    yield "  if [[ $files == 1 ]]; then"
    yield '    _pytest_evals_files "$cur"'
    yield "  fi"
    yield '  COMPREPLY+=($(compgen -W "$words" -- "$cur"))'
    yield "}"
    yield "_pytest_evals_files() {"
    yield "  local IFS=$'\\n'"
    yield "  compopt -o filenames 2>/dev/null"
    yield '  COMPREPLY=($(compgen -f -- "$1"))'
    yield "}"
    yield "complete -F _pytest_evals pytest-evals"


def _zsh(commands: Sequence[_Command]) -> Iterator[str]:
    """Yield the script of zsh."""
    yield "#compdef pytest-evals"
    yield "# Completes `pytest-evals` in zsh. Made by `pytest-evals completion zsh`."
    yield "_pytest_evals() {"
    yield '  local cmd="" i prev="${words[CURRENT-1]}"'
    yield "  local -a options below"
    yield "  for ((i = 2; i < CURRENT; i++)); do"
    yield '    case "$cmd ${words[i]}" in'
    yield from _cases(commands)
    yield "    esac"
    yield "  done"
    yield '  if [[ $PREFIX == --*=* ]]; then prev="${PREFIX%%=*}"; compset -P "*="; fi'
    yield '  case "$cmd:$prev" in'
    for names, option in _values(commands):
        if option.choices:
            yield f"    {names}) compadd -- {' '.join(map(shlex.quote, option.choices))}; return ;;"
        elif option.files:
            yield f"    {names}) _files; return ;;"
        else:
            yield f"    {names}) return ;;"
    yield "  esac"
    yield '  case "$cmd" in'
    for command in commands:
        told = " ".join(
            shlex.quote(f"{name}:{option.help}")
            for option in command.options
            for name in option.names
        )
        helps = {one.path.rpartition(" ")[2]: one.help for one in command.below}
        words = " ".join(shlex.quote(f"{w}:{helps.get(w, '')}".rstrip(":")) for w in command.words)
        yield f"    {shlex.quote(command.path)}) options=({told})"
        yield f"      below=({words})"
        files = "[[ $PREFIX == -* ]] || _files" if command.files else ":"
        yield f"      {files} ;;"
    yield "  esac"
    yield "  if [[ $PREFIX == -* ]]; then _describe -o option options"
    yield "  elif (( $#below )); then _describe word below; fi"
    yield "}"
    yield 'if [[ ${funcstack[1]} == _pytest-evals ]]; then _pytest_evals "$@"'
    yield "else compdef _pytest_evals pytest-evals; fi"


def _fish(commands: Sequence[_Command]) -> Iterator[str]:
    """Yield the script of fish."""
    yield "# Completes `pytest-evals` in fish. Made by `pytest-evals completion fish`."
    yield "function __pytest_evals_at"
    yield "  set -l cmd ''"
    yield "  for word in (commandline -opc)[2..-1]"
    yield '    switch "$cmd $word"'
    for command in commands:
        if command.path:
            before, _, word = command.path.rpartition(" ")
            yield f"      case {shlex.quote(f'{before} {word}')}"
            yield f"        set cmd {shlex.quote(command.path)}"
    yield "    end"
    yield "  end"
    yield '  test "$cmd" = "$argv[1]"'
    yield "end"
    yield "complete -c pytest-evals -f"
    for command in commands:
        at = f"-n {shlex.quote(f'__pytest_evals_at {shlex.quote(command.path)}')}"
        helps = {one.path.rpartition(" ")[2]: one.help for one in command.below}
        for word in command.words:
            yield f"complete -c pytest-evals {at} -a {word} -d {shlex.quote(helps.get(word, ''))}"
        if command.files:
            yield f"complete -c pytest-evals {at} -F"
        for option in command.options:
            names = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in option.names
            )
            value = " -x" if option.value else ""
            value = " -r -F" if option.files else value
            if option.choices:
                value += f" -a {shlex.quote(' '.join(option.choices))}"
            yield f"complete -c pytest-evals {at} {names}{value} -d {shlex.quote(option.help)}"
