"""Judges of retrieval: faithfulness of the output, recall and relevance of the context."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import field_validator

from pytest_evals.case import Case
from pytest_evals.scorers.base import ScoreContext
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.claims import count_task
from pytest_evals.scorers.judge.fence import Piece
from pytest_evals.scorers.judge.interview import Interview, Task, object_schema
from pytest_evals.scorers.judge.material import (
    answer_material,
    contexts_of,
    expected_text,
    question_of,
)
from pytest_evals.scorers.judge.opinion import Opinion
from pytest_evals.scorers.judge.reply import (
    BadReplyError,
    bool_in,
    number_in,
    rows_in,
    text_in,
)

_FAITHFUL = """\
Take the answer apart into the single factual statements it makes, leaving none out. For each say \
whether the passages support it. A statement is supported only where it can be inferred from the \
passages alone; what you know from elsewhere does not count. An answer that states nothing (it \
only declines, asks or greets) has no statements."""

_RECALLED = """\
Take the reference, which is a right answer, apart into the single factual statements it makes, \
leaving none out. For each say whether it can be found in, or inferred from, the passages alone."""

_RELEVANT = """\
Say of each passage whether it holds something that helps to answer the question. Judge every \
passage by itself and give its number; leave none out."""


class _ByContext(Judge):
    """A judge that needs the retrieved passages."""

    graded: ClassVar[bool | None] = True
    templates: ClassVar[tuple[str, ...]] = ("context",)

    context: str | tuple[str, ...] = ()
    """The passages; templates over the case. By default the variable `context` of the case, else
    the passages that the application reports: the metadata `context` of its response, or the
    retrieval spans of its trace."""

    @field_validator("context")
    @classmethod
    def _list(cls, value: str | tuple[str, ...]) -> tuple[str, ...]:
        """Accept a single passage."""
        return (value,) if isinstance(value, str) else value

    def passages(self, ctx: ScoreContext) -> tuple[Piece, ...]:
        """Return the numbered passages.

        Raises:
            ScoringError: there are no passages.
        """
        written = [self.rendered(text, ctx) for text in self.context]
        texts = contexts_of(ctx, written)
        return tuple(Piece(f"passage-{i}", text) for i, text in enumerate(texts, 1))


class ContextFaithfulness(_ByContext):
    """The share of the statements in the output that the context supports.

    An output without statements has no share: it gets the label ``no statements``, not counted.
    """

    type: ClassVar[str] = "context_faithfulness"
    example: ClassVar[str] = "context_faithfulness: {model: 'openai:gpt-4.1', min_score: 0.9}"

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model for the statements."""
        pieces = answer_material(ctx, *self.passages(ctx))
        return await interview.ask(
            count_task(
                _FAITHFUL, pieces, yes="supported", no="not supported", empty="no statements"
            )
        )


class ContextRecall(_ByContext):
    """The share of the statements in the reference answer that the context contains."""

    type: ClassVar[str] = "context_recall"
    example: ClassVar[str] = "context_recall: {model: 'openai:gpt-4.1', min_score: 0.8}"

    def check_case(self, case: Case) -> Iterable[str]:
        """Yield a problem if the case has no reference answer."""
        if case.expected is None:
            yield f"`{self.type}` needs a reference answer: the case has no `expected`"

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model for the statements."""
        pieces = (
            Piece("question", question_of(ctx)),
            Piece("reference", expected_text(ctx)),
            *self.passages(ctx),
        )
        return await interview.ask(
            count_task(_RECALLED, pieces, yes="found", no="not found", empty=None)
        )


class ContextRelevance(_ByContext):
    """The share of the passages that help to answer the question."""

    type: ClassVar[str] = "context_relevance"
    example: ClassVar[str] = "context_relevance: {model: 'openai:gpt-4.1', min_score: 0.5}"

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model for a decision on every passage."""
        passages = self.passages(ctx)
        row_schema = object_schema(
            {
                "passage": {"type": "integer"},
                "why": {"type": "string"},
                "relevant": {"type": "boolean"},
            }
        )
        return await interview.ask(
            Task(
                words=f"{_RELEVANT} There are {len(passages)}.",
                pieces=(Piece("question", question_of(ctx)), *passages),
                form='{"passages": [{"passage": <its number>, "why": "<why, in a few words>", '
                '"relevant": <true or false>}, ...]}',
                schema=object_schema({"passages": {"type": "array", "items": row_schema}}),
                read=lambda data: _relevance(data, len(passages)),
            )
        )


def _relevance(data: Mapping[str, Any], n: int) -> Opinion:
    """Parse the decision on each of n passages."""

    def read(row: Mapping[str, Any]) -> tuple[float, bool, str]:
        return number_in(row, "passage", (1, n)), bool_in(row, "relevant"), text_in(row, "why")

    rows: list[tuple[float, bool, str]] = rows_in(data, "passages", read)
    numbers = sorted(number for number, _, _ in rows)
    if numbers != [float(i) for i in range(1, n + 1)]:
        raise BadReplyError(f"`passages` must name each of 1 to {n} once")
    useless = [f"passage {number:g} ({why})" for number, relevant, why in rows if not relevant]
    misses = f"; not relevant: {'; '.join(useless[:3])}" if useless else ""
    return Opinion(
        value=(n - len(useless)) / n,
        reason=f"{n - len(useless)} of {n} passages relevant{misses}",
        detail={"relevant": [int(number) for number, relevant, _ in sorted(rows) if relevant]},
    )
