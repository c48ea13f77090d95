"""Every example runs as its own page says, with and without xdist, in any order."""

import re
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests._servers import Loopback, NoModelError, Say, llama_server
from tests.docs._pages import blocks, run_console

EXAMPLES = Path(__file__).parents[2] / "examples"
ALONE = ("csv", "python_app", "quickstart")
"""Examples that need no server."""
SERVED = ("local_model", "openai_server")
ELSEWHERE = ("judge", "python_tests", "sdk_agent")
"""Examples that have tests of their own."""
TRIALS = {"csv": 3, "python_app": 8, "quickstart": 24}
FAILED = ["quickstart/support.evals.yaml::gift-card[v1-1]",
          "quickstart/support.evals.yaml::order-status[v2-1]"]  # fmt: skip
WAYS = {
    "one process": "-p xdist -n 0",
    "two processes": "-p xdist -n 2",
    "without xdist": "",
    "any order": "-p randomly --randomly-seed=7",
}


@pytest.fixture
def example(pytester: pytest.Pytester):
    """Copy an example to where it may be changed, and return its folder."""

    def example(name: str) -> Path:
        left = shutil.ignore_patterns("__pycache__", ".*")
        return Path(shutil.copytree(EXAMPLES / name, pytester.path / name, ignore=left))

    return example


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each pytest with our plugin alone and those that a test names."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, *args: object) -> pytest.RunResult:
    """Run ``pytest --evals`` as a process of its own."""
    return pytester.run(sys.executable, "-m", "pytest", "-p", "evals-matrix", "--evals", *args)


def outcomes(result: pytest.RunResult) -> dict[str, list[str]]:
    """Return the trials of each outcome, as the short summary of ``-rA`` names them."""
    found: dict[str, list[str]] = {}
    for line in result.outlines:
        told = re.match(r"(PASSED|FAILED|ERROR) (\S+::.*?\])", line)
        if told:
            found.setdefault(told[1], []).append(told[2])
    return {outcome: sorted(ids) for outcome, ids in found.items()}


def test_every_example_is_tested():
    """A folder that no test runs is no example."""
    folders = {path.name for path in EXAMPLES.iterdir() if any(path.glob("*.evals.*"))}
    assert folders - set(ELSEWHERE) == {*ALONE, *SERVED}


@pytest.mark.parametrize("way", WAYS)
def test_the_outcomes_are_the_same_however_they_are_run(pytester, example, way):
    """All examples that need no server, in one session; two trials fail on purpose."""
    if "-n" in WAYS[way]:
        pytest.importorskip("xdist")
    if way == "any order":
        pytest.importorskip("pytest_randomly")
    found = outcomes(run(pytester, "-rA", *WAYS[way].split(), *map(example, ALONE)))
    assert found["FAILED"] == FAILED
    assert found.keys() == {"PASSED", "FAILED"}
    passed = [trial.partition("/")[0] for trial in found["PASSED"]]
    assert {name: passed.count(name) for name in ALONE} == TRIALS | {"quickstart": 22}


@pytest.mark.parametrize("name", [*ALONE, *SERVED])
def test_each_example_has_a_page_that_tells_its_command(name):
    """The command on it is the one that runs the folder."""
    page = EXAMPLES / name / "README.md"
    told = [block.text for block in blocks(page, "console")]
    assert any(f"$ pytest --evals examples/{name}" in text for text in told)


@pytest.mark.parametrize("name", ALONE)
def test_pages_of_examples_show_what_happens(name, pytester, example):
    """Their commands are run where the reader is, above `examples`; the outputs are those shown."""
    (pytester.path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    shutil.copytree(example(name), pytester.path / "examples" / name)
    for block in blocks(EXAMPLES / name / "README.md", "console"):
        run_console(block, pytester.path)


def test_an_openai_compatible_server(pytester, example):
    """A real server on loopback answers; the dataset has its address."""
    folder = example("openai_server")
    message = {"role": "assistant", "content": "That is Paris, Rome or Tokyo."}
    usage = {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    with Loopback([Say(body={"choices": [choice], "usage": usage})]).running() as server:
        move(folder, "http://127.0.0.1:8000", server.url)
        run(pytester, folder).assert_outcomes(passed=3)
    asked = [seen.json()["messages"][-1]["content"] for seen in server.seen]
    assert sorted(asked) == [f"What is the capital of {c}?" for c in ("France", "Italy", "Japan")]


def test_without_the_server_each_trial_is_an_error(pytester, example):
    """As its page says: no answer is not a wrong answer, and it is told who was not there."""
    folder = example("openai_server")
    move(folder, "http://127.0.0.1:8000", "http://127.0.0.1:9")
    result = run(pytester, "-o", "evals_max_retries=0", folder)
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["*connection: 'local-model' at http://127.0.0.1:9/v1 cannot be*"])


@pytest.mark.real_model
@pytest.mark.slow
def test_a_small_real_model(pytester, example, tmp_path_factory):
    """llama-server answers; that the model is middling is what pass@k is about."""
    folder = example("local_model")
    log = tmp_path_factory.mktemp("llama") / "server.log"
    with ExitStack() as stack:
        try:
            url = stack.enter_context(llama_server(log))
        except NoModelError as error:
            pytest.skip(f"the small real model: {error}")
        move(folder, "http://127.0.0.1:18081", url)
        counts = run(pytester, folder).parseoutcomes()
    assert counts.get("errors", 0) == 0
    assert counts["passed"] >= 9
    assert counts["passed"] + counts.get("failed", 0) == 27


def move(folder: Path, old: str, new: str) -> None:
    """Give an example's datasets another address; it must have stood there."""
    (dataset,) = folder.glob("*.yaml")
    text = dataset.read_text(encoding="utf-8")
    assert old in text
    dataset.write_text(text.replace(old, new), encoding="utf-8")
