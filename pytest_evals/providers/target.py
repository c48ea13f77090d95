"""Target: a callable of the user's application, and how it takes its input and context."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_evals.ground.errors import AnswerError


@dataclass(frozen=True, slots=True)
class Target:
    """A callable, and how it is called."""

    function: Callable[..., Any]
    is_async: bool
    context: str | None
    """The parameter for the context; "" for the second position, None for none."""

    @classmethod
    def of(cls, function: Callable[..., Any], name: str) -> "Target":
        """Inspect a callable.

        Args:
            function: the callable.
            name: its name in messages, as the user wrote it.

        Raises:
            AnswerError: of type ``target``: it cannot be called with an input, or returns no whole
                response.
        """
        label = f"target {name!r}"
        if inspect.isclass(function):
            raise AnswerError(
                "target",
                f"{label} is a class: a call would only make an object. Name a function, or an "
                f"object of it (`bot = {function.__name__}()` in the module, and `:bot` or "
                "`:bot.method` here)",
            )
        inner: object = function
        while isinstance(inner, functools.partial):
            inner = inner.func
        candidates = (inner, getattr(type(inner), "__call__", None))  # noqa: B004 - of its class
        if any(inspect.isgeneratorfunction(c) or inspect.isasyncgenfunction(c) for c in candidates):
            raise AnswerError(
                "target", f"{label} yields its answer in pieces; return the whole answer"
            )
        is_async = any(inspect.iscoroutinefunction(candidate) for candidate in candidates)
        return cls(function, is_async, _context_parameter(function, label))


def _context_parameter(function: Callable[..., Any], label: str) -> str | None:
    """Find the parameter for the context, and check the other parameters.

    Raises:
        AnswerError: of type ``target``: it takes no input or requires too many arguments.
    """
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    context = _named_context(parameters)
    positional = [
        p
        for p in parameters.values()
        if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD} and p.name != context
    ]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    required = [p.name for p in positional if p.default is p.empty]
    required += [
        p.name
        for p in parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name != context
    ]
    if context is None and len(positional) > 1 and required[1:] == [positional[1].name]:
        context = ""
        required = required[:1]
    if not positional and not takes_any:
        raise AnswerError(
            "target", f"{label} takes no input; it is called as f(input) or f(input, context)"
        )
    if len(required) > 1:
        raise AnswerError(
            "target",
            f"{label} needs {', '.join(required)}; it is called as f(input) or f(input, context), "
            "so give the others a default or bind them with functools.partial",
        )
    return context


def _named_context(parameters: Mapping[str, inspect.Parameter]) -> str | None:
    """Return the parameter with the name or the annotation of the context."""
    for i, parameter in enumerate(parameters.values()):
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        annotation = parameter.annotation
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        if i and (parameter.name == "context" or text.endswith("TargetContext")):
            return "" if parameter.kind is parameter.POSITIONAL_ONLY else parameter.name
        if not i and text.endswith("TargetContext"):
            return parameter.name
    return None
