"""What users must not write: each marked line is an error to a type checker. See test_typing.py."""

from pytest_evals import EvalAsk, EvalJudge, EvalTrial, Response


async def test_wrong(response: Response, trial: EvalTrial, judge: EvalJudge) -> None:
    """Make mistakes."""
    trial.record("words", "many")  # wrong
    trial.score(42)  # wrong
    number: int = response.text  # wrong
    judge("polite?", min_score="high")  # wrong
    print(number)


async def test_wrong_questions(ask: EvalAsk, trial: EvalTrial) -> None:
    """Make more."""
    ask("openai:x")  # wrong
    text: str = ask("openai:x", "hi")  # wrong
    late: Response = ask.run_async("openai:x", "hi")  # wrong
    print(text, late, trial.anwser)  # wrong
