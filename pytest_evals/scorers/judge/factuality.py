"""factuality: a model compares the facts in the output with those in a reference answer."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import Field, field_validator

from pytest_evals.case import Case
from pytest_evals.scorers.base import ScoreContext, ScoringError
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.scorers.judge.fence import Piece
from pytest_evals.scorers.judge.interview import Interview, Task, object_schema
from pytest_evals.scorers.judge.material import answer_material, expected_text
from pytest_evals.scorers.judge.opinion import Opinion
from pytest_evals.scorers.judge.reply import choice_in, text_in

RELATIONS: Mapping[str, tuple[str, float]] = {
    "same": ("it states the same facts", 1.0),
    "immaterial": ("it differs only in what has no bearing on the facts", 1.0),
    "superset": ("it states all of them and more, and contradicts none", 0.6),
    "subset": ("it states some of them, lacks others, and contradicts none", 0.4),
    "conflict": ("it contradicts at least one of them", 0.0),
}
"""The relation of an output to its reference: its description for the judge, and its value."""

_WORDS = """\
Compare the facts that the answer states with those of the reference, which is right. Style, \
grammar and length do not count. Say which of these holds:
"""


class Factuality(Judge):
    """A model compares the facts in the output with those in the `expected` of the case.

    The values are 1 for same and immaterial, 0.6 for superset, 0.4 for subset, 0 for conflict. By
    default 0.6 is required: an output passes if it has all facts and contradicts none.
    """

    type: ClassVar[str] = "factuality"
    graded: ClassVar[bool | None] = True
    default_min_score: ClassVar[float | None] = 0.6
    templates: ClassVar[tuple[str, ...]] = ("reference",)
    example: ClassVar[str] = "factuality: {model: 'openai:gpt-4.1'}"

    reference: str | None = None
    """The reference answer; a template over the case. By default the `expected` of the case."""
    scores: dict[str, float] = Field(default_factory=dict)
    """Other values (0..1) for same, immaterial, superset, subset or conflict."""

    @field_validator("scores")
    @classmethod
    def _check_name(cls, value: dict[str, float]) -> dict[str, float]:
        """Reject unknown relations and values outside 0..1."""
        for name, score in value.items():
            if name not in RELATIONS:
                raise ValueError(
                    f"`scores`: expected one of {', '.join(RELATIONS)}, found {name!r}"
                )
            if not 0 <= score <= 1:
                raise ValueError(f"`scores.{name}` is {score:g}, expected 0 to 1")
        return value

    def check_case(self, case: Case) -> Iterable[str]:
        """Yield a problem if there is no reference answer."""
        if self.reference is None and case.expected is None:
            yield f"`{self.type}` needs a reference answer: the case has no `expected`"

    def labels(self) -> Mapping[str, float | None]:
        """Return the relations and their values."""
        return {name: self.scores.get(name, worth) for name, (_, worth) in RELATIONS.items()}

    async def opinion(self, interview: Interview, ctx: ScoreContext) -> Opinion:
        """Call the model for the relation."""
        right = expected_text(ctx) if self.reference is None else self.rendered(self.reference, ctx)
        if not right.strip():
            raise ScoringError("the reference answer is blank")
        lines = "\n".join(f"- {name}: {what}" for name, (what, _) in RELATIONS.items())
        names = list(RELATIONS)
        return await interview.ask(
            Task(
                words=_WORDS + lines,
                pieces=answer_material(ctx, Piece("reference", right)),
                form='{"reasoning": "<the facts that decide it>", '
                f'"relation": "<one of: {", ".join(names)}>"}}',
                schema=object_schema(
                    {
                        "reasoning": {"type": "string"},
                        "relation": {"type": "string", "enum": names},
                    }
                ),
                read=self._read,
            )
        )

    def _read(self, data: Mapping[str, Any]) -> Opinion:
        """Parse the relation."""
        relation = choice_in(data, "relation", tuple(RELATIONS))
        return Opinion(
            value=self.scores.get(relation, RELATIONS[relation][1]),
            label=relation,
            reason=text_in(data, "reasoning"),
        )
