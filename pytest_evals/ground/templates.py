"""Templates: sandboxed Jinja2 with limits, in which an undefined variable is an error.

Prompts, request bodies and rubrics are rendered here and nowhere else. Jinja2 is imported when the
first template is compiled. This module knows texts and variables. It knows nothing of evals.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pytest_evals.ground.errors import TemplateError, suggest

if TYPE_CHECKING:
    from pytest_evals.ground.template_limits import LimitedEnvironment

_DELIMITERS = ("{{", "{%", "{#")
_LITERAL = "Braces that are text: {% raw %}{{name}}{% endraw %}."


def is_template(text: str) -> bool:
    """Whether a text contains template syntax."""
    return any(delimiter in text for delimiter in _DELIMITERS)


def render(text: str, variables: Mapping[str, Any]) -> str:
    """Render a template.

    Raises:
        TemplateError: a syntax error, an undefined variable (with a suggestion), or access to
            something that the sandbox forbids.
    """
    if not is_template(text):
        return text
    return str(_call(lambda: _compile(text).render(variables), text, variables))


def evaluate(text: str, variables: Mapping[str, Any]) -> Any:
    """Render a template. One that is a single expression returns the value of the expression.

    ``"{{ messages }}"`` returns a list and ``"{{ params.top_k + 1 }}"`` a number, but
    ``"top {{ params.top_k }}"`` returns a text.

    Raises:
        TemplateError: see `render`.
    """
    if not is_template(text):
        return text
    expression = _expression(text)
    if expression is None:
        return render(text, variables)
    return _call(lambda: _require_defined(expression(variables)), text, variables)


def check(text: str, defined: Iterable[str]) -> None:
    """Check a template without rendering it.

    Args:
        text: the template.
        defined: names of the variables it may use.

    Raises:
        TemplateError: its syntax is wrong, or it uses another variable.
    """
    if not is_template(text):
        return
    names = tuple(defined)
    unknown = unknown_variables(text, names)
    if unknown:
        raise TemplateError(_unknown_message(unknown, names))


def unknown_variables(text: str, defined: Iterable[str]) -> list[str]:
    """Return the variables that a template uses and that are not defined, sorted.

    Raises:
        TemplateError: its syntax is wrong.
    """
    if not is_template(text):
        return []
    _compile(text)
    return sorted(_variables(text) - set(defined))


def _call(rendering: Callable[[], Any], text: str, variables: Mapping[str, Any]) -> Any:
    """Call a rendering function and convert its exceptions to `TemplateError`."""
    import jinja2
    from jinja2.exceptions import SecurityError

    from pytest_evals.ground.template_limits import with_limits

    try:
        return with_limits(rendering)
    except jinja2.UndefinedError as error:
        unknown = unknown_variables(text, variables)
        if unknown:
            raise TemplateError(_unknown_message(unknown, variables)) from None
        raise TemplateError(f"the template cannot be rendered: {error.message}") from None
    except SecurityError as error:
        raise TemplateError(
            f"the template uses something that the sandbox forbids: {error}"
        ) from None
    except TemplateError:
        raise
    except Exception as error:  # noqa: BLE001 - filters and the user's objects can raise anything
        raise TemplateError(
            f"the template cannot be rendered: {type(error).__name__}: {error}"
        ) from None


@lru_cache(maxsize=512)
def _expression(text: str) -> Callable[[Mapping[str, Any]], Any] | None:
    """Compile a template that is a single expression; None for any other template."""
    import jinja2

    _compile(text)
    tokens = [token for token in _environment().lex(text.strip()) if token[1] != "whitespace"]
    types = [type_ for _, type_, _ in tokens]
    if types[0] != "variable_begin" or types.index("variable_end") != len(types) - 1:
        return None
    source = text.strip().removeprefix(tokens[0][2]).removesuffix(tokens[-1][2])
    try:
        return _environment().compile_expression(source, undefined_to_none=False)
    except jinja2.TemplateSyntaxError:
        return None


def _require_defined(value: Any) -> Any:
    """Raise for an undefined value, which a compiled expression returns without an error."""
    import jinja2

    if isinstance(value, jinja2.Undefined):
        str(value)  # raises UndefinedError
    return value


def _unknown_message(unknown: list[str], defined: Iterable[str]) -> str:
    """Return the message on undefined variables, with a suggestion."""
    names = ", ".join(f"`{name}`" for name in unknown)
    hint = suggest(unknown[0], defined)
    return f"the template uses {names}, which this case does not define.{hint} {_LITERAL}"


@lru_cache(maxsize=1)
def _environment() -> "LimitedEnvironment":
    """Return the shared environment: sandboxed, strict, without HTML escaping."""
    import json

    import jinja2

    from pytest_evals.ground.template_limits import LimitedEnvironment

    environment = LimitedEnvironment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=False,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
    environment.add_filter("json", lambda value: json.dumps(value, ensure_ascii=False))
    return environment


@lru_cache(maxsize=512)
def _compile(text: str) -> Any:
    """Compile a template; the newest 512 are cached."""
    import jinja2

    if text.endswith("{#"):  # Jinja2 drops it and says nothing
        raise TemplateError(f"the template ends within a comment. {_LITERAL}")
    try:
        return _environment().from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(
            f"the template's syntax is wrong (its line {error.lineno}): {error.message}. {_LITERAL}"
        ) from None


@lru_cache(maxsize=512)
def _variables(text: str) -> frozenset[str]:
    """Return the names of the variables that a template reads."""
    from jinja2 import meta

    return frozenset(meta.find_undeclared_variables(_environment().parse(text)))
