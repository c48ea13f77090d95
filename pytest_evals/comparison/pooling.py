"""The samples of several runs of a dataset together. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable


def alike(table: TrialTable, newest: TrialTable) -> tuple[TrialTable, list[str]]:
    """Return a table without the cases that another one defines otherwise, and their ids.

    Args:
        table: the trials of a run.
        newest: of the run whose questions and assertions hold.
    """
    defined = {one.case: (one.case_digest, one.scorers_digest) for one in newest}
    kept, edited = TrialTable(table.dataset), dict[str, None]()
    for one in table:
        known = defined.get(one.case)
        if known is None or _same(known, (one.case_digest, one.scorers_digest)):
            kept.add(one)
        else:
            edited[one.case] = None
    return kept, list(edited)


def _same(known: tuple[str, str], found: tuple[str, str]) -> bool:
    """Whether two definitions agree; what is unknown agrees with everything."""
    return all(not a or not b or a == b for a, b in zip(known, found, strict=True))


def pooled(dataset: str, tables: Sequence[TrialTable]) -> TrialTable:
    """Return all draws of several runs as one table, the samples numbered anew.

    A draw that several runs used (a stored answer, a recorded one) is one draw: of equal draws as
    many count as the run has that has most of them.

    Args:
        dataset: the dataset's name.
        tables: the runs' trials.
    """
    whole = TrialTable(dataset)
    cells: dict[tuple[str, str], list[TrialStats]] = {}
    for table in tables:
        here: Counter[tuple[str, str, str]] = Counter()
        for one in table:
            known = cells.setdefault((one.model, one.case), [])
            here[one.model, one.case, one.draw] += 1
            has = sum(before.draw == one.draw for before in known)
            if not one.draw or here[one.model, one.case, one.draw] > has:
                known.append(one)
    for cell in cells.values():
        for i, one in enumerate(cell):
            whole.add(replace(one, sample=i))
    return whole
