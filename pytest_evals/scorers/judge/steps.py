"""g_eval: scores an output by evaluation steps, given or written by the judge first.

Liu et al. 2023, "G-Eval: NLG Evaluation using GPT-4 with Better Human Alignment", arXiv
2303.16634. The paper weights scores by their token probabilities; `repeats` take the mean of
several scores instead, which every server supports.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import field_validator

from pytest_evals.scorers.base import ScoreContext
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.interview import Interview, Task, object_schema
from pytest_evals.scorers.judge.material import answer_material
from pytest_evals.scorers.judge.opinion import Opinion
from pytest_evals.scorers.judge.reply import BadReplyError, number_in, text_in
from pytest_evals.scorers.judge.scale import (
    Scale,
    check_scale,
    in_words,
    normalised,
    not_blank,
    scale_schema,
)

_MAX_STEPS = 20


class GEval(Judge):
    """A model scores the output step by step.

    Without `steps`, the judge first writes them from the criterion. This request is the same for
    every case, so it is sent once and its response is reused.
    """

    type: ClassVar[str] = "g_eval"
    shorthand: ClassVar[str | None] = "criteria"
    graded: ClassVar[bool | None] = True
    templates: ClassVar[tuple[str, ...]] = ("steps", "reference")
    example: ClassVar[str] = (
        "g_eval: {model: 'openai:gpt-4.1', criteria: The answer is coherent., min_score: 0.6}"
    )

    criteria: str
    """The criterion, in one or more sentences."""
    steps: tuple[str, ...] = ()
    """The steps of the evaluation; templates over the case. If empty, the judge writes them."""
    scale: Scale = (1.0, 5.0)
    """The worst and the best score."""
    reference: str | None = None
    """A right answer for the judge to compare with: ``"{{ expected }}"``."""
    transcript: bool = False
    """Whether the judge gets the whole conversation instead of the question."""

    @field_validator("criteria")
    @classmethod
    def _check_not_blank(cls, value: str) -> str:
        """Reject a blank criterion."""
        return not_blank(value, "the `criteria`")

    @field_validator("steps")
    @classmethod
    def _each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Reject blank steps."""
        return tuple(not_blank(step, "a step") for step in value)

    @field_validator("scale")
    @classmethod
    def _scale(cls, value: Scale) -> Scale:
        """Reject an invalid scale."""
        return check_scale(value)

    def score_scale(self) -> Scale:
        """Return the scale of the rubric."""
        return self.scale

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model for the steps if there are none, then for the score."""
        steps = tuple(self.rendered(step, ctx) for step in self.steps)
        if not steps:
            steps = await interview.ask(self._planning())
        more = self.reference_piece(self.reference, ctx)
        numbered = "\n".join(f"{i}. {step.strip()}" for i, step in enumerate(steps, 1))
        low, high = self.scale
        task = Task(
            words=f"Evaluate the answer by this criterion:\n{self.criteria.strip()}\n\n"
            f"Go through these steps in order, then give the score.\n{numbered}\n\n"
            + in_words(self.scale),
            pieces=answer_material(ctx, *more, transcript=self.transcript),
            form='{"reasoning": "<what each step showed>", '
            f'"score": <number from {low:g} to {high:g}>}}',
            schema=object_schema(
                {"reasoning": {"type": "string"}, "score": scale_schema(self.scale)}
            ),
            read=self._read,
        )
        opinion = await interview.ask(task)
        return Opinion(
            value=opinion.value,
            reason=opinion.reason,
            detail={**opinion.detail, "steps": list(steps)},
        )

    def _planning(self) -> Task[tuple[str, ...]]:
        """Return the task of writing the steps; it contains nothing of any case."""
        return Task(
            words="Write the evaluation steps by which a judge can score answers of another "
            f"system by this criterion:\n{self.criteria.strip()}\n\nWrite three to six short, "
            "concrete steps that fit every answer.",
            pieces=(),
            form='{"steps": ["<first step>", "<second step>", ...]}',
            schema=object_schema({"steps": {"type": "array", "items": {"type": "string"}}}),
            read=_read_steps,
        )

    def _read(self, data: Mapping[str, Any]) -> Opinion:
        """Parse the score."""
        score = number_in(data, "score", self.scale)
        return Opinion(
            value=normalised(score, self.scale),
            reason=text_in(data, "reasoning"),
            detail={"score": score, "scale": list(self.scale)},
        )


def _read_steps(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Parse the steps."""
    steps = data["steps"]
    if not isinstance(steps, list) or not steps or len(steps) > _MAX_STEPS:
        raise BadReplyError(f"`steps` is no list of 1 to {_MAX_STEPS} texts")
    if not all(isinstance(step, str) and step.strip() for step in steps):
        raise BadReplyError("`steps` holds something that is no text")
    return tuple(steps)
