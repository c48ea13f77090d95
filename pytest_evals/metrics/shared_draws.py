"""Shared draws: equal questions have one answer, which counts once. Pure.

Where answers are stored, an equal request is not made again: two cases with one question and one
set of checks are one case, however often the dataset has them.
"""

from collections.abc import Iterator, Mapping, Sequence

from pytest_evals.ground.plain_text import counted, listed
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable

Cells = Mapping[str, Sequence[TrialStats]]
"""Case id -> its trials in the order of samples."""


def distinct_cells(cells: Cells) -> Cells:
    """Return the cells of one model without trials that repeat a draw and its checks.

    A case that only repeats another one is left out. Cases with the same question and other checks
    remain: their verdicts differ.

    Args:
        cells: the trials of one model, by case.
    """
    draws = [trial.shared_draw for cell in cells.values() for trial in cell if trial.key]
    if len(set(draws)) == len(draws):
        return cells
    seen: set[object] = set()
    distinct: dict[str, list[TrialStats]] = {}
    for case, cell in cells.items():
        kept = []
        for trial in cell:
            if not trial.key or trial.shared_draw not in seen:
                kept.append(trial)
            seen.add(trial.shared_draw)
        if kept or not cell:
            distinct[case] = kept
    return distinct


def repeated_cases(cells: Cells) -> dict[str, str]:
    """Return the cases that only repeat the draws and checks of another one, with that one."""
    distinct = distinct_cells(cells)
    if distinct is cells:
        return {}
    first = {trial.shared_draw: case for case in distinct for trial in distinct[case]}
    return {
        case: first[cell[0].shared_draw] for case, cell in cells.items() if case not in distinct
    }


def sharing_sentences(table: TrialTable) -> Iterator[str]:
    """Yield what a reader must know of shared draws: repeated cases, models without a call."""
    for model in table.models:
        cells = table.cases(model)
        repeated = repeated_cases(cells)
        if repeated:
            of_first = listed([f"{case} of {first}" for case, first in repeated.items()], 3)
            trials = sum(map(len, cells.values()))
            draws = sum(map(len, distinct_cells(cells).values()))
            yield (
                f"{model}: {counted(len(repeated), 'case')} with the question and the checks of "
                f"another one ({of_first}): {counted(trials, 'trial')} are {counted(draws, 'draw')}"
            )
    yield from _models_not_asked(table)


def _models_not_asked(table: TrialTable) -> Iterator[str]:
    """Yield a sentence for each model whose answers are all those of another model."""
    if len(table.models) < 2:
        return
    trials = {model: [t for t in table.trials(model) if t.key] for model in table.models}
    draws = {model: {(t.key, t.latency_s) for t in trials[model]} for model in trials}
    asked = {model: any(t.origin == "asked" for t in trials[model]) for model in trials}
    for place, model in enumerate(table.models):
        if asked[model] or not draws[model]:
            continue
        for other in table.models[:place]:
            if draws[model] <= draws[other]:
                yield f"{model} was not asked: its requests and answers are those of {other}"
                break
