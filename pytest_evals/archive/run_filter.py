"""Which stored runs match: by dataset, status, model, tag, commit, score and time."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_evals.run_record import Run, RunStatus
    from pytest_evals.storage.base import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """The properties of the runs that match; None accepts every run."""

    dataset: str | None = None
    status: "RunStatus | None" = None
    model: str | None = None
    """The id of a model that the run called; scores are then this model's."""
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
        """Whether matching needs more than the index of the store."""
        return any(
            value is not None
            for name in ("model", "tag", "commit", "since", "until", "min_score", "max_score")
            for value in (getattr(self, name),)
        )

    def page(self, store: "RunStore", *, limit: int, offset: int) -> "tuple[int, list[Run]]":
        """Return how many runs match, and one page of them, newest first.

        Raises:
            StoreError: a record cannot be read.
        """
        if not self.deep:
            total = store.count(dataset=self.dataset, status=self.status)
            return total, store.runs(
                dataset=self.dataset, status=self.status, limit=limit, offset=offset
            )
        runs = list(self.runs(store))
        return len(runs), runs[offset : offset + limit]

    def runs(self, store: "RunStore") -> "Iterator[Run]":
        """Yield the runs that match, newest first.

        Raises:
            StoreError: a record cannot be read.
        """
        for run in store.runs(dataset=self.dataset, status=self.status):
            if self._of_record(run) and self._of_trials(store, run):
                yield run

    def _of_record(self, run: "Run") -> bool:
        """Whether the record of a run matches."""
        if self.since is not None and run.started_at < self.since:
            return False
        if self.until is not None and run.started_at > self.until:
            return False
        commit = "" if run.git is None else run.git.commit
        return self.commit is None or (bool(commit) and commit.startswith(self.commit))

    def _of_trials(self, store: "RunStore", run: "Run") -> bool:
        """Whether its trials match; their records are read only for a tag."""
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
        """Whether the mean score is within the limits."""
        if self.min_score is None and self.max_score is None:
            return True
        if not scores:
            return False
        mean = fmean(scores)
        low = self.min_score is None or mean >= self.min_score - 1e-9
        return low and (self.max_score is None or mean <= self.max_score + 1e-9)
