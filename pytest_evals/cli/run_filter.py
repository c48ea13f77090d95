"""Which stored runs are meant: by dataset, status, model, tag, commit, score and time."""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from statistics import fmean
from time import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_evals.run import Run, RunStatus
    from pytest_evals.storage.base import RunStore

_AGE = re.compile(r"(\d+(?:\.\d+)?)([mhdw])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_COMMIT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a run must be to be meant; None does not matter."""

    dataset: str | None = None
    status: "RunStatus | None" = None
    model: str | None = None
    """A model's id that it asked; scores are then this model's."""
    tag: str | None = None
    """A tag that one of its trials has."""
    commit: str | None = None
    """The beginning of its commit."""
    since: float | None = None
    """Unix time, seconds: it began then or later."""
    until: float | None = None
    """Unix time, seconds: it began then or earlier."""
    min_score: float | None = None
    """The least mean score of its trials."""
    max_score: float | None = None
    """The greatest mean score of its trials."""

    @property
    def deep(self) -> bool:
        """Whether it asks for more than the store's own index knows."""
        return any(
            value is not None
            for name in ("model", "tag", "commit", "since", "until", "min_score", "max_score")
            for value in (getattr(self, name),)
        )

    def runs(self, store: "RunStore") -> "Iterator[Run]":
        """Yield the runs that are meant, newest first.

        Raises:
            StoreError: a record cannot be read.
        """
        for run in store.runs(dataset=self.dataset, status=self.status):
            if self._of_record(run) and self._of_trials(store, run):
                yield run

    def _of_record(self, run: "Run") -> bool:
        """Whether its own record fits."""
        if self.since is not None and run.started_at < self.since:
            return False
        if self.until is not None and run.started_at > self.until:
            return False
        commit = "" if run.git is None else run.git.commit
        return self.commit is None or (bool(commit) and commit.startswith(self.commit))

    def _of_trials(self, store: "RunStore", run: "Run") -> bool:
        """Whether its trials fit; their records are read for a tag alone."""
        if self.model is not None or self.min_score is not None or self.max_score is not None:
            rows = [
                row
                for row in store.rows(run.id)
                if (self.model is None or row.model_id == self.model)
                and (self.dataset is None or row.dataset == self.dataset)
            ]
            if not rows or not self._in_range([r.score for r in rows if r.score is not None]):
                return False
        if self.tag is None:
            return True
        return any(
            self.tag in result.tags
            for result in store.results(run.id)
            if self.dataset is None or result.dataset == self.dataset
        )

    def _in_range(self, scores: list[float]) -> bool:
        if self.min_score is None and self.max_score is None:
            return True
        if not scores:
            return False
        mean = fmean(scores)
        low = self.min_score is None or mean >= self.min_score - 1e-9
        return low and (self.max_score is None or mean <= self.max_score + 1e-9)


def moment(text: str, *, end: bool = False) -> float:
    """Parse a moment: an age (``12h``, ``7d``, ``2w``) or a date, with a time or without.

    Args:
        text: what the user wrote; a date is one of this place.
        end: whether a date without a time means its end.

    Raises:
        ArgumentTypeError: it is neither.
    """
    age = _AGE.fullmatch(text)
    if age:
        return time() - float(age[1]) * _SECONDS[age[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a date (2026-11-21, 2026-11-21T09:15) or an age (90m, 12h, 7d, 2w), found "
            f"{text!r}"
        ) from None
    if end and len(text) <= len("2026-11-21"):
        found = found.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return found.timestamp()


def until(text: str) -> float:
    """Parse a moment that ends a time: a date means all of that day."""
    return moment(text, end=True)


def commit(text: str) -> str:
    """Parse the beginning of a commit.

    Raises:
        ArgumentTypeError: it is none, or too short to mean one.
    """
    if not re.fullmatch(r"[0-9a-f]+", text.lower()) or len(text) < _COMMIT:
        raise argparse.ArgumentTypeError(
            f"expected {_COMMIT} or more digits of a commit, found {text!r}"
        )
    return text.lower()


def share(text: str) -> float:
    """Parse a score.

    Raises:
        ArgumentTypeError: it is no number.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r}")
    return value
