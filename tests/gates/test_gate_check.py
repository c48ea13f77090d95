"""What is found wrong with gates at collection."""

import pytest

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.verdict.gate.check import check_gates


def problems(*gates, scorers=("contains", "helpful"), models=("gpt", "claude")):
    """Return the problems of gates in a dataset with two cases."""
    cases = (
        Case(id="a", input="x", tags=("refunds", "en"), metadata={"region": "eu", "tier": [1, 2]}),
        Case(id="b", input="y", metadata={"region": "us", "tag": "odd"}),
    )
    dataset = Dataset(name="d", path="d.yaml", cases=cases, gates=gates)
    return list(check_gates(dataset, scorers, models))


def test_right_gates_have_no_problems():
    """Gates on what is there are not complained of."""
    assert (
        problems(
            "pass@1 >= 0.9",
            "mean(helpful) >= 0.7 per tag on gpt, claude",
            "p95(latency_s) <= 5 per region",
            "pass@1 of contains >= 0.5 where tag = refunds",
            "pass@1 >= 0.5 where tier = 2",
            "no regressions of helpful per case",
            {"metric": "mean(score)", "min": 0.4, "where": {"metadata.region": "eu"}},
        )
        == []
    )


@pytest.mark.parametrize(
    ("gate", "loc", "said"),
    [
        ("mean(helpfull) >= 0.7", ("gates", 0), "column 6: no scorer is called 'helpfull'. Did"),
        ("no regressions of tone", ("gates", 0), "no scorer is called 'tone'"),
        ("pass@1 >= 0.7 on gtp", ("gates", 0), "column 18: no model is called 'gtp'. Did you mean"),
        ("pass@1 >= 0.7 per regoin", ("gates", 0), "no case has the metadata key 'regoin'. Did"),
        ("pass@1 >= 0.7 where tag = refund", ("gates", 0), "tag = 'refund'. Did you mean 'refunds"),
        ("helpful >= 0.7", ("gates", 0), "write `mean(helpful)` or `pass@1 of helpful`"),
        ("pass@1 = > 0.7", ("gates", 0), "column"),
        ({"metric": "mean", "of": "helpfull", "min": 0.7}, ("gates", 0, "of"), "Did you mean"),
        ({"metric": "pass@1", "min": 0.7, "on": ["gtp"]}, ("gates", 0, "on"), "Did you mean"),
        ({"metric": "pass@1", "min": 0.7, "per": "x"}, ("gates", 0, "per"), "metadata key 'x'"),
        ({"metric": "pass@1", "min": 7}, ("gates", 0, "min"), "is 0..1"),
    ],
)
def test_a_misspelt_name_is_found(gate, loc, said):
    """Scorers, models, tags, keys and values that are not there are errors with a suggestion."""
    [(where, message)] = problems(gate)
    assert loc == where
    assert said in message


def test_no_tags_at_all():
    """A gate per tag needs a tag."""
    dataset = Dataset(
        name="d", path="d.yaml", cases=(Case(id="a", input="x"),), gates=("pass@1 >= 0.5 per tag",)
    )
    [(_, message)] = check_gates(dataset, [], [])
    assert "no case has a tag" in message


def test_models_that_are_not_known_yet_are_not_checked():
    """Where the command line names the models, `on` cannot be checked at collection."""
    assert problems("pass@1 >= 0.9 on anything", models=()) == []


def test_a_gate_twice():
    """Two gates of one text would be two tests of one name."""
    [(loc, message)] = problems("pass@1 >= 0.9", "pass@1  >= 0.9")
    assert (loc, message) == (("gates", 1), "duplicate gate `pass@1 >= 0.9`, first as number 1")
