"""Confirmation: the cells to call again before the verdict, and their samples. Pure."""

from collections.abc import Iterable, Sequence

from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.stats.paired import Confirmed, flagged_cases, plan_confirmations
from pytest_evals.stats.rows import Rules
from pytest_evals.verdict.baseline import Baseline
from pytest_evals.verdict.diff.nouns import ComparisonSpec, ConfirmationPlan
from pytest_evals.verdict.diff.rows import build_rows
from pytest_evals.verdict.diff.run_side import RunSide


def plan_confirmation(
    declared: Sequence[ComparisonSpec],
    baseline: Baseline,
    run: RunSide,
    *,
    rules: Rules | None = None,
) -> ConfirmationPlan:
    """Choose the cells to call again, and how often.

    Args:
        declared: all declared comparisons; together they are one family.
        baseline: the baseline.
        run: the run.
        rules: the constants; `confirm` is the number of ``--evals-confirm``, None for ``auto``.
    """
    plans = plan_confirmations(build_rows(declared, baseline, run), rules=rules or Rules())
    models = {spec.name: spec.model for spec in declared}
    cells: dict[tuple[str, str], int] = {}
    for plan in plans:
        for case in plan.cases if plan.n else ():
            key = (case, models[plan.row])
            cells[key] = max(cells.get(key, 0), plan.n)
    return ConfirmationPlan(
        cells=cells,
        rows={plan.row: (plan.cases, plan.n) for plan in plans if plan.cases and plan.n},
        reasons=tuple(f"{plan.row}: {plan.reason}" for plan in plans if plan.reason),
    )


def plan_shard_confirmation(
    declared: Sequence[ComparisonSpec], baseline: Baseline, run: RunSide, *, rules: Rules
) -> ConfirmationPlan:
    """Choose the cells of a shard to call again for the verdict of the merged run.

    How often a case must run again depends on the cases of all shards. So each case that looks
    broken has the most samples that the merged run can need; it reads as many as its own plan says.

    Args:
        declared: all declared comparisons.
        baseline: the baseline.
        run: the shard.
        rules: the constants; `confirm` is the number of ``--evals-confirm``, None for ``auto``.
    """
    samples = rules.most_confirm if rules.confirm is None else rules.confirm
    cells = {
        (case, spec.model): samples
        for spec, row in zip(declared, build_rows(declared, baseline, run), strict=True)
        for case in flagged_cases(row)
        if samples
    }
    return ConfirmationPlan(cells, {}, ())


def confirmed_answers(
    declared: Sequence[ComparisonSpec], plan: ConfirmationPlan, answers: Iterable[TrialStats]
) -> Confirmed:
    """Return the confirmation samples as the break rule reads them.

    They decide breaks only, and must never be added to the run's table.

    Args:
        declared: the comparisons of the plan.
        plan: the cells to call again.
        answers: the confirmation trials; trials without a score are left out.
    """
    by_cell: dict[tuple[str, str], list[TrialStats]] = {}
    for trial in answers:
        if trial.scored:
            by_cell.setdefault((trial.case, trial.model), []).append(trial)
    confirmed: dict[str, dict[str, list[bool]]] = {}
    for row in declared:
        cases, n = plan.rows.get(row.name, ((), 0))
        for case in cases:
            cell = sorted(by_cell.get((case, row.model), ()), key=lambda trial: trial.sample)
            verdicts = [trial.passed if row.of is None else trial.verdict(row.of) for trial in cell]
            scored = [verdict for verdict in verdicts if verdict is not None][:n]
            confirmed.setdefault(row.name, {})[case] = scored
    return confirmed
