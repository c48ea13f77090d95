"""Optional libraries of scorers: imported late, with an install hint if they are missing."""

from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pytest_evals.scorers.base import ScoringError

EXTRAS = {
    "nltk": "metrics",
    "py3langid": "language",
    "rapidfuzz": "metrics",
    "rouge_score": "metrics",
    "sacrebleu": "metrics",
    "sqlglot": "sql",
}
"""The extra of this distribution that installs each library."""


@lru_cache(maxsize=32)
def import_library(name: str) -> Any:
    """Import a library, or one of its modules.

    Raises:
        ScoringError: it is not installed; with the command to install it.
    """
    try:
        return import_module(name)
    except ImportError:
        raise ScoringError(_install_hint(name.partition(".")[0])) from None


def _install_hint(name: str) -> str:
    """Return the command to install a library."""
    return (
        f"it needs the library `{name}`, which is not installed: "
        f"pip install 'pytest-evals-matrix[{EXTRAS[name]}]'"
    )


def missing_libraries(scorer: str, *names: str) -> Iterator[str]:
    """Yield a problem for each library that is not installed."""
    for name in names:
        if find_spec(name) is None:
            yield f"`{scorer}`: {_install_hint(name)}"
