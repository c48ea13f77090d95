"""DatasetSource: where a dataset comes from in Python code, and what the code changes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_evals.ground.errors import Position
from pytest_evals.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSource:
    """A dataset named or made in Python code."""

    dataset: Any
    """A file, a list of `Case`, a `Dataset`, or a function that returns one of the last two."""
    where: Position
    """The code that names it, for messages."""
    option: str
    """What messages call that code: ``the mark `evals` ``, for example."""
    folder: Path
    """The folder in which a file is looked for before the rootdir."""
    path: str
    """The path of a dataset made in code: that of the code's file."""
    name: str
    """The dataset's name."""
    models: tuple[str | Model, ...] = ()
    """Replace the dataset's models; empty keeps them."""
    samples: int | None = None
    """Replaces the number of samples of all cases; None keeps them."""
    gates: tuple[Any, ...] | None = None
    """Replace the dataset's gates; None keeps them."""
    scorers: bool = True
    """Whether the dataset's own scorers are kept."""
    judge: str | Model | None = None
    """Replaces the model of the judge `default`; None keeps it."""
