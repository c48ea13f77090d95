"""goal_success: whether a conversation, with its tool calls, reached the goal of the user.

The judge decides by the results of the tools, not by the claims of the assistant.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import field_validator

from pytest_evals.case import Case
from pytest_evals.scorers.base import ScoreContext, ScoringError
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.fence import Piece
from pytest_evals.scorers.judge.interview import Interview, Task, object_schema
from pytest_evals.scorers.judge.material import as_text, conversation_of, question_of
from pytest_evals.scorers.judge.opinion import Opinion
from pytest_evals.scorers.judge.reply import choice_in, text_in
from pytest_evals.scorers.judge.scale import not_blank

OUTCOMES = {"reached": 1.0, "partly": 0.5, "missed": 0.0}
"""The outcomes of a conversation and their values."""

_WORDS = """\
Say whether the conversation below reached the user's goal by its end.

- reached: all of the goal is done.
- partly: a part of it is done, and nothing that was asked was done wrong.
- missed: nothing of it is done, or something was done wrong.

Go by what happened: the tools that were called and what they gave back. That the assistant says \
it did something proves nothing where a tool was needed for it."""


class GoalSuccess(Judge):
    """A model decides whether the conversation reached the goal of the user.

    The values are 1 for reached, 0.5 for partly, 0 for missed; by default 1 is required. The judge
    gets every message, every tool call and its result; no trace is needed.
    """

    type: ClassVar[str] = "goal_success"
    shorthand: ClassVar[str | None] = "goal"
    graded: ClassVar[bool | None] = True
    default_min_score: ClassVar[float | None] = 1.0
    templates: ClassVar[tuple[str, ...]] = ("goal",)
    example: ClassVar[str] = (
        "goal_success: {model: 'openai:gpt-4.1', goal: The order is cancelled and refunded.}"
    )

    goal: str | None = None
    """The goal; a template over the case. By default the `expected` of the case, else its
    input."""

    @field_validator("goal")
    @classmethod
    def _check_not_blank(cls, value: str | None) -> str | None:
        """Reject a blank goal."""
        return value if value is None else not_blank(value, "the `goal`")

    def check_case(self, case: Case) -> Iterable[str]:
        """Yield a problem if there is no goal."""
        if self.goal is None and case.expected is None and case.input is None and not case.turns:
            yield f"`{self.type}` needs a `goal`, or an `expected` of the case"

    def labels(self) -> Mapping[str, float | None]:
        """Return the outcomes and their values."""
        return OUTCOMES

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model for the outcome."""
        goal = self._goal(ctx)
        names = list(OUTCOMES)
        return await interview.ask(
            Task(
                words=_WORDS,
                pieces=(Piece("goal", goal), *conversation_of(ctx, max_chars=4 * self.max_chars)),
                form='{"reasoning": "<what was done and what is missing>", '
                f'"outcome": "<one of: {", ".join(names)}>"}}',
                schema=object_schema(
                    {"reasoning": {"type": "string"}, "outcome": {"type": "string", "enum": names}}
                ),
                read=_read,
            )
        )

    def _goal(self, ctx: ScoreContext) -> str:
        """Return the goal as a text."""
        if self.goal is not None:
            goal = self.rendered(self.goal, ctx)
        elif ctx.case.expected is not None:
            goal = as_text(ctx.case.expected)
        else:
            goal = question_of(ctx)
        if not goal.strip():
            raise ScoringError("the goal is blank")
        return goal


def _read(data: Mapping[str, Any]) -> Opinion:
    """Parse the outcome."""
    outcome = choice_in(data, "outcome", tuple(OUTCOMES))
    return Opinion(value=OUTCOMES[outcome], label=outcome, reason=text_in(data, "reasoning"))
