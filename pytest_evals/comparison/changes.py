"""What changed between a baseline and a run, dataset by dataset. Nouns alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import DatasetInfo, Run
from pytest_evals.storage.base import RunStore
from pytest_evals.verdict.diff.nouns import Diff, DiffEntry
from pytest_evals.verdict.gate.spec import GateVerdict


@dataclass(frozen=True, slots=True)
class AnswerTexts:
    """The full answers of a run; a diff holds only their beginnings."""

    store: RunStore
    run: Run | None = None
    """None if the baseline is a file, which stores only beginnings."""
    table: TrialTable | None = None
    """The run's trials of the dataset; None without a run."""

    def full_text(self, entry: DiffEntry, beginning: str) -> str:
        """Return the answer with this beginning; the beginning itself if no more is stored."""
        if self.run is None or self.table is None:
            return beginning
        for trial in self.table.cases(entry.model).get(entry.case, ()):
            if trial.answer == beginning:
                attempts = self.store.attempts(self.run.id, trial.id)
                answer = attempts[-1].answer if attempts else None
                return beginning if answer is None else answer
        return beginning


@dataclass(frozen=True, slots=True)
class DatasetChanges:
    """One dataset's diff."""

    info: DatasetInfo
    diff: Diff
    verdicts: Sequence[GateVerdict]
    """The verdicts of the comparisons."""
    declared: bool
    """Whether the dataset's gates declare these comparisons."""
    before: AnswerTexts
    now: AnswerTexts

    @property
    def blocking(self) -> bool:
        """Whether a comparison fails the command."""
        return any(verdict.blocking for verdict in self.verdicts)

    def answers(self, entry: DiffEntry) -> tuple[str | None, str | None]:
        """Return a case's answers before and now, in full if both are stored."""
        before, now = entry.answer_before, entry.answer
        if before is None or now is None or self.before.run is None:
            return before, now
        return self.before.full_text(entry, before), self.now.full_text(entry, now)


@dataclass(slots=True)
class RunChanges:
    """The diffs of a run, one per dataset."""

    run: Run
    changes: list[DatasetChanges] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Datasets that could not be compared, each with the reason."""

    @property
    def status(self) -> int:
        """The exit status: 1 if a comparison fails or could not be made."""
        return int(bool(self.failures) or any(changes.blocking for changes in self.changes))
