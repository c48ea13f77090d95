"""What users write, for type checkers: never run. See test_typing.py."""

from collections.abc import Callable

import pytest

from pytest_evals import (
    AnswerError,
    Case,
    EvalAsk,
    EvalJudge,
    EvalTrial,
    Message,
    Model,
    Price,
    Response,
    Score,
    TargetContext,
)

LOCAL = Model(
    id="local",
    provider="openai",
    model="qwen3",
    options={"base_url": "http://127.0.0.1:8000/v1"},
    price=Price(input=0.1, output=0.4),
)


def cases() -> list[Case]:
    """Make cases."""
    return [Case(id=f"sum-{n}", input=f"{n} + {n}", expected=str(2 * n)) for n in range(3)]


@pytest.fixture
def evals_target() -> Callable[[str, TargetContext], str]:
    """Say how a case is answered."""

    def answer(question: str, context: TargetContext) -> str:
        return f"{context.model.id}: {question}"

    return answer


@pytest.mark.evals(cases, models=[LOCAL, "openai:gpt-4.1-mini"], samples=3, gates=["pass@1 >= 0.9"])
def test_sums(
    case: Case, model: Model, sample: int, response: Response, trial: EvalTrial, judge: EvalJudge
) -> None:
    """Use every fixture."""
    score: Score = trial.score("contains", case.expected)
    value: float | None = score.value
    trial.score({"not": {"contains": "sorry"}}, check=False)
    trial.score("regex", pattern="[0-9]", advisory=True, weight=2)
    trial.record("words", len(response.text.split()))
    trial.record("cited", value is not None)
    trial.log(model.id, sample)
    polite: Score = judge("Is it polite?", min_score=0.8, model=LOCAL)
    assert polite.passed
    text: str = trial.answer
    assert text == response.text


@pytest.mark.evals("sums.yaml", scorers=False)
async def test_agent(case: Case, ask: EvalAsk, trial: EvalTrial, judge: EvalJudge) -> None:
    """Ask, and answer oneself."""
    try:
        plan: Response = await ask.run_async("openai:gpt-4.1-mini", str(case.input), temperature=0)
    except AnswerError as error:
        pytest.skip(error.message)
    done = ask(LOCAL, [Message(role="user", content=plan.text)])
    answered: Response = trial.answered({"text": done.text, "cost_usd": 0.1})
    score: Score = await trial.score_async("equals", answered.text)
    assert (await judge.run_async(use="polite")).name
    assert score.passed
