"""Why a run is red, in short: the worst cases with reasons, and the commands that say more."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_evals.ground.plain_text import cut_middle, display_width, shorten, wrapped
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
    lines, short = [], max(12, width // 3)
    for name in gated:
        same: dict[tuple[str, ...], list[str]] = {}
        for model in tables[name].models if name in tables else ():
            worst = tuple(_worst_of(tables[name].cases(model), width, short))
            if worst:
                same.setdefault(worst, []).append(model)
        for (cases, *why), models in same.items():
            names = ", ".join(cut_middle(model, short) for model in models)
            lines += [*wrapped(f"worst cases of {names}: {cases}", width), *why]
    return lines


def _worst_of(cells: Mapping[str, Sequence[TrialStats]], width: int, short: int) -> Iterator[str]:
    """Yield the worst cases of one model in one line, then why the first of them failed."""
    shares = [
        (sum(trial.passed for trial in cell), sum(trial.scored for trial in cell), case)
        for case, cell in cells.items()
    ]
    bad = sorted((p / n, case, p, n) for p, n, case in shares if n and p < n)
    if not bad:
        return
    cases = ", ".join(f"{cut_middle(case, short)} {p}/{n}" for _, case, p, n in bad[:WORST])
    more = f" and {len(bad) - WORST} more" if len(bad) > WORST else ""
    yield f"{cases}{more}"
    for _, case, _, _ in bad[:EXPLAINED]:
        yield from why_it_failed(case, cells[case], width)


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
    name = cut_middle(case, max(12, width // 3))
    yield f"  {name}: {shorten(reason, max(12, width - 4 - display_width(name)))}"
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
