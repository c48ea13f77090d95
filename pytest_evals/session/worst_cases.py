"""Why a run is red, in short: the worst cases with reasons, and the commands that say more."""

from collections.abc import Iterable, Iterator, Mapping

from pytest_evals.ground.plain_text import shorten
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import Run
from pytest_evals.session.evaluation import RunEvaluation

WORST = 5
"""Cases listed for each model."""
EXPLAINED = 3
"""Those whose input, output and reason are shown."""


def worst_cases(tables: Mapping[str, TrialTable], gated: Iterable[str], width: int) -> list[str]:
    """Return the cases that pass least of each model, and why, for datasets with gates.

    Without gates pytest itself lists every failed trial.

    Args:
        tables: the trials, by the dataset's name.
        gated: the names of datasets with gates.
        width: of a line, in columns.
    """
    lines = []
    for name in gated:
        for model in tables[name].models if name in tables else ():
            cells = tables[name].cases(model)
            shares = [
                (sum(t.passed for t in cell), sum(t.scored for t in cell), case)
                for case, cell in cells.items()
            ]
            bad = sorted((p / n, case, p, n) for p, n, case in shares if n and p < n)
            if bad:
                cases = ", ".join(f"{case} {p}/{n}" for _, case, p, n in bad[:WORST])
                more = f" and {len(bad) - WORST} more" if len(bad) > WORST else ""
                lines.append(f"worst cases of {model}: {cases}{more}")
                for _, case, _, _ in bad[:EXPLAINED]:
                    lines += why_it_failed(case, cells[case], width)
    return lines


def why_it_failed(case: str, cell: Iterable[TrialStats], width: int) -> Iterator[str]:
    """Yield the input, the output and the reason of the first failed trial of a case.

    Args:
        case: the case's id.
        cell: its trials.
        width: of a line, in columns.
    """
    trial = next((trial for trial in cell if trial.outcome == "failed"), None)
    if trial is None:
        return
    reason = trial.reasons[0] if trial.reasons else ""
    yield f"  {shorten(f'{case}: {reason}', width - 2)}"
    for word, text in (("input", trial.asked), ("output", trial.answer)):
        if text and text not in reason:
            yield f"      {shorten(f'{word}: {text}', width - 6)}"


def next_commands(run: Run, evaluation: RunEvaluation) -> Iterator[str]:
    """Yield a line with the commands that say why a run with gates is not accepted."""
    if run.decision is None or run.decision["decision"] == "accept":
        return
    compared = any(result.diff is not None for result in evaluation.datasets.values())
    diff = "; pytest-evals diff latest" if compared else ""
    yield f"next: pytest-evals show latest --failed{diff}"
