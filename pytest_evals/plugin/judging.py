"""Judging a dataset at the end of a session: its baseline, cases asked again, what is told of it.

Imported only where there is something to judge: it brings the statistics of comparisons.
"""

from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.plugin.compare import bring_up_to_date, find
from pytest_evals.plugin.confirm import ask_again
from pytest_evals.plugin.hooks import with_notes
from pytest_evals.plugin.judges import known_errors, told_of
from pytest_evals.plugin.session import Evals
from pytest_evals.run import DatasetInfo
from pytest_evals.stats.rows import Rules
from pytest_evals.verdict.evaluate import evaluate_run, plan_run_confirmation
from pytest_evals.verdict.evaluation import Evaluation, EvaluationInput


def judge_dataset(
    evals: Evals, info: DatasetInfo, table: TrialTable, *, stopped: bool
) -> tuple[Evaluation, list[str], str | None]:
    """Judge a dataset; where cases look broken, ask these again first.

    Args:
        evals: the session.
        info: the dataset.
        table: its recorded trials.
        stopped: whether the session was cut short, so that nothing is asked any more.

    Returns:
        The judgement, lines for the terminal, and a note where a baseline was written.

    Raises:
        StoreError: a baseline is missing, not right or cannot be written.
    """
    settings = evals.settings
    compared = evals.compared.get(info.path) or find(settings, info, evals.run_id)
    bench = EvaluationInput(
        table,
        info,
        baseline=compared.baseline,
        baseline_name="" if compared.found is None else compared.found.name,
        rules=Rules(strict=settings.strict, confirm=settings.confirm_samples),
        replayed=settings.responses == "replay",
        no_baseline=compared.why_none,
        judges=known_errors(evals, info.path),
    )
    plan, again = None, []
    # What a test function says of an answer is not known before it runs.
    never = settings.confirm == 0 or settings.from_run is not None or "::" in info.path
    if compared.found is not None and not never and not stopped:
        plan = plan_run_confirmation(bench)
        again = ask_again(evals, info, plan) if plan.cells else []
    judgement = with_notes(evals, evaluate_run(bench, plan=plan, again=again))
    verbose = getattr(evals.config.option, "verbose", 0) > 0
    told = list(told_of(judgement, bench.judges, verbose=verbose))
    if judgement.diff is not None:
        found = judgement.diff.counts.items()
        counts = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in found)
        against = judgement.diff.baseline
        told.append(f"{info.name} against {against}: {counts or 'nothing in common'}")
    return judgement, told, bring_up_to_date(settings, compared, table, info)
