"""Case and Dataset: forms of a scorer, ids and tags, digests, defaults by case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pytest_evals.case import Case, Samples, ScorerSpec, Source, slug
from pytest_evals.dataset import Dataset, Prompt
from pytest_evals.message import Message


def reason(noun, **fields) -> str:
    """Return the message with which a noun rejects its fields."""
    with pytest.raises(ValidationError) as caught:
        noun(**fields)
    return caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("is_json", {"type": "is_json"}),
        ({"contains": "x"}, {"type": "contains", "argument": "x"}),
        ({"contains": "x", "weight": 2}, {"type": "contains", "argument": "x", "weight": 2}),
        (
            {"type": "contains", "value": "x", "metric": "tone"},
            {"type": "contains", "options": {"value": "x"}, "metric": "tone"},
        ),
    ],
)
def test_forms_of_a_scorer(written, expected):
    """A name, a shorthand and the long form give one spec."""
    spec = ScorerSpec.model_validate(written)
    assert spec == ScorerSpec(**expected)
    assert spec.name == (expected.get("metric") or expected["type"])


@pytest.mark.parametrize(
    ("written", "names"),
    [({"a": 1, "b": 2}, "found 2 names: a, b"), ({"weight": 2}, "found 0 names: none")],
)
def test_a_scorer_has_one_name(written, names):
    """The message has the names that were found."""
    with pytest.raises(ValidationError, match=names):
        ScorerSpec.model_validate(written)


@given(st.text())
def test_a_slug_is_a_valid_id(text):
    """Any text can become an id, and an id of plain words stays what it is."""
    made = slug(text)
    assert Case(id=made).id == made
    assert slug(made) == made


@pytest.mark.parametrize("id_", ["a b", "", "a::b", "-a", "a[1]"])
def test_an_invalid_id_comes_with_a_valid_one(id_):
    """The message has the id that was found and one to write in its place."""
    message = reason(Case, id=id_)
    assert f"found {id_!r}; write {slug(id_)!r}" in message


def test_other_invalid_cases():
    """Each message names what was found."""
    assert "a tag is one word" in reason(Case, id="a", tags=["two words"])
    assert "found 'two words'" in reason(Case, id="a", tags=["two words"])
    assert "give `input` or `turns`, not both" in reason(Case, id="a", input="x", turns=["y"])
    assert "found min 3 and max 2" in reason(Samples, min=3, max=2)


def test_a_single_tag_and_chat_messages():
    """A tag may be a text; a list of messages is parsed, any other list is kept."""
    assert Case(id="a", tags="one").tags == ("one",)
    chat = Case(id="a", input=[{"role": "user", "content": "hi"}])
    assert chat.input == (Message(role="user", content="hi"),)
    assert Case(id="a", input=[{"content": "hi"}]).input == [{"content": "hi"}]


def test_source():
    """A place without a line prints as its file."""
    assert str(Source("f.yaml", 3)) == "f.yaml:3"
    assert str(Source("f.yaml")) == "f.yaml"


VARIABLES = st.dictionaries(st.text(max_size=3), st.integers(), min_size=2, max_size=4)


@given(VARIABLES)
def test_the_digest_of_a_case_ignores_the_order_of_keys(variables):
    """Variables written in another order are the same case."""
    turned = dict(reversed(variables.items()))
    assert Case(id="a", variables=variables).digest == Case(id="a", variables=turned).digest


CASE = Case(id="a", input="x")


@pytest.mark.parametrize(
    "change",
    [
        {"input": "y"},
        {"input": None, "turns": ("x",)},
        {"variables": {"n": 1}},
        {"expected": "x"},
        {"tools": ({"name": "t"},)},
    ],
)
def test_the_digest_of_a_case_has_what_it_sends_and_expects(change):
    """A change of it changes the digest."""
    assert CASE.digest != CASE.model_copy(update=change).digest


@pytest.mark.parametrize(
    "change",
    [
        {"id": "b"},
        {"tags": ("t",)},
        {"metadata": {"n": 1}},
        {"scorers": (ScorerSpec(type="is_json"),)},
        {"samples": 3},
        {"source": Source("f", 1)},
    ],
)
def test_the_digest_of_a_case_has_nothing_else(change):
    """Names, assertions and numbers of samples do not enter it."""
    assert CASE.digest == CASE.model_copy(update=change).digest


DATASET = Dataset(
    name="d",
    path="d.yaml",
    samples=2,
    scorers=(ScorerSpec(type="is_json"),),
    tools=({"name": "common"},),
    cases=(Case(id="a", input="x"), Case(id="b", input="y")),
)


@pytest.mark.parametrize("change", [{"path": "other.yaml"}, {"description": "text"}])
def test_the_digest_of_a_dataset_ignores_its_place(change):
    """A moved or described dataset gives the same results."""
    assert DATASET.digest == DATASET.model_copy(update=change).digest


@pytest.mark.parametrize(
    "change",
    [
        {"name": "e"},
        {"samples": 3},
        {"scorers": ()},
        {"gates": ("pass@1 >= 1",)},
        {"prompt": Prompt.model_validate("x")},
        {"cases": tuple(reversed(DATASET.cases))},
    ],
)
def test_the_digest_of_a_dataset_has_everything_else(change):
    """Also the order of its cases."""
    assert DATASET.digest != DATASET.model_copy(update=change).digest


def test_what_a_case_overrides():
    """A case's assertions come first; its samples and tools replace those of the dataset."""
    plain = Case(id="a")
    special = Case(
        id="b",
        scorers=(ScorerSpec(type="contains"),),
        expect={"final_answer_contains": ["x"]},
        samples=Samples(min=3, max=9),
        tools=(),
    )
    assert [spec.type for spec in DATASET.scorers_of(plain)] == ["is_json"]
    assert [spec.type for spec in DATASET.scorers_of(special)] == ["expect", "contains", "is_json"]
    assert [DATASET.samples_of(case) for case in (plain, special)] == [2, 9]
    assert DATASET.tools_of(plain) == DATASET.tools
    assert DATASET.tools_of(special) == ()


@pytest.mark.parametrize("name", ["a/b", "a:b", ".a", "a*"])
def test_the_name_of_a_dataset_is_part_of_file_names(name):
    """The message has the name that was found."""
    assert f"found {name!r}" in reason(Dataset, name=name, path="f")


def test_forms_of_a_prompt():
    """A text is one user message, and has the digest of that message."""
    text = Prompt.model_validate("x")
    assert text.messages == (Message(role="user", content="x"),)
    assert text.digest == Prompt.model_validate([{"role": "user", "content": "x"}]).digest
    assert text.digest != Prompt.model_validate([{"role": "system", "content": "x"}]).digest
