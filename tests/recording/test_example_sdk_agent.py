"""examples/sdk_agent, and the page that goes through it."""

import shutil

import pytest
import yaml

from tests.docs._pages import DOCS, ROOT, blocks, dataset_of, play

EXAMPLE = ROOT / "examples" / "sdk_agent"
PAGE = DOCS / "how-to" / "record-an-sdk.md"


def test_the_page_can_be_played(tmp_path):
    """A replay without a key, a change of the code, a change of the prompt."""
    left = shutil.ignore_patterns(".evals", "__pycache__")
    shutil.copytree(EXAMPLE, tmp_path / "examples" / "sdk_agent", ignore=left)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)  # as in a clone, whose root has settings too
    play(PAGE, tmp_path / "examples" / "sdk_agent")


def test_the_model_shown_is_that_of_the_example():
    """Word for word."""
    shown = next(yaml.safe_load(b.text) for b in blocks(PAGE, "yaml") if "models:" in b.text)
    real = yaml.safe_load((EXAMPLE / "support.evals.yaml").read_text("utf-8"))
    assert real["models"] == shown["models"]


@pytest.mark.parametrize("block", [b for b in blocks(PAGE, "yaml") if b.name == "model"], ids=str)
def test_models_shown_are_right(block, tmp_path):
    """Every key is one that there is."""
    assert dataset_of(block, tmp_path).cases
