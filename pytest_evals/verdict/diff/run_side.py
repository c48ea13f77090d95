"""RunSide: a run as the comparison with a baseline sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pytest_evals.metrics.metric import Slice
from pytest_evals.metrics.shared_draws import repeated_cases
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.model import Model
from pytest_evals.run_record import DatasetInfo
from pytest_evals.verdict.baseline import Baseline, build_baseline


@dataclass(frozen=True)
class RunSide:
    """A run, ready for comparison with a baseline."""

    table: TrialTable
    """The trials."""
    info: DatasetInfo
    """The dataset's record in the run, with the models as configured."""
    replayed: bool = False
    """Whether answers from the store count as recorded (``--evals-responses replay``)."""
    incomplete: frozenset[str] = frozenset()
    """Models with missing trials or too many errors. Their rows stay in the family without cases,
    and a case that they lack is not *removed*."""

    @cached_property
    def snapshot(self) -> Baseline:
        """The run as a baseline of one run."""
        return build_baseline(self.table, self.info, replayed=self.replayed)

    @cached_property
    def cells(self) -> Mapping[str, Mapping[str, Sequence[TrialStats]]]:
        """Model -> case -> its trials."""
        return {model: self.table.cases(model) for model in self.table.models}

    def repeated(self, model: str) -> Mapping[str, str]:
        """Return the cases of a model that share the draws and the checks of another one."""
        return repeated_cases(self.cells.get(model, {}))

    def independent(self, model: str) -> bool:
        """Whether the samples of a model count as independent draws."""
        return all(is_independent(m) for m in self.info.models if m.id == model)

    def members(self, model: str, part: Slice | None) -> set[str]:
        """Return a model's cases in a slice."""
        return set(self.table.cases(model, part))


def is_independent(model: Model) -> bool:
    """Whether samples of a model are independent draws: not at temperature 0 or with a fixed seed.

    The model's setting `independent` takes precedence.
    """
    if model.independent is not None:
        return model.independent
    return model.params.get("temperature") != 0 and model.params.get("seed") is None
