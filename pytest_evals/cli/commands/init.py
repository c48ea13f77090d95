"""``pytest-evals init``: a first dataset that passes at once, and a workflow that runs it."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_output
from pytest_evals.cli.output import Paper, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

_DATASET = "evals/starter.evals.yaml"
_FILES = {
    _DATASET: "starter.evals.yaml",
    ".github/workflows/evals.yml": "workflow.yml",
    ".github/actions/evals/action.yml": "action.yml",
}
"""What is written where: each the text of a file of this package."""
_IGNORED = (".evals/", "evals-reports/")
"""What git need not keep: the store, and the reports of the workflow."""

_EPILOG = """\
examples:
  pytest-evals init
  pytest-evals init my-project --no-workflow

Existing files are not changed; only .gitignore gets lines added. The dataset holds its answers, so
it needs no API key and no network: `pytest --evals evals` passes at once.

exit status: 0, or 1 if a file cannot be written; 4 for usage."""


class InitCommand:
    """The command ``pytest-evals init``."""

    name = "init"
    help = "write a first dataset, a workflow and .gitignore lines"
    description = (
        "Write a dataset that passes at once, a GitHub workflow that runs it on every pull "
        "request, and the lines of .gitignore that keep stores out of git."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument(
            "folder",
            nargs="?",
            type=Path,
            default=Path(),
            metavar="FOLDER",
            help="the project's folder; by default the current one",
        )
        parser.add_argument(
            "--no-workflow", action="store_true", help="write nothing below .github"
        )
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Write the files."""
        from pytest_evals.ground.errors import EvalsError

        names = [name for name in _FILES if not (args.no_workflow and name.startswith(".github"))]
        try:
            done = [_write_starter(args.folder, name) for name in names]
            done.append(_extend_gitignore(args.folder))
        except OSError as error:
            raise EvalsError(
                f"{error.filename or args.folder}: cannot be written: {error.strerror}; files "
                "written before stay"
            ) from None
        if args.json:
            files = [{"path": file.path, "what": file.what} for file in done]
            say_json({"schema": 1, "folder": str(args.folder), "files": files, "next": _next(args)})
        else:
            _print(args, done)
        return 0


@dataclass(frozen=True, slots=True)
class _FileChange:
    """What happened to one file."""

    path: str
    """Relative to the project's folder."""
    what: str
    """``written``, ``added to`` or ``left as it is``."""


def _write_starter(folder: Path, name: str) -> _FileChange:
    """Write a file unless it exists.

    Raises:
        OSError: it cannot be written.
    """
    from importlib.resources import files

    text = files("pytest_evals.cli").joinpath("starter", _FILES[name]).read_text(encoding="utf-8")
    path = folder / name
    if path.exists() or path.is_symlink():
        return _FileChange(name, "left as it is")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return _FileChange(name, "written")


def _extend_gitignore(folder: Path) -> _FileChange:
    """Add the missing lines to .gitignore.

    Raises:
        OSError: it cannot be read or written.
    """
    path = folder / ".gitignore"
    exists = path.is_file() or path.is_dir()
    # The file is read as bytes, because it need not be valid text.
    old = path.read_bytes() if exists else b""
    present = {line.strip().strip(b"/") for line in old.splitlines()}
    missing = [line for line in _IGNORED if line.strip("/").encode() not in present]
    if not missing:
        return _FileChange(".gitignore", "left as it is")
    newline = b"" if not old or old.endswith(b"\n") else b"\n"
    with path.open("ab") as file:
        file.write(newline + "".join(f"{line}\n" for line in missing).encode())
    return _FileChange(".gitignore", "added to" if exists else "written")


def _next(args: argparse.Namespace) -> list[str]:
    """Return the commands to run next."""
    import shlex

    is_current = args.folder.resolve() == Path.cwd()
    into = [] if is_current else [f"cd {shlex.quote(str(args.folder))}"]
    return [*into, "pytest --evals evals", "pytest-evals show latest"]


def _print(args: argparse.Namespace, done: "Sequence[_FileChange]") -> None:
    """Print the changes, and what to do next."""
    paper = Paper.of(args)
    for file in done:
        paper.say(f"{file.path}: {file.what}", *(() if file.what == "written" else ("dim",)))
    paper.say()
    paper.say("Next:", "bold")
    for command in _next(args):
        paper.say(f"  {command}")
    paper.sentence(
        f"Then write your own cases into {_DATASET}, and replace `bot` with your model or app; "
        "its comments say how."
    )
