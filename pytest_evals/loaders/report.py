"""The problems of one loading, gathered from all its files."""

from collections.abc import Iterable

from pytest_evals.ground.errors import DatasetError, Problem
from pytest_evals.loaders.base import Document, Loc
from pytest_evals.loaders.explain import Finding


class Report:
    """Gathers problems; those of the dataset's own file come first, then by place."""

    def __init__(self, main: str) -> None:
        """Begin.

        Args:
            main: the dataset's file, as it is shown.
        """
        self._main = main
        self._problems: list[Problem] = []

    def at(self, document: Document, loc: Loc, message: str, *, key: bool = False) -> None:
        """Add a problem with a value, or with its key."""
        self._problems.append(Problem(document.where(loc, key=key), message))

    def findings(self, document: Document, prefix: Loc, findings: Iterable[Finding]) -> None:
        """Add what validation found in the value at a place."""
        for finding in findings:
            self.at(document, (*prefix, *finding.loc), finding.message, key=finding.at_key)

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add problems that know their places."""
        self._problems.extend(problems)

    def __len__(self) -> int:
        return len(self._problems)

    def error(self) -> DatasetError:
        """Return the error that holds all problems, in the order of the files."""
        return DatasetError(
            sorted(
                dict.fromkeys(self._problems),
                key=lambda p: (p.where.path != self._main, p.where, p.message),
            )
        )
