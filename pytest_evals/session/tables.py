"""TrialTables: the recorded trials of a session in the form that metrics and gates read."""

from collections.abc import Callable

from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.result import TrialResult


class TrialTables:
    """One table of trials for each dataset. A `TrialObserver`.

    Args:
        compared: whether a dataset's trials keep what comparisons need, which takes memory.
    """

    def __init__(self, compared: Callable[[str], bool] = lambda _: True) -> None:
        self._is_compared = compared
        self._compared: dict[str, bool] = {}
        self.by_dataset: dict[str, TrialTable] = {}
        """By the dataset's name."""

    def add(self, result: TrialResult, record: str = "", worker: str = "") -> None:
        """Receive one trial."""
        table = self.by_dataset.get(result.dataset)
        if table is None:
            table = self.by_dataset[result.dataset] = TrialTable(result.dataset)
            self._compared[result.dataset] = self._is_compared(result.dataset)
        table.add(summarize_trial(result, compared=self._compared[result.dataset]))

    def of(self, dataset: str) -> TrialTable:
        """Return the table of a dataset; an empty one if it has no trials."""
        return self.by_dataset.get(dataset) or TrialTable(dataset)
