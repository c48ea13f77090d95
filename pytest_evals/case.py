"""Case: one row of a dataset, and how its scorers are written."""

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
"""Keys that every scorer takes, in the shorthand and in the long form."""

_SLUG = re.compile(r"\w(?:[\w.+/@=-]|:(?!:))*")


@dataclass(frozen=True, slots=True)  # not Frozen: there is one a case, at an eighth of the memory
class Source:
    """Where a case was written."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    path: str
    """The file, relative to the rootdir where it lies below it."""
    line: int = 0
    """1-based; 0 when unknown (a case made in Python)."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> dict[str, Any]:
        """Describe each field by its docstring, as for every noun."""
        return schema_with_descriptions(cls, schema, handler)


class Samples(Frozen):
    """How often a case is asked where it may stop early.

    That is as soon as no further sample can change what the gates say of it, or, without gates, the
    assertions.
    """

    min: int = Field(ge=1, strict=True)
    """Samples that are always asked; metrics over several cases use these alone."""
    max: int = Field(ge=1, strict=True)
    """The most that are asked; the verdict on the case is that of so many."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        """Refuse a range that is none."""
        if self.min > self.max:
            raise ValueError(f"`min` is at most `max`, found min {self.min} and max {self.max}")
        return self


SampleCount = Annotated[int, Field(ge=1, strict=True)] | Samples
"""How often a case is asked of each model: a number, or ``{min: 3, max: 20}``."""


class ScorerSpec(Frozen):
    """One assertion as the dataset writes it; the registry makes the scorer from it.

    Written as a name (``is_json``), a shorthand (``contains: x``), or the long form
    (``{type: contains, value: x, weight: 2}``).
    """

    type: str = Field(min_length=1)
    """The scorer's name in the registry."""
    argument: Any = None
    """The shorthand's value; None in the long form."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The long form's own keys; empty in the shorthand."""
    weight: float = Field(default=1.0, gt=0)
    """Its share in the trial's score."""
    threshold: float | None = None
    """The least value that passes; None leaves it to the scorer."""
    metric: str | None = None
    """The name under which its values are aggregated; None is the scorer's type."""
    transform: Any = None
    """What is done to the answer before it is scored."""

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: object) -> object:
        """Accept a name, a shorthand or the long form."""
        if isinstance(data, str):
            return {"type": data}
        if not isinstance(data, dict) or {"argument", "options"} & data.keys():
            return data
        common = {key: value for key, value in data.items() if key in COMMON_SCORER_KEYS}
        own = {key: value for key, value in data.items() if key not in COMMON_SCORER_KEYS}
        if "type" in common:
            return {**common, "options": own}
        if len(own) != 1:
            found = ", ".join(map(str, own)) or "none"
            raise ValueError(
                f"a scorer is one name with its argument (`contains: x`) or has a `type`; "
                f"found {len(own)} names: {found}"
            )
        (name, argument), *_ = own.items()
        return {**common, "type": name, "argument": argument}

    @property
    def name(self) -> str:
        """What reports call it: its metric, else its type."""
        return self.metric or self.type


class Case(Frozen):
    """One row of a dataset: a question, what a right answer is, and where it was written."""

    id: str
    """A stable slug, unique in its dataset."""
    input: Any = None
    """What is asked: a text, chat messages, or any JSON value that a prompt or target takes."""
    turns: tuple[str, ...] = ()
    """Several user messages of one thread, asked one after another, instead of `input`."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """What the prompt template may use besides `input`."""
    expected: Any = None
    """The reference answer, for the scorers that compare with one."""
    tags: tuple[str, ...] = ()
    """Markers for ``-m``, and slices in reports."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Anything else about the case: kept and reported, never sent."""
    scorers: tuple[ScorerSpec, ...] = ()
    """The case's own assertions; the dataset's are added to them."""
    samples: SampleCount | None = None
    """How often this case is asked of each model; None is the dataset's number."""
    script: Script | None = None
    """Recorded answers for the ``script`` provider."""
    expect: dict[str, Any] | None = None
    """Expectations by name (``final_answer_contains`` and its kin), all checked together."""
    tools: tuple[dict[str, Any], ...] | None = None
    """Tool definitions for this case; None is the dataset's."""
    source: Source | None = None

    @field_validator("id")
    @classmethod
    def _slug(cls, value: str) -> str:
        """Refuse what would not survive a node id."""
        if not _SLUG.fullmatch(value):
            raise ValueError(
                f"an id is letters, digits and . _ - + / @ = : without spaces, found {value!r}; "
                f"write {slug(value)!r}"
            )
        return value

    @field_validator("tags", mode="before")
    @classmethod
    def _tags(cls, value: object) -> object:
        """Accept one tag as a text."""
        return (value,) if isinstance(value, str) else value

    @field_validator("tags")
    @classmethod
    def _words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """A tag becomes a pytest marker, so it must be one word."""
        for tag in value:
            if not re.fullmatch(r"[\w.+/-]+", tag):
                raise ValueError(
                    f"a tag is one word of letters, digits and . _ - + /, found {tag!r}"
                )
        return value

    @field_validator("input")
    @classmethod
    def _messages(cls, value: Json) -> Json:
        """Chat messages become messages; any other value stays what it is."""
        if (
            isinstance(value, list)
            and value
            and all(isinstance(item, dict) and "role" in item for item in value)
        ):
            return tuple(Message.model_validate(item) for item in value)
        return value

    @model_validator(mode="after")
    def _one_question(self) -> "Case":
        """A case asks either an input or turns, never both."""
        if self.turns and self.input is not None:
            raise ValueError("give `input` or `turns`, not both")
        return self

    @cached_property
    def digest(self) -> str:
        """What the case asks, in 16 hexadecimal digits: a changed question changes it.

        Recorded answers (`script`) are answers, not questions: where they change, a baseline tells
        a pass that became a fail.
        """
        asked = self.model_dump(
            mode="json", include={"input", "turns", "variables", "expected", "tools"}
        )
        return digest(asked, length=16)


def slug(text: str, *, length: int = 48) -> str:
    """Make a text an id: its words joined by hyphens, at most `length` characters."""
    words = "-".join(re.findall(r"\w+", text.casefold()))[:length].strip("-")
    return words or "case"
