"""closed_qa: a model answers one question about the output with yes or no."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from pytest_evals.scorers.base import ScoreContext
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.interview import Interview, Task, object_schema
from pytest_evals.scorers.judge.material import answer_material
from pytest_evals.scorers.judge.opinion import Opinion
from pytest_evals.scorers.judge.reply import choice_in, text_in
from pytest_evals.scorers.judge.scale import not_blank

_WORDS = """\
Answer one question about the answer below with yes or no, and with nothing in between.

The question about the answer:
{question}"""


class ClosedQa(Judge):
    """A model answers a question about the output with yes or no; yes passes."""

    type: ClassVar[str] = "closed_qa"
    shorthand: ClassVar[str | None] = "question"
    graded: ClassVar[bool | None] = True
    has_verdict: ClassVar[bool] = True
    templates: ClassVar[tuple[str, ...]] = ("question", "reference")
    example: ClassVar[str] = (
        "closed_qa: {model: 'openai:gpt-4.1', question: 'Does the answer name a deadline?'}"
    )

    question: str
    """The question about the output; a template over the case."""
    passes: Literal["yes", "no"] = "yes"
    """The reply that passes the output."""
    reference: str | None = None
    """A right answer for the judge to compare with: ``"{{ expected }}"``."""
    transcript: bool = False
    """Whether the judge gets the whole conversation instead of the question."""

    @field_validator("passes", mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        """Accept true and false: YAML 1.1 parsers return them for yes and no."""
        return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value

    @field_validator("question")
    @classmethod
    def _check_not_blank(cls, value: str) -> str:
        """Reject a blank question."""
        return not_blank(value, "the `question`")

    def labels(self) -> Mapping[str, float | None]:
        """Return yes and no if no passes: human labels then answer the question too."""
        return {} if self.passes == "yes" else {"yes": 0.0, "no": 1.0}

    def verdict_on(self, label: str) -> bool | None:
        """Return whether a reply passes."""
        return label == self.passes

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model for a reply."""
        more = self.reference_piece(self.reference, ctx)
        question = self.rendered(self.question, ctx).strip()
        return await interview.ask(
            Task(
                words=_WORDS.format(question=question),
                pieces=answer_material(ctx, *more, transcript=self.transcript),
                form='{"reasoning": "<why, in a sentence or two>", "reply": "<yes or no>"}',
                schema=object_schema(
                    {
                        "reasoning": {"type": "string"},
                        "reply": {"type": "string", "enum": ["yes", "no"]},
                    }
                ),
                read=self._read,
            )
        )

    def _read(self, data: Mapping[str, Any]) -> Opinion:
        """Parse the reply."""
        written = {True: "yes", False: "no"}
        reply = data["reply"]
        answer = choice_in(
            {"reply": written[reply] if isinstance(reply, bool) else reply}, "reply", ("yes", "no")
        )
        passed = answer == self.passes
        return Opinion(
            value=1.0 if passed else 0.0,
            passed=passed,
            label=answer,
            reason=text_in(data, "reasoning"),
        )
