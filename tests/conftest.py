"""Fixtures for all tests."""

import pytest


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a key or an option of the machine it runs on."""
    import os

    for name in list(os.environ):
        if name.endswith("_API_KEY") or name.startswith(("PYTEST_EVALS_", "GITHUB_STEP_")):
            monkeypatch.delenv(name)
