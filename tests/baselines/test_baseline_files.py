"""Which baselines a user names."""

import pytest

from pytest_evals.baselines.files import find_files
from pytest_evals.ground.errors import StoreError
from pytest_evals.registry import Registry

DATASET = """\
name: shop
models: [{id: a, provider: script}]
cases: [{id: x, input: hi, scorers: [{contains: hi}], script: [{kind: chat_response, content: hi}]}]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in a project with a dataset and two baselines."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.evals.yaml").write_text(DATASET)
    for folder in ("baselines", "sub/baselines", ".hidden/baselines"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "shop.jsonl").write_text("{}\n")
    return tmp_path


def names(*paths):
    """Return the files that paths name."""
    return [file.shown for file in find_files(paths, Registry.installed())]


def test_without_a_path_every_baseline_below_the_folder(project):
    """Hidden folders are skipped."""
    assert ["baselines/shop.jsonl", "sub/baselines/shop.jsonl"] == names()


@pytest.mark.parametrize("path", ["baselines", "shop.evals.yaml", "baselines/shop.jsonl", "."])
def test_a_folder_a_dataset_or_a_file(project, path):
    """Each names the baseline of the dataset."""
    assert ["baselines/shop.jsonl"] == names(path)


def test_a_dataset_is_kept_for_the_comparison(project):
    """It is not searched for again."""
    (file,) = find_files(["shop.evals.yaml"], Registry.installed())
    assert "shop.evals.yaml" == str(file.dataset)


def test_no_baseline_is_an_error(project):
    """In a folder, and below the working directory."""
    (project / "empty").mkdir()
    with pytest.raises(StoreError, match="empty: no baseline is in this folder"):
        names("empty")
