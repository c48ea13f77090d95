"""Option: the names, the help and the parser of one setting. Knows no setting by name."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting: its names, its help, and how its text becomes a value."""

    name: str = ""
    """The ini name without ``evals_``, and the flag without ``--evals-``."""
    attribute: str = ""
    """The field in `Settings`; differs from `name` where that is a Python keyword."""
    help: str
    """One or two sentences, shown by ``--help`` and in the reference."""
    parse: Callable[[str], Any]
    """Makes the value from a text; raises ValueError with the expected form."""
    default: Any = None
    metavar: str | None = None
    command_line: bool = True
    """Whether it has a flag; otherwise only the ini file and the environment set it."""
    switch: bool = False
    """Whether the flag takes no value and means true."""
    many: bool = False
    """Whether it takes several values (flag: repeated; ini: one a line; environment: commas)."""
    located: Callable[[str, Path], str] | None = None
    """Returns the text of a path that begins in a folder; None if the value is no path."""

    @property
    def flag(self) -> str:
        """The flag on the command line."""
        return f"--evals-{self.name.replace('_', '-')}"

    @property
    def dest(self) -> str:
        """The attribute on pytest's ``config.option``."""
        return f"evals_{self.name}"

    @property
    def ini(self) -> str:
        """The name in the ini file."""
        return f"evals_{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"PYTEST_EVALS_{self.name.upper()}"


def option(help: str, parse: Callable[[str], Any], *, default: T, **attributes: Any) -> T:  # noqa: A002 - the name that argparse and pytest use
    """Declare an option as a field of a dataclass.

    Args:
        help: one or two sentences.
        parse: makes the value from a text.
        default: the value where the option is not given.
        attributes: the other fields of `Option`.
    """
    entry = Option(help=help, parse=parse, default=default, **attributes)
    declared: T = field(default=default, metadata={"option": entry})
    return declared


def declared_options(settings: type) -> tuple[Option, ...]:
    """Return the options that a dataclass declares, in the order of its fields."""
    return tuple(
        replace(entry, name=entry.name or item.name, attribute=item.name)
        for item in fields(settings)
        if (entry := item.metadata.get("option")) is not None
    )
