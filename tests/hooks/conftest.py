"""What the hooks' tests share: a project with a conftest, and a way to run it."""

import textwrap

import jinja2  # noqa: F401 - what is imported here is not loaded anew for each run in process
import pytest
import yaml  # noqa: F401 - the same

DATASET = """
name: shop
models: [{id: m, provider: script}]
scorers: [{contains: fine}]
cases:
  - id: a
    input: How are you?
    script: [{kind: chat_response, content: fine}]
  - id: b
    input: And you?
    script: [{kind: chat_response, content: bad}]
"""


OURS = ("-p", "evals-matrix")
"""Loads our plugin, and no others."""


class Project:
    """A folder with a dataset and plugins."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def read(self, name: str) -> str:
        """Read a file."""
        return (self.path / name).read_text(encoding="utf-8")

    def run(self, *args: str) -> pytest.RunResult:
        """Run ``pytest --evals`` in this process."""
        return self.pytester.runpytest_inprocess(*OURS, "--evals", *args)

    def told(self, *args: str) -> str:
        """Run it, and return all it printed, without line breaks that wrap sentences."""
        result = self.run(*args)
        return "\n".join(result.outlines + result.errlines)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project with one dataset: one trial passes, one fails; no other plugin is loaded."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    made = Project(pytester)
    made.write("shop.evals.yaml", DATASET)
    return made
