"""The plan: datasets as matrices, without pytest and without a call."""

import pytest

from pytest_evals.case import Case
from pytest_evals.ground.errors import Position, SettingsError
from pytest_evals.session.dataset_source import DatasetSource
from pytest_evals.session.source_loader import SourceLoader
from pytest_evals.shard import Shard

GROUP = "support.evals.yaml"


def test_a_file_becomes_a_matrix(make_session, dataset):
    """Cases x models x samples, by the path under which it is counted."""
    session = make_session(samples=3)
    matrix = session.plan.add_file(dataset, GROUP)
    assert 2 * 2 * 3 == len(matrix) == len(list(matrix))
    (info,) = session.plan.infos({GROUP: 5})
    assert ("support", GROUP, 2, 12, 5) == (
        info.name, info.path, info.cases, info.planned, info.selected
    )  # fmt: skip
    assert info.digest
    assert "" == session.plan.infos({}, digests=False)[0].digest


def test_models_are_selected(make_session, dataset):
    """An unknown one is an error with a suggestion."""
    matrix = make_session(model=("bad",)).plan.add_file(dataset, GROUP)
    assert ["bad"] == [model.id for model in matrix.models]
    with pytest.raises(SettingsError, match="gud"):
        make_session(model=("gud",)).plan.add_file(dataset, GROUP)


def test_shards_divide_the_cases(make_session, dataset):
    """Each case is in one shard, and the expected number of trials is that of its cases."""
    cases = []
    for number in (1, 2):
        plan = make_session(shard=Shard(number, 2)).plan
        plan.add_file(dataset, GROUP)
        (info,) = plan.infos({})
        cases += plan.cases_of_shard(GROUP)
        assert 2 == plan.expected_trials(info)
    assert ["card", "window"] == sorted(cases)


def test_a_sanity_run_has_its_own_models(make_session, dataset):
    """No model under test is called, and no gate is evaluated."""
    session = make_session(sanity=True)
    matrix = session.plan.add_file(dataset, GROUP)
    assert {"sanity-empty", "sanity-echo", "sanity-other"} == {model.id for model in matrix.models}
    assert () == matrix.dataset.gates


def test_a_run_that_is_not_stored_cannot_be_replayed(make_session, dataset):
    """The message names the option and the store."""
    with pytest.raises(SettingsError, match="--evals-from latest: there is no store at"):
        make_session(from_run="latest").plan.add_file(dataset, GROUP)


def test_a_dataset_made_in_code(make_state, tmp_path):
    """Cases, or the fields of cases; what the code changes replaces what the dataset says."""
    source = DatasetSource(
        dataset=[Case(id="a", input="x"), {"id": "b", "input": "y", "scorers": [{"equals": "y"}]}],
        where=Position("test_a.py", 3),
        option="the call",
        folder=tmp_path,
        path="test_a.py",
        name="mine",
        models=("openai:small",),
        samples=2,
        scorers=False,
    )
    dataset = SourceLoader(make_state()).load(source)
    assert ("mine", "test_a.py", 2) == (dataset.name, dataset.path, dataset.samples)
    assert [()] * 2 == [case.scorers for case in dataset.cases]
    assert "test_a.py" == dataset.cases[0].source.path
