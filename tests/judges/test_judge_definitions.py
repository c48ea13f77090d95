"""The judges a dataset defines: everything that is wrong with them is found where it stands."""

import pytest

from pytest_evals.dataset import Dataset
from pytest_evals.model import Model
from pytest_evals.scorers.judge.definitions import check_judges, judge_models

RIGHT = {"model": "openai:j", "rubric": "r"}


def problems(**judges):
    """Return the problems of a dataset's judges."""
    return list(check_judges(Dataset(name="d", path="d", judges=judges)))


def test_right_definitions_have_no_problem():
    """Of any kind; one that nobody uses is fine; a default may be a model alone."""
    assert problems(
        default={"model": "openai:j", "params": {"temperature": 0}},
        a=RIGHT,
        b={"type": "closed_qa", "question": "q"},
        c={"type": "classifier", "choices": ["x", "y"], "passes": "x"},
        d={**RIGHT, "requires_certificate": {"kappa": 0.6}, "min_score": 0.5},
    ) == []  # fmt: skip


@pytest.mark.parametrize(
    ("written", "loc", "message"),
    [
        ({**RIGHT, "type": "judje"}, ("type",), "Did you mean 'judge'?"),
        ({**RIGHT, "type": 7}, ("type",), "no type of judge is called 7"),
        ({**RIGHT, "rubic": "r"}, ("rubic",), "Did you mean 'rubric'?"),
        ({**RIGHT, "rubric": " "}, ("rubric",), "the `rubric` is blank"),
        ({**RIGHT, "scale": [5, 1]}, ("scale",), "its worst and its best score"),
        ({**RIGHT, "min_score": 7}, ("min_score",), "less than or equal to 1"),
        ({**RIGHT, "weight": 2}, ("weight",), "belongs to the scorer that uses the judge"),
        ({**RIGHT, "threshold": 0.5}, ("threshold",), "belongs to the scorer that uses the judge"),
        ({**RIGHT, "use": "b"}, ("use",), "cannot `use` another judge"),
        ({"model": "openai:j"}, (), "neither a `rubric` nor `criteria`"),
        ({"rubric": "r"}, (), "has no `model`"),
        ({**RIGHT, "model": {"model": "x"}}, ("model",), "needs a `provider`"),
        ({"rubric": "r", "panel": [{"weight": 2}]}, ("panel", 0, "model"), "field required"),
        (
            {**RIGHT, "requires_certificate": {"kapa": 1}},
            ("requires_certificate",),
            "Did you mean 'kappa'?",
        ),
        (
            {**RIGHT, "requires_certificate": {"kappa": 7}},
            ("requires_certificate",),
            "`requires_certificate.kappa`: input should be less than or equal to 1, found 7",
        ),
        ({**RIGHT, "requires_certificate": "yes"}, ("requires_certificate",), "found 'yes'"),
        ({**RIGHT, "model": 7}, ("model",), "a mapping with `provider`, found 7"),
        ({**RIGHT, "revise": {"max": 99}, "min_score": 0.5}, ("revise", "max"), "less than"),
        ({"type": "closed_qa", "model": "openai:j"}, (), "needs the option `question`"),
    ],
)
def test_a_wrong_definition_is_found_where_it_stands(written, loc, message):
    """With the way to it and what to do."""
    found = problems(helpful=written)
    assert found
    assert (found[0][0][: 2 + len(loc)], message in found[0][1]) == (
        ("judges", "helpful", *loc),
        True,
    )


def test_every_wrong_definition_is_found():
    """Not only the first."""
    found = problems(a={"model": " ", "rubric": " "}, b={"type": "no"}, default={"model": 7})
    assert [loc[1] for loc, _ in found][:2] == ["a", "a"]
    assert {loc[1] for loc, _ in found} == {"a", "b", "default"}


def test_a_name_is_part_of_file_names():
    """So it is a word."""
    assert "letters, digits" in problems(**{"../x": RIGHT})[0][1]


def test_the_models_of_judges_are_named_with_their_places():
    """For who knows the providers."""
    judges = {
        "a": RIGHT,
        "b": {"rubric": "r", "panel": ["x:y", {"model": "z", "weight": 2}, {"provider": "openai"}]},
        "c": {"rubric": "r"},
    }
    found = dict(judge_models(Dataset(name="d", path="d", judges=judges)))
    assert found == {
        ("judges", "a", "model"): "openai:j",
        ("judges", "b", "panel", 0): "x:y",
        ("judges", "b", "panel", 1, "model"): "z",
        ("judges", "b", "panel", 2): Model(id="openai", provider="openai"),
    }
