"""What a session would ask and cost, told by ``--collect-only`` before anything is spent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_evals.engine.conversation import first_messages, turns_of
from pytest_evals.errors import AnswerError, StoreError
from pytest_evals.exchange import Usage
from pytest_evals.matrix import Trial
from pytest_evals.model import Model
from pytest_evals.plaintext import format_cost, format_count
from pytest_evals.storage.base import RunStore

CHARACTERS_A_TOKEN = 4
"""A rule of thumb for English text, where no history tells better."""


@dataclass(frozen=True, slots=True)
class History:
    """What a trial of one model took in the last run that has it."""

    run: str
    """That run's id."""
    tokens: float | None
    """The mean of its trials; None where they reported none."""
    cost_usd: float | None
    """The mean of its trials; None where any is unknown."""


@dataclass(slots=True)
class _Sum:
    """The trials of one model."""

    model: Model
    trials: int = 0
    calls: int = 0
    written: int = 0
    """Characters of the prompts."""
    answers: int = 0
    """Tokens the answers may have at the most; counted where the model's parameters bound them."""
    bounded: bool = True


def estimate(trials: Iterable[Trial], history: Mapping[tuple[str, str], History]) -> list[str]:
    """Return a line for each model: its calls, tokens and cost, and what that rests on.

    Args:
        trials: what is selected.
        history: by the dataset's name and the model's id.
    """
    sums: dict[tuple[str, str], _Sum] = {}
    for trial in trials:
        key = (trial.dataset.name, trial.model.id)
        _count(sums.setdefault(key, _Sum(trial.model)), trial)
    return [_line(key[1], one, history.get(key)) for key, one in sums.items()]


def _count(one: _Sum, trial: Trial) -> None:
    """Add a trial. Judges are told by history only: what they will read is not known yet."""
    turns = turns_of(trial)
    one.trials += 1
    one.calls += len(turns)
    try:
        first = sum(len(message.text) for message in first_messages(trial))
    except AnswerError:
        first = 0
    # Each turn sends the thread again.
    one.written += first * len(turns) + sum(len(str(turn)) for turn in turns[1:])
    most = trial.model.params.get("max_tokens") or trial.model.params.get("max_completion_tokens")
    if isinstance(most, int):
        one.answers += most * len(turns)
    else:
        one.bounded = False


def _line(model_id: str, one: _Sum, past: History | None) -> str:
    """Say what is expected of one model."""
    calls = "1 call" if one.calls == 1 else f"{format_count(one.calls)} calls"
    head = f"evals: estimate: {model_id}: {calls}"
    if one.model.provider == "script":
        return f"evals: estimate: {model_id}: no calls, its answers are recorded"
    if past is not None and past.tokens is not None:
        cost = "cost unknown" if past.cost_usd is None else format_cost(past.cost_usd * one.trials)
        tokens = format_count(past.tokens * one.trials)
        return f"{head}, about {tokens} tokens, {cost} (by run {past.run})"
    read = one.written // CHARACTERS_A_TOKEN
    told = f"{head}, about {format_count(read)} tokens of prompts"
    usage = Usage(input_tokens=read, output_tokens=one.answers if one.bounded else None)
    usd = usage.cost(one.model.price)
    if one.bounded:
        told += f" and at most {format_count(one.answers)} of answers"
    if usd is not None:
        told += f", {'at most' if one.bounded else 'at least'} {format_cost(usd)}"
    return f"{told} (by the prompts' length; no run is stored)"


def history_of(store: Path, names: Iterable[str]) -> dict[tuple[str, str], History]:
    """Return what earlier runs of these datasets took, by dataset and model.

    Args:
        store: the run store's file; it is only read, and need not be there.
        names: the datasets' names.
    """
    from pytest_evals.storage.sqlite import SqliteRunStore

    if not store.is_file():
        return {}
    try:
        runs = SqliteRunStore(store, write=False)
    except StoreError:
        return {}
    found: dict[tuple[str, str], History] = {}
    try:
        for name in names:
            for run in reversed(runs.runs(dataset=name, limit=5)):
                for model, past in _means(runs, run.id, name).items():
                    found[name, model] = past
    except StoreError:
        return found
    finally:
        runs.close()
    return found


def _means(runs: RunStore, run_id: str, name: str) -> dict[str, History]:
    """Return the means of one run's answered trials, by model."""
    tokens: dict[str, list[int]] = {}
    costs: dict[str, list[float | None]] = {}
    for row in runs.rows(run_id):
        if row.dataset == name and row.tokens is not None:
            tokens.setdefault(row.model_id, []).append(row.tokens)
            costs.setdefault(row.model_id, []).append(None if row.unpriced else row.cost_usd)
    means: dict[str, History] = {}
    for model, counts in tokens.items():
        known = [cost for cost in costs[model] if cost is not None]
        cost = sum(known) / len(known) if len(known) == len(counts) else None
        means[model] = History(run_id, sum(counts) / len(counts), cost)
    return means
