"""Samples that stop early: the verdict is that of all of them, and what is left out costs nothing."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.case import Case
from pytest_evals.verdict.gate.grammar import parse_gate
from pytest_evals.verdict.gate.stopping_rule import case_verdict, samples_needed

CASE = Case(id="a", input="x", tags=("hard",))


@given(
    st.lists(st.booleans(), min_size=1, max_size=12),
    st.integers(1, 12),
    st.sampled_from(
        [
            [],
            ["pass@1 >= 0.5 per case"],
            ["pass@1 > 0.5 per case", "pass@1 >= 0.8 per case where tag = hard"],
            ["pass@1 <= 0.3 per case"],
            ["pass@1 >= 0.9"],
        ]
    ),
)
def test_the_verdict_is_that_of_all_samples(answers, least, gates):
    """On every sequence, asked in groups of as many as can settle it, it stops at that verdict."""
    most, least = len(answers), min(least, len(answers))
    specs = [parse_gate(text) for text in gates]
    verdict = case_verdict(specs, "m", CASE, least=least, limit=most)
    n = least
    while more := samples_needed(sum(answers[:n]), n, limit=most, verdict=verdict):
        n += more
    full = verdict(sum(answers))
    open_ends = {verdict(sum(answers[:n]) + i) for i in range(most - n + 1)}
    assert open_ends == {full}
    for spec in specs:  # what the gate says of the samples that were asked
        share, bar = sum(answers[:n]) / n, spec.min if spec.min is not None else spec.max
        step = -1e-9 if spec.strict else 1e-9
        clears = share >= bar - step if spec.min is not None else share <= bar + step
        if spec.per == "case":
            assert clears == full[[s for s in specs if s.per == "case"].index(spec)]


@pytest.mark.parametrize(
    "gate",
    [
        "pass^2 >= 0.5 per case",
        "pass@1 >= 0.5 per case with confidence 0.9",
        "mean(score) >= 0.5 per case",
        "pass@1 >= 0.5 per case min n 6",
    ],
)
def test_gates_that_need_every_sample(gate):
    """Where some samples do not say what all say, nothing is left out."""
    assert case_verdict([parse_gate(gate)], "m", CASE, least=3, limit=9) is None


@pytest.fixture
def flaky(write, pytester):
    """Write a dataset of one case for each text, whose samples pass (+), fail (-) or err (e)."""

    def flaky(*answers: str, least: int = 2, gates=("pass@1 >= 0.75 per case",), **extra) -> str:
        write(
            "bot.py",
            """
            from pathlib import Path

            def answer(text, context=None):
                place = Path(f"{text[:1]}.n")
                n = int(place.read_text()) if place.exists() else 0
                place.write_text(str(n + 1))
                said = text[1:][n]
                if said == "e":
                    raise ValueError("down")
                return "yes" if said == "+" else "no"
            """,
        )
        model = {"id": "bot", "provider": "python", "target": "bot.py:answer", "concurrency": 1}
        data = {
            "name": "flaky",
            "samples": {"min": least, "max": len(answers[0])},
            "models": [model],
            "scorers": [{"equals": "yes"}],
            "gates": list(gates),
            "cases": [{"id": f"c{i}", "input": f"{i}{a}"} for i, a in enumerate(answers)],
            **extra,
        }
        return write("flaky.yaml", json.dumps(data))

    return flaky


@pytest.fixture
def asked(pytester):
    """Return how often each case was asked."""
    return lambda: [int(p.read_text()) for p in sorted(pytester.path.glob("*.n"))]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_case_stops_when_it_is_settled(workers, flaky, evals_process, asked):
    """6 of 8 are needed: three failures settle it, and so do six passes."""
    if workers:
        pytest.importorskip("xdist")
    name = flaky("++++++++", "---+++++", "+-++-+++", "+-+-+-++")
    result = evals_process(*workers, name)
    assert asked() == [6, 3, 8, 6]
    outcomes = result.parseoutcomes()
    assert outcomes["unneeded"] == 32 - 23
    assert outcomes["failed"] == 2
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = result.stdout.str()
    for case, word in enumerate(["PASSED", "FAILED", "PASSED", "FAILED"]):
        head = f"pass@1 >= 0.75 per case [bot] [case=c{case}]"
        assert re.search(rf"^{re.escape(head)} +{word} ", text, re.MULTILINE)


def test_metrics_of_several_cases_use_the_first_samples(flaky, evals, pytester):
    """The later ones are no fair draw: they are asked because of what the first ones said."""
    gates = ["pass@1 >= 0.75 per case", "pass@1 >= 0.5"]
    evals("--evals-json=out.json", flaky("++++++++", "+-------", gates=gates))
    found = json.loads((pytester.path / "out.json").read_text())
    metric = next(m for m in found["metrics"] if m["metric"] == "pass@1")
    assert (metric["value"], metric["n"]) == (0.75, 4)
    overall = next(g for g in found["gates"] if g["gate"] == "pass@1 >= 0.5")
    assert (overall["verdict"], overall["n"]) == ("passed", 4)
    assert found["run"]["status"] == "complete"


def test_without_gates_the_first_failure_settles_a_case(flaky, evals, asked):
    """Every sample must pass, so nothing more is to be learned."""
    result = evals(flaky("+++++", "++-++", "-++++", gates=()))
    assert asked() == [5, 3, 2]
    assert result.parseoutcomes() == {"passed": 8, "failed": 2, "unneeded": 5}


def test_errors_settle_nothing(flaky, evals, asked):
    """An error is no wrong answer: the others are asked."""
    result = evals(flaky("e+++++", gates=()))
    assert asked() == [6]
    assert result.parseoutcomes() == {"passed": 5, "errors": 1}


def test_a_part_of_the_samples_is_asked_as_chosen(flaky, evals, asked):
    """What earlier samples said is not known, so nothing is left out."""
    evals("-k", "bot-4 or bot-5", flaky("--+++---"))
    assert asked() == [2]


def test_a_number_of_samples_wins(flaky, evals, asked):
    """``--evals-samples`` asks so often."""
    evals("--evals-samples=4", flaky("--------"))
    assert asked() == [4]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"min": 5, "max": 3}, "`min` is at most `max`"),
        ({"min": 0, "max": 3}, "expected a number >= 1, found the number 0"),
        ({"min": 1, "most": 3}, "unknown key 'most'"),
        ("5", "expected"),
    ],
    ids=["order", "zero", "key", "text"],
)
def test_what_is_no_number_of_samples(written, said, flaky, evals):
    """With the place and what was found."""
    result = evals(flaky("+++", samples=written))
    assert result.ret != 0
    assert said in result.stdout.str()


def test_samples_that_nothing_asks_for_are_an_error(flaky, evals):
    """Metrics of several cases never use them."""
    result = evals(flaky("+++", gates=["pass@1 >= 0.5"]))
    assert result.ret != 0
    assert "pass@1 >= 0.9 per case" in result.stdout.str()


def test_a_sequential_test_stops_when_it_has_decided(flaky, evals, asked):
    """Wald's test between two rates that the user states: cases are told apart, or it is said."""
    gates = ["pass@1 >= 0.9 per case against 0.4"]
    result = evals(flaky("++++++++++", "----------", "+-+-+-+-+-", gates=gates))
    assert asked() == [4, 2, 8]
    text = result.stdout.str()
    assert re.search(r"^pass@1 >= 0.9 per.*case=c0\] +PASSED ", text, re.MULTILINE)
    assert "FAILED: 0 of 2 samples passed: evidence for a pass rate" in text
    assert "FAILED: 4 of 8 samples passed" in text
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("strict", [False, True])
def test_a_test_that_runs_out_of_samples_is_inconclusive(strict, flaky, evals):
    """It does not block, unless what cannot be told is to fail."""
    gates = ["pass@1 >= 0.9 per case against 0.4"]
    result = evals(*(["--evals-strict"] if strict else []), flaky("+-+", gates=gates))
    assert "INCONCLUSIVE: 2 of 3 samples passed" in " ".join(result.stdout.str().split())
    assert (result.ret == 0) != strict


@pytest.mark.parametrize(
    "gate",
    [
        "pass@1 >= 0.9 against 0.4",
        "pass@2 >= 0.9 per case against 0.4",
        "pass@1 <= 0.9 per case against 0.4",
        "pass@1 >= 0.4 per case against 0.9",
        "no regressions against 0.5",
    ],
)
def test_what_is_no_sequential_test(gate):
    """One rate to accept, a lower one to reject, of single cases."""
    with pytest.raises(ValueError, match=r"against|rules are fixed"):
        parse_gate(gate)


def test_a_sequential_gate_reads_back():
    """The text it is called by is the text it is written in."""
    spec = parse_gate({"metric": "pass@1", "min": 0.9, "per": "case", "against": 0.4})
    assert parse_gate(spec.text).sprt == spec.sprt
