"""Binding: make a Bound of the ScorerSpec that a dataset writes, or report every problem."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import iscoroutinefunction

from pydantic import ValidationError

from pytest_evals.case import ScorerSpec
from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import EvalsError, suggest
from pytest_evals.scorers.base import Scorer
from pytest_evals.scorers.bound import Bound, Composite
from pytest_evals.scorers.options import Loc, has_template, option_problems, written_options
from pytest_evals.scorers.transforms import Transform, TransformError, compile_transform

Find = Callable[[str], type[Scorer] | None]
"""Returns the scorer class of a name; None if there is none."""


class SpecError(EvalsError):
    """A scorer or its options are invalid; holds every problem.

    Args:
        problems: at least one: its location in the spec as written, and a message.
    """

    def __init__(self, problems: Iterable[tuple[Loc, str]]) -> None:
        self.problems: tuple[tuple[Loc, str], ...] = tuple(problems)
        super().__init__("\n".join(message for _, message in self.problems))

    @property
    def loc(self) -> Loc:
        """The location of the first problem."""
        return self.problems[0][0]


def bind(spec: ScorerSpec, find_class: Find, scorer_names: Callable[[], Iterable[str]]) -> Bound:
    """Bind the scorer of a spec.

    Args:
        spec: the scorer as the dataset writes it.
        find_class: returns the scorer class of a name, or None.
        scorer_names: returns all names, for a suggestion.

    Raises:
        SpecError: the scorer is unknown, or its options are invalid; holds all problems.
    """
    cls = find_class(spec.type)
    if cls is None:
        message = f"no scorer is called {spec.type!r}.{suggest(spec.type, scorer_names())}"
        raise SpecError([(("type",) if spec.options else (spec.type,), message)])
    options, locations, problems = written_options(spec, cls)
    parts: list[Bound] = []
    if issubclass(cls, Composite) and not problems:
        parts = _bind_parts(cls, options, locations, (find_class, scorer_names), problems)
    scorer: Scorer | None = None
    if not problems:
        try:
            scorer = cls.model_validate(options)
        except ValidationError as error:
            problems.extend(option_problems(cls, error, locations))
    transform = _transform_of(spec, problems)
    if scorer is None or problems:
        raise SpecError(problems)
    if isinstance(scorer, Composite):
        scorer._parts = tuple(parts)  # noqa: SLF001 - set once, when it is bound
        problems.extend(scorer.problems())
    problems.extend(_threshold_problems(spec, scorer))
    if problems:
        raise SpecError(problems)
    return _bound(spec, scorer, tuple(parts), transform, options)


def _bound(
    spec: ScorerSpec,
    scorer: Scorer,
    parts: tuple[Bound, ...],
    transform: Transform | None,
    options: Mapping[str, Json],
) -> Bound:
    """Make the Bound."""
    is_coroutine = iscoroutinefunction(scorer.score)
    return Bound(
        name=spec.metric or scorer.default_name() or spec.type,
        type=spec.type,
        version=scorer.version,
        weight=spec.weight,
        threshold=spec.threshold,
        cheap=scorer.cheap and not is_coroutine and all(part.cheap for part in parts),
        scores_errors=scorer.scores_errors or (bool(parts) and all(p.scores_errors for p in parts)),
        votes=spec.threshold is not None
        or (any(part.votes for part in parts) if parts else scorer.votes),
        scorer=scorer,
        parts=parts,
        transform=transform,
        templated=options if has_template(options, scorer.verbatim) else {},
    )


def _bind_parts(
    cls: type[Composite],
    options: Mapping[str, Json],
    locations: Mapping[str, Loc],
    names: tuple[Find, Callable[[], Iterable[str]]],
    problems: list[tuple[Loc, str]],
) -> list[Bound]:
    """Bind the scorers inside a group; append to `problems`."""
    parts: list[Bound] = []
    for loc, written in cls.written_parts(options):
        written_loc = (*locations.get(str(loc[0]), loc[:1]), *loc[1:])
        try:
            part = (
                written if isinstance(written, ScorerSpec) else ScorerSpec.model_validate(written)
            )
            parts.append(bind(part, *names))
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                words = str(detail["msg"]).removeprefix("Value error, ")
                problems.append(((*written_loc, *detail["loc"]), words))
        except SpecError as error:
            problems.extend(
                ((*written_loc, *inner_loc), message) for inner_loc, message in error.problems
            )
    return parts


def _transform_of(spec: ScorerSpec, problems: list[tuple[Loc, str]]) -> Transform | None:
    """Compile the transform of a spec; append to `problems`."""
    if spec.transform is None:
        return None
    try:
        return compile_transform(spec.transform)
    except TransformError as error:
        problems.append((("transform", *error.loc), str(error)))
        return None


def _threshold_problems(spec: ScorerSpec, scorer: Scorer) -> Iterator[tuple[Loc, str]]:
    """Yield what is wrong with the threshold of a spec."""
    threshold = spec.threshold
    if threshold is None:
        return
    if scorer.bar_option is not None:
        yield (
            ("threshold",),
            f"the threshold of `{spec.type}` is its option `{scorer.bar_option}`; set that",
        )
    elif not math.isfinite(threshold):
        yield ("threshold",), f"a threshold must be a finite number, found {threshold}"
    elif scorer.graded is False:
        yield (
            ("threshold",),
            (
                f"`{spec.type}` passes or fails and has no value to compare with a threshold of "
                f"{threshold:g}; remove the threshold"
            ),
        )
    elif scorer.graded and threshold <= 0:
        yield (
            ("threshold",),
            f"`{spec.type}` has values from 0 to 1: a threshold of {threshold:g} cannot fail",
        )
    elif scorer.graded and threshold > 1:
        yield (
            ("threshold",),
            f"`{spec.type}` has values from 0 to 1: a threshold of {threshold:g} cannot be reached",
        )
