"""Limits of templates: an environment of Jinja2 that bounds a rendering in steps, size and time.

Loop iterations and calls count as steps. Every text that a template creates counts by its length,
before it is created where one operation can multiply it. A deadline ends what neither counts.
This module knows Jinja2's compiler and runtime. It knows nothing of evals.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from functools import wraps
from time import monotonic
from typing import Any

from jinja2 import nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer

from pytest_evals.ground.errors import TemplateError

MAX_STEPS = 1_000_000
"""Maximum number of loop iterations and calls in a rendering."""

MAX_CHARACTERS = 50_000_000
"""Maximum number of characters that a rendering creates, intermediate texts included."""

MAX_SECONDS = 5.0
"""Maximum duration of a rendering."""

_MAX_BITS = 100_000
"""Maximum size of an integer."""

_MAX_WIDTH = 1000
"""Maximum width or precision in a format, and maximum indentation of JSON."""

_STEP, _CONCAT = "_step", "_concat"
_PRINTF_WIDTH = re.compile(r"%[^%a-zA-Z]*(?:\d{4,}|\*)")
_FORMAT_WIDTH = re.compile(r"\{[^{}]*:[^{}]*(?:\d{4,}|\{)")
_SEQUENCES = (str, bytes, list, tuple)
_PADDED = frozenset({"ljust", "rjust", "center", "zfill"})
_TO_TEXT = frozenset(
    {
        "string",
        "tojson",
        "json",
        "pprint",
        "urlencode",
        "xmlattr",
        "escape",
        "e",
        "forceescape",
        "upper",
        "lower",
        "title",
        "capitalize",
        "trim",
        "striptags",
        "wordwrap",
        "indent",
        "center",
        "format",
        "truncate",
        "urlize",
        "wordcount",
        "replace",
    }
)
"""Filters that convert their value to a text."""


class Budget:
    """What is left of the limits of one rendering."""

    def __init__(self) -> None:
        self._steps = MAX_STEPS
        self._characters = MAX_CHARACTERS
        self._deadline = monotonic() + MAX_SECONDS

    def step(self, characters: int = 0) -> None:
        """Count one step, and the characters that it creates.

        Raises:
            TemplateError: a limit is exceeded.
        """
        self._steps -= 1
        if self._steps < 0:
            raise TemplateError(
                f"the template takes more than {MAX_STEPS:,} steps (loop iterations and calls)"
            )
        if monotonic() > self._deadline:
            raise TemplateError(f"the template takes longer than {MAX_SECONDS:g} s")
        self.take(characters)

    def take(self, characters: int) -> None:
        """Count characters that are created.

        Raises:
            TemplateError: the limit is exceeded.
        """
        self._characters -= max(0, characters)
        if self._characters < 0:
            raise TemplateError(f"the template creates more than {MAX_CHARACTERS:,} characters")


_current: ContextVar[Budget | None] = ContextVar("pytest_evals_template_budget", default=None)


def with_limits(rendering: Callable[[], Any]) -> Any:
    """Call a rendering function within the limits.

    Raises:
        TemplateError: a limit is exceeded.
    """
    token = _current.set(Budget())
    try:
        return rendering()
    finally:
        _current.reset(token)


def _budget() -> Budget:
    """Return the budget of the rendering; a new one while constants are folded at compile time."""
    return _current.get() or Budget()


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox that counts what templates do; see `with_limits`."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(finalize=_finalize, **options)
        del self.globals["lipsum"]  # creates texts of any length
        for name, function in self.filters.items():
            self.filters[name] = _limited_filter(name, function)
        self.filters[_STEP] = _step
        self.filters[_CONCAT] = _concat

    def add_filter(self, name: str, function: Callable[..., Any]) -> None:
        """Add a filter; its result is counted."""
        self.filters[name] = _limited_filter(name, function)

    def _generate(self, source: nodes.Template, *args: Any, **options: Any) -> str:
        """Instrument a template before it is compiled."""
        counted = _Instrumentation().visit(source)
        counted.set_environment(self)
        return super()._generate(counted, *args, **options)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Count the result of an operator before it is created."""
        _check_operation(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Count a call and its result."""
        _budget().step()
        _check_method(getattr(function, "__wrapped__", function), args, kwargs)
        return super().call(context, function, *args, **kwargs)


class _Instrumentation(NodeTransformer):
    """Adds a step to each body that can run several times, and makes `~` a filter."""

    def _concatenated(self, node: nodes.Concat) -> nodes.Node:
        """Concatenate by a filter, which counts the result."""
        self.generic_visit(node)
        items = nodes.List(node.nodes)
        return _at(node, nodes.Filter(items, _CONCAT, [], [], None, None))

    def _counted(self, node: nodes.Node) -> nodes.Node:
        """Put a step at the beginning of a body; it counts the literal text of the body too."""
        self.generic_visit(node)
        body: list[nodes.Node] = node.body  # type: ignore[attr-defined]
        literals = [
            literal
            for part in body
            for literal in (part, *part.find_all((nodes.TemplateData, nodes.Const)))
        ]
        length = sum(len(n.data) for n in literals if isinstance(n, nodes.TemplateData))
        length += sum(
            len(n.value)
            for n in literals
            if isinstance(n, nodes.Const) and isinstance(n.value, str)
        )
        size: list[nodes.Expr] = [nodes.Const(length)]
        step = nodes.Filter(nodes.Const(None), _STEP, size, [], None, None)
        body.insert(0, _at(node, nodes.ExprStmt(step)))
        return node

    visit_For = visit_Macro = visit_CallBlock = _counted  # noqa: N815 - named after the nodes
    visit_Concat = _concatenated  # noqa: N815 - the same


def _at(place: nodes.Node, node: nodes.Node) -> nodes.Node:
    """Set the line of a new node."""
    return node.set_lineno(place.lineno)


@pass_context
def _step(_context: Context, _value: None, characters: int) -> None:
    """Count one run of a body."""
    _budget().step(characters)


@pass_context
def _concat(_context: Context, items: Sequence[Any]) -> str:
    """Concatenate texts: the operator `~`."""
    _budget().take(_size(items))
    return "".join(map(str, items))


def _finalize(value: Any) -> Any:
    """Count the output of an expression."""
    budget = _current.get()
    if budget is not None:
        budget.take(len(value) if type(value) is str else _size(value))
    return value


def _size(value: Any) -> int:
    """Return about how many characters the text of a value has; above the limit, any number."""
    size, items, left = 0, 0, [value]
    while left and size <= MAX_CHARACTERS:
        item = left.pop()
        items += 1
        if items > MAX_STEPS:
            return MAX_CHARACTERS + 1
        if isinstance(item, str | bytes):
            size += len(item)
        elif isinstance(item, dict):
            size += 4 * len(item)
            left += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            size += 2 * len(item)
            left += item
        else:
            size += 8
    return size


def _check_operation(operator: str, left: Any, right: Any) -> None:
    """Count the result of a binary operator.

    Raises:
        TemplateError: it exceeds a limit.
    """
    if operator == "+" and isinstance(left, _SEQUENCES) and isinstance(right, _SEQUENCES):
        _budget().take(len(left) + len(right))
    elif operator == "%" and isinstance(left, str):
        _check_format(_PRINTF_WIDTH, left)
        _budget().take(len(left) + _size(right))
    elif operator == "*":
        if isinstance(right, _SEQUENCES):
            left, right = right, left
        if isinstance(left, _SEQUENCES) and isinstance(right, int):
            _budget().take(len(left) * right)
        elif isinstance(left, int) and isinstance(right, int):
            _check_bits(left.bit_length() + right.bit_length())
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() * right)


def _check_bits(bits: int) -> None:
    """Reject an integer that is too large."""
    if bits > _MAX_BITS:
        raise TemplateError(f"the template creates an integer of more than {_MAX_BITS:,} bits")


def _check_format(pattern: re.Pattern[str], text: str) -> None:
    """Reject a format with a large or variable width."""
    if pattern.search(text):
        raise TemplateError(
            f"the template uses a format with a width above {_MAX_WIDTH:,} or a variable width"
        )


def _check_method(method: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Count the result of a method of a text before it is called.

    Raises:
        TemplateError: it exceeds a limit.
    """
    text, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    if not isinstance(text, str):
        return
    options = [*args, *kwargs.values()]
    budget = _budget()
    if name in _PADDED or name == "expandtabs":
        widths = [option for option in options if isinstance(option, int)]
        columns = max(1, text.count("\t")) if name == "expandtabs" else 1
        budget.take(len(text) + columns * max(widths, default=8))
    elif name == "replace":
        budget.take(_replaced_size(text, options))
    elif name == "join":
        budget.take(_joined_size(text, options[0] if options else ()))
    elif name == "translate":
        table = options[0] if options and isinstance(options[0], dict) else {}
        longest = max((len(v) for v in table.values() if isinstance(v, str)), default=1)
        budget.take(len(text) * max(1, longest))
    elif name in {"format", "format_map"}:
        _check_format(_FORMAT_WIDTH, text)
        budget.take(len(text) + _size(options))
    else:
        budget.take(len(text))


def _replaced_size(text: str, options: Sequence[Any]) -> int:
    """Return the length of a text after a replacement, at most."""
    old, new = (str(option) for option in (*options, "", "")[:2])
    matches = text.count(old) if old else len(text) + 1
    return len(text) + matches * len(new)


def _joined_size(separator: str, items: Any) -> int:
    """Return the length of joined items; those of a generator are counted when they are made."""
    number = len(items) if isinstance(items, list | tuple | dict | str | range) else 100_000
    return _size(items) + number * len(separator)


def _limited_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that counts its calls and its result."""
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def limited(*args: Any, **kwargs: Any) -> Any:
        budget = _budget()
        budget.step()
        value, options = args[first], [*args[first + 1 :], *kwargs.values()]
        if name in _TO_TEXT:
            budget.take(_size(value))
        _check_filter(name, value, options, budget)
        result = function(*args, **kwargs)
        if isinstance(result, str | list | tuple):
            budget.take(len(result))
        return result

    return limited


def _check_filter(name: str, value: Any, options: Sequence[Any], budget: Budget) -> None:
    """Count the result of a filter that can multiply its value.

    Raises:
        TemplateError: it exceeds a limit.
    """
    numbers = [abs(option) for option in options if isinstance(option, int)]
    largest = max(numbers, default=0)
    if name in {"center", "batch", "slice"}:
        budget.take(largest)
    elif name == "indent":
        texts = (len(option) for option in options if isinstance(option, str))
        budget.take((str(value).count("\n") + 1) * max(largest, *texts, 4))
    elif name in {"tojson", "round"} and largest > _MAX_WIDTH:
        raise TemplateError(f"the filter `{name}` takes at most {_MAX_WIDTH:,}, found {largest:,}")
    elif name == "join":
        separator = next((option for option in options if isinstance(option, str)), "")
        budget.take(_joined_size(separator, value))
    elif name == "replace":
        budget.take(_replaced_size(str(value), options))
    elif name == "format":
        _check_format(_PRINTF_WIDTH, str(value))
        budget.take(_size(options))
    elif name == "wordwrap":
        texts = (len(option) for option in options if isinstance(option, str))
        budget.take(len(str(value)) * max(1, *texts, 1))
    elif name == "sum":
        _check_sum(options)


def _check_sum(options: Iterable[Any]) -> None:
    """Reject a sum of lists, which takes quadratic time."""
    if any(isinstance(option, list | tuple) for option in options):
        raise TemplateError("the filter `sum` adds numbers only")
