"""Why a session with ``--evals`` ran nothing, and what to do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from pytest_evals.ground.plain_text import counted, listed

_SUFFIXES = (".yaml", ".yml", ".jsonl", ".csv")
"""Of files that may be datasets with another name."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a session could run, and what the user selected."""

    folders: Sequence[Path]
    """The files and folders of the command line."""
    globs: Sequence[str]
    """The names of files that are collected as datasets."""
    deselected: int = 0
    """The tests that were collected and not selected."""
    example: str = ""
    """The node id of one of them."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The options that select tests (``-k``, ``-m``) and their values; empty values are absent."""


def why_nothing_ran(selection: Selection) -> str:
    """Return in one sentence or two why nothing ran."""
    if selection.deselected:
        names = [f"{name} {value!r}" for name, value in selection.options.items() if value]
        by = f" by {' and '.join(names)}" if names else ""
        example = f"; one is called {selection.example}" if selection.example else ""
        return f"no test is left: {counted(selection.deselected, 'test')} deselected{by}{example}"
    where = listed([path.name or str(path) for path in selection.folders], 3)
    text = f"no dataset in {where}: names are {', '.join(selection.globs)} (option evals_files)"
    others = sorted(set(_other_names(selection)))
    if others:
        ask = f"Is {listed(others, 3)} a dataset? Rename it, or name it"
        return f"{text}. {ask}: pytest --evals {others[0]}"
    return f"{text}. pytest-evals init writes a first one"


def _other_names(selection: Selection) -> Iterable[str]:
    """Yield the files directly in the folders that could be datasets with another name."""
    for folder in selection.folders:
        for path in folder.iterdir() if folder.is_dir() else ():
            named = any(fnmatch(path.name, glob) for glob in selection.globs)
            if path.suffix in _SUFFIXES and not named and not path.name.startswith("."):
                yield path.name
