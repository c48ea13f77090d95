"""The page on the architecture: its picture is the contract's, and every name on it exists."""

import ast
import re

import pytest

from tests.docs._pages import ROOT
from tests.docs._scripts import load_script

script = load_script("_generate_architecture")
TEXT = script.PAGE.read_text("utf-8")
NAMES = sorted(set(re.findall(r"`([\w/]+\.py(?:::[\w.]+)?)`", TEXT)))


def test_the_layers_are_those_of_the_contract():
    """Run `python docs/_generate_architecture.py` after a change to pyproject.toml."""
    assert script.page(TEXT) == TEXT


def test_the_picture_has_every_module_at_the_root():
    """The contract is exhaustive, and so is the picture."""
    root = ROOT / "pytest_evals"
    modules = {p.stem for p in root.glob("*.py") if p.stem != "__init__"}
    packages = {p.parent.name for p in root.glob("*/__init__.py")}
    assert {name for row in script.layers() for name in row} == modules | packages


@pytest.mark.parametrize("name", NAMES)
def test_every_file_class_and_function_that_is_named_exists(name):
    """A reader who follows the page arrives."""
    path, _, names = name.partition("::")
    file = next((f for base in ("pytest_evals", ".") if (f := ROOT / base / path).exists()), None)
    assert file is not None, "no such file"
    body: list[ast.stmt] = ast.parse(file.read_text("utf-8")).body
    for part in names.split(".") if names else ():
        node = next((node for node in body if part in _defined(node)), None)
        assert node is not None, f"{part} is not defined there"
        body = getattr(node, "body", [])


def _defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}
