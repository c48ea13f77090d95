"""Estimates the calls, tokens and cost of a run before it starts, by earlier runs or by length."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.engine.conversation import first_messages, turns_of
from pytest_evals.engine.model_estimate import History, ModelEstimate
from pytest_evals.ground.errors import AnswerError, StoreError
from pytest_evals.ground.plain_text import format_cost, format_count
from pytest_evals.matrix import Trial
from pytest_evals.scorers.bound import Bound
from pytest_evals.storage.base import RunStore

ScorersOf = Callable[[Dataset, Case], Sequence[Bound]]
"""Returns the scorers of a case."""


def estimate_models(
    trials: Iterable[Trial],
    history: Mapping[tuple[str, str], History],
    scorers_of: ScorersOf,
) -> list[ModelEstimate]:
    """Return an estimate for each model, dataset by dataset.

    Args:
        trials: the selected trials.
        history: by dataset name and model id.
        scorers_of: returns the scorers of a case.
    """
    estimates: dict[tuple[str, str], ModelEstimate] = {}
    judge_calls: dict[tuple[int, str], int] = {}
    for trial in trials:
        key = (trial.dataset.name, trial.model.id)
        if key not in estimates:
            estimates[key] = ModelEstimate(trial.dataset.name, trial.model, history.get(key))
        case = (id(trial.dataset), trial.case.id)
        if case not in judge_calls:
            bounds = scorers_of(trial.dataset, trial.case)
            judge_calls[case] = sum(len(bound.scorer.models(trial.dataset)) for bound in bounds)
        _add_trial(estimates[key], trial)
        estimates[key].judge_calls += judge_calls[case]
    return list(estimates.values())


def estimate_lines(
    trials: Iterable[Trial], history: Mapping[tuple[str, str], History], scorers_of: ScorersOf
) -> list[str]:
    """Return a line for each model: its calls, tokens and cost, and their basis.

    Args: as of `estimate_models`.
    """
    estimates = estimate_models(trials, history, scorers_of)
    return [f"evals: estimate: {format_estimate(estimate)}" for estimate in estimates]


def _add_trial(estimate: ModelEstimate, trial: Trial) -> None:
    """Add a trial's calls of the model under test."""
    turns = turns_of(trial)
    estimate.trials += 1
    estimate.calls += 0 if estimate.is_scripted else len(turns)
    try:
        first = sum(len(message.text) for message in first_messages(trial))
    except AnswerError:
        first = 0
    # Each turn sends the whole thread again.
    estimate.prompt_characters += first * len(turns) + sum(len(str(turn)) for turn in turns[1:])
    params = trial.model.params
    limit = params.get("max_tokens") or params.get("max_completion_tokens")
    if isinstance(limit, int):
        estimate.max_output_tokens += limit * len(turns)
    else:
        estimate.has_output_limit = False


def format_estimate(estimate: ModelEstimate) -> str:
    """Write an estimate as a sentence."""
    name = estimate.model.id
    if estimate.is_scripted and not estimate.judge_calls:
        return f"{name}: no calls, its answers are recorded"
    calls = _calls(estimate.calls)
    if estimate.is_scripted:
        calls = "no calls, its answers are recorded"
    history = estimate.history
    if history is not None and history.tokens is not None:
        cost = estimate.cost_usd
        usd = "cost unknown" if cost is None else format_cost(cost)
        tokens = format_count(estimate.tokens)
        return f"{name}: {calls}, about {tokens} tokens, {usd} (by run {history.run})"
    judges = ""
    if estimate.judge_calls:
        judges = f"; and {_calls(estimate.judge_calls)} of judges or more, not counted"
    if estimate.is_scripted:
        return f"{name}: {calls}{judges} (no stored run tells)"
    text = f"{name}: {calls}, about {format_count(estimate.prompt_tokens)} tokens of prompts"
    if estimate.has_output_limit:
        text += f" and at most {format_count(estimate.max_output_tokens)} of answers"
    if estimate.model_usd is not None:
        bound = "at most" if estimate.has_output_limit else "at least"
        text += f", {bound} {format_cost(estimate.model_usd)}"
    return f"{text}{judges} (by the prompts' length; no stored run tells)"


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{format_count(number)} calls"


def read_history(store: Path, names: Iterable[str]) -> dict[tuple[str, str], History]:
    """Return the usage in earlier runs of these datasets, by dataset and model.

    Args:
        store: the run store's file; it is only read, and may be absent.
        names: the datasets' names.
    """
    from pytest_evals.storage.sqlite import SqliteRunStore

    if not store.is_file():
        return {}
    try:
        runs = SqliteRunStore(store, write=False)
    except StoreError:
        return {}
    history: dict[tuple[str, str], History] = {}
    try:
        for name in names:
            for run in reversed(runs.runs(dataset=name, limit=5)):
                for model, usage in _mean_usage(runs, run.id, name).items():
                    history[name, model] = usage
    except StoreError:
        return history
    finally:
        runs.close()
    return history


def _mean_usage(runs: RunStore, run_id: str, name: str) -> dict[str, History]:
    """Return the means of one run's answered trials, by model."""
    tokens: dict[str, list[int]] = {}
    costs: dict[str, list[float | None]] = {}
    for row in runs.rows(run_id):
        if row.dataset == name and row.tokens is not None:
            tokens.setdefault(row.model_id, []).append(row.tokens)
            costs.setdefault(row.model_id, []).append(None if row.unpriced else row.cost_usd)
    means: dict[str, History] = {}
    for model, counts in tokens.items():
        known_costs = [cost for cost in costs[model] if cost is not None]
        mean_cost = sum(known_costs) / len(known_costs) if len(known_costs) == len(counts) else None
        means[model] = History(run_id, sum(counts) / len(counts), mean_cost)
    return means
