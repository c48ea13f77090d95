"""Matrix and Shard: the order of trials, numbers of samples, names of items."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.case import Case, Samples
from pytest_evals.dataset import Dataset
from pytest_evals.matrix import Matrix, Trial, default_models
from pytest_evals.model import Model
from pytest_evals.shard import Shard, parse_shard

MODELS = (Model(id="m", provider="script"), Model(id="n", provider="script"))
COUNTS = st.none() | st.integers(1, 4) | st.just(Samples(min=2, max=5))


def dataset(*samples: object) -> Dataset:
    """Return a dataset with a case for each number of samples; its own number is 3."""
    cases = tuple(Case(id=f"c{i}", samples=number) for i, number in enumerate(samples))
    return Dataset(name="d", path="d.yaml", samples=3, cases=cases)


@given(
    st.lists(COUNTS, max_size=4),
    st.none() | st.integers(1, 3),
    st.dictionaries(st.sampled_from(["c0", "c1", "other"]), st.integers(1, 3)),
)
def test_a_matrix_has_each_trial_once_in_order(samples, override, case_samples):
    """By case, then model, then sample; its length needs no iteration."""
    matrix = Matrix(dataset(*samples), MODELS, override, case_samples)
    trials = list(matrix)
    assert len(matrix) == len(trials) == len({trial.id for trial in trials})
    order = [(t.case.id, t.model.id, t.sample) for t in trials]
    assert order == sorted(order)
    for trial in trials:
        assert trial.samples == matrix.samples_of(trial.case)
        assert 0 <= trial.sample < trial.samples


@pytest.mark.parametrize(
    ("case", "override", "case_samples", "expected"),
    [
        (None, None, {}, 3),
        (2, None, {}, 2),
        (Samples(min=1, max=7), None, {}, 7),
        (2, 5, {}, 5),
        (2, 5, {"c0": 4}, 4),
        (2, 5, {"other": 4}, 5),
    ],
)
def test_the_number_of_samples(case, override, case_samples, expected):
    """The most specific number wins: by case id, for the session, of the case, of the dataset."""
    matrix = Matrix(dataset(case), MODELS, override, case_samples)
    assert matrix.samples_of(matrix.dataset.cases[0]) == expected


@pytest.mark.parametrize(
    ("samples", "override", "expected"),
    [
        (Samples(min=2, max=4), None, [False, False, True, True]),
        (Samples(min=2, max=2), None, [False, False]),
        (Samples(min=2, max=4), 3, [False] * 3),
        (2, None, [False] * 2),
    ],
)
def test_optional_trials(samples, override, expected):
    """Only samples beyond the minimum of a range are optional, and none of a fixed number."""
    trials = Matrix(dataset(samples), MODELS[:1], override)
    assert [trial.is_optional for trial in trials] == expected


def test_names_and_ids():
    """The sample is left out if there is one; a test function's node id is used unchanged."""
    case = Case(id="c")
    data = Dataset(name="d", path="sub/d.yaml", cases=(case,))
    assert Trial(data, case, MODELS[0], 0, 1).name == "c[m]"
    trial = Trial(data, case, MODELS[0], 1, 2)
    assert (trial.name, trial.id, trial.group) == ("c[m-1]", "sub/d.yaml::c[m-1]", "sub/d.yaml")
    function = Trial(data, case, MODELS[0], 1, 2, nodeid="test_x.py::test_a[c-m-1]")
    assert (function.id, function.group) == ("test_x.py::test_a[c-m-1]", "test_x.py::test_a")


def test_default_models():
    """Recorded responses make the model ``script``; without any there is none."""
    plain = Dataset(name="d", path="d.yaml", cases=(Case(id="a"),))
    script = [{"kind": "chat_response", "content": "x"}]
    recorded = plain.model_copy(update={"cases": (Case(id="a", script=script),)})
    assert default_models(plain) == ()
    assert [model.provider for model in default_models(recorded)] == ["script"]


@given(st.integers(1, 99), st.integers(1, 99))
def test_a_shard_is_parsed_from_its_text(number, of):
    """Every valid shard survives the round trip; a number above the total is rejected."""
    if number <= of:
        assert parse_shard(str(Shard(number, of))) == Shard(number, of)
    else:
        with pytest.raises(ValueError, match="the shard's number and the number of shards"):
            parse_shard(f"{number}/{of}")


@pytest.mark.parametrize("text", ["", "1", "/", "0/2", "1/", "/2", "-1/2", "1/2/3", "a/b", "1 /2"])
def test_other_texts_are_not_shards(text):
    """The message has an example."""
    with pytest.raises(ValueError, match="such as 2/4"):
        parse_shard(text)
