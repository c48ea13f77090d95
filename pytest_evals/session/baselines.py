"""Baselines: those of a session's datasets, read before the first call.

Imports comparisons only for datasets that need them.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.config import Settings
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo
from pytest_evals.session.plan import Plan
from pytest_evals.storage.baseline_path import baseline_path

if TYPE_CHECKING:
    from pytest_evals.session.dataset_baseline import DatasetBaseline


class Baselines:
    """The baselines of a session's datasets.

    Args:
        settings: the session's.
        plan: knows how many trials a full session has.
        run_id: the session's run, which is never its own baseline.
    """

    def __init__(self, settings: Settings, plan: Plan, run_id: str) -> None:
        self._settings = settings
        self._plan = plan
        self._run_id = run_id
        self._read: dict[str, DatasetBaseline] = {}
        self._gated: set[str] = set()

    def read_all(self, infos: Iterable[DatasetInfo]) -> None:
        """Read the baselines of all selected datasets, before any money is spent.

        Raises:
            StoreError: a baseline is missing or invalid.
        """
        for info in infos:
            if info.selected and needs_evaluation(self._settings, info):
                read = self._read[info.path] = self.of(info)
                if info.selected == self._plan.expected_trials(info) and read.gates:
                    self._gated.add(info.path)

    def of(self, info: DatasetInfo) -> "DatasetBaseline":
        """Return the baseline of a dataset.

        Raises:
            StoreError: it is missing or invalid.
        """
        from pytest_evals.session.read_baseline import read_baseline

        return self._read.get(info.path) or read_baseline(self._settings, info, self._run_id)

    def tolerates(self, group: str, result: TrialResult) -> bool:
        """Whether a gate accounts for a failed trial or an error, so that it fails no test itself.

        Gates of a narrowed dataset are not evaluated and tolerate nothing.

        Args:
            group: the trial's group, which is its dataset's path.
            result: the trial.
        """
        outcomes = {Outcome.FAILED, Outcome.ERRORED}
        if result.outcome not in outcomes or group not in self._gated:
            return False
        from pytest_evals.session.read_baseline import is_tolerated

        return is_tolerated(result, self._read[group])


def needs_evaluation(settings: Settings, info: DatasetInfo) -> bool:
    """Whether a dataset has gates, is compared with a baseline, has one, or becomes one."""
    if info.gates or settings.update_baseline or settings.reset_baseline:
        return True
    path = baseline_path(settings.rootdir / info.path, info.name)
    return settings.baseline is not None or path.is_file()
