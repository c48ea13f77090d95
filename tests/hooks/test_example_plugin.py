"""examples/plugin as its users have it: built, installed, and found by its entry point."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs._pages import DOCS, blocks, first_missing, normal

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Install it by pip, with a real build, without any index; return where it is."""
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    how = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    done = subprocess.run([*pip, *how, str(source)], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    return site


@pytest.fixture
def run(site, tmp_path):
    """Run Python in a copy of the example, with the installed plugin, its sources out of sight."""
    left = shutil.ignore_patterns("__pycache__", ".*", "src")
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "plugin", ignore=left))

    def run(*args, cwd=folder, **environ):
        done = subprocess.run(
            [sys.executable, *args],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200", **environ},
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    run.folder = folder
    return run


def evals(run, *args, **environ):
    """Run ``pytest --evals`` on its dataset."""
    quiet = ("-p", "no:randomly", "-p", "no:hypothesispytest")
    return run("-m", "pytest", "--evals", "evals", *quiet, *args, **environ)


def test_its_dataset_passes(run):
    """The session says what was found, and the provider and the scorer do their work."""
    status, told = evals(run)
    assert 0 == status, told
    brought = "provider eliza, scorer reading_ease"
    assert f"evals plugin eliza (pytest-evals-eliza 1.0): {brought}" in told
    assert "3 passed" in told


def test_its_dataset_passes_with_workers(run):
    """Every xdist worker finds it too."""
    pytest.importorskip("xdist")
    status, told = evals(run, "-n", "2")
    assert 0 == status, told
    assert "3 passed" in told


def test_its_readme_shows_what_happens(run):
    """The commands are run where a reader stands; what is shown of their output is real."""
    (run.folder.parent / "examples").mkdir()
    run.folder.rename(run.folder.parent / "examples" / "plugin")
    (page,) = blocks(EXAMPLE / "README.md", "console")
    commands = dict(part.split("\n", 1) for part in page.text.split("$ ")[1:])
    shown = commands["pytest --evals examples/plugin/evals"]
    quiet = ("-p", "no:randomly", "-p", "no:hypothesispytest")
    _, told = run(
        *("-m", "pytest", "--evals", "examples/plugin/evals", *quiet),
        cwd=run.folder.parent,
        COLUMNS="80",
    )
    assert first_missing(normal(shown), normal(told)) is None, told
    assert {"pip install ./examples/plugin", "pytest examples/plugin/tests"} < commands.keys()


def test_the_page_shows_the_files_as_they_are():
    """Its blocks with the names of files are those files."""
    shown = blocks(DOCS / "how-to/write-a-plugin.md")
    named = {block.name: block.text for block in shown if "." in block.name}
    assert named == {name: (EXAMPLE / name).read_text(encoding="utf-8") for name in named}
    assert 5 == len(named)


def test_its_own_tests_pass(run):
    """The package is tested as its authors would."""
    status, told = run("-m", "pytest", "tests", "-q", "-p", "no:randomly")
    assert 0 == status, told


@pytest.mark.parametrize("way", ["by its name", "with all others"])
def test_it_can_be_turned_off(run, way):
    """The dataset then names what nobody knows."""
    if way == "by its name":
        status, told = evals(run, "-p", "no:eliza")
    else:
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_evals.plugin"}
        status, told = evals(run, **alone)
    assert 0 != status
    assert "no provider is called 'eliza'" in told
    assert "no scorer is called 'reading_ease'" in told


def test_the_command_line_finds_it(run):
    """Mistakes have places and suggestions, and the schema its options, as for built-ins."""
    dataset = run.folder / "evals" / "chat.evals.yaml"
    assert 0 == run("-m", "pytest_evals.cli", "lint", str(dataset))[0]
    text = dataset.read_text(encoding="utf-8").replace("otherwise:", "otherwize:")
    dataset.write_text(text.replace("reading_ease: 70", "reading_eese: 70"), encoding="utf-8")
    status, told = run("-m", "pytest_evals.cli", "lint", str(dataset))
    assert 1 == status
    assert "chat.evals.yaml:8:5: unknown key 'otherwize' for provider 'eliza'. Did you" in told
    assert "chat.evals.yaml:10:5: no scorer is called 'reading_eese'. Did you mean" in told
    schema = json.loads(run("-m", "pytest_evals.cli", "schema")[1])
    text = json.dumps(schema)
    assert '"reading_ease"' in text
    assert "60 is plain English" in text
    assert "What it answers where no rule fits." in text


def test_it_is_listed_beside_what_is_built_in(run):
    """With its package and version, for people and for programs."""
    status, told = run("-m", "pytest_evals.cli", "plugins")
    assert 0 == status, told
    assert "\neliza (pytest-evals-eliza 1.0)\n  provider          eliza\n" in told
    assert max(map(len, told.splitlines())) <= 80
    found = json.loads(run("-m", "pytest_evals.cli", "plugins", "--json")[1])
    assert {"provider": ["eliza"], "scorer": ["reading_ease"]} == found.pop(
        "eliza (pytest-evals-eliza 1.0)"
    )
    ((ours, kinds),) = found.items()
    assert "pytest-evals-matrix itself" == ours
    assert {"openai", "script"} < set(kinds["provider"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("def pytest_evals_scorers", "def pytest_evals_scorer"), "no hook. Did you mean"),
        (
            ("def pytest_evals_scorers(", "def pytest_evals_scorers(config"),
            "Argument(s) {'config'}",
        ),
        (('"""What pytest_evals', 'import nowhere\n"""What'), "No module named 'nowhere'"),
        (("reading_ease", "contains"), "two plugins bring the scorer 'contains'"),
    ],
)
def test_a_package_that_is_not_right_is_named(run, site, tmp_path, change, told):
    """In a session and on the command line, in one line, with its version."""
    broken = Path(shutil.copytree(site, tmp_path / "site"))
    module = broken / "pytest_evals_eliza" / "plugin.py"
    module.write_text(module.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    for status, found in (
        evals(run, PYTHONPATH=str(broken)),
        run("-m", "pytest_evals.cli", "plugins", PYTHONPATH=str(broken)),
    ):
        assert status in {1, 4}
        assert told in found
        assert "eliza (pytest-evals-eliza 1.0)" in found
        assert "Traceback" not in found


def test_without_evals_it_is_not_even_imported(run):
    """It costs those sessions nothing."""
    (run.folder / "test_plain.py").write_text(
        "import sys\ndef test_plain():\n"
        "    assert not [m for m in sys.modules if m.startswith('pytest_evals_eliza')]\n"
    )
    status, told = run("-m", "pytest", "test_plain.py", "-q", "-p", "no:randomly")
    assert 0 == status, told
