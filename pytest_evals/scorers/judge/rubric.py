"""judge: scores an output by a rubric, or uses a judge of the dataset by name."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.canonical import Frozen
from pytest_evals.scorers.base import ScoreContext
from pytest_evals.scorers.judge.base import DEFAULT, Judge
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

TEXT: Mapping[str, Any] = {"type": "string"}


class Criterion(Frozen):
    """One criterion of a rubric, scored on the scale of the judge."""

    id: str = Field(min_length=1, pattern=r"^[\w-]+$")
    """The name in reports: a word."""
    description: str
    """What a good answer does; a template over the case."""
    weight: float = Field(default=1.0, gt=0)
    """Its weight in the score."""
    required: bool = False
    """Whether an output that misses this criterion fails, whatever its other scores."""
    min_score: float | None = Field(default=None, gt=0, le=1)
    """The least score (0 to 1) that meets a required criterion; by default the `min_score` of the
    judge, else 0.5."""

    @field_validator("description")
    @classmethod
    def _check_not_blank(cls, value: str) -> str:
        """Reject a blank description."""
        return not_blank(value, "a criterion's `description`")


class Example(Frozen):
    """An example of a correctly scored answer."""

    input: str | None = None
    """The question."""
    answer: str
    score: float
    """On the scale of the judge."""
    reasoning: str = ""


class RubricJudge(Judge):
    """A model scores the output by a rubric, by criteria, or by both.

    The score is converted to 0..1; with criteria it is their weighted mean. ``judge: {use: name}``
    uses a judge that the dataset defines under `judges`.
    """

    type: ClassVar[str] = "judge"
    shorthand: ClassVar[str | None] = "rubric"
    graded: ClassVar[bool | None] = True
    templates: ClassVar[tuple[str, ...]] = ("rubric", "criteria", "reference")
    example: ClassVar[str] = (
        "judge: {model: 'openai:gpt-4.1', rubric: The answer is polite and exact., "
        "scale: [1, 5], min_score: 0.7}"
    )

    use: str | None = None
    """The name of one of the `judges` of the dataset; it may be combined only with `min_score` and
    `revise`."""
    rubric: str | None = None
    """What a good answer is; a template over the case. The judge gets the output separately."""
    criteria: tuple[Criterion, ...] = ()
    """Criteria that are scored separately."""
    scale: Scale = (1.0, 5.0)
    """The worst and the best score."""
    examples: tuple[Example, ...] = ()
    """Examples of correctly scored answers."""
    reference: str | None = None
    """A right answer for the judge to compare with: ``"{{ expected }}"``."""
    transcript: bool = False
    """Whether the judge gets the whole conversation, with its tool calls, instead of the
    question."""

    @field_validator("rubric")
    @classmethod
    def _check_not_blank(cls, value: str | None) -> str | None:
        """Reject a blank rubric."""
        return value if value is None else not_blank(value, "the `rubric`")

    @field_validator("scale")
    @classmethod
    def _scale(cls, value: Scale) -> Scale:
        """Reject an invalid scale."""
        return check_scale(value)

    @model_validator(mode="after")
    def _whole(self) -> "RubricJudge":
        """Reject options that contradict each other."""
        if self.use is not None:
            more = sorted(self.model_fields_set - _WITH_USE)
            if more:
                words = ", ".join(f"`{name}`" for name in more)
                raise ValueError(
                    f"`use` takes the judge {self.use!r} as it is defined; move {words} to the "
                    "definition"
                )
        ids = [criterion.id for criterion in self.criteria]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"duplicate criterion {twice[0]!r}")
        low, high = self.scale
        for example in self.examples:
            if not low <= example.score <= high:
                raise ValueError(
                    f"an example's score is {example.score:g}, outside the scale {low:g} to "
                    f"{high:g}"
                )
        return self

    @property
    def named(self) -> str | None:
        """The name of the dataset judge this scorer refers to; None if it is defined inline."""
        if self.use is None and self.rubric is None and not self.criteria:
            return DEFAULT
        return self.use

    @property
    def votes(self) -> bool:  # type: ignore[override] # it depends on the options
        """Whether it passes or fails an output; assumed for a judge by name."""
        required = any(criterion.required for criterion in self.criteria)
        return self.named is not None or self.required_score is not None or required

    def default_name(self) -> str | None:
        """Return the name of the judge it uses."""
        return self.use

    def resolve(self, dataset: Dataset) -> tuple[str | None, Judge]:
        """Return the judge it refers to.

        Raises:
            ValueError: no judge has this name, or its definition is invalid.
        """
        from pytest_evals.scorers.judge.definitions import get_judge

        if self.named is None:
            return None, self
        given = {"min_score": self.min_score, "revise": self.revise}
        changed = {key: value for key, value in given.items() if value is not None}
        return self.named, get_judge(dataset, self.named).model_copy(update=changed)

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield what is wrong with judging this case."""
        if self.named is None:
            yield from super().check(dataset, case)
            return
        from pytest_evals.scorers.judge.definitions import is_defined, unknown_judge

        if not is_defined(dataset, self.named):
            yield unknown_judge(dataset, self.named, is_named=self.use is not None)
            return
        try:
            _, judge = self.resolve(dataset)
        except ValueError:
            return  # `check_judges` reports the definition
        for message in judge.problems(dataset, case):
            yield f"judge {self.named!r}: {message}"

    def score_scale(self) -> Scale:
        """Return the scale of the rubric."""
        return self.scale

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model for the score or scores."""
        more = self.reference_piece(self.reference, ctx)
        task = Task(
            words=self._words(ctx),
            pieces=answer_material(ctx, *more, transcript=self.transcript),
            form=self._form(),
            schema=self._schema(),
            read=self._read,
        )
        return await interview.ask(task)

    def _words(self, ctx: ScoreContext) -> str:
        """Return the instructions."""
        parts = ["Score the answer. " + in_words(self.scale)]
        if self.rubric is not None:
            parts.append("The rubric:\n" + self.rendered(self.rubric, ctx).strip())
        if self.criteria:
            lines = [
                f"- {c.id}: {self.rendered(c.description, ctx).strip()}" for c in self.criteria
            ]
            parts.append("Score each of these criteria by itself:\n" + "\n".join(lines))
        if self.reference is not None:
            parts.append(
                "The reference is a right answer. Others can be as right: compare what is said, "
                "not how."
            )
        parts.extend(_example(i, example) for i, example in enumerate(self.examples, 1))
        return "\n\n".join(parts)

    def _form(self) -> str:
        """Return an example of the reply."""
        low, high = self.scale
        score = f'"score": <number from {low:g} to {high:g}>'
        if not self.criteria:
            return f'{{"reasoning": "<why, in a sentence or two>", {score}}}'
        rows = ", ".join(f'"{c.id}": {{"reasoning": "<why>", {score}}}' for c in self.criteria)
        return f'{{"criteria": {{{rows}}}}}'

    def _schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the reply."""
        scored = {"reasoning": TEXT, "score": scale_schema(self.scale)}
        if not self.criteria:
            return object_schema(scored)
        row_schema = object_schema(scored)
        return object_schema({"criteria": object_schema({c.id: row_schema for c in self.criteria})})

    def _read(self, data: Mapping[str, Any]) -> Opinion:
        """Parse the reply."""
        if self.criteria:
            return self._read_criteria(data)
        score = number_in(data, "score", self.scale)
        return Opinion(
            value=normalised(score, self.scale),
            reason=text_in(data, "reasoning"),
            detail={"score": score, "scale": list(self.scale)},
        )

    def _read_criteria(self, data: Mapping[str, Any]) -> Opinion:
        """Parse the score of each criterion."""
        rows = data["criteria"]
        if not isinstance(rows, dict):
            raise BadReplyError("`criteria` is no object with a key for each criterion")
        scores: dict[str, float] = {}
        reasons: dict[str, str] = {}
        for criterion in self.criteria:
            row = rows.get(criterion.id)
            if not isinstance(row, dict):
                raise BadReplyError(f"`criteria` lacks an object `{criterion.id}`")
            try:
                scores[criterion.id] = number_in(row, "score", self.scale)
                reasons[criterion.id] = text_in(row, "reasoning")
            except BadReplyError as error:
                raise BadReplyError(f"in `criteria.{criterion.id}`: {error}") from None
        values = {name: normalised(score, self.scale) for name, score in scores.items()}
        weights = sum(c.weight for c in self.criteria)
        value = sum(values[c.id] * c.weight for c in self.criteria) / weights
        missed = [c.id for c in self.criteria if c.required and values[c.id] < self._met(c)]
        reasons_text = "; ".join(f"{name} {scores[name]:g}: {why}" for name, why in reasons.items())
        return Opinion(
            value=min(1.0, max(0.0, value)),
            passed=None if missed or not any(c.required for c in self.criteria) else True,
            blocked=f"required and missed: {', '.join(missed)} ({reasons_text})"
            if missed
            else None,
            reason=reasons_text,
            detail={"criteria": scores, "scale": list(self.scale)},
        )

    def _met(self, criterion: Criterion) -> float:
        """Return the least score that meets a required criterion."""
        return criterion.min_score or self.required_score or 0.5


_WITH_USE = frozenset({"use", "min_score", "revise"})
"""The options that may be combined with `use`."""


def _example(number: int, example: Example) -> str:
    """Format an example for the prompt."""
    import json

    question = "" if example.input is None else f"Question: {example.input}\n"
    verdict = json.dumps({"reasoning": example.reasoning, "score": example.score})
    return f"Example {number}\n{question}Answer: {example.answer}\nVerdict: {verdict}"
