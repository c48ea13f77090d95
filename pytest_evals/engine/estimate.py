"""What a run would ask and cost, told before anything is spent: by earlier runs, or by lengths."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.engine.conversation import first_messages, turns_of
from pytest_evals.exchange import Usage
from pytest_evals.ground.errors import AnswerError, StoreError
from pytest_evals.ground.plain_text import format_cost, format_count
from pytest_evals.matrix import Trial
from pytest_evals.model import Model
from pytest_evals.scorers.bound import Bound
from pytest_evals.storage.base import RunStore

CHARACTERS_A_TOKEN = 4
"""A rule of thumb for English text, where no history tells better."""

ScorersOf = Callable[[Dataset, Case], Sequence[Bound]]
"""Returns the scorers of a case."""


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
class Expected:
    """What is expected of one model in one dataset."""

    dataset: str
    model: Model
    past: History | None = None
    """What it rests on; None where no run tells, and lengths are counted instead."""
    trials: int = 0
    calls: int = 0
    """Calls of the model under test; each turn is one."""
    judge_calls: int = 0
    """Calls of judges, at least; what they read is not known before."""
    written: int = 0
    """Characters of the prompts."""
    answers: int = 0
    """Tokens the answers may have at the most; counted where the model's parameters bound them."""
    bounded: bool = True
    """Whether they do."""

    @property
    def scripted(self) -> bool:
        """Whether its answers stand in the dataset, so that nothing of it is called."""
        return self.model.provider == "script"

    @property
    def told(self) -> bool:
        """Whether an earlier run tells the tokens, judges included."""
        return self.past is not None and self.past.tokens is not None

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompts, by their lengths."""
        return self.written // CHARACTERS_A_TOKEN

    @property
    def tokens(self) -> int | None:
        """All tokens; None where only those of the prompts are known."""
        if self.past is not None and self.past.tokens is not None:
            return round(self.past.tokens * self.trials)
        if self.scripted and not self.judge_calls:
            return 0
        return self.prompt_tokens + self.answers if self.bounded and not self.judge_calls else None

    @property
    def cost_usd(self) -> float | None:
        """USD, all calls together; None where a price or what is asked is not known."""
        if self.told and self.past is not None:
            return None if self.past.cost_usd is None else self.past.cost_usd * self.trials
        if self.judge_calls:
            return None
        return 0.0 if self.scripted else self.model_usd if self.bounded else None

    @property
    def model_usd(self) -> float | None:
        """USD of the model under test, by lengths: at most, or without a bound at least."""
        answers = self.answers if self.bounded else None
        return Usage(input_tokens=self.prompt_tokens, output_tokens=answers).cost(self.model.price)


def expected(
    trials: Iterable[Trial],
    history: Mapping[tuple[str, str], History],
    scorers_of: ScorersOf,
) -> list[Expected]:
    """Return what is expected of each model, dataset by dataset.

    Args:
        trials: what is selected.
        history: by the dataset's name and the model's id.
        scorers_of: returns the scorers of a case.
    """
    found: dict[tuple[str, str], Expected] = {}
    judges: dict[tuple[int, str], int] = {}
    for trial in trials:
        key = (trial.dataset.name, trial.model.id)
        if key not in found:
            found[key] = Expected(trial.dataset.name, trial.model, history.get(key))
        case = (id(trial.dataset), trial.case.id)
        if case not in judges:
            bounds = scorers_of(trial.dataset, trial.case)
            judges[case] = sum(len(bound.scorer.models(trial.dataset)) for bound in bounds)
        _count(found[key], trial)
        found[key].judge_calls += judges[case]
    return list(found.values())


def estimate(
    trials: Iterable[Trial], history: Mapping[tuple[str, str], History], scorers_of: ScorersOf
) -> list[str]:
    """Return a line for each model: its calls, tokens and cost, and what that rests on.

    Args: as of `expected`.
    """
    return [f"evals: estimate: {line_of(one)}" for one in expected(trials, history, scorers_of)]


def _count(one: Expected, trial: Trial) -> None:
    """Add a trial's calls of the model under test."""
    turns = turns_of(trial)
    one.trials += 1
    one.calls += 0 if one.scripted else len(turns)
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


def line_of(one: Expected) -> str:
    """Say what is expected of one model."""
    name = one.model.id
    judged = _calls(one.judge_calls)
    if one.scripted and not one.judge_calls:
        return f"{name}: no calls, its answers are recorded"
    own = "no calls, its answers are recorded" if one.scripted else _calls(one.calls)
    past = one.past
    if past is not None and past.tokens is not None:
        cost = one.cost_usd
        usd = "cost unknown" if cost is None else format_cost(cost)
        return f"{name}: {own}, about {format_count(one.tokens)} tokens, {usd} (by run {past.run})"
    more = f"; and {judged} of judges or more, not counted" if one.judge_calls else ""
    if one.scripted:
        return f"{name}: {own}{more} (no stored run tells)"
    told = f"{name}: {own}, about {format_count(one.prompt_tokens)} tokens of prompts"
    if one.bounded:
        told += f" and at most {format_count(one.answers)} of answers"
    if one.model_usd is not None:
        told += f", {'at most' if one.bounded else 'at least'} {format_cost(one.model_usd)}"
    return f"{told}{more} (by the prompts' length; no stored run tells)"


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{format_count(number)} calls"


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
