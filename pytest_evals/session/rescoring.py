"""The stored answers of a run scored again by today's datasets, as a run of its own."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time

from pytest_evals.config import Settings
from pytest_evals.engine import Engine, EngineDeps
from pytest_evals.exchange import Exchange
from pytest_evals.ground.redaction import Redactor
from pytest_evals.ground.version import __version__
from pytest_evals.registry import Registry
from pytest_evals.responses.sqlite import SqliteResponseStore
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run, new_run_id
from pytest_evals.session.dataset_baseline import DatasetBaseline
from pytest_evals.session.derived_run import DerivedRun
from pytest_evals.session.engines import http_clients
from pytest_evals.session.read_baseline import is_tolerated, read_baseline
from pytest_evals.session.redaction import add_dataset_secrets, add_run_secrets
from pytest_evals.session.rescore_plan import RescoredDataset
from pytest_evals.storage.sqlite import SqliteRunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescoring:
    """Scores the stored answers of a run again."""

    settings: Settings
    """`responses` is ``auto`` if judges may be called, and ``replay`` if not."""
    registry: Registry
    redactor: Redactor
    store: SqliteRunStore
    """Holds the run, and takes the new one."""

    def rescore(self, run: Run, parts: Sequence[RescoredDataset]) -> Run:
        """Score, evaluate and seal; return the new run's record.

        Args:
            run: the run whose answers are scored.
            parts: its datasets, from `plan_rescore`.

        Raises:
            SettingsError: an API key is not set, or a price is missing.
            StoreError: a baseline cannot be read, or the run cannot be written.
        """
        add_run_secrets(self.redactor, run)
        datasets = {trial.dataset.path: trial.dataset for part in parts for trial in part.trials}
        for dataset in datasets.values():
            add_dataset_secrets(self.redactor, dataset)
        new = _new_run(run, parts)
        baselines = {
            part.info.name: read_baseline(self.settings, part.info, new.id) for part in parts
        }
        answers = SqliteResponseStore(self.store.path, write=self.settings.responses == "auto")
        engine = Engine(
            self.settings,
            EngineDeps(
                registry=self.registry,
                http=http_clients,
                store=answers,
                redactor=self.redactor,
                replays={part.info.name: part.replay for part in parts},
            ),
        )
        try:
            return self._record(new, run.id, parts, baselines, engine)
        finally:
            engine.stop()
            answers.close()

    def _record(
        self,
        new: Run,
        answers_of: str,
        parts: Sequence[RescoredDataset],
        baselines: Mapping[str, DatasetBaseline],
        engine: Engine,
    ) -> Run:
        """Run all trials on the stored answers and seal the new run."""
        trials = [trial for part in parts for trial in part.trials]
        again = [trial for part in parts for trial in part.confirmations or ()]
        engine.prepare([*trials, *again])
        with DerivedRun(self.store, new, self.redactor.redact_json) as derived:
            engine.start()
            engine.expect([*trials, *again])
            for part in parts:
                for result in map(engine.result, part.trials):
                    part.missing_verdicts += any(map(_lacks_verdict, result.exchanges))
                    derived.record(_with_marks(result, part, baselines[part.info.name]))
                for result in part.not_run:
                    derived.record(result)
            for part in parts:
                if part.confirmations is not None:
                    derived.confirm(part.info.name, map(engine.result, part.confirmations))
            notes = [
                f"re-scored: the answers are those of run {answers_of}",
                *(note for part in parts for note in part.notes()),
                *derived.ledger.summary.silent,
                *engine.notes,
            ]
            named = {name: baseline.named for name, baseline in baselines.items()}
            evaluations = derived.evaluate(named, strict=self.settings.strict)
            return derived.seal(evaluations, ended_at=time(), notes=notes)


def _new_run(run: Run, parts: Sequence[RescoredDataset]) -> Run:
    """Return the record of the new run, without trials."""
    now = time()
    kept = ("responses", "confirm", "strict", "baseline")
    options = {name: run.options[name] for name in kept if name in run.options}
    return Run(
        id=new_run_id(now),
        started_at=now,
        datasets=tuple(part.info for part in parts),
        git=run.git,
        versions={
            "python": sys.version.split()[0],
            "pytest-evals-matrix": __version__,
            "platform": sys.platform,
        },
        options={**options, "from": run.id},
    )


def _lacks_verdict(exchange: Exchange) -> bool:
    """Whether a judge was not called and had no stored verdict."""
    error = exchange.error
    return exchange.role != "answer" and error is not None and error.type == "stale"


def _with_marks(
    result: TrialResult, part: RescoredDataset, baseline: DatasetBaseline
) -> TrialResult:
    """Mark a result as a session does: beyond the first samples, tolerated by a gate."""
    result = result.model_copy(update={"beyond": result.id in part.beyond})
    is_gated = bool(part.info.gates) and part.info.selected == part.info.planned
    if is_gated and is_tolerated(result, baseline):
        return result.model_copy(update={"tolerated": True})
    return result
