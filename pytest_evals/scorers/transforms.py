"""Transforms: extract the part of an output that is scored.

The notation is a name (``strip``), a name with an argument (``{regex: "Answer: (.*)"}``), or a list
of these, applied in order. If a transform finds nothing, the assertion fails, inverted or not: an
answer in the wrong format is a wrong answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import EvalsError, TemplateError, suggest
from pytest_evals.ground.templates import is_template, render, unknown_variables
from pytest_evals.scorers.base import ScoreContext, ScoringError
from pytest_evals.scorers.chosen import choice_letter
from pytest_evals.scorers.extract import (
    boxed,
    fenced,
    normalised,
    numbers_in,
)
from pytest_evals.scorers.jsonfind import NotJsonError, find_json
from pytest_evals.scorers.options import template_variables
from pytest_evals.scorers.patterns import compile_pattern, find_all, search
from pytest_evals.scorers.quoting import as_text, shown

Step = Callable[[str, ScoreContext], str | None]


class TransformError(EvalsError):
    """A transform is invalid.

    Args:
        message: what was found and what was expected.
        loc: the location of the problem in the transform as written.
    """

    def __init__(self, message: str, loc: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.loc = loc


@dataclass(frozen=True, slots=True)
class Transform:
    """One or more steps that are applied to the output."""

    names: tuple[str, ...]
    steps: tuple[Step, ...]
    templates: tuple[str, ...] = ()
    """The arguments that are templates over the case."""

    def __call__(self, text: str, ctx: ScoreContext) -> str | None:
        """Apply the steps; return None if a step finds nothing.

        Raises:
            ScoringError: a step failed (a pattern timed out).
            TemplateError: a template cannot be rendered.
        """
        output: str | None = text
        for step in self.steps:
            if output is None:
                return None
            output = step(output, ctx)
        return output

    def describe(self) -> str:
        """Return its name for messages."""
        return f"the transform {', '.join(self.names)}"


def compile_transform(written: Json) -> Transform:
    """Compile a transform.

    Raises:
        TransformError: an unknown name or an invalid argument.
    """
    if isinstance(written, list | tuple):
        if not written:
            raise TransformError("a transform without steps does nothing; remove it")
        parts = []
        for i, item in enumerate(written):
            try:
                parts.append(compile_transform(item))
            except TransformError as error:
                raise TransformError(str(error), (i, *error.loc)) from None
        return Transform(
            tuple(name for part in parts for name in part.names),
            tuple(step for part in parts for step in part.steps),
            tuple(text for part in parts for text in part.templates),
        )
    if isinstance(written, str):
        name, argument = written, None
    elif isinstance(written, Mapping) and len(written) == 1:
        ((name, argument),) = written.items()
    else:
        raise TransformError(
            "a transform must be a name (`strip`), a name with an argument (`regex: …`) or a list "
            f"of these, found {shown(written)}"
        )
    if name not in TRANSFORMS:
        raise TransformError(f"no transform is called {name!r}.{suggest(str(name), TRANSFORMS)}")
    try:
        templates = (str(argument),) if name == "template" else ()
        return Transform((f"`{name}`",), (TRANSFORMS[name](argument),), templates)
    except (ValueError, TemplateError) as error:
        loc = (name,) if isinstance(written, Mapping) else ()
        raise TransformError(f"transform `{name}`: {error}", loc) from None


def _bare(name: str, change: Callable[[str], str | None]) -> Callable[[Json], Step]:
    """Return a transform without an argument."""

    def make(argument: Json) -> Step:
        if argument not in {None, True}:
            raise ValueError(f"expected no argument, found {argument!r}; write `{name}`")
        return lambda text, _: change(text)

    return make


def _first_number(text: str) -> str | None:
    """Return the first number."""
    return next(iter(numbers_in(text)), None)


def _last_number(text: str) -> str | None:
    """Return the last number."""
    numbers = numbers_in(text)
    return numbers[-1] if numbers else None


def _regex(argument: Json) -> Step:
    """Return the first match of a pattern: the group `answer`, else the first group, else all."""
    options = {"pattern": argument} if isinstance(argument, str) else argument
    if not isinstance(options, Mapping) or not isinstance(options.get("pattern"), str):
        value = shown(argument)
        message = f"expected a pattern, or `pattern` with `group` or `last`; found {value}"
        raise ValueError(message)  # noqa: TRY004 - compile_transform handles only ValueError
    unknown = options.keys() - {"pattern", "group", "last"}
    if unknown:
        raise ValueError(f"unknown option {min(map(str, unknown))!r}; known: group, last")
    pattern = compile_pattern(options["pattern"])
    group: int | str = options.get("group", _group_of(pattern))
    if group not in pattern.groupindex and not (
        isinstance(group, int) and 0 <= group <= pattern.groups
    ):
        raise ValueError(f"the pattern {pattern.pattern!r} has no group {group!r}")
    last = bool(options.get("last", False))

    def step(text: str, _: ScoreContext) -> str | None:
        if last:
            matches = find_all(pattern, text)
            match = matches[-1] if matches else None
        else:
            match = search(pattern, text)
        return None if match is None else match.group(group)

    return step


def _group_of(pattern: Any) -> int | str:
    """Return the group to extract."""
    if "answer" in pattern.groupindex:
        return "answer"
    return 1 if pattern.groups else 0


def _json(argument: Json) -> Step:
    """Return the JSON in the output, or a value in it by a JMESPath."""
    expression: Any = None
    if argument not in {None, True}:
        if not isinstance(argument, str):
            raise ValueError(f"expected a JMESPath such as `data.text`, found {argument!r}")
        import jmespath
        from jmespath.exceptions import JMESPathError

        try:
            expression = jmespath.compile(argument)
        except JMESPathError as error:
            raise ValueError(f"{argument!r} is not a valid JMESPath: {error}") from None

    def fits(value: Json) -> bool:
        return expression is None or expression.search(value) is not None

    def step(text: str, _: ScoreContext) -> str | None:
        import json

        from jmespath.exceptions import JMESPathError

        try:
            value = find_json(text, fits=fits)
            selected = value if expression is None else expression.search(value)
        except NotJsonError:
            return None
        except JMESPathError as error:
            raise ScoringError(f"the JMESPath {argument!r} cannot be applied: {error}") from None
        if selected is None:
            return None
        if isinstance(selected, dict | list):
            return json.dumps(selected, ensure_ascii=False)
        return as_text(selected)

    return step


def _choice_letter(argument: Json) -> Step:
    """Return the letter of the choice in the output; by default A to J."""
    letters = "ABCDEFGHIJ" if argument in {None, True} else argument
    if not isinstance(letters, str) or not letters.isalpha() or len(letters) < 2:
        raise ValueError(f"expected the letters of the choices, such as ABCD, found {argument!r}")
    return lambda text, _: choice_letter(text, letters)


def _template(argument: Json) -> Step:
    """Return the rendered template over `answer` and the variables of the case."""
    if not isinstance(argument, str) or not is_template(argument):
        raise ValueError(
            f"expected a template such as `{{{{ answer | upper }}}}`, found {argument!r}"
        )
    # Only the syntax can be checked here: the variables depend on the case.
    unknown_variables(argument, ())

    def step(text: str, ctx: ScoreContext) -> str | None:
        return render(argument, {**template_variables(ctx.case), "answer": text})

    return step


def _first_line(text: str) -> str | None:
    """Return the first line that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), None)


def _last_line(text: str) -> str | None:
    """Return the last line that is not blank."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), None)


TRANSFORMS: Mapping[str, Callable[[Json], Step]] = {
    "boxed": _bare("boxed", boxed),
    "choice_letter": _choice_letter,
    "fenced": _bare("fenced", fenced),
    "first_line": _bare("first_line", _first_line),
    "first_number": _bare("first_number", _first_number),
    "json": _json,
    "last_line": _bare("last_line", _last_line),
    "last_number": _bare("last_number", _last_number),
    "lower": _bare("lower", str.lower),
    "normalise": _bare("normalise", normalised),
    "regex": _regex,
    "strip": _bare("strip", str.strip),
    "template": _template,
    "upper": _bare("upper", str.upper),
}
"""The transforms by name; each makes a step from its argument."""
