"""Templates: Jinja2 in a sandbox, with undefined names as errors.

The one place where prompts, request bodies and rubrics are rendered. Jinja2 is imported when the
first text that really is a template is compiled.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pytest_evals.ground.errors import TemplateError, suggest

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

_MARKS = ("{{", "{%", "{#")


def is_template(text: str) -> bool:
    """Whether a text has anything to render."""
    return any(mark in text for mark in _MARKS)


def render(text: str, variables: Mapping[str, Any]) -> str:
    """Render a template.

    Raises:
        TemplateError: syntax, an undefined variable (with a suggestion), or an attempt to reach
            what the sandbox hides.
    """
    if not is_template(text):
        return text
    return str(_guarded(lambda: _compiled(text).render(variables), text, variables))


def evaluate(text: str, variables: Mapping[str, Any]) -> Any:
    """Render a template, or return the value of one that is nothing but a single expression.

    ``"{{ messages }}"`` gives the list itself and ``"{{ params.top_k + 1 }}"`` a number, where
    ``"top {{ params.top_k }}"`` gives a text.

    Raises:
        TemplateError: as `render`.
    """
    if not is_template(text):
        return text
    expression = _expression(text)
    if expression is None:
        return render(text, variables)
    return _guarded(lambda: _defined(expression(variables)), text, variables)


def check(text: str, known: Iterable[str]) -> None:
    """Check a template without rendering it.

    Raises:
        TemplateError: its syntax is wrong, or it uses a name that is not among the known.
    """
    if not is_template(text):
        return
    names = tuple(known)
    unknown = unknown_variables(text, names)
    if unknown:
        raise TemplateError(_unknown(unknown, names))


def unknown_variables(text: str, known: Iterable[str]) -> list[str]:
    """Return the names a template uses that are not known, sorted.

    Raises:
        TemplateError: its syntax is wrong.
    """
    if not is_template(text):
        return []
    _compiled(text)
    return sorted(_names(text) - set(known))


def _guarded(call: Callable[[], Any], text: str, variables: Mapping[str, Any]) -> Any:
    """Run what renders a template, and word its errors."""
    import jinja2
    from jinja2.exceptions import SecurityError

    try:
        return call()
    except jinja2.UndefinedError as error:
        unknown = unknown_variables(text, variables)
        if unknown:
            raise TemplateError(_unknown(unknown, variables)) from None
        raise TemplateError(f"the template cannot be rendered: {error.message}") from None
    except SecurityError as error:
        raise TemplateError(f"the template reaches for what the sandbox hides: {error}") from None
    except TemplateError:
        raise
    except Exception as error:  # noqa: BLE001 - a template can raise anything
        raise TemplateError(
            f"the template cannot be rendered: {type(error).__name__}: {error}"
        ) from None


@lru_cache(maxsize=512)
def _expression(text: str) -> Callable[[Mapping[str, Any]], Any] | None:
    """Compile a template that is nothing but one expression; None for any other."""
    import jinja2

    _compiled(text)
    tokens = [token for token in _environment().lex(text.strip()) if token[1] != "whitespace"]
    kinds = [kind for _, kind, _ in tokens]
    if kinds[0] != "variable_begin" or kinds.index("variable_end") != len(kinds) - 1:
        return None
    source = text.strip().removeprefix(tokens[0][2]).removesuffix(tokens[-1][2])
    try:
        return _environment().compile_expression(source, undefined_to_none=False)
    except jinja2.TemplateSyntaxError:
        return None


def _defined(value: Any) -> Any:
    """Refuse an undefined value, which an expression may give without complaint."""
    import jinja2

    if isinstance(value, jinja2.Undefined):
        str(value)
    return value


def _unknown(unknown: list[str], known: Iterable[str]) -> str:
    """Say which names are unknown and what there is."""
    names = ", ".join(f"`{name}`" for name in unknown)
    hint = suggest(unknown[0], known)
    return f"the template uses {names}, which this case does not define.{hint}"


@lru_cache(maxsize=1)
def _environment() -> "ImmutableSandboxedEnvironment":
    """Make the one environment: sandboxed, strict, plain text."""
    import json

    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=False,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


@lru_cache(maxsize=512)
def _compiled(text: str) -> Any:
    """Compile a template once."""
    import jinja2

    try:
        return _environment().from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(
            f"the template's syntax is wrong (its line {error.lineno}): {error.message}"
        ) from None


@lru_cache(maxsize=512)
def _names(text: str) -> frozenset[str]:
    """Return the names a template takes from outside."""
    from jinja2 import meta

    return frozenset(meta.find_undeclared_variables(_environment().parse(text)))
