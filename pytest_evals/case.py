"""Case: one row of a dataset, and the forms in which its scorers are written.

This module knows messages and scripts. It knows nothing of files, models or scorers' code.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from pytest_evals.ground.canonical import Frozen, Json, digest, schema_with_descriptions
from pytest_evals.message import Message
from pytest_evals.script import Script

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

COMMON_SCORER_KEYS = frozenset({"type", "weight", "threshold", "metric", "transform"})
"""Keys that every scorer accepts, in the shorthand and in the long form."""

_SLUG = re.compile(r"\w(?:[\w.+/@=-]|:(?!:))*")


@dataclass(
    frozen=True, slots=True
)  # not Frozen: one for each case; a slots class takes 1/8 of the memory
class Source:
    """The place of a case in its file."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    path: str
    """The file; relative to the rootdir if it is below it."""
    line: int = 0
    """1-based line; 0 if unknown (a case made in Python)."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        """Use each field's docstring as its description, as for every noun."""
        return schema_with_descriptions(cls, schema, handler)


class Samples(Frozen):
    """A range of samples: adaptive sampling stops early once the verdict on the case is settled.

    The verdict is settled when no further sample can change the gates on the case. Without gates,
    the assertions decide.
    """

    min: int = Field(ge=1, strict=True)
    """Samples that always run, >= 1. Metrics over several cases use only these."""
    max: int = Field(ge=1, strict=True)
    """Maximum number of samples, >= `min`. The verdict is the one that all of them would give."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        """Reject a range whose minimum is above its maximum."""
        if self.min > self.max:
            raise ValueError(f"`min` is at most `max`, found min {self.min} and max {self.max}")
        return self


SampleCount = Annotated[int, Field(ge=1, strict=True)] | Samples
"""Samples of a case for each model: a number, or a range such as ``{min: 3, max: 20}``."""


class ScorerSpec(Frozen):
    """One assertion as written in a dataset; the registry builds the scorer from it.

    Written as a name (``is_json``), a shorthand (``contains: x``), or the long form
    (``{type: contains, value: x, weight: 2}``).
    """

    type: str = Field(min_length=1)
    """The scorer's name in the registry."""
    argument: Any = None
    """Value of the shorthand; None in the long form."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the long form; empty in the shorthand."""
    weight: float = Field(default=1.0, gt=0)
    """Weight in the trial's score, > 0."""
    threshold: float | None = None
    """Minimum value that passes; None uses the scorer's default."""
    metric: str | None = None
    """Name of the metric that aggregates its values; None uses the scorer's type."""
    transform: Any = None
    """Transform applied to the response before it is scored; None for none."""

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, data: object) -> object:
        """Accept a name, a shorthand or the long form."""
        if isinstance(data, str):
            return {"type": data}
        if not isinstance(data, dict) or {"argument", "options"} & data.keys():
            return data
        common = {key: value for key, value in data.items() if key in COMMON_SCORER_KEYS}
        rest = {key: value for key, value in data.items() if key not in COMMON_SCORER_KEYS}
        if "type" in common:
            return {**common, "options": rest}
        if len(rest) != 1:
            names = ", ".join(map(str, rest)) or "none"
            raise ValueError(
                f"a scorer is one name with its argument (`contains: x`) or has a `type`; "
                f"found {len(rest)} names: {names}"
            )
        (name, argument), *_ = rest.items()
        return {**common, "type": name, "argument": argument}

    @property
    def name(self) -> str:
        """Name in reports: its metric, else its type."""
        return self.metric or self.type


class Case(Frozen):
    """One row of a dataset: an input, the expected output and the assertions on it."""

    id: str
    """A stable slug, unique in its dataset."""
    input: Any = None
    """A text, chat messages, or any JSON value that the prompt or target accepts."""
    turns: tuple[str, ...] = ()
    """User messages of a conversation, sent one after another; an alternative to `input`."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Variables of the prompt template, besides `input`."""
    expected: Any = None
    """Reference output, for scorers that compare with it."""
    tags: tuple[str, ...] = ()
    """Markers for ``-m`` and slices in reports; each is one word."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Other facts about the case: stored and reported, never sent to a model."""
    scorers: tuple[ScorerSpec, ...] = ()
    """Assertions on this case, in addition to those of the dataset."""
    samples: SampleCount | None = None
    """Samples of this case for each model; None uses the dataset's number."""
    script: Script | None = None
    """Recorded responses for the ``script`` provider."""
    expect: dict[str, Any] | None = None
    """Expectations by name, such as ``final_answer_contains``; checked as one assertion."""
    tools: tuple[dict[str, Any], ...] | None = None
    """Tool definitions for this case; None uses the dataset's."""
    source: Source | None = None
    """Where the case is written; None if it was made in Python."""

    @field_validator("id")
    @classmethod
    def _slug(cls, value: str) -> str:
        """Reject ids that a pytest node id cannot contain."""
        if not _SLUG.fullmatch(value):
            raise ValueError(
                f"an id is letters, digits and . _ - + / @ = : without spaces, found {value!r}; "
                f"write {slug(value)!r}"
            )
        return value

    @field_validator("tags", mode="before")
    @classmethod
    def _tags_from_text(cls, value: object) -> object:
        """Accept a single tag as a text."""
        return (value,) if isinstance(value, str) else value

    @field_validator("tags")
    @classmethod
    def _tags_are_words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Require one word for each tag, because a tag becomes a pytest marker."""
        for tag in value:
            if not re.fullmatch(r"[\w.+/-]+", tag):
                raise ValueError(
                    f"a tag is one word of letters, digits and . _ - + /, found {tag!r}"
                )
        return value

    @field_validator("input")
    @classmethod
    def _messages(cls, value: Json) -> Json:
        """Parse chat messages; keep any other value."""
        if (
            isinstance(value, list)
            and value
            and all(isinstance(item, dict) and "role" in item for item in value)
        ):
            return tuple(Message.model_validate(item) for item in value)
        return value

    @model_validator(mode="after")
    def _input_or_turns(self) -> "Case":
        """Reject a case with both an input and turns."""
        if self.turns and self.input is not None:
            raise ValueError("give `input` or `turns`, not both")
        return self

    @cached_property
    def digest(self) -> str:
        """Digest of what the case sends and expects, 16 hexadecimal digits.

        It excludes recorded responses (`script`), so that a baseline can compare runs across a
        change of them.
        """
        content = self.model_dump(
            mode="json", include={"input", "turns", "variables", "expected", "tools"}
        )
        return digest(content, length=16)


def slug(text: str, *, length: int = 48) -> str:
    """Convert a text to an id: its words joined by hyphens, at most `length` characters."""
    words = "-".join(re.findall(r"\w+", text.casefold()))[:length].strip("-")
    return words or "case"
