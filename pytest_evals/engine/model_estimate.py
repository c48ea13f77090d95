"""ModelEstimate: the expected calls, tokens and cost of one model in one dataset. Nouns only."""

from dataclasses import dataclass

from pytest_evals.exchange import Usage
from pytest_evals.model import Model

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English text, used if no earlier run gives a number."""


@dataclass(frozen=True, slots=True)
class History:
    """The usage of a model's trials in the last run that has any."""

    run: str
    """The id of that run."""
    tokens: float | None
    """Mean tokens of a trial; None if none were reported."""
    cost_usd: float | None
    """Mean USD of a trial; None if any is unknown."""


@dataclass(slots=True)
class ModelEstimate:
    """The estimate for one model in one dataset."""

    dataset: str
    model: Model
    history: History | None = None
    """The basis of the estimate; None if it is the length of the prompts."""
    trials: int = 0
    calls: int = 0
    """Calls of the model under test; each turn is one."""
    judge_calls: int = 0
    """Calls of judges, at least; the length of their prompts is unknown."""
    prompt_characters: int = 0
    max_output_tokens: int = 0
    """The sum of the output limits in the model's parameters."""
    has_output_limit: bool = True
    """Whether every trial has such a limit."""

    @property
    def is_scripted(self) -> bool:
        """Whether the dataset records its answers, so it is never called."""
        return self.model.provider == "script"

    @property
    def is_from_run(self) -> bool:
        """Whether an earlier run gives the tokens, judges included."""
        return self.history is not None and self.history.tokens is not None

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompts, by their length."""
        return self.prompt_characters // CHARACTERS_PER_TOKEN

    @property
    def tokens(self) -> int | None:
        """All tokens; None if only those of the prompts are known."""
        if self.history is not None and self.history.tokens is not None:
            return round(self.history.tokens * self.trials)
        if self.judge_calls:
            return None
        if self.is_scripted:
            return 0
        return self.prompt_tokens + self.max_output_tokens if self.has_output_limit else None

    @property
    def cost_usd(self) -> float | None:
        """USD of all calls; None if a price or the tokens are unknown."""
        if self.is_from_run and self.history is not None:
            mean = self.history.cost_usd
            return None if mean is None else mean * self.trials
        if self.judge_calls:
            return None
        return 0.0 if self.is_scripted else self.model_usd if self.has_output_limit else None

    @property
    def model_usd(self) -> float | None:
        """USD of the model under test, by length: at most with an output limit, else at least."""
        output_tokens = self.max_output_tokens if self.has_output_limit else None
        usage = Usage(input_tokens=self.prompt_tokens, output_tokens=output_tokens)
        return usage.cost(self.model.price)
