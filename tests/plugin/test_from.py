"""Recorded answers under new assertions, bars and gates, without a call."""

import json

import pytest

BOT = """
    def answer(text):
        with open("calls.txt", "a") as file:
            file.write("x")
        return f"the answer to {text}"
    """


@pytest.fixture
def shop(write, pytester):
    """Write a dataset and its program; say how often that was called."""
    write("bot.py", BOT)

    def shop(scorers=({"contains": "answer"},), rows=None, **extra) -> str:
        data = {
            "name": "shop",
            "samples": 2,
            "models": [{"id": "bot", "provider": "python", "target": "bot.py:answer"}],
            "scorers": list(scorers),
            "cases": rows or [{"id": f"c{i}", "input": f"question {i}"} for i in range(4)],
            **extra,
        }
        return write("shop.yaml", json.dumps(data))

    return shop


@pytest.fixture
def calls(pytester):
    """Return how often the program was called."""
    path = pytester.path / "calls.txt"
    return lambda: len(path.read_text()) if path.exists() else 0


@pytest.fixture
def recorded(shop, evals, pytester):
    """Run the dataset once; forget that the program was called."""
    evals(shop()).assert_outcomes(passed=8)
    (pytester.path / "calls.txt").unlink()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_new_assertions_judge_recorded_answers(workers, recorded, shop, evals_process, calls):
    """Every trial is an item as ever; nothing is called."""
    if workers:
        pytest.importorskip("xdist")
    name = shop([{"contains": "question 1"}])
    evals_process(*workers, "--evals-from=latest", name).assert_outcomes(passed=2, failed=6)
    assert calls() == 0


def test_new_gates_judge_recorded_answers(recorded, shop, evals, calls):
    """A bar that the answers miss fails as it would have in the run."""
    name = shop([{"contains": "question 1"}], gates=["pass@1 >= 0.5"])
    result = evals("--evals-from=latest", name)
    assert result.parseoutcomes() == {"passed": 2, "tolerated": 6, "failed": 1}
    assert calls() == 0


def test_its_samples_and_models_are_planned(recorded, shop, evals, calls):
    """However often, and of whomever, the dataset would be asked today."""
    other = {"id": "other", "provider": "python", "target": "bot.py:answer"}
    result = evals("--evals-from=latest", shop(samples=5, models=[other]))
    result.assert_outcomes(passed=8)
    assert calls() == 0


def test_what_was_not_recorded_is_not_green(recorded, shop, evals, calls):
    """A new case and an edited question have no answer: they are STALE, and it is said why."""
    cases = [{"id": "c0", "input": "something else"}, {"id": "new", "input": "question"}]
    result = evals("--evals-from=latest", shop(rows=cases))
    result.assert_outcomes(errors=4)
    text = result.stdout.str()
    assert "was asked with another prompt: case 'c0' under 'bot'" in text
    assert "holds no answer of case 'new' under 'bot'" in text
    assert calls() == 0


def test_errors_that_were_recorded_stay_errors(write, evals, shop):
    """An answer that did not come then is not made up now."""
    name = shop(samples=1)
    write("bot.py", "def answer(text):\n    raise ValueError('down')\n")
    evals(name).assert_outcomes(errors=4)
    write("bot.py", BOT)
    evals("--evals-from=latest", name).assert_outcomes(errors=4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--evals-from=2020"], "holds no run '2020'"),
        (["--evals-from=latest", "--evals-model=bott"], "asked no such model. Did you mean"),
        (["--evals-from=latest", "--evals-samples=3"], "drop one of the two"),
    ],
    ids=["run", "model", "samples"],
)
def test_what_cannot_be_meant_is_an_error(recorded, shop, evals, options, said, calls):
    """With what is there instead."""
    result = evals(*options, shop())
    assert result.ret != 0
    assert said in result.stdout.str() + result.stderr.str()
    assert calls() == 0


def test_a_dataset_that_the_run_does_not_hold(recorded, shop, evals, pytester):
    """Is an error that names what it does hold."""
    text = (pytester.path / shop()).read_text().replace('"name": "shop"', '"name": "store"')
    (pytester.path / "store.yaml").write_text(text)
    result = evals("--evals-from=latest", "store.yaml")
    assert result.ret != 0
    assert "no stored run holds anything of 'store'" in result.stdout.str()
