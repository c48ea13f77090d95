"""Installation: what is missing, or installed over us, in one line. Imports nothing but paths."""

import sys
from importlib.util import find_spec
from pathlib import Path

NEEDED = {
    "pydantic": "pydantic",
    "httpx": "httpx",
    "h11": "h11",
    "yaml": "pyyaml",
    "jinja2": "jinja2",
    "jmespath": "jmespath",
    "jsonschema": "jsonschema",
    "shtab": "shtab",
    "regex": "regex",
}
"""The modules that we need, and the packages that have them."""

_PACKAGE = "pytest_evals"


def missing_package(error: ModuleNotFoundError) -> str | None:
    """Return what to install if an import failed for lack of a package we need, else None."""
    module = (error.name or "").partition(".")[0]
    return _missing([module]) if module in NEEDED else None


def missing_packages() -> str | None:
    """Return which packages are not installed and what to do; None if all are there."""
    missing = [
        module for module in NEEDED if sys.modules.get(module) is None and not find_spec(module)
    ]
    return _missing(missing) if missing else None


def _missing(modules: list[str]) -> str:
    names = " ".join(NEEDED[module] for module in modules)
    return (
        f"pytest-evals-matrix needs {names}, not installed for {sys.executable}: "
        f"python -m pip install {names}"
    )


def shadowed_by_another(folder: Path) -> str | None:
    """Return how to part two projects that share our folder; None if all of it is ours.

    The package pytest-evals on PyPI is another project and has the same folder.

    Args:
        folder: of our package.
    """
    is_ours = hasattr(sys.modules.get(_PACKAGE), "__version__")
    if is_ours and not (folder / "plugin.py").exists():
        return None
    return (
        "pytest-evals, another project, is installed in the folder of pytest-evals-matrix; keep "
        "one: python -m pip uninstall -y pytest-evals pytest-evals-matrix && python -m pip install "
        "pytest-evals-matrix"
    )
