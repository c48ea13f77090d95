"""Source code of Python objects: the line of a decorator, and a digest of what a function does.

Parses; call it in one thread at a time, since Python 3.11's parser crashes otherwise.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_evals.ground.canonical import digest
from pytest_evals.ground.errors import Position


def decorator_position(
    decorator: str, function: Callable[..., Any], owner: type | None, path: str
) -> Position:
    """Return the position of a decorator: on a function, its class, or in its module.

    Args:
        decorator: a word in the decorator's name.
        function: the function.
        owner: its class, if it has one.
        path: the function's file, as messages name it.
    """
    for decorated in (function, owner):
        line = None if decorated is None else _decorator_line(decorated, decorator)
        if line is not None:
            return Position(path, line)
    module = inspect.getmodule(function)
    line = None if module is None else _line_starting_with(module, "pytestmark")
    code = getattr(inspect.unwrap(function), "__code__", None)
    return Position(path, line or (0 if code is None else code.co_firstlineno))


def _decorator_line(decorated: Any, word: str) -> int | None:
    """Return the line of a decorator of a function or class."""
    lines, first = _source(inspect.unwrap(decorated))
    for number, line in enumerate(lines):
        if line.lstrip().startswith(("def ", "async def ", "class ")):
            return None
        if word in line.partition("(")[0]:
            return first + number
    return None


def _line_starting_with(module: Any, word: str) -> int | None:
    """Return the first line of a module that starts with a word."""
    lines, _ = _source(module)
    return next((n for n, line in enumerate(lines, 1) if line.startswith(word)), None)


def _source(value: Any) -> tuple[list[str], int]:
    """Return the source lines of an object, and the number of the first."""
    try:
        lines, first = inspect.getsourcelines(value)
    except (OSError, TypeError):
        return [], 0
    return lines, max(first, 1)


def function_digest(function: Callable[..., Any]) -> str:
    """Return 16 hexadecimal digits that change with the code of a function.

    Comments, blank lines, the docstring, the decorators and called functions are not included.
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
