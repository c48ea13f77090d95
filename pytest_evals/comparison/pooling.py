"""The samples of several runs of a dataset, pooled. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable


def drop_edited_cases(table: TrialTable, newest: TrialTable) -> tuple[TrialTable, list[str]]:
    """Return a table without the cases that a newer run defines differently, and their ids.

    Args:
        table: the trials of a run.
        newest: the trials of the run whose definitions of cases count.
    """
    definitions = {trial.case: _definition(trial) for trial in newest}
    unchanged, edited = TrialTable(table.dataset), dict[str, None]()
    for trial in table:
        definition = definitions.get(trial.case)
        if definition is None or _is_same(definition, _definition(trial)):
            unchanged.add(trial)
        else:
            edited[trial.case] = None
    return unchanged, list(edited)


def _definition(trial: TrialStats) -> tuple[str, str]:
    """Return the digests of a trial's case and scorers."""
    return trial.case_digest, trial.scorers_digest


def _is_same(one_definition: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two definitions agree; an unknown digest agrees with every other."""
    return all(not a or not b or a == b for a, b in zip(one_definition, other, strict=True))


def pool_tables(dataset: str, tables: Sequence[TrialTable]) -> TrialTable:
    """Return the draws of several runs as one table, with new sample numbers.

    Several runs can use one draw (a stored answer, a recorded one). It counts as often as in the
    run that has it most often.

    Args:
        dataset: the dataset's name.
        tables: the runs' trials.
    """
    cells: dict[tuple[str, str], list[TrialStats]] = {}
    for table in tables:
        counts: Counter[tuple[str, str, str]] = Counter()
        for trial in table:
            cell = cells.setdefault((trial.model, trial.case), [])
            counts[trial.model, trial.case, trial.draw] += 1
            pooled = sum(earlier.draw == trial.draw for earlier in cell)
            if not trial.draw or counts[trial.model, trial.case, trial.draw] > pooled:
                cell.append(trial)
    whole = TrialTable(dataset)
    for cell in cells.values():
        for sample, trial in enumerate(cell):
            whole.add(replace(trial, sample=sample))
    return whole
