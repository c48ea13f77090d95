"""Budgets of money and tokens: what they stop, and what they count."""

import pytest

PRICE = {"input": 1000, "output": 1000}
"""USD per million tokens: a call of 8 and 5 tokens costs 0.013 USD."""
CALL_USD = 0.013
WINDOW = 3


def skipped(records) -> int:
    """Return how many trials were not run."""
    return sum(record["outcome"] == "skipped" for record in records().values())


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (f"--evals-max-cost={10 * CALL_USD}", "*the budget is spent: 0.1* of 0.13 USD*"),
        (f"--evals-max-tokens={10 * 13}", "*the budget is spent: 1* of 130 tokens*"),
    ],
    ids=["cost", "tokens"],
)
def test_when_the_budget_is_spent_the_rest_is_not_run(option, told, server, ask, evals, records):
    """Overshot by one call at the most; never green; the next session goes on."""
    name = ask(30, model={"price": PRICE})
    result = evals(option, f"--evals-concurrency={WINDOW}", name)
    assert server.total() == 10
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert skipped(records) == 30 - server.total()
    result.stdout.fnmatch_lines([told])
    evals(name).assert_outcomes(passed=30)
    assert server.asked() == {f"q{i}": 1 for i in range(30)}


def test_fifty_at_once_overshoot_by_one_call(server, ask, evals):
    """What is under way is reserved before the next call begins."""
    server.script({"*": [{"delay_s": 0.1, "forever": True}]})
    name = ask(60, model={"price": PRICE})
    evals(f"--evals-max-cost={3.5 * CALL_USD}", "--evals-concurrency=50", name)
    assert server.total() == 4


def test_stored_answers_cost_nothing_again(server, ask, evals):
    """Only what is asked counts."""
    name = ask(12, model={"price": PRICE})
    evals(name)
    evals(f"--evals-max-cost={CALL_USD}", name).assert_outcomes(passed=12)


def test_an_unknown_price_under_a_cap_is_an_error_before_the_first_call(server, ask, evals):
    """The model is named, and what to write."""
    result = evals("--evals-max-cost=1", ask(3))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--evals-max-cost cannot be kept: no price is known for m.*"])
    assert server.total() == 0


def test_a_server_that_reports_no_tokens_breaks_the_cap_at_once(server, ask, evals, records):
    """What cannot be counted cannot be capped."""
    server.script({"*": [{"tokens": None, "forever": True}]})
    name = ask(10, model={"price": PRICE})
    result = evals("--evals-max-cost=1", "--evals-concurrency=1", name)
    assert server.total() == 1
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*9 of 10 trials were not run*reported no tokens*"])


def test_judges_count(server, ask, evals):
    """A judge's call spends the same budget."""
    judge = {"id": "j", "provider": "openai", "base_url": server.url, "model": "judge"}
    name = ask(
        10,
        model={"price": PRICE},
        judges={"good": {"model": {**judge, "price": PRICE}, "rubric": "Is it good?"}},
        scorers=[{"judge": {"use": "good"}}],
    )
    evals(f"--evals-max-cost={6 * CALL_USD}", "--evals-concurrency=1", name)
    seen = server.asked()
    assert sum(seen.values()) == 6
    assert sum(q.startswith("q") for q in seen) < 6


def test_an_unpriced_judge_is_an_error_too(server, ask, evals):
    """Before the first call, as for a model."""
    judge = {"id": "j", "provider": "openai", "base_url": server.url, "model": "judge"}
    name = ask(
        2,
        model={"price": PRICE},
        judges={"good": {"model": judge, "rubric": "Is it good?"}},
        scorers=[{"judge": {"use": "good"}}],
    )
    result = evals("--evals-max-cost=1", name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no price is known for j.*"])


@pytest.mark.slow
def test_a_budget_is_divided_among_workers(server, ask, evals_process, records):
    """Two workers together overshoot by no more than one would."""
    server.script({"*": [{"delay_s": 0.05, "forever": True}]})
    name = ask(40, model={"price": PRICE})
    option = f"--evals-max-cost={10 * CALL_USD}"
    result = evals_process("-n", "2", option, "--evals-concurrency=4", name)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert 10 <= server.total() < 10 + 4
    assert skipped(records) == 40 - server.total()
    result.stdout.fnmatch_lines(["*of 40 trials were not run*the budget is spent*"])


@pytest.mark.slow
def test_a_replacement_spends_only_what_its_predecessor_left(
    python_target, evals_process, pytester
):
    """A worker that dies does not double its part of the budget."""
    source = """
        import os, signal, time
        from pathlib import Path

        def answer(text):
            with open("asked.txt", "a") as file:
                file.write(text + "\\n")
            if text == "q20" and not Path("died").exists():
                Path("died").touch()
                time.sleep(0.5)
                os.kill(os.getpid(), signal.SIGKILL)
            return {"text": text, "usage": {"input_tokens": 8, "output_tokens": 2}}
        """
    name = python_target(source, 80)
    evals_process("-n", "1", "--evals-max-tokens=300", "--evals-concurrency=1", name)
    asked = pytester.path.joinpath("asked.txt").read_text().split()
    assert "q20" in asked
    assert 30 <= len(asked) <= 30 + 3
