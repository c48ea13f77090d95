"""answer_relevance: the share of the output that addresses the question."""

from typing import ClassVar

from pytest_evals.scorers.base import ScoreContext
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.claims import count_task
from pytest_evals.scorers.judge.interview import Interview
from pytest_evals.scorers.judge.material import answer_material
from pytest_evals.scorers.judge.opinion import Opinion

_WORDS = """\
Take the answer apart into its single statements, leaving none out. For each say whether it \
addresses the question: it answers it, a part of it, or gives what is needed to understand the \
answer. Whether it is true does not count. An answer that declines without a reason has one \
statement, which does not address the question."""


class AnswerRelevance(Judge):
    """The share of statements in the output that address the question; 0 for an empty output."""

    type: ClassVar[str] = "answer_relevance"
    graded: ClassVar[bool | None] = True
    example: ClassVar[str] = "answer_relevance: {model: 'openai:gpt-4.1', min_score: 0.7}"

    transcript: bool = False
    """Whether the judge gets the whole conversation instead of the question."""

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model for the statements."""
        if not ctx.answer.strip():
            return Opinion(value=0.0, reason="the output is empty")
        pieces = answer_material(ctx, transcript=self.transcript)
        return await interview.ask(
            count_task(_WORDS, pieces, yes="relevant", no="not relevant", empty=None)
        )
