"""CONTRIBUTING.md: each recipe is followed as it stands, in a copy of the repository."""

import re
import shutil
import tomllib

import pytest

from tests.docs._pages import ROOT, Block, blocks, run

PAGE = ROOT / "CONTRIBUTING.md"
RECIPES = re.findall(r"^## (Add .+)$", PAGE.read_text("utf-8"), re.MULTILINE)


def recipe_blocks(heading: str) -> list[Block]:
    """Return the code blocks below a heading, in order."""
    text = PAGE.read_text("utf-8")
    first = text.count("\n", 0, text.index(f"## {heading}\n"))
    following = text.find("\n## ", text.index(f"## {heading}\n"))
    last = text.count("\n", 0, following) if following > 0 else text.count("\n")
    return [block for block in blocks(PAGE) if first < block.line <= last]


def apply_diff(path, diff: str) -> None:
    """Insert each added line below the line that is shown above it."""
    text = path.read_text("utf-8")
    above, added = "", ""
    for line in [*diff.splitlines(), " "]:
        if line.startswith("+"):
            added += line[1:] + "\n"
            continue
        if added:
            assert text.count(f"{above}\n") == 1, f"{path.name}: {above!r} has to be there once"
            text = text.replace(f"{above}\n", f"{above}\n{added}")
            added = ""
        above = line[1:]
    path.write_text(text, "utf-8")


@pytest.fixture
def clone(tmp_path):
    """A copy of the repository, without what tools leave in it."""
    folder = tmp_path / "clone"
    left = shutil.ignore_patterns(
        ".*", "__pycache__", "benchmarks", "build", "dist", "node_modules"
    )
    shutil.copytree(ROOT, folder, ignore=left)
    return folder


@pytest.mark.heavy
@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_works_as_it_stands(heading, clone):
    """Its files are written, its lines added, its commands run; the checks of code pass on it."""
    written = []
    for block in recipe_blocks(heading):
        path = clone / block.name
        if block.language == "bash":
            for command in block.text.splitlines():
                done = run(command, clone, {"PYTHONPATH": str(clone)})
                assert done.returncode in {0, 5}, f"{command}\n{done.stdout}"
        elif block.language == "diff":
            apply_diff(path, block.text)
        else:
            assert not path.exists()
            path.write_text(block.text, "utf-8")
            written.append(block.name)
    checked = [name for name in written if name.startswith("pytest_evals")]
    if checked and shutil.which("ruff"):
        done = run(
            f"ruff check {' '.join(checked)} && ruff format --check {' '.join(checked)}", clone
        )
        assert done.returncode == 0, done.stdout


def test_every_recipe_has_a_command_that_checks_it():
    """A recipe without one would prove nothing."""
    assert len(RECIPES) >= 5
    for heading in RECIPES:
        assert "pytest" in recipe_blocks(heading)[-1].text


def test_the_commands_of_the_loop_exist():
    """Each environment of tox that the page names is one."""
    tox = (ROOT / "tox.ini").read_text("utf-8")
    for name in re.findall(r"^tox -e (\w+)", PAGE.read_text("utf-8"), re.MULTILINE):
        assert f"[testenv:{name}]" in tox
    for path in re.findall(r"\]\(([^)#:]+)", PAGE.read_text("utf-8")):
        assert (ROOT / path).exists(), path


def test_the_page_on_tests_names_every_folder_and_mark():
    """A new folder or mark has its row."""
    page = (ROOT / "tests/README.md").read_text("utf-8")
    rows = "".join(line for line in page.splitlines() if line.startswith("| `"))
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/*.py")}
    marks = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    marks = marks["tool"]["pytest"]["ini_options"]["markers"]
    for name in folders | {mark.partition(":")[0] for mark in marks}:
        assert f"`{name}`" in rows, name
