"""Equal questions: how many calls are made for them, and what the gates and readers count."""

import json

import pytest

EQUAL = {
    "questions": ["q", "q", "other"],
    "samples": 3,
    "gates": ["pass@1 >= 0.5"],
}


@pytest.fixture
def equal(ask, pytester):
    """Write two equal cases and another one, for two equal models; return the file."""
    name = ask(**EQUAL)
    path = pytester.path / name
    data = json.loads(path.read_text())
    data["models"].append({**data["models"][0], "id": "m2"})
    path.write_text(json.dumps(data))
    return name


def numbers(pytester, name):
    """Return (samples, cases, notes) of each gate on pass@1, by model, from a JSON report."""
    report = json.loads((pytester.path / name).read_text())
    gates = [gate for gate in report["gates"] if gate["metric"] == "pass@1"]
    return {gate["model"]: (gate["n"], gate["cases"], len(gate["notes"])) for gate in gates}


def test_a_shared_answer_counts_once(equal, server, evals, pytester):
    """6 calls for 18 trials: each model has 6 draws of 2 cases; all readers say so."""
    result = evals("--evals-json=r.json", equal)
    assert result.ret == 0
    assert server.total() == 6
    assert numbers(pytester, "r.json") == {"m": (6, 2, 1), "m2": (6, 2, 1)}
    result.stdout.fnmatch_lines(["*1 case with the question and the checks*9 trials are 6 draws*"])
    result.stdout.fnmatch_lines(["*m2 was not asked: its requests and answers are those of m*"])
    evals("--evals-from=latest", "--evals-json=again.json", equal)
    assert numbers(pytester, "again.json") == numbers(pytester, "r.json")


def test_workers_count_the_calls_that_were_made(equal, server, evals_process, pytester):
    """Two processes may ask the same at once: then there are more draws, and no fewer calls."""
    assert evals_process("-n", "2", "--evals-json=r.json", equal).ret == 0
    counted = numbers(pytester, "r.json").values()
    assert 6 <= min(n for n, _, _ in counted)
    assert max(n for n, _, _ in counted) <= server.total()


def test_a_call_for_each_trial_is_a_draw_of_its_own(equal, server, evals, pytester):
    """``off`` shares nothing: 18 calls, 9 draws of 3 cases, re-scored too."""
    result = evals("--evals-responses=off", "--evals-json=r.json", equal)
    assert server.total() == 18
    assert numbers(pytester, "r.json") == {"m": (9, 3, 0), "m2": (9, 3, 0)}
    assert "was not asked" not in result.stdout.str()
    evals("--evals-from=latest", "--evals-json=again.json", equal)
    assert numbers(pytester, "again.json") == {"m": (9, 3, 0), "m2": (9, 3, 0)}


def test_a_repeated_case_is_compared_once(equal, evals, pytester):
    """It breaks with its twin, and that is one break."""
    evals("--evals-update-baseline", equal)
    path = pytester.path / equal
    path.write_text(path.read_text().replace('"pass@1 >= 0.5"', '"no regressions"'))
    evals("--evals-json=shared.json", equal)
    report = json.loads((pytester.path / "shared.json").read_text())
    gates = [gate for gate in report["gates"] if gate["metric"] == "regressions"]
    assert [gate["cases"] for gate in gates] == [2, 2]
