"""What the tests of reports share: a browser."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark of the tests that look at pages in a browser."""
    config.addinivalue_line("markers", "browser: needs playwright and Chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Yield a headless Chromium; skips where there is none, and says what is missing.

    For one module: while it runs, an event loop does in this thread, which others may want.
    """
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("no `chromium` on the PATH (Debian: apt-get install chromium)")
    if find_spec("playwright") is None:
        pytest.skip("playwright is not installed (pip install axe-playwright-python)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
