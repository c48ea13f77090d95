"""A run that the command line makes of others: begun, filled and sealed as a session would."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pytest_evals.cli.stored_report import Stored
from pytest_evals.metrics.run_summary import RunSummary
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo, Run, RunStatus
from pytest_evals.stats.rows import Rules
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.baseline_file import NamedBaseline, find_baseline
from pytest_evals.storage.run_baseline import dataset_baseline, is_replayed
from pytest_evals.storage.sqlite import SqliteRunStore
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.decide import decide
from pytest_evals.verdict.evaluate import evaluate_run
from pytest_evals.verdict.evaluation import Evaluation, EvaluationInput
from pytest_evals.verdict.gate.declare import parse_gates


@dataclass(frozen=True, slots=True)
class Bars:
    """What a run is judged by besides its datasets' gates."""

    rootdir: Path
    """Where the paths of datasets begin."""
    baseline: str | None = None
    """As ``--evals-baseline`` names it; None is each dataset's own, where a gate compares."""
    strict: bool = False
    """Whether a comparison that is inconclusive fails."""
    store: RunStore | None = None
    """Where a run that is named as a baseline stands; None refuses runs."""

    def found(self, run: Run, info: DatasetInfo) -> NamedBaseline | None:
        """Return what a dataset is compared with; None where there is nothing.

        Raises:
            StoreError: it is not there, or not right.
        """
        if self.baseline is None:
            if not any(gate.compares for gate in parse_gates(info)):
                return None
            return dataset_baseline(info, self.rootdir).baseline
        if self.store is not None:
            return Stored(self.store, self.rootdir).baseline(self.baseline, run, info)
        return find_baseline(
            self.baseline,
            rootdir=self.rootdir,
            dataset=info.name,
            dataset_path=self.rootdir / info.path,
            run=_no_run,
        )


def _no_run(source: str) -> Baseline:
    from pytest_evals.ground.errors import StoreError

    raise StoreError(f"{source}: this is compared with a file or REVISION:PATH, not with a run")


@dataclass(slots=True)
class NewRun:
    """A run in the making; what goes wrong takes it out of the store again."""

    store: SqliteRunStore
    run: Run
    """As it was begun: with its datasets."""
    redact: Callable[[str], str] = lambda text: text
    """Takes secrets out of a record."""
    summary: RunSummary = field(default_factory=RunSummary)
    tables: dict[str, TrialTable] = field(default_factory=dict)
    """By the dataset's name."""
    untolerated: int = 0
    """Trials that fail a session: those without an answer or a score, and wrong answers that no
    gate answers for."""

    def __enter__(self) -> Self:
        self.store.begin(self.run)
        self.tables = {info.name: TrialTable(info.name) for info in self.run.datasets}
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.store.abandon(self.run.id)

    def add(self, result: TrialResult) -> None:
        """Add a trial.

        Raises:
            StoreError: it could not be kept.
        """
        record = result.model_dump_json(exclude_defaults=True)
        clean = self.redact(record)
        if clean != record:
            result = TrialResult.model_validate_json(clean)
        self.store.append(self.run.id, clean, result)
        self.summary.add(result)
        wrong = result.outcome is Outcome.FAILED and not result.tolerated
        self.untolerated += wrong or result.outcome is Outcome.ERRORED
        self.tables[result.dataset].add(summarize_trial(result))

    def judged(
        self, found: Mapping[str, NamedBaseline | None], *, strict: bool = False
    ) -> dict[str, Evaluation]:
        """Judge every dataset.

        Args:
            found: what each is compared with, by its name.
            strict: whether a comparison that is inconclusive fails.
        """
        return {
            info.name: evaluate_run(
                EvaluationInput(
                    self.tables[info.name],
                    info,
                    baseline=None if (one := found.get(info.name)) is None else one.baseline,
                    baseline_name="" if one is None else one.name,
                    rules=Rules(strict=strict),
                    replayed=is_replayed(self.run),
                )
            )
            for info in self.run.datasets
        }

    def seal(
        self,
        judgements: Mapping[str, Evaluation],
        *,
        ended_at: float,
        notes: Sequence[str] = (),
        failed: bool = False,
    ) -> Run:
        """Seal the run and return it.

        Args:
            judgements: by the dataset's name.
            ended_at: Unix time, seconds.
            notes: what a reader must know.
            failed: whether it fails whatever the gates say.

        Raises:
            StoreError: it could not be kept.
        """
        gates = [gate for judgement in judgements.values() for gate in judgement.gates]
        planned = sum(info.planned for info in self.run.datasets)
        selected = sum(info.selected for info in self.run.datasets)
        recorded = self.summary.counts.total - self.summary.counts.skipped
        status = RunStatus.NARROWED if selected < planned else RunStatus.COMPLETE
        sealed = self.run.model_copy(
            update={
                "status": RunStatus.INTERRUPTED if recorded < selected else status,
                "ended_at": ended_at,
                "counts": self.summary.counts,
                "tokens": self.summary.tokens,
                "cost_usd": self.summary.cost_usd,
                "spent_usd": self.summary.spent_usd,
                "gates": tuple(gate.model_dump(mode="json") for gate in gates),
                "decision": decide(gates).model_dump(mode="json") if gates else None,
                "notes": tuple(notes),
            }
        )
        failed = failed or is_failed(sealed, judgements, self.tables)
        sealed = sealed.model_copy(update={"exit_status": int(failed)})
        self.store.seal(sealed)
        return sealed


def is_failed(
    run: Run, judgements: Mapping[str, Evaluation], tables: Mapping[str, TrialTable]
) -> bool:
    """Whether a run fails: a gate, or without gates a trial; or not all of it was run."""
    ungated = [info.name for info in run.datasets if not info.gates]
    bad = any(one.outcome in {"failed", "errored"} for name in ungated for one in tables[name])
    return (
        run.status is RunStatus.INTERRUPTED
        or bad
        or any(judgement.failed for judgement in judgements.values())
    )
