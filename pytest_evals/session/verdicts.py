"""Verdicts: the one place where a run is evaluated, confirmation included.

A session, the command line and a script all evaluate here. Import it late: it brings the
statistics of comparisons.
"""

from collections.abc import Callable, Mapping

from pytest_evals.ground.notes import Notes
from pytest_evals.metrics.summarize import summarize_trial
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.report import redact_value
from pytest_evals.run_record import DatasetInfo, Run
from pytest_evals.session.baselines import Baselines
from pytest_evals.session.confirmation import Confirmer
from pytest_evals.session.dataset_baseline import DatasetBaseline
from pytest_evals.session.evaluation import DatasetEvaluation
from pytest_evals.session.extensions import with_notes
from pytest_evals.session.judge_summary import certified_errors, judge_lines
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.plan import Plan
from pytest_evals.session.read_baseline import update_baseline
from pytest_evals.session.session import Session
from pytest_evals.session.state import SessionState
from pytest_evals.stats.rows import Rules
from pytest_evals.storage.baseline_file import NamedBaseline
from pytest_evals.storage.run_baseline import is_replayed
from pytest_evals.verdict.diff import ConfirmationPlan, Diff, class_words
from pytest_evals.verdict.evaluate import (
    evaluate_run,
    plan_confirmation_of_shard,
    plan_run_confirmation,
)
from pytest_evals.verdict.evaluation import Evaluation, EvaluationInput


def evaluate(
    inputs: EvaluationInput, confirm: Callable[[ConfirmationPlan], list[TrialStats]] | None = None
) -> Evaluation:
    """Return metrics, gate verdicts, diff and decision of one dataset's run.

    Args:
        inputs: the trials, the gates and the baseline.
        confirm: returns the samples of a confirmation plan, which can be empty; None evaluates
            without confirmation.
    """
    if confirm is None:
        return evaluate_run(inputs)
    plan = plan_run_confirmation(inputs)
    return evaluate_run(inputs, plan=plan, again=confirm(plan))


def evaluate_recorded(
    run: Run,
    tables: Mapping[str, TrialTable],
    baselines: Mapping[str, NamedBaseline | None],
    *,
    strict: bool = False,
) -> dict[str, Evaluation]:
    """Evaluate all datasets of a run whose trials are recorded; no model is called.

    Cases that look broken are confirmed by the samples that the run has of them.

    Args:
        run: the run.
        tables: its trials, by the dataset's name.
        baselines: what each dataset is compared with, by its name.
        strict: whether an inconclusive comparison fails.
    """
    evaluations = {}
    for info in run.datasets:
        baseline = baselines.get(info.name)
        evaluations[info.name] = evaluate(
            EvaluationInput(
                tables[info.name],
                info,
                baseline=None if baseline is None else baseline.baseline,
                baseline_name="" if baseline is None else baseline.name,
                rules=Rules(strict=strict, confirm=_confirm_option(run)),
                replayed=is_replayed(run),
            ),
            _recorded_samples(run, info),
        )
    return evaluations


def _confirm_option(run: Run) -> int | None:
    """Return the number of ``--evals-confirm`` of a run; None for ``auto``."""
    value = run.options.get("confirm")
    return value if isinstance(value, int) else None


def _recorded_samples(
    run: Run, info: DatasetInfo
) -> Callable[[ConfirmationPlan], list[TrialStats]] | None:
    """Return a function that returns the confirmation samples of a run; None if it has none."""
    samples = run.confirmations.get(info.name)
    if samples is None:
        return None
    return lambda _: [summarize_trial(result) for result in samples]


class SessionVerdicts:
    """Evaluates the datasets of a session after the last trial.

    Args:
        state: the session's fixed values.
        plan: the session's datasets.
        baselines: what they are compared with.
        confirmer: runs cases that look broken again.
        notes: receives what is wrong with plugins.
        verbose: whether confusion matrices are displayed.
    """

    def __init__(
        self,
        state: SessionState,
        plan: Plan,
        baselines: Baselines,
        confirmer: Confirmer,
        *,
        notes: Notes,
        verbose: bool = False,
    ) -> None:
        self._state = state
        self._plan = plan
        self._baselines = baselines
        self._confirmer = confirmer
        self._notes = notes
        self._verbose = verbose

    @classmethod
    def of(
        cls,
        session: Session,
        ledger: Ledger,
        *,
        announce: Callable[[str], None],
        verbose: bool = False,
    ) -> "SessionVerdicts":
        """Make the evaluator of a session, with its confirmer.

        Args:
            session: the session.
            ledger: the run's books.
            announce: displays a line before cases run again.
            verbose: whether confusion matrices are displayed.
        """
        confirmer = Confirmer(
            session.state,
            session.plan,
            session.engines,
            ledger,
            notes=session.notes,
            announce=announce,
        )
        return cls(
            session.state,
            session.plan,
            session.baselines,
            confirmer,
            notes=session.notes,
            verbose=verbose,
        )

    def evaluate(self, info: DatasetInfo, table: TrialTable, *, stopped: bool) -> DatasetEvaluation:
        """Evaluate one dataset and update its baseline; run cases that look broken again first.

        Args:
            info: the dataset.
            table: its recorded trials.
            stopped: whether the session was cut short, so that no more calls are made.

        Raises:
            StoreError: a baseline is missing, invalid, or cannot be written.
        """
        settings = self._state.settings
        baseline = self._baselines.of(info)
        inputs = self._inputs(info, table, baseline)
        # The verdict of a test function on an answer is known only after it ran.
        never = settings.confirm == 0 or "::" in info.path or not self._plan.can_confirm(info)
        confirms = baseline.baseline is not None and not never and not stopped
        confirm = (lambda cells: self._confirmer.run(info, cells)) if confirms else None
        if confirm is not None and settings.shard is not None:
            if info.selected == self._plan.expected_trials(info):
                confirm(plan_confirmation_of_shard(inputs))
            confirm = None
        evaluation = with_notes(self._state, self._notes, evaluate(inputs, confirm))
        lines = [*judge_lines(evaluation, inputs.judges, verbose=self._verbose)]
        if evaluation.diff is not None:
            lines.append(_diff_line(info.name, evaluation.diff))
        note = update_baseline(settings, baseline, table, info)
        return DatasetEvaluation(redact_value(evaluation, self._state.redactor), tuple(lines), note)

    def _inputs(
        self, info: DatasetInfo, table: TrialTable, baseline: DatasetBaseline
    ) -> EvaluationInput:
        """Return what the dataset is evaluated from."""
        settings = self._state.settings
        return EvaluationInput(
            table,
            info,
            baseline=baseline.baseline,
            baseline_name=baseline.name,
            rules=Rules(strict=settings.strict, confirm=settings.confirm_samples),
            replayed=settings.responses == "replay",
            no_baseline=baseline.no_baseline,
            judges=certified_errors(self._state, self._plan, info.path),
        )


def _diff_line(dataset: str, diff: Diff) -> str:
    """Return the number of cases in each class of a diff, as one line."""
    counts = ", ".join(f"{n} {class_words(name)}" for name, n in diff.counts.items())
    return f"{dataset} against {diff.baseline}: {counts or 'no cases in common'}"
