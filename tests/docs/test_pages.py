"""The pages under docs/ say what the code does."""

import re
import runpy

import pytest

from pytest_evals.config import OPTIONS
from pytest_evals.registry import PROVIDERS
from tests.docs._pages import DOCS, QUICK, ROOT, blocks, dataset_of, play, run

GENERATED = runpy.run_path(str(DOCS / "_generate.py"))["PAGES"]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
ELSEWHERE = {
    "how-to/calibrate-a-judge.md": "tests/judges/test_example_judge.py",
    "how-to/record-an-sdk.md": "tests/recording/test_example_sdk_agent.py",
    "how-to/report-on-a-pull-request.md": "tests/reporters/test_report_pages.py",
    "how-to/write-a-plugin.md": "tests/hooks/test_example_plugin.py",
    "reference/hooks.md": "tests/hooks/test_hook_docs.py",
    "reference/reports.md": "tests/reporters/test_report_pages.py",
    "reference/scorers.md": "tests/scorers/test_scorer_catalogue.py",
}
"""Pages whose blocks are run by tests of their own, with the files these bring."""
PLAYED = [name for page in sorted(DOCS.rglob("*.md")) if blocks(page, "console")
          and (name := page.relative_to(DOCS).as_posix()) not in ELSEWHERE]  # fmt: skip
SHOWN = [
    pytest.param(block, id=f"{page}-{block.line}")
    for page in (p.relative_to(DOCS).as_posix() for p in sorted(DOCS.rglob("*.md")))
    for block in blocks(DOCS / page, "yaml")
    if page not in ELSEWHERE and "." not in block.name and not block.not_run
]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_are_up_to_date(name):
    """`python docs/_generate.py` writes them anew."""
    assert GENERATED[name]() == (DOCS / "reference" / name).read_text(encoding="utf-8")


def test_the_schema_is_up_to_date():
    """`python docs/_generate_schema.py` writes it anew, from the schema that is shipped."""
    made = runpy.run_path(str(DOCS / "_generate_schema.py"))["page"]()
    assert made == (DOCS / "reference/schema.md").read_text(encoding="utf-8")


def test_every_option_and_every_provider_is_on_its_page():
    """An option or a provider without a word about it is not there for its users."""
    options = (DOCS / "reference/options.md").read_text(encoding="utf-8")
    providers = (DOCS / "reference/providers.md").read_text(encoding="utf-8")
    for option in OPTIONS:
        assert f"`{option.ini}`<br>`{option.variable}`" in options
        assert option.help
    assert re.findall(r"^## (\w+)$", providers, re.MULTILINE) == sorted(PROVIDERS)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_every_block_is_run_or_says_why_not(page):
    """A block is played, checked as a dataset, run by a test that knows its page, or marked."""
    name = page.relative_to(DOCS).as_posix()
    if name in ELSEWHERE:
        assert page.name in (ROOT / ELSEWHERE[name]).read_text(encoding="utf-8")
        return
    for block in blocks(page):
        played = name in PLAYED and (block.language == "console" or "." in block.name)
        shown = block.language == "yaml" and "." not in block.name
        words = block.language == "text" and not block.name  # an output or a form, no code
        words = words or block.text.startswith("pip install ")  # as each environment was made
        assert played or shown or words or block.not_run, f"{name}: {block} is not run"


@pytest.mark.parametrize("page", ["pydantic-evals", "deepeval", "inspect"])
def test_suites_of_other_tools_are_real(page, tmp_path):
    """What is shown under Before runs where the tool is installed, and passes."""
    pytest.importorskip({"inspect": "inspect_ai"}.get(page, page.replace("-", "_")))
    for block in blocks(DOCS / f"migrate/{page}.md", "python"):
        path = tmp_path / block.name
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    command = {
        "pydantic-evals": "python before/suite.py",
        "deepeval": "python -m pytest -q -p no:cacheprovider before",
        "inspect": "python -c 'from before.capitals import capitals; print(len(capitals().dataset))'",
    }[page]
    quiet = {"PYTHONPATH": str(tmp_path), "DEEPEVAL_TELEMETRY_OPT_OUT": "YES"}
    done = run(command, tmp_path, {**quiet, "PYTEST_ADDOPTS": "-p no:evals-matrix"})
    told = {"pydantic-evals": "100.0%", "deepeval": "2 passed", "inspect": "2"}[page]
    assert told in done.stdout
    assert 0 == done.returncode, done.stdout


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
    """A page that nothing leads to is not read; one that stands twice confuses."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name == "index.md" or 1 == index.count(f"]({name})"), name


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
    from pytest_evals.metrics.spec import FUNCTIONS, WORDS
    from pytest_evals.verdict.gate.grammar import CLAUSES, KEYS, parse_gate

    page = (DOCS / "reference/gates.md").read_text(encoding="utf-8")
    metrics = re.search(r"## Metrics\n(.*?)\n## ", page, re.DOTALL)[1]
    for name in re.findall(r"^\| `([^`]+)` \|", metrics, re.MULTILINE):
        assert parse_gate(f"{name} >= 0.5").min == 0.5
    named = set(re.findall(r"`([\w@^]+)", page))
    assert {*FUNCTIONS, *WORDS} <= named
    assert set(KEYS) <= named
    assert set(CLAUSES) <= named
