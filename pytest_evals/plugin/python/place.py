"""Where a mark stands, and what a test function is: read from sources, in pytest's own thread."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_evals.ground.canonical import digest
from pytest_evals.ground.errors import Position


def place_of_mark(function: Callable[..., Any], owner: type | None, path: str) -> Position:
    """Return where the mark of a test function stands: on itself, its class, or its module.

    Args:
        function: the test.
        owner: its class, where it has one.
        path: the test's file, as it is shown.
    """
    for thing in (function, owner):
        line = None if thing is None else _line_in(thing)
        if line is not None:
            return Position(path, line)
    module = inspect.getmodule(function)
    line = None if module is None else _line_of(module, "pytestmark")
    code = getattr(inspect.unwrap(function), "__code__", None)
    return Position(path, line or (0 if code is None else code.co_firstlineno))


def _line_in(thing: Any) -> int | None:
    """Return the line of the decorator ``evals(...)`` of a function or class."""
    lines, first = _source(inspect.unwrap(thing))
    for number, line in enumerate(lines):
        if line.lstrip().startswith(("def ", "async def ", "class ")):
            return None
        if "evals" in line.partition("(")[0]:
            return first + number
    return None


def _line_of(module: Any, word: str) -> int | None:
    """Return the line of a module that begins with a word."""
    lines, _ = _source(module)
    return next((n for n, line in enumerate(lines, 1) if line.startswith(word)), None)


def _source(thing: Any) -> tuple[list[str], int]:
    """Return the source lines of something, and the number of the first."""
    try:
        lines, first = inspect.getsourcelines(thing)
    except (OSError, TypeError):
        return [], 0
    return lines, max(first, 1)


def digest_of_code(function: Callable[..., Any]) -> str:
    """Return 16 hexadecimal digits that change with what a test function does.

    Comments, blank lines, the docstring and the decorators do not count; nor do the functions it
    calls.
    """
    plain = inspect.unwrap(function)
    lines, _ = _source(plain)
    try:
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except SyntaxError:
        tree = ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.decorator_list.clear()
            if len(node.body) > 1 and ast.get_docstring(node) is not None:
                del node.body[0]
            return digest(ast.unparse(node), length=16)
    return digest([Path(plain.__code__.co_filename).name, plain.__qualname__], length=16)
