"""Trials of a stored run, found by a name, a case or a part of a name."""

from collections.abc import Sequence

from pytest_evals.ground.errors import StoreError, suggest

_SHOWN = 5


def find_trials(text: str, trials: Sequence[str], run_id: str) -> list[str]:
    """Return the node ids that a text names: all trials of a case, or the one of `find_trial`.

    Args:
        text: a case's id, or what `find_trial` takes.
        trials: the node ids of the run.
        run_id: the run, for the message.

    Raises:
        StoreError: no trial matches, or trials of several cases do.
    """
    of_case = [name for name in trials if name.partition("::")[2].startswith(f"{text}[")]
    return of_case or [find_trial(text, trials, run_id)]


def find_trial(text: str, trials: Sequence[str], run_id: str) -> str:
    """Return the node id that a text names.

    Args:
        text: a node id, the name after its ``::``, or a part that no other id has.
        trials: the node ids of the run.
        run_id: the run, for the message.

    Raises:
        StoreError: no trial matches, or several do.
    """
    exact = [name for name in trials if text in {name, name.partition("::")[2]}]
    matches = exact or [name for name in trials if text and text in name]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        names = [name.partition("::")[2] or name for name in trials]
        raise StoreError(f"run {run_id} has no trial {text!r}.{suggest(text, names, limit=_SHOWN)}")
    more = f" and {len(matches) - _SHOWN} more" if len(matches) > _SHOWN else ""
    raise StoreError(
        f"{text!r} is part of {len(matches)} trials of run {run_id}: "
        f"{', '.join(matches[:_SHOWN])}{more}; write more of the name"
    )
