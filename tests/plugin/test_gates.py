"""Gates in a session: tolerated trials, verdicts that are tests, baselines, in pytest's own terms."""

import json

import pytest


def dataset(gates: list, samples: int = 1, cases: int = 60) -> str:
    """Return a dataset that a program answers."""
    return json.dumps(
        {
            "name": "shop",
            "samples": samples,
            "models": [{"id": "bot", "provider": "python", "target": "bot.py:answer"}],
            "scorers": [{"contains": "right"}],
            "gates": gates,
            "cases": [{"id": f"c{i:02}", "input": f"question {i}"} for i in range(cases)],
        }
    )


@pytest.fixture
def shop(write):
    """Write a dataset and the program that answers it."""

    def shop(wrong: int, gates: list, samples: int = 1, cases: int = 60) -> str:
        write(
            "bot.py",
            f"""
            def answer(text):
                return "wrong" if int(text.split()[-1]) < {wrong} else "right"
            """,
        )
        return write("shop.yaml", dataset(gates, samples, cases))

    return shop


def test_a_gate_that_passes_covers_a_wrong_answer(shop, evals, pytester):
    """The wrong answer is counted as tolerated, the gate as a test that passed."""
    result = evals(shop(1, ["pass@1 >= 0.8"], cases=10), "--junitxml=out.xml")
    assert result.ret == 0
    assert {"passed": 10, "tolerated": 1} == result.parseoutcomes()
    xml = (pytester.path / "out.xml").read_text()
    assert 'failures="0" skipped="1" tests="11"' in xml
    result.stdout.fnmatch_lines(["gate pass@1 >= 0.8 [[]bot[]]: PASSED: *", "decision: accept"])


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_a_gate_that_fails_fails_the_session(shop, evals_process, workers):
    """It is a failed test of its own, with and without workers."""
    if workers:
        pytest.importorskip("xdist")
    result = evals_process(shop(4, ["pass@1 >= 0.8"], cases=10), *workers)
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    assert {"passed": 6, "tolerated": 4, "failed": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["FAILED shop.yaml::gate[[]pass@1 >= 0.8[]][[]bot[]]*"])


def test_the_trials_behind_a_failed_gate_are_run_again(shop, evals_process):
    """``--lf`` runs them, not the gate; narrowed, a wrong answer fails and no gate is judged."""
    name = shop(4, ["pass@1 >= 0.8"], cases=10)
    evals_process(name)
    outcomes = evals_process("--lf", name).parseoutcomes()
    outcomes.pop("deselected", None)
    assert outcomes == {"failed": 4, "skipped": 1}


def test_a_misspelt_metric_is_an_error_at_collection(shop, evals):
    """Nothing is asked."""
    result = evals(shop(0, ["pas@1 >= 0.8"], cases=3))
    assert {"errors": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["*gate `pas@1 >= 0.8`, column 1*"])


def test_a_broken_baseline_stops_the_session(shop, evals, write):
    """Before anything is asked."""
    name = shop(0, ["no regressions"], cases=3)
    write("baselines/shop.jsonl", "not a baseline")
    assert pytest.ExitCode.USAGE_ERROR == evals(name).ret
    assert pytest.ExitCode.USAGE_ERROR == evals(name, "--evals-baseline=none.jsonl").ret


@pytest.mark.parametrize(("samples", "word"), [(5, "reject"), (1, "investigate")])
def test_three_broken_cases_of_sixty(shop, evals_process, samples, word):
    """Five samples a case tell, one does not; strictly, what cannot be told fails."""
    first = evals_process(shop(0, ["no regressions"], samples), "--evals-update-baseline", "-q")
    assert 0 == first.ret
    name = shop(3, ["no regressions"], samples)
    result = evals_process(name, "--evals-responses=off")
    result.stdout.fnmatch_lines([f"decision: {word}"])
    assert (1 if word == "reject" else 0) == result.ret
    if word == "reject":
        result.stdout.fnmatch_lines(["cases behind it: c00, c01, c02"])
    else:
        assert 1 == result.parseoutcomes()["inconclusive"]
        assert 1 == evals_process(name, "--evals-responses=off", "--evals-strict").ret
