"""Reference answers: an option or the `expected` of the case, one text or several."""

from collections.abc import Iterator, Sequence

from pytest_evals.case import Case
from pytest_evals.scorers.base import ScoreContext, ScoringError
from pytest_evals.scorers.quoting import as_text, shown

References = tuple[str, ...] | None
"""One or more reference texts; None is the `expected` of the case."""


def as_references(value: object) -> object:
    """Convert one text or a list of texts to a tuple.

    Raises:
        ValueError: the value is neither.
    """
    if value is None:
        return None
    texts = texts_of(value)
    if not texts:
        raise ValueError(f"expected a text or a list of texts, found {shown(value)}")
    return tuple(texts)


def texts_of(value: object) -> list[str]:
    """Return one text or a list of texts as a list; empty for any other value."""
    if isinstance(value, str | bool | int | float):
        return [as_text(value)]
    if isinstance(value, list | tuple) and all(
        isinstance(item, str | bool | int | float) for item in value
    ):
        return [as_text(item) for item in value]
    return []


def references_for(given: Sequence[str] | None, ctx: ScoreContext) -> Sequence[str]:
    """Return the references to compare an output with.

    Raises:
        ScoringError: there are no references.
    """
    texts = texts_of(ctx.case.expected) if given is None else given
    if not texts:
        raise ScoringError(
            "no reference: set `reference`, or a text or list as `expected` of the case"
        )
    return texts


def reference_problems(name: str, given: Sequence[str] | None, case: Case | None) -> Iterator[str]:
    """Yield a problem if a scorer has no references for a case."""
    if given is None and case is not None and not texts_of(case.expected):
        yield f"`{name}` has no `reference` and the case has no text or list of texts as `expected`"
