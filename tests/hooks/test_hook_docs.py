"""Every hook is told, and the implementation in its docstring works as it stands."""

import inspect
import json
import re
import textwrap

import pytest

from pytest_evals.hookspecs import hooks
from tests.docs._pages import DOCS


def example(name):
    """Return the code in a hook's docstring."""
    doc = inspect.getdoc(hooks()[name])
    return textwrap.dedent(doc.split("Example::\n")[1])


def plays_providers(project):
    """A model is asked by it, with a key of its own; another key is an error with a suggestion."""
    text = """
    name: echo
    models: [{{id: m, provider: echo, {key}: 2}}]
    scorers: [{{equals: hi hi}}]
    cases: [{{id: a, input: hi}}]
    """
    project.write("shop.evals.yaml", text.format(key="times"))
    project.run().assert_outcomes(passed=1)
    project.write("shop.evals.yaml", text.format(key="tims"))
    assert "unknown key 'tims' for provider 'echo'. Did you mean 'times'" in project.told()


def plays_scorers(project):
    """It judges; a misspelt name is an error with a suggestion."""
    text = project.read("shop.evals.yaml").replace("{contains: fine}", "shouts")
    project.write("shop.evals.yaml", text.replace("content: fine", "content: FINE"))
    project.run().assert_outcomes(passed=1, failed=1)
    project.write("shop.evals.yaml", text.replace("shouts", "shout"))
    assert "no scorer is called 'shout'. Did you mean 'shouts'" in project.told()


def plays_loaders(project):
    """A dataset is read from its format, and what is wrong with it told."""
    project.write(
        "more.toml",
        """
        scorers = [{contains = "fine"}]
        models = ["script:"]
        [[cases]]
        id = "t"
        input = "How?"
        script = [{kind = "chat_response", content = "fine"}]
        """,
    )
    project.run("more.toml").assert_outcomes(passed=1)
    project.write("more.toml", "cases = [")
    assert "more.toml: Invalid" in project.told("more.toml")


def plays_reporters(project):
    """Its file is written."""
    project.run("--evals-report", "tally=out/tally.txt").assert_outcomes(passed=1, failed=1)
    assert "m 1/2\n" == project.read("out/tally.txt")


def plays_stores(project):
    """What one machine has asked another one has."""
    project.write(
        "shop.evals.yaml",
        """
        models: [{id: m, provider: python, target: "app:answer", stored: true}]
        scorers: [{contains: fine}]
        cases: [{id: a, input: How?}]
        """,
    )
    project.write(
        "app.py",
        """
        def answer(question):
            with open("asked.txt", "a") as file:
                file.write("x")
            return "fine"
        """,
    )
    for store in ("one.sqlite", "two.sqlite"):
        args = ("--evals-shared", "folder:team", "--evals-store", store)
        project.run(*args).assert_outcomes(passed=1)
    assert "x" == project.read("asked.txt")
    assert 1 == len(list(project.path.glob("team/*.json")))


def plays_redact(project):
    """Neither what is printed nor what is stored holds what is secret."""
    text = project.read("shop.evals.yaml")
    text = text.replace("content: bad", "content: correct horse battery staple CUST-123456")
    project.write("shop.evals.yaml", text)
    assert "[redacted] [redacted]" in project.told("--evals-json", "run.json")
    written = (
        project.read("run.json").encode() + (project.path / ".evals/evals.sqlite").read_bytes()
    )
    assert not re.search(rb"horse|123456", written)


def plays_before_trial(project):
    """It is called before each trial; where it fails, that trial is an error that names it."""
    project.run().assert_outcomes(passed=1, failed=1)
    assert "And you?" == project.read("sandboxes/b[m]/question.txt")
    told = project.told()  # the folders are there now
    assert "before this trial, pytest_evals_before_trial of the plugin conftest.py raised" in told
    assert "2 errors" in told


def plays_after_trial(project):
    """It is told what became of each trial."""
    project.run().assert_outcomes(passed=1, failed=1)
    lines = map(json.loads, project.read("trials.jsonl").splitlines())
    assert {"shop.evals.yaml::a[m]": "passed", "shop.evals.yaml::b[m]": "failed"} == {
        line["trial"]: line["outcome"] for line in lines
    }


def plays_gate_verdict(project):
    """Its sentence stands with the failed gate, in the terminal and in reports."""
    project.write("shop.evals.yaml", project.read("shop.evals.yaml") + "gates: [pass@1 >= 0.9]\n")
    sentence = "Ask #team-refunds about shop before you merge."
    assert sentence in project.told("--evals-json", "run.json")
    (gate, *_) = json.loads(project.read("run.json"))["gates"]
    assert [sentence] == gate["notes"]


def plays_report_context(project):
    """Its sections stand in the reports."""
    files = ("--evals-html", "r.html", "--evals-md", "r.md", "--evals-json", "r.json")
    project.run(*files).assert_outcomes(passed=1, failed=1)
    context = json.loads(project.read("r.json"))["context"]
    assert ("v7", "team refunds") == (context["Deployment"]["prompt version"], context["Owner"])
    assert "### Deployment\n" in project.read("r.md")
    assert "| prompt version | v7 |" in project.read("r.md")
    assert "<dt>prompt version</dt><dd>v7</dd>" in project.read("r.html")
    assert "<p>team refunds</p>" in project.read("r.html")


PLAYS = {
    name.replace("plays_", "pytest_evals_"): play
    for name, play in globals().items()
    if name.startswith("plays_")
}


def test_every_hook_has_a_test():
    """A hook whose docstring nobody runs fails the build."""
    assert set(hooks()) == set(PLAYS)


@pytest.mark.parametrize("name", hooks())
def test_the_implementation_in_the_docstring_works(name, project):
    """As a user would copy it into a conftest."""
    project.write("conftest.py", example(name))
    PLAYS[name](project)


@pytest.mark.parametrize("name", hooks())
def test_every_hook_is_on_its_page_with_its_arguments(name):
    """A hook or an argument without a word about it fails the build."""
    page = (DOCS / "reference/hooks.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert section, f"docs/reference/hooks.md has no section {name}"
    for argument in inspect.signature(hooks()[name]).parameters:
        assert f"- `{argument}`: " in section
    assert example(name) in section
