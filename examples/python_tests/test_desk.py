import pytest

from pytest_evals import Case, EvalTrial, Response


@pytest.mark.evals("questions.yaml", samples=2, gates=["pass@1 >= 0.9", "mean(lookups) <= 1"])
def test_answers(case: Case, response: Response, trial: EvalTrial, desk):
    trial.record("lookups", len(desk.lookups))
    trial.score("contains", case.expected, check=False)
    if "returns" in case.tags:
        trial.score("tool_called", "find", check=False)
    assert len(response.text) < 80


SHOES = [Case(id="shoes", input="How long may I return shoes?", expected="14 days")]


@pytest.mark.evals(SHOES)
class TestTone:
    @pytest.mark.parametrize("word", ["sorry", "unfortunately"])
    def test_no_excuses(self, response: Response, word: str):
        assert word not in response.text


@pytest.mark.evals(SHOES, scorers=False)
def test_two_questions(case: Case, trial: EvalTrial, desk):
    desk.answer("Can I return a gift card?")
    trial.answered(desk.answer(str(case.input)))
    trial.score("contains", case.expected)
    assert ["gift card", "shoes"] == desk.lookups
