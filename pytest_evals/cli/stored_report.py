"""A stored run as a Report: as its session judged it, or judged again against a baseline."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_evals.cli.host import redactor
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.registry import Registry
from pytest_evals.report import Report, redact_report
from pytest_evals.result import TrialResult
from pytest_evals.run_record import DatasetInfo, Run
from pytest_evals.session.redaction import add_run_secrets
from pytest_evals.stats.rows import Rules
from pytest_evals.storage.base import RunStore
from pytest_evals.storage.baseline_file import NamedBaseline, find_baseline
from pytest_evals.storage.certificates import certificates_of
from pytest_evals.storage.run_baseline import find_run, is_replayed, run_baseline
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.evaluate import evaluate_run
from pytest_evals.verdict.evaluation import Evaluation, EvaluationInput
from pytest_evals.verdict.gate.spec import GateVerdict


@dataclass(frozen=True, slots=True)
class Stored:
    """Stored runs, and where their datasets stand."""

    store: RunStore
    rootdir: Path
    """Where the paths of datasets begin."""

    def report(self, run: Run, against: str | None = None) -> Report:
        """Return a run as a report.

        Args:
            run: the run.
            against: a baseline, named as ``--evals-baseline`` names one; None leaves the verdicts
                as the session gave them, and compares with nothing.

        Raises:
            StoreError: a record or the baseline cannot be read.
        """
        tables = {info.name: TrialTable(info.name) for info in run.datasets}
        for result in self.store.results(run.id):
            _add(tables, result)
        judgements = {
            info.name: self._judged(run, info, tables[info.name], against)
            for info in run.datasets
            if len(tables[info.name])
        }
        known = certificates_of(run, self.rootdir)
        report = Report(run, judgements, lambda: self._trials(run), known)
        clean = redactor()
        add_run_secrets(clean, run)
        return redact_report(report, clean)

    def _trials(self, run: Run) -> Iterable[TrialResult]:
        """Yield a run's trials; those of a store stand in the order in which they ended."""
        return self.store.results(run.id)

    def _judged(
        self, run: Run, info: DatasetInfo, table: TrialTable, against: str | None
    ) -> Evaluation:
        """Judge one dataset of a run."""
        found = None if against is None else self.baseline(against, run, info)
        bench = EvaluationInput(
            table,
            info,
            baseline=None if found is None else found.baseline,
            baseline_name="" if found is None else found.name,
            rules=Rules(strict=bool(run.options.get("strict", False))),
            replayed=is_replayed(run),
        )
        judgement = evaluate_run(bench)
        sealed = [GateVerdict.model_validate(gate) for gate in run.gates]
        if found is not None or not sealed:
            return judgement
        own = tuple(one for one in sealed if one.dataset == info.name)
        return judgement.model_copy(update={"gates": own})

    def baseline(self, source: str, run: Run, info: DatasetInfo) -> NamedBaseline:
        """Find the baseline that a run is compared with; a run is never its own.

        Args:
            source: as ``--evals-baseline`` names it; ``latest`` is the complete run before.
            run: the run.
            info: the dataset.

        Raises:
            StoreError: there is none of that name, or it is not right.
        """

        def read(name: str) -> Baseline:
            other = find_run(self.store, name, info.name, before=run.id)
            return run_baseline(self.store, other, info.name)

        return find_baseline(
            source,
            rootdir=self.rootdir,
            dataset=info.name,
            dataset_path=self.rootdir / info.path,
            run=read,
        )


def _add(tables: dict[str, TrialTable], result: TrialResult) -> None:
    """Put a trial into its dataset's table."""
    tables.setdefault(result.dataset, TrialTable(result.dataset)).add(summarize_trial(result))


def with_sections(report: Report) -> Report:
    """Return a report with the sections of plugins that have an entry point, redacted.

    What goes wrong is told on the standard error; the report stands without it.
    """
    from pytest_evals.ground.plain_text import neutral
    from pytest_evals.registry.observer_hooks import report_context

    context, wrong = report_context(Registry.installed().hooks, report)
    for text in wrong:
        print(f"warning: {neutral(text)}", file=sys.stderr)  # noqa: T201 - the command's own voice
    return redact_report(replace(report, context=context), redactor()) if context else report
