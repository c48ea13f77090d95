"""ResumeMark: the mark under which answers of user code are stored and may be reused."""

from pytest_evals.run_record import GitInfo, RunStatus
from pytest_evals.session.checkout import GitReader
from pytest_evals.storage.base import RunStore


class ResumeMark:
    """The mark of this run, or of the interrupted run that it finishes.

    Args:
        run_id: this run's id, which is its mark unless `search` finds an interrupted run.
    """

    def __init__(self, run_id: str) -> None:
        self._mark = run_id
        self._source: tuple[RunStore, GitReader] | None = None

    def search(self, store: RunStore | None, git: GitReader) -> None:
        """Set where an interrupted run of the same code is looked for, when first needed."""
        if store is not None:
            self._source = store, git

    def get(self) -> str:
        """Return the mark."""
        if self._source is not None:
            store, git = self._source
            self._source = None
            self._mark = _mark_of_interrupted(store, git.result()) or self._mark
        return self._mark


def _mark_of_interrupted(store: RunStore, git: GitInfo | None) -> str:
    """Return the mark of the newest run if it was interrupted on the same code; else nothing."""
    if git is None:
        return ""
    for run in store.runs(limit=1):
        same = run.git is not None and (run.git.commit, run.git.tree) == (git.commit, git.tree)
        if same and run.status is RunStatus.INTERRUPTED:
            return run.chain
    return ""
