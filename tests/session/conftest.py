"""What the session's tests share: a scripted dataset, and a session over it without pytest."""

from pathlib import Path

import pytest

from pytest_evals.config.settings import Settings
from pytest_evals.ground.redaction import Redactor
from pytest_evals.registry import Registry
from pytest_evals.session.session import Session
from pytest_evals.session.state import SessionState

DATASET = """
name: support
models:
  - {id: good, provider: script}
  - {id: bad, provider: script}
gates: [pass@1 >= 0.9]
cases:
  - id: window
    input: How long do I have?
    scorers: [{contains: 30 days}]
    script:
      good: [{kind: chat_response, content: You have 30 days.}]
      bad: [{kind: chat_response, content: No idea.}]
  - id: card
    input: Can I return a gift card?
    scorers: [{icontains: "no"}]
    script:
      good: [{kind: chat_response, content: "No."}]
      bad: [{kind: chat_response, content: "No, never."}]
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Write a dataset of two cases for two models: three of the four trials pass."""
    path = tmp_path / "support.evals.yaml"
    path.write_text(DATASET)
    return path


@pytest.fixture
def make_state(tmp_path: Path):
    """Return a function that makes a session's fixed values."""

    def make(**settings) -> SessionState:
        return SessionState(
            settings=Settings(rootdir=tmp_path, **settings),
            registry=Registry.builtin(),
            run_id="20261121-051500-3f9a",
            redactor=Redactor((), ()),
        )

    return make


@pytest.fixture
def make_session(make_state):
    """Return a function that opens a session; it is closed at the end."""
    sessions: list[Session] = []

    def make(**settings) -> Session:
        sessions.append(Session.of(make_state(**settings)))
        return sessions[-1]

    yield make
    for session in sessions:
        assert session.close() == []
