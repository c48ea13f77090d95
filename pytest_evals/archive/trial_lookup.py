"""A trial of a stored run, found by its name or a part of it."""

from collections.abc import Sequence


def find_trial(wanted: str, trials: Sequence[str], run_id: str) -> str:
    """Return the node id that is meant.

    Args:
        wanted: a node id, the name behind its ``::``, or a part that no other id has.
        trials: the node ids of the run.
        run_id: the run, for the message.

    Raises:
        StoreError: none or several are meant.
    """
    from pytest_evals.ground.errors import StoreError, suggest

    named = [name for name in trials if wanted in {name, name.partition("::")[2]}]
    found = named or [name for name in trials if wanted and wanted in name]
    if len(found) == 1:
        return found[0]
    if not found:
        names = [name.partition("::")[2] or name for name in trials]
        raise StoreError(f"run {run_id} has no trial {wanted!r}.{suggest(wanted, names, limit=5)}")
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    raise StoreError(
        f"{wanted!r} is part of {len(found)} trials of run {run_id}: {', '.join(found[:5])}{more}; "
        "write more of the one you mean"
    )
