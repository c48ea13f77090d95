"""Every example runs as its own page says, with and without xdist, in any order."""

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests._servers import Loopback, NoModelError, Say, llama_server

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICKSTART = {"passed": 22, "failed": 2}


@pytest.fixture
def example(pytester: pytest.Pytester):
    """Copy an example to where it may be changed, and return how to run it."""

    def example(name: str) -> Path:
        return Path(shutil.copytree(EXAMPLES / name, pytester.path / name))

    return example


def run(pytester: pytest.Pytester, *args: object) -> pytest.RunResult:
    """Run ``pytest --evals`` as a process of its own."""
    return pytester.run(sys.executable, "-m", "pytest", "--evals", *args)


@pytest.mark.parametrize(
    "args",
    [["-p", "no:randomly"], ["-n", "2"], ["-p", "randomly"], ["-p", "no:xdist"]],
    ids=" ".join,
)
def test_quickstart_teaches_with_two_failures(pytester, example, args):
    """The same outcomes however it is run."""
    if "-n" in args:
        pytest.importorskip("xdist")
    if "randomly" in args:
        pytest.importorskip("pytest_randomly")
        args = []
    result = run(pytester, *args, example("quickstart"))
    result.assert_outcomes(**QUICKSTART)
    failed = sorted(line for line in result.outlines if line.startswith("FAILED"))
    assert ["gift-card[v1-1]", "order-status[v2-1]"] == [
        line.partition("::")[2].partition(" ")[0] for line in failed
    ]


@pytest.mark.parametrize(
    ("name", "outcomes"), [("csv", {"passed": 3}), ("python_app", {"passed": 8})]
)
def test_applications_of_the_users_own(pytester, example, name, outcomes):
    """A spreadsheet of cases, and an application under test in Python."""
    run(pytester, example(name)).assert_outcomes(**outcomes)


def test_an_openai_compatible_server(pytester, example):
    """A real server on loopback answers; the dataset has its address."""
    folder = example("openai_server")
    message = {"role": "assistant", "content": "That is Paris, Rome or Tokyo."}
    usage = {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    with Loopback([Say(body={"choices": [choice], "usage": usage})]).running() as server:
        for path in folder.glob("*.yaml"):
            text = path.read_text().replace("http://127.0.0.1:8000", server.url)
            path.write_text(text)
        run(pytester, folder).assert_outcomes(passed=3)
    asked = [seen.json()["messages"][-1]["content"] for seen in server.seen]
    assert sorted(asked) == [f"What is the capital of {c}?" for c in ("France", "Italy", "Japan")]


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
        for path in folder.glob("*.yaml"):
            path.write_text(path.read_text().replace("http://127.0.0.1:18081", url))
        outcomes = run(pytester, folder).parseoutcomes()
    assert outcomes.get("errors", 0) == 0
    assert outcomes["passed"] >= 9
    assert outcomes["passed"] + outcomes.get("failed", 0) == 27
