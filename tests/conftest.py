"""Fixtures for all tests."""

import gc
import os
import textwrap
import warnings
from collections.abc import Callable, Iterator

import pytest

try:
    from hypothesis import settings
except ImportError:  # an environment of tox that runs no property test
    pass
else:
    # A busy machine is no bug. `--hypothesis-profile fast` is for `tox -e fast`.
    settings.register_profile("no deadline", deadline=None)
    settings.register_profile("fast", deadline=None, max_examples=15)
    settings.load_profile("no deadline")

# pytest puts its cache there, if it is set: runs that tests start would share it, and with this one.
os.environ.pop("TOX_ENV_DIR", None)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a key or an option of the machine it runs on."""
    for name in list(os.environ):
        if name.endswith("_API_KEY") or name.startswith(("PYTEST_EVALS_", "GITHUB_STEP_")):
            monkeypatch.delenv(name)


@pytest.fixture
def write(pytester: pytest.Pytester) -> Callable[[str, str], str]:
    """Write a file below the test's folder; return its name."""

    def write(name: str, text: str) -> str:
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return name

    return write


@pytest.fixture
def clients_left_open() -> Iterator[None]:
    """Let go of what the SDKs of others leave open, so that it is not blamed on the next test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
