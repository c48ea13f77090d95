"""What the plugin's tests share: a scripted dataset and a way to run it."""

import jinja2  # noqa: F401 - as below
import pytest
import yaml  # noqa: F401 - its C half can be loaded only once a process, see below

# `pytester` forgets after each run in process which modules that run imported. What is imported
# here stays: it is not loaded anew for each test, and yaml's C half keeps knowing its own classes.

SUPPORT = """
name: support
models:
  - {id: good, provider: script}
  - {id: bad, provider: script}
cases:
  - id: window
    input: How long do I have?
    tags: [refunds, en]
    scorers: [{contains: 30 days}]
    script:
      good:
        - kind: chat_response
          content: You have 30 days.
          tokens: {prompt_tokens: 8, completion_tokens: 5}
      bad: [{kind: chat_response, content: No idea.}]
  - id: card
    input: Can I return a gift card?
    tags: [cards]
    scorers: [{icontains: "no"}]
    script:
      good: [{kind: chat_response, content: "No."}]
      bad: [{kind: chat_response, content: "No, never."}]
  - id: down
    input: Is anybody there?
    scorers: [{contains: fine}]
    script:
      good: [{kind: chat_response, content: "fine"}]
      bad: [{kind: error, error_type: overloaded, message: come back later}]
"""


@pytest.fixture
def support(pytester: pytest.Pytester) -> str:
    """Write a dataset of three cases for two models: four pass, one fails, one errs."""
    pytester.path.joinpath("support.evals.yaml").write_text(SUPPORT)
    return "support.evals.yaml"


@pytest.fixture
def evals(pytester: pytest.Pytester):
    """Run pytest with ``--evals`` in process."""

    def run(*args: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(
            "--evals", "-p", "no:randomly", "-p", "no:hypothesispytest", *args
        )

    return run


@pytest.fixture
def evals_process(pytester: pytest.Pytester):
    """Run pytest with ``--evals`` as a process of its own."""

    def run(*args: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(
            "--evals", "-p", "no:randomly", "-p", "no:hypothesispytest", *args
        )

    return run
