"""The pages under docs/ say what the code does."""

import re
import runpy

import pytest

from pytest_evals.config import OPTIONS
from pytest_evals.registry import PROVIDERS
from tests.docs._pages import DOCS, QUICK, ROOT, blocks, dataset_of, play

GENERATED = runpy.run_path(str(DOCS / "_generate.py"))["PAGES"]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
PLAYED = ["tutorial.md", "reference/dataset.md", "reference/files.md", "reference/exit-status.md",
          "reference/gates.md", "how-to/gate-a-pull-request.md",
          "how-to/check-your-assertions.md", "how-to/compare-models.md", "how-to/write-a-scorer.md", "reference/cli.md",
          "explanation/what-counts-as-a-pass.md"]  # fmt: skip
SHOWN = [
    pytest.param(block, id=f"{page}-{block.line}")
    for page in (*PLAYED, "reference/providers.md", "explanation/how-a-session-runs.md")
    for block in blocks(DOCS / page, "yaml")
    if "." not in block.name
]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_are_up_to_date(name):
    """`python docs/_generate.py` writes them anew."""
    assert GENERATED[name]() == (DOCS / "reference" / name).read_text(encoding="utf-8")


def test_every_option_and_every_provider_is_on_its_page():
    """An option or a provider without a word about it is not there for its users."""
    options = (DOCS / "reference/options.md").read_text(encoding="utf-8")
    providers = (DOCS / "reference/providers.md").read_text(encoding="utf-8")
    for option in OPTIONS:
        assert f"`{option.ini}`<br>`{option.variable}`" in options
        assert option.help
    assert re.findall(r"^## (\w+)$", providers, re.MULTILINE) == sorted(PROVIDERS)


@pytest.mark.parametrize("page", PLAYED)
def test_pages_can_be_played(page, tmp_path):
    """Their files are written and their commands run in order; the outputs are those shown."""
    play(DOCS / page, tmp_path)


@pytest.mark.slow
def test_a_pull_request_is_gated_alike_by_workers(tmp_path):
    """The same verdicts with ``-n 2``."""
    pytest.importorskip("xdist")
    workers = {**QUICK, "PYTEST_ADDOPTS": "-p evals-matrix -p xdist -n 2"}
    play(DOCS / "how-to/gate-a-pull-request.md", tmp_path, workers)


@pytest.mark.parametrize("block", SHOWN)
def test_datasets_shown_are_right(block, tmp_path):
    """Every scorer, provider and key in them is one that there is."""
    assert dataset_of(block, tmp_path).cases


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    """To a file that is there, and where they name a heading, to one that it has."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in heads}


def test_the_index_names_every_page():
    """A page that nothing leads to is not read."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name == "index.md" or f"({name})" in index


def test_every_key_of_a_dataset_and_of_a_case_is_told():
    """The tables of the page name the keys that a file may have, and no others."""
    from pytest_evals.loaders.build import DATASET_KEYS
    from pytest_evals.loaders.cases import CASE_KEYS

    text = (DOCS / "reference/dataset.md").read_text(encoding="utf-8")
    dataset, case = (text.split(f"## Keys of a {noun}\n")[1] for noun in ("dataset", "case"))
    for keys, section in ((DATASET_KEYS, dataset), (CASE_KEYS, case)):
        table = section.split("```", 1)[0]
        assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(keys)


def test_every_metric_and_clause_of_gates_is_on_its_page():
    """What the page names is what the grammar knows, and the other way round."""
    from pytest_evals.gate.grammar import CLAUSES, KEYS, parse_gate
    from pytest_evals.metric import FUNCTIONS, WORDS

    page = (DOCS / "reference/gates.md").read_text(encoding="utf-8")
    metrics = re.search(r"## Metrics\n(.*?)\n## ", page, re.DOTALL)[1]
    for name in re.findall(r"^\| `([^`]+)` \|", metrics, re.MULTILINE):
        assert parse_gate(f"{name} >= 0.5").min == 0.5
    named = set(re.findall(r"`([\w@^]+)", page))
    assert {*FUNCTIONS, *WORDS} <= named
    assert set(KEYS) <= named
    assert set(CLAUSES) <= named
