"""What the tests of evals in Python share: a scripted dataset, and ways to run pytest."""

import json

import jinja2  # noqa: F401 - stays imported, see tests/plugin/conftest.py
import pytest
import yaml  # noqa: F401 - the same

REFUNDS = """
name: refunds
models:
  - {id: good, provider: script}
  - {id: bad, provider: script}
judges:
  polite: {rubric: Is it polite?, model: {id: stand-in, provider: python, target: "stand_in.py:reply"}, min_score: 0.5}
cases:
  - id: window
    input: How long do I have?
    tags: [refunds, en]
    expected: 30 days
    script:
      good: [{kind: chat_response, content: You have 30 days., tokens: {prompt_tokens: 8, completion_tokens: 5}}]
      bad: [{kind: chat_response, content: No idea.}]
  - id: card
    input: Can I return a gift card?
    tags: [cards]
    expected: "No"
    script:
      good: [{kind: chat_response, content: "No."}]
      bad: [{kind: chat_response, content: "Yes."}]
"""

STAND_IN = '''
import json
def reply(input, context):
    """A judge that likes full stops, and a model that shouts."""
    text = "\\n".join(m["content"] for m in context.messages)
    if "polite" in text:
        score = 5 if "You have 30 days." in text or "No." in text else 1
        return {"text": json.dumps({"score": score, "reasoning": "seen"}), "cost_usd": 0.25}
    return {"text": f"{input}!".upper(), "cost_usd": 0.5}
'''


@pytest.fixture
def refunds(write):
    """Write a dataset of two cases for two models, one right and one wrong, and a stand-in."""
    write("stand_in.py", STAND_IN)
    return write("refunds.evals.yaml", REFUNDS)


@pytest.fixture
def evals(pytester):
    """Run pytest with ``--evals`` in process; the report is in ``out.json``."""

    def run(*args, process=False):
        runs = pytester.runpytest_subprocess if process else pytester.runpytest_inprocess
        quiet = ("-p", "no:randomly", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
        cached = {"--lf"} & set(args) or "cache" in args
        args = tuple(arg for arg in args if arg != "cache")
        return runs("--evals", "--evals-json=out.json", *(quiet[:4] if cached else quiet), *args)

    return run


@pytest.fixture
def trials(pytester):
    """Return the trials of the last report, by what stands in the brackets of their ids."""

    def read():
        told = json.loads((pytester.path / "out.json").read_text())
        return {one["id"].partition("[")[2][:-1]: one for one in told["trials"]}

    return read


@pytest.fixture
def report(pytester):
    """Return the last report."""
    return lambda: json.loads((pytester.path / "out.json").read_text())
