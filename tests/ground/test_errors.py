"""errors: positions, problems in order, suggestions, and the way of an error to another process."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.errors import (
    TRANSIENT,
    AnswerError,
    DatasetError,
    Position,
    Problem,
    suggest,
)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (Position("f.yaml"), "f.yaml"),
        (Position("f.yaml", 3), "f.yaml:3"),
        (Position("f.yaml", 3, 7), "f.yaml:3:7"),
        (Position("f.yaml", 0, 7), "f.yaml"),
    ],
)
def test_position(position, expected):
    """A position prints as editors and terminals parse it; unknown parts are left out."""
    assert str(position) == expected


def test_dataset_error_lists_each_problem_once_in_order():
    """The text has one line for each problem; duplicates are dropped, the order is kept."""
    second, first = (Problem(Position("f.yaml", line), f"line {line}") for line in (9, 2))
    error = DatasetError([second, first, second])
    assert (second, first) == error.problems
    assert str(error) == "f.yaml:9: line 9\nf.yaml:2: line 2"


def test_dataset_error_at_one_position():
    """`at` makes the error of a single problem."""
    error = DatasetError.at(Position("f.yaml", 1, 2), "found x, expected y")
    assert str(error) == "f.yaml:1:2: found x, expected y"


@pytest.mark.parametrize("type_", ["rate_limit", "unauthorized"])
@pytest.mark.parametrize("transient", [None, True, False])
def test_the_type_decides_whether_an_error_is_transient(type_, transient):
    """The explicit argument overrides the type."""
    error = AnswerError(type_, "m", transient=transient)
    assert error.transient == (type_ in TRANSIENT if transient is None else transient)


@given(
    st.sampled_from(sorted(TRANSIENT)),
    st.text(),
    st.none() | st.integers(100, 599),
    st.none() | st.floats(0, 1e6),
    st.none() | st.booleans(),
    st.none() | st.text(),
)
def test_answer_error_survives_pickle(type_, message, status, retry_after_s, transient, detail):
    """All attributes arrive in another process."""
    error = AnswerError(
        type_,
        message,
        status=status,
        retry_after_s=retry_after_s,
        transient=transient,
        detail=detail,
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (AnswerError, message, vars(error))


@pytest.mark.parametrize(
    ("word", "valid", "expected"),
    [
        ("contians", ["contains", "equals"], " Did you mean 'contains'?"),
        ("Is-Json", ["is_json", "equals"], " Did you mean 'is_json'?"),
        ("zzz", ["b", "a", "a"], " Known: a, b."),
        ("zzz", [], ""),
        ("contain", ["contains", "contain_"], " Did you mean 'contains' or 'contain_'?"),
    ],
)
def test_suggest(word, valid, expected):
    """A similar name is suggested, whatever its case and hyphens; else the names are listed."""
    assert suggest(word, valid) == expected


def test_suggest_lists_no_more_than_the_limit():
    """The number of names that are left out is stated."""
    assert suggest("zzz", "abcdef", limit=2) == " Known: a, b and 4 more."
