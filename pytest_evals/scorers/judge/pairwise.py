"""pairwise: a model compares the output with a reference answer, in both orders."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import field_validator

from pytest_evals.case import Case
from pytest_evals.scorers.base import ScoreContext, ScoringError
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.fence import Piece
from pytest_evals.scorers.judge.interview import Interview, Task, object_schema
from pytest_evals.scorers.judge.material import expected_text, question_of
from pytest_evals.scorers.judge.opinion import Opinion
from pytest_evals.scorers.judge.reply import choice_in, text_in
from pytest_evals.scorers.judge.scale import not_blank

USUAL = "Which of them answers the question better: more correct, more complete, more helpful?"

_WORDS = """\
Two answers to the same question are shown, the first and the second. {rubric}

Their order says nothing about them. Reply with first, second or tie."""

_WORTH = {"answer": 1.0, "tie": 0.5, "reference": 0.0}


class Pairwise(Judge):
    """A model compares the output with another answer twice, in both orders.

    A win counts 1, a tie 0.5, a loss 0; the score is the mean of both calls. A judge that prefers a
    position gives 0.5 with the label ``inconsistent``. By default 0.5 is required: an output
    passes if it is not worse.
    """

    type: ClassVar[str] = "pairwise"
    shorthand: ClassVar[str | None] = "rubric"
    graded: ClassVar[bool | None] = True
    default_min_score: ClassVar[float | None] = 0.5
    templates: ClassVar[tuple[str, ...]] = ("rubric", "against")
    example: ClassVar[str] = "pairwise: {model: 'openai:gpt-4.1'}"

    rubric: str = USUAL
    """The criterion of the comparison; a template over the case."""
    against: str | None = None
    """The other answer; a template over the case. By default the `expected` of the case."""

    @field_validator("rubric")
    @classmethod
    def _check_not_blank(cls, value: str) -> str:
        """Reject a blank rubric."""
        return not_blank(value, "the `rubric`")

    def check_case(self, case: Case) -> Iterable[str]:
        """Yield a problem if there is no other answer."""
        if self.against is None and case.expected is None:
            yield f"`{self.type}` needs a reference answer: the case has no `expected`"

    def labels(self) -> Mapping[str, float | None]:
        """Return the possible human labels and their values."""
        return {"better": 1.0, "tie": 0.5, "worse": 0.0}

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model in both orders."""
        other = expected_text(ctx) if self.against is None else self.rendered(self.against, ctx)
        if not other.strip():
            raise ScoringError("the other answer is blank")
        words = _WORDS.format(rubric=self.rendered(self.rubric, ctx).strip())
        preferences: list[tuple[str, str]] = []
        for order in (("answer", "reference"), ("reference", "answer")):
            texts = {"answer": ctx.answer, "reference": other}
            pieces = (
                Piece("question", question_of(ctx)),
                Piece("first", texts[order[0]]),
                Piece("second", texts[order[1]]),
            )
            preferences.append(await interview.ask(_task(words, pieces, order)))
        return _opinion(preferences)


def _task(words: str, pieces: tuple[Piece, ...], order: tuple[str, str]) -> Task[tuple[str, str]]:
    """Return the task for one order; its result is the preferred answer and the reason."""

    def read(data: Mapping[str, Any]) -> tuple[str, str]:
        better = choice_in(data, "better", ("first", "second", "tie"))
        who = {"first": order[0], "second": order[1], "tie": "tie"}[better]
        return who, text_in(data, "reasoning")

    return Task(
        words=words,
        pieces=pieces,
        form='{"reasoning": "<why, in a sentence or two>", "better": "<first, second or tie>"}',
        schema=object_schema(
            {
                "reasoning": {"type": "string"},
                "better": {"type": "string", "enum": ["first", "second", "tie"]},
            }
        ),
        read=read,
    )


def _opinion(preferences: list[tuple[str, str]]) -> Opinion:
    """Combine the preferences of both orders."""
    (first, why), (second, why_swapped) = preferences
    value = (_WORTH[first] + _WORTH[second]) / 2
    torn = {first, second} == {"answer", "reference"}
    label = (
        "inconsistent" if torn else "better" if value > 0.5 else "worse" if value < 0.5 else "tie"
    )
    reason = why if first == second else f"shown first: {why}; shown second: {why_swapped}"
    return Opinion(
        value=value,
        label=label,
        reason=f"{label}: {reason}",
        detail={"orders": [first, second], "consistent": first == second},
    )
