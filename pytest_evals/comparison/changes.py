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
    """The whole answers of a run, where there are only their beginnings in a diff."""

    store: "RunStore"
    run: "Run | None" = None
    """None where the baseline is a file, which keeps beginnings alone."""
    table: "TrialTable | None" = None

    def whole(self, entry: "DiffEntry", beginning: str) -> str:
        """Return the answer that begins so; the beginning itself where that is all there is."""
        if self.run is None or self.table is None:
            return beginning
        for one in self.table.cases(entry.model).get(entry.case, ()):
            if one.answer == beginning:
                found = self.store.attempts(self.run.id, one.id)
                whole = found[-1].answer if found else None
                return beginning if whole is None else whole
        return beginning


@dataclass(frozen=True, slots=True)
class DatasetChanges:
    """One dataset's diff."""

    info: "DatasetInfo"
    diff: "Diff"
    verdicts: "Sequence[GateVerdict]"
    """Of the declared comparisons."""
    declared: bool
    """Whether the dataset's gates declare them."""
    before: AnswerTexts
    now: AnswerTexts

    @property
    def blocking(self) -> bool:
        """Whether something regressed, or could not be told."""
        return any(verdict.blocking for verdict in self.verdicts)

    def answers(self, entry: "DiffEntry") -> tuple[str | None, str | None]:
        """Return a case's answers before and now: whole where both are stored."""
        before, now = entry.answer_before, entry.answer
        if before is None or now is None or self.before.run is None:
            return before, now
        return self.before.whole(entry, before), self.now.whole(entry, now)


@dataclass(slots=True)
class RunChanges:
    """What became of all datasets."""

    run: "Run"
    changes: list[DatasetChanges] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    """(dataset, why it could not be compared)."""

    @property
    def status(self) -> int:
        """The exit status."""
        return int(bool(self.failures) or any(one.blocking for one in self.changes))
