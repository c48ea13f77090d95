"""Fixtures for all tests."""

import os

import pytest

# pytest puts its cache there, if it is set: runs that tests start would share it, and with this one.
os.environ.pop("TOX_ENV_DIR", None)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a key or an option of the machine it runs on."""
    for name in list(os.environ):
        if name.endswith("_API_KEY") or name.startswith(("PYTEST_EVALS_", "GITHUB_STEP_")):
            monkeypatch.delenv(name)
