"""The reference pages say what the code does."""

import re
import runpy
from pathlib import Path

import pytest

from pytest_evals.loaders.base import LoadContext
from pytest_evals.loaders.build import load
from pytest_evals.registry import Registry

DOCS = Path(__file__).parents[2] / "docs"
DATASETS = re.findall(
    r"^```yaml\n(.*?)^```",
    (DOCS / "reference/dataset.md").read_text("utf-8"),
    re.MULTILINE | re.DOTALL,
)


def test_the_page_of_options_is_the_generated_one():
    """`python docs/_generate_options.py` writes it anew."""
    page = runpy.run_path(str(DOCS / "_generate_options.py"))["page"]
    assert page() == (DOCS / "reference/options.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", DATASETS)
def test_every_dataset_shown_loads(text, tmp_path):
    """With every scorer, provider and key in it."""
    path = tmp_path / "shown.yaml"
    path.write_text(text, encoding="utf-8")
    dataset = load(path, LoadContext(rootdir=tmp_path, checker=Registry.builtin()))
    assert dataset.cases


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """No page names a file that is not there."""
    for link in re.findall(r"\]\(([\w./-]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link
