"""classifier: a model gives the output one of several labels."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from pytest_evals.case import Case
from pytest_evals.ground.templates import render
from pytest_evals.scorers.base import ScoreContext, ScoringError
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.interview import Interview, Task, object_schema
from pytest_evals.scorers.judge.material import answer_material
from pytest_evals.scorers.judge.opinion import Opinion
from pytest_evals.scorers.judge.reply import choice_in, text_in
from pytest_evals.scorers.judge.scale import not_blank
from pytest_evals.scorers.options import template_variables

_WORDS = """\
{question}

Choose exactly one of these:
{choices}"""


class Classifier(Judge):
    """A model gives the output one of several labels.

    Labels with scores give a value. `passes` lists the labels that pass; `expected` is the right
    label of the case. Without any of these, the label is reported and not counted.
    """

    type: ClassVar[str] = "classifier"
    templates: ClassVar[tuple[str, ...]] = ("question", "expected")
    example: ClassVar[str] = (
        "classifier: {model: 'openai:gpt-4.1', question: 'What is its tone?', "
        "choices: {polite: 1, neutral: 0.5, rude: 0}, min_score: 0.5}"
    )

    question: str = "Which of these labels fits the answer best?"
    """The question about the output; a template over the case."""
    choices: dict[str, float | None] = Field(min_length=2)
    """The labels, or the labels with their scores (0..1)."""
    descriptions: dict[str, str] = Field(default_factory=dict)
    """Descriptions of the labels, for the judge."""
    passes: tuple[str, ...] = ()
    """The labels that pass."""
    expected: str | None = None
    """The right label of the case: ``"{{ expected }}"``."""
    transcript: bool = False
    """Whether the judge gets the whole conversation instead of the question."""

    @field_validator("choices", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """Accept a list of labels."""
        if isinstance(value, list | tuple):
            if len({str(item) for item in value}) < len(value):
                raise ValueError("`choices` contain a duplicate label")
            return {str(item): None for item in value}
        return value

    @field_validator("passes", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        """Accept a single label."""
        return (value,) if isinstance(value, str) else value

    @field_validator("question")
    @classmethod
    def _check_not_blank(cls, value: str) -> str:
        """Reject a blank question."""
        return not_blank(value, "the `question`")

    @model_validator(mode="after")
    def _fitting(self) -> "Classifier":
        """Reject labels outside `choices` and options that contradict each other."""
        for name, labels in (("passes", self.passes), ("descriptions", tuple(self.descriptions))):
            for label in labels:
                if label not in self.choices:
                    names = ", ".join(self.choices)
                    raise ValueError(f"`{name}`: {label!r} is none of the choices {names}")
        scored = [score for score in self.choices.values() if score is not None]
        if scored and len(scored) < len(self.choices):
            bare = next(label for label, score in self.choices.items() if score is None)
            raise ValueError(f"`choices`: {bare!r} has no score, but others have one")
        if any(not 0 <= score <= 1 for score in scored):
            raise ValueError("`choices`: a score must be between 0 and 1")
        if self.min_score is not None and not scored:
            raise ValueError("`min_score` needs `choices` with scores")
        if len({folded for label in self.choices if (folded := label.casefold())}) < len(
            self.choices
        ):
            raise ValueError("two of the `choices` differ only in case")
        ways = (self.min_score is not None, bool(self.passes), self.expected is not None)
        if sum(ways) > 1:
            raise ValueError("`min_score`, `passes` and `expected` exclude each other; keep one")
        if len(self.passes) == len(self.choices):
            raise ValueError("`passes` lists every choice: no output can fail")
        return self

    @property
    def votes(self) -> bool:  # type: ignore[override] # it depends on the options
        """Whether it passes or fails an output."""
        return self.required_score is not None or bool(self.passes) or self.expected is not None

    def check_case(self, case: Case) -> Iterable[str]:
        """Yield a problem if the right label is not one of the choices."""
        if self.expected is None or "{" in self.expected:
            return
        if self.expected not in self.choices:
            names = ", ".join(self.choices)
            yield f"`{self.type}`: `expected` is {self.expected!r}, none of {names}"

    def labels(self) -> Mapping[str, float | None]:
        """Return the choices and their scores."""
        return self.choices

    def truth(self, case: Case) -> str | None:
        """Return the right label of a case."""
        if self.expected is None:
            return None
        return render(self.expected, template_variables(case))

    def verdict_on(self, label: str) -> bool | None:
        """Return whether a label passes."""
        return label in self.passes if self.passes else super().verdict_on(label)

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model for the label."""
        right = None
        if self.expected is not None:
            right = self.rendered(self.expected, ctx)
            if right not in self.choices:
                listed = ", ".join(self.choices)
                raise ScoringError(f"`expected` is {right!r} for this case, none of {listed}")
        lines = "\n".join(
            f"- {label}: {self.descriptions[label]}" if label in self.descriptions else f"- {label}"
            for label in self.choices
        )
        names = list(self.choices)
        question = self.rendered(self.question, ctx).strip()
        return await interview.ask(
            Task(
                words=_WORDS.format(question=question, choices=lines),
                pieces=answer_material(ctx, transcript=self.transcript),
                form='{"reasoning": "<why, in a sentence or two>", '
                f'"label": "<one of: {", ".join(names)}>"}}',
                schema=object_schema(
                    {"reasoning": {"type": "string"}, "label": {"type": "string", "enum": names}}
                ),
                read=lambda data: self._read(data, right),
            )
        )

    def _read(self, data: Mapping[str, Any], right: str | None) -> Opinion:
        """Parse the label."""
        label = choice_in(data, "label", tuple(self.choices))
        passed: bool | None = None
        if right is not None:
            passed = label == right
        elif self.passes:
            passed = label in self.passes
        value = self.choices[label]
        if value is None and passed is not None:
            value = float(passed)
        reasoning = text_in(data, "reasoning")
        expected = f" (expected {right})" if right not in {None, label} else ""
        return Opinion(
            value=value, passed=passed, label=label, reason=f"{label}{expected}: {reasoning}"
        )
