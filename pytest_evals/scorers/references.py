"""Reference answers: an option, or the case's `expected`; one text or several."""

from collections.abc import Iterator, Sequence

from pytest_evals.case import Case
from pytest_evals.scorers.base import ScoreContext, ScoringError
from pytest_evals.scorers.quoting import as_text, shown

References = tuple[str, ...] | None
"""One or more reference texts; None is the case's `expected`."""


def as_references(value: object) -> object:
    """Read one text, or a list of texts.

    Raises:
        ValueError: it is neither.
    """
    if value is None:
        return None
    texts = texts_of(value)
    if not texts:
        raise ValueError(f"a text or a list of texts is expected, found {shown(value)}")
    return tuple(texts)


def texts_of(value: object) -> list[str]:
    """Return one text or a list of texts as a list; empty where it is neither."""
    if isinstance(value, str | bool | int | float):
        return [as_text(value)]
    if isinstance(value, list | tuple) and all(
        isinstance(item, str | bool | int | float) for item in value
    ):
        return [as_text(item) for item in value]
    return []


def references_for(given: Sequence[str] | None, ctx: ScoreContext) -> Sequence[str]:
    """Return the references an answer is compared with.

    Raises:
        ScoringError: there are none.
    """
    texts = texts_of(ctx.case.expected) if given is None else given
    if not texts:
        raise ScoringError("it has no reference and the case has no `expected` text or list")
    return texts


def reference_problems(name: str, given: Sequence[str] | None, case: Case | None) -> Iterator[str]:
    """Yield what is wrong with the references of a scorer on a case."""
    if given is None and case is not None and not texts_of(case.expected):
        yield f"`{name}` has no reference and the case has no `expected` text or list of texts"
