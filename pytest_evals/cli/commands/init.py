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

Nothing that is there is changed, but for .gitignore, to which lines are added. The dataset's
answers stand in it, so it needs no key and no network: `pytest --evals evals` passes at once.

exit status: 0, or 1 where something cannot be written; 4 for usage."""


class InitCommand:
    """The command ``pytest-evals init``."""

    name = "init"
    help = "write a first dataset, a workflow and .gitignore lines"
    description = (
        "Begin: write a dataset that passes at once, a GitHub workflow that runs it on "
        "every pull request, and the lines of .gitignore that keep stores out of git."
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
            help="the project's folder; by default this one",
        )
        parser.add_argument(
            "--no-workflow", action="store_true", help="write nothing below .github"
        )
        add_output(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Write the files."""
        from pytest_evals.ground.errors import EvalsError

        wanted = [name for name in _FILES if not (args.no_workflow and name.startswith(".github"))]
        try:
            done = [_written(args.folder, name) for name in wanted]
            done.append(_ignored(args.folder))
        except OSError as error:
            raise EvalsError(
                f"{error.filename or args.folder}: cannot be written: {error.strerror}; what was "
                "written before it stays"
            ) from None
        if args.json:
            files = [{"path": one.path, "what": one.what} for one in done]
            say_json({"schema": 1, "folder": str(args.folder), "files": files, "next": _next(args)})
        else:
            _tell(args, done)
        return 0


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of one file."""

    path: str
    """From the project's folder."""
    what: str
    """``written``, ``added to`` or ``left as it is``."""


def _written(folder: Path, name: str) -> _Done:
    """Write a file that is not there.

    Raises:
        OSError: it cannot be written.
    """
    from importlib.resources import files

    text = files("pytest_evals.cli").joinpath("starter", _FILES[name]).read_text(encoding="utf-8")
    path = folder / name
    if path.exists() or path.is_symlink():
        return _Done(name, "left as it is")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return _Done(name, "written")


def _ignored(folder: Path) -> _Done:
    """Add to .gitignore the lines that it lacks.

    Raises:
        OSError: it cannot be read or written.
    """
    path = folder / ".gitignore"
    there = path.is_file() or path.is_dir()
    # Bytes that are no text are kept: only what is added is ours.
    old = path.read_bytes() if there else b""
    known = {line.strip().strip(b"/") for line in old.splitlines()}
    lacking = [line for line in _IGNORED if line.strip("/").encode() not in known]
    if not lacking:
        return _Done(".gitignore", "left as it is")
    begun = b"" if not old or old.endswith(b"\n") else b"\n"
    with path.open("ab") as file:
        file.write(begun + "".join(f"{line}\n" for line in lacking).encode())
    return _Done(".gitignore", "added to" if there else "written")


def _next(args: argparse.Namespace) -> list[str]:
    """Return the commands to go on with."""
    import shlex

    here = args.folder.resolve() == Path.cwd()
    into = [] if here else [f"cd {shlex.quote(str(args.folder))}"]
    return [*into, "pytest --evals evals", "pytest-evals show latest"]


def _tell(args: argparse.Namespace, done: "Sequence[_Done]") -> None:
    """Print what was done, and what to do next."""
    paper = Paper.of(args)
    for one in done:
        paper.say(f"{one.path}: {one.what}", *(() if one.what == "written" else ("dim",)))
    paper.say()
    paper.say("Next:", "bold")
    for command in _next(args):
        paper.say(f"  {command}")
    paper.sentence(
        f"Then put your own questions into {_DATASET}, and in the place of `bot` who is to answer "
        "them; the comments in it say how."
    )
