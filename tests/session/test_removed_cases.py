"""The side under test must not choose what is compared: cases that the baseline has are missed."""

import pytest

from pytest_evals import Case, Dataset, Model, load_run, run

APP = """
from pathlib import Path

def answer(question):
    hard = int(question) < 10 and Path(__file__).with_name("mode").read_text() == "bad"
    return "no" if hard else "yes"
"""


def dataset(numbers, gates=("no regressions",)):
    """Make a dataset of some cases."""
    scorers = [{"type": "equals", "value": "yes"}]
    return Dataset(
        name="d",
        path="d.evals.yaml",
        samples=3,
        models=[Model(id="app", provider="python", options={"target": "app.py:answer"})],
        cases=[Case(id=f"c{n}", input=str(n), scorers=scorers) for n in numbers],
        gates=list(gates),
    )


@pytest.fixture
def root(tmp_path):
    """A project with a baseline of 40 cases, of which the first ten break."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "mode").write_text("good")
    run(dataset(range(40)), rootdir=tmp_path, update_baseline=True)
    (tmp_path / "mode").write_text("bad")
    return tmp_path


def test_the_cases_are_missed(root):
    """Ten broken cases are deleted: not passed; a failure under strict; whoever reads it."""
    made = run(dataset(range(10, 40)), rootdir=root)
    gate = made.gates[0]
    assert (gate["verdict"], made.decision["decision"], made.exit_status) == (
        "inconclusive",
        "investigate",
        0,
    )
    assert "10 cases of the baseline are not in the run: c0, c1" in gate["sentence"]
    assert load_run(rootdir=root).gates == made.gates
    strict = run(dataset(range(10, 40)), rootdir=root, strict=True)
    assert (strict.exit_status, strict.gates[0]["blocking"]) == (1, True)


def test_they_do_not_hide_a_regression(root):
    """What is left decides where it is worse."""
    made = run(dataset([*range(5), *range(10, 40)]), rootdir=root)
    assert (made.gates[0]["verdict"], made.exit_status) == ("failed", 1)


def test_an_accepted_baseline_ends_it(root):
    """`update_baseline` drops the lines of cases that are gone."""
    run(dataset(range(10, 40)), rootdir=root, update_baseline=True)
    made = run(dataset(range(10, 40)), rootdir=root, strict=True)
    assert (made.gates[0]["verdict"], made.exit_status) == ("passed", 0)


def test_new_cases_are_no_loss(root):
    """They are compared once the baseline has them."""
    (root / "mode").write_text("good")
    made = run(dataset(range(45)), rootdir=root, strict=True)
    assert (made.gates[0]["verdict"], made.exit_status) == ("passed", 0)
