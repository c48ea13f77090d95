"""A judge as a dataset writes it, asked through a model that says what it is told to say."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_evals.case import Case, ScorerSpec
from pytest_evals.dataset import Dataset
from pytest_evals.exchange import Exchange, Request, Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.registry import Registry
from pytest_evals.score import Score, ScoreError
from pytest_evals.scorers.base import ScoreContext
from pytest_evals.scorers.binding import SpecError

MODEL = Model(id="m", provider="script")


@dataclass(frozen=True)
class Asked:
    """What a judge model was asked."""

    messages: tuple[Message, ...]
    model: Any
    role: str
    response_format: Any
    params: Any
    sample: int

    @property
    def text(self) -> str:
        """The first user message: the task and the material."""
        return self.messages[1].text


@dataclass
class Bench:
    """Scores answers with a judge whose model replies as told."""

    says: list[Any] = field(default_factory=list)
    """Texts, JSON values, Responses or errors, in order; the last one is repeated. A callable gets
    what was asked."""
    asked: list[Asked] = field(default_factory=list)
    judges: dict[str, Any] = field(default_factory=dict)
    certificates: dict[str, Any] = field(default_factory=dict)

    def reply(self, *says: Any) -> "Bench":
        """Set what the judge model says from now on."""
        self.says = list(says)
        self.asked.clear()
        return self

    async def ask(self, messages, *, model, role, response_format=None, params=None, sample=0):
        """Be the engine's `ask`."""
        asked = Asked(tuple(messages), model, role, response_format, params, sample)
        self.asked.append(asked)
        say = self.says[min(len(self.asked), len(self.says)) - 1]
        if isinstance(say, Callable):
            say = say(asked)
        if isinstance(say, AnswerError):
            raise say
        if not isinstance(say, Response):
            say = Response(text=say if isinstance(say, str) else json.dumps(say))
        name = model if isinstance(model, str) else model.id
        request = Request(messages=asked.messages, sample=sample)
        return Exchange(
            request=request, response=say, role=role, model_id=name, key=f"k{len(self.asked)}",
            cost_usd=0.01,
        )  # fmt: skip

    def dataset(self, case: Case) -> Dataset:
        """Make the dataset a judge stands in."""
        return Dataset(name="d", path="d.evals.yaml", cases=(case,), judges=self.judges)

    def context(self, answer: str = "Thirty days.", **given: Any) -> ScoreContext:
        """Make what a judge sees."""
        fields = ("input", "expected", "variables", "turns")
        case = Case(
            id="c", **{"input": "How long?", **{k: given.pop(k) for k in fields if k in given}}
        )
        response = given.pop("response", None) or Response(text=answer)
        exchanges = given.pop("exchanges", None) or (
            Exchange(
                request=Request(messages=(Message(role="user", content="How long?"),)),
                response=response,
            ),
        )
        return ScoreContext(
            case=case,
            model=MODEL,
            dataset=self.dataset(case),
            answer=answer,
            response=response,
            exchanges=exchanges,
            ask=given.pop("ask", self.ask),
            certificates=self.certificates,
            **given,
        )

    def score(self, written: Any, answer: str = "Thirty days.", **given: Any) -> Score | ScoreError:
        """Score an answer the way the engine does."""
        bound = Registry.builtin().bind(ScorerSpec.model_validate(written))
        scored = asyncio.run(bound.evaluate(self.context(answer, **given), _in_thread))
        assert type(scored).model_validate_json(scored.model_dump_json()) == scored
        return scored

    def error(self, written: Any, answer: str = "Thirty days.", **given: Any) -> str:
        """Return the message of the error that scoring must end in."""
        scored = self.score(written, answer, **given)
        assert isinstance(scored, ScoreError), scored
        return scored.message

    def problems(self, written: Any, *, cased: bool = True, **given: Any) -> list[str]:
        """Return everything that is wrong with a judge when a dataset is collected."""
        try:
            bound = Registry.builtin().bind(ScorerSpec.model_validate(written))
        except SpecError as error:
            return [message for _, message in error.problems]
        ctx = self.context(**given)
        return list(bound.check(ctx.dataset, ctx.case if cased else None))


async def _in_thread(function: Any) -> Any:
    """Run a blocking callable as the engine does."""
    return await asyncio.to_thread(function)


@pytest.fixture
def bench():
    """A judge's bench."""
    return Bench()
