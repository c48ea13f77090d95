"""The problems of one load, collected from all its files."""

from collections.abc import Iterable

from pytest_evals.ground.errors import DatasetError, Problem
from pytest_evals.loaders.base import Document, Loc
from pytest_evals.loaders.explain import Finding


class Report:
    """Collects problems; those of the main file come first, then by position."""

    def __init__(self, main: str) -> None:
        """Create an empty report.

        Args:
            main: the path of the dataset in messages.
        """
        self._main = main
        self._problems: list[Problem] = []

    def at(self, document: Document, loc: Loc, message: str, *, key: bool = False) -> None:
        """Add a problem of a value, or of its key."""
        self._problems.append(Problem(document.where(loc, key=key), message))

    def findings(self, document: Document, prefix: Loc, findings: Iterable[Finding]) -> None:
        """Add the findings of validation in the value at a location."""
        for finding in findings:
            self.at(document, (*prefix, *finding.loc), finding.message, key=finding.at_key)

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add problems with positions."""
        self._problems.extend(problems)

    def __len__(self) -> int:
        return len(self._problems)

    def error(self) -> DatasetError:
        """Return the error with all problems, in the order of the files."""
        return DatasetError(
            sorted(
                dict.fromkeys(self._problems),
                key=lambda p: (p.where.path != self._main, p.where, p.message),
            )
        )
