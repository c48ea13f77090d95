"""A number is compared as text in the form in which it was written; everything else sees a number."""

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.canonical import canonical
from pytest_evals.ground.written import WrittenFloat, WrittenInt, written_float
from pytest_evals.loaders.jsontext import StrictDecoder
from pytest_evals.loaders.yaml_scalars import plain_scalar

WRITTEN = ["3.10", "1e3", "1.50", ".5", "5.", "+5", "-0", "0x10", "0o17", "1E-3", "2.0", "42"]


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.parametrize(
    ("scorer", "around"),
    [
        ("equals", "{}"),
        ("contains", "Version {}."),
        ("starts_with", "{} is it"),
        ("ends_with", "it is {}"),
        ("equals_any", "{}"),
        ("contains_any", "a {} b"),
        ("contains_all", "a {} b"),
    ],
)
def test_the_written_form_is_the_text(bench, text, scorer, around):
    """From an option and from `expected`; the number's other form does not pass."""
    value, problem = plain_scalar(text)
    assert problem is None
    option = [value] if scorer.endswith(("any", "all")) else value
    assert bench.passes({scorer: option}, around.format(text))
    assert bench.passes(scorer, around.format(text), expected=option)
    other = repr(value)
    if other not in text and text not in other:
        assert not bench.passes({scorer: option}, around.format(other))


def test_a_longer_version_is_not_a_shorter_one(bench):
    """3.10 is not contained in 3.1."""
    assert not bench.passes({"contains": written_float("3.10")}, "Use Python 3.1.")


@pytest.mark.parametrize("text", WRITTEN)
def test_a_scorer_of_numbers_sees_the_number(bench, text):
    """`numeric` compares by value."""
    value, _ = plain_scalar(text)
    assert bench.passes({"numeric": value}, f"It is {value!r}")


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,5})\.[0-9]{1,6}([eE][-+]?[0-9])?", fullmatch=True))
def test_it_is_the_plain_number_elsewhere(text):
    """In JSON, in Keys, in arithmetic, and copied or sent to another process."""
    number = written_float(text)
    plain = float(text)
    assert number == plain
    assert hash(number) == hash(plain)
    assert str(number) == f"{number}" == text
    assert canonical({"x": number}) == canonical({"x": plain})
    assert json.dumps(number) == repr(plain)
    assert type(number + 0) is float
    for again in (pickle.loads(pickle.dumps(number)), copy.deepcopy(number)):
        assert (again, str(again)) == (plain, text)
    assert str(StrictDecoder()(f"[{text}]")[0]) == text


def test_integers_are_the_same_and_only_where_it_matters():
    """A number that writes itself is no class of ours."""
    number = WrittenInt(16, "0x10")
    assert (number, str(number), json.dumps(number), f"{number:>4}") == (16, "0x10", "16", "  16")
    assert str(pickle.loads(pickle.dumps(number))) == "0x10"
    assert type(plain_scalar("3.1")[0]) is float
    assert type(plain_scalar("42")[0]) is int
    assert isinstance(plain_scalar("3.10")[0], WrittenFloat)
