"""Transforms: what is taken out of an answer before it is scored.

Written as a name (``strip``), a name with its argument (``{regex: "Answer: (.*)"}``), or a list of
these, done one after another. A transform that finds nothing makes the assertion fail, inverted or
not: an answer in the wrong form is a wrong answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import EvalsError, TemplateError, suggest
from pytest_evals.ground.templates import is_template, render, unknown_variables
from pytest_evals.scorers.base import ScoreContext, ScoringError
from pytest_evals.scorers.extract import (
    boxed,
    choice_letter,
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
    """A transform is not written right.

    Args:
        message: what was found and what was expected.
        loc: the way to it from the transform as it is written.
    """

    def __init__(self, message: str, loc: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.loc = loc


@dataclass(frozen=True, slots=True)
class Transform:
    """One or more steps from the answer to what is scored."""

    names: tuple[str, ...]
    steps: tuple[Step, ...]
    templates: tuple[str, ...] = ()
    """The texts among them that a case's variables are filled into."""

    def __call__(self, text: str, ctx: ScoreContext) -> str | None:
        """Return what is to be scored; None where a step finds nothing.

        Raises:
            ScoringError: a step cannot be done (a pattern that explodes).
            TemplateError: a template cannot be rendered.
        """
        output: str | None = text
        for step in self.steps:
            if output is None:
                return None
            output = step(output, ctx)
        return output

    def describe(self) -> str:
        """Name it for a reason."""
        return f"the transform {', '.join(self.names)}"


def compile_transform(written: Json) -> Transform:
    """Make a transform of how it is written.

    Raises:
        TransformError: an unknown name or a wrong argument.
    """
    if isinstance(written, list | tuple):
        if not written:
            raise TransformError("a transform of no steps does nothing; leave it out")
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
            "a transform is a name (`strip`), a name with its argument (`regex: …`) or a list of "
            f"these, found {shown(written)}"
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
    """Make a transform that takes no argument."""

    def make(argument: Json) -> Step:
        if argument not in {None, True}:
            raise ValueError(f"it takes no argument, found {argument!r} (write just `{name}`)")
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
    """The first match of a pattern: its group `answer`, else its first group, else all of it."""
    options = {"pattern": argument} if isinstance(argument, str) else argument
    if not isinstance(options, Mapping) or not isinstance(options.get("pattern"), str):
        value = shown(argument)
        message = f"expected a pattern, or `pattern` with `group` or `last`; found {value}"
        raise ValueError(message)  # noqa: TRY004 - what compile_transform reads
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
    """Return the group that holds what is wanted."""
    if "answer" in pattern.groupindex:
        return "answer"
    return 1 if pattern.groups else 0


def _json(argument: Json) -> Step:
    """A value inside the answer's JSON, by a JMESPath; bare JSON, fenced or within prose."""
    expression: Any = None
    if argument not in {None, True}:
        if not isinstance(argument, str):
            raise ValueError(f"expected a JMESPath such as `data.text`, found {argument!r}")
        import jmespath
        from jmespath.exceptions import JMESPathError

        try:
            expression = jmespath.compile(argument)
        except JMESPathError as error:
            raise ValueError(f"{argument!r} is no JMESPath: {error}") from None

    def step(text: str, _: ScoreContext) -> str | None:
        import json

        from jmespath.exceptions import JMESPathError

        try:
            value = find_json(text)
            selected = value if expression is None else expression.search(value)
        except NotJsonError:
            return None
        except JMESPathError as error:
            raise ScoringError(f"the JMESPath {argument!r} cannot be searched: {error}") from None
        if selected is None:
            return None
        if isinstance(selected, dict | list):
            return json.dumps(selected, ensure_ascii=False)
        return as_text(selected)

    return step


def _choice_letter(argument: Json) -> Step:
    """The letter of the choice that the answer settles on; by default A to J."""
    letters = "ABCDEFGHIJ" if argument in {None, True} else argument
    if not isinstance(letters, str) or not letters.isalpha() or len(letters) < 2:
        raise ValueError(f"expected the letters of the choices, such as ABCD, found {argument!r}")
    return lambda text, _: choice_letter(text, letters)


def _template(argument: Json) -> Step:
    """What a template makes of `answer` and the case's variables."""
    if not isinstance(argument, str) or not is_template(argument):
        raise ValueError(
            f"expected a template such as `{{{{ answer | upper }}}}`, found {argument!r}"
        )
    # Its names are known only with a case; here its syntax is what can be wrong.
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
"""The transforms by name; each makes its step from the argument it is written with."""
