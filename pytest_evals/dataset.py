"""Dataset: a named, ordered tuple of cases with everything that is asked of them."""

from typing import Any

from pydantic import Field, field_validator, model_validator

from pytest_evals.case import Case, SampleCount, ScorerSpec
from pytest_evals.ground.canonical import Frozen, digest, digest_streamed
from pytest_evals.message import Message
from pytest_evals.model import Model


class Prompt(Frozen):
    """What is sent for a case: a Jinja2 template of one user message, or of several messages."""

    messages: tuple[Message, ...]
    """Their contents are templates; `input` and the case's variables are known in them."""

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: object) -> object:
        """Accept a text (one user message) or a list of messages."""
        if isinstance(data, str):
            return {"messages": [{"role": "user", "content": data}]}
        if isinstance(data, list | tuple):
            return {"messages": data}
        return data

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that a changed prompt changes."""
        return digest(self.model_dump(mode="json"), length=16)


class Defaults(Frozen):
    """What every case has unless it says otherwise; tags and metadata are joined, not replaced."""

    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    variables: dict[str, Any] = Field(default_factory=dict)
    samples: SampleCount | None = None


class Dataset(Frozen):
    """A named, ordered tuple of cases with models, prompt, scorers, judges and gates."""

    name: str = Field(min_length=1)
    """Names the run, the baseline and the cassette; by default the file's stem."""
    path: str
    """The file, relative to the rootdir where it lies below it."""
    description: str = ""
    samples: SampleCount = 1
    """How often each case is asked of each model."""
    models: tuple[Model, ...] = ()
    prompt: Prompt | None = None
    """None sends a text input as the one user message, and chat messages as they are."""
    tools: tuple[dict[str, Any], ...] = ()
    """Tool definitions (name, description, parameters as JSON Schema) given with every question."""
    response_format: dict[str, Any] | None = None
    """The provider's own word for structured answers, passed through."""
    judges: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Judges by name, for ``judge: {use: name}``; checked by the judge scorers."""
    scorers: tuple[ScorerSpec, ...] = ()
    """Assertions on every case."""
    cases: tuple[Case, ...] = ()
    gates: tuple[Any, ...] = ()
    """Bars on metrics of many trials, as written; without any, every trial must pass."""
    max_error_rate: float = Field(default=0.0, ge=0, le=1)
    """With gates: the share of trials that may be errored."""

    @field_validator("name")
    @classmethod
    def _file_name(cls, value: str) -> str:
        """A name becomes part of file names."""
        if any(c in value for c in '/\\:*?"<>|\0') or value.startswith("."):
            raise ValueError(f"a dataset's name is a file name without folders, found {value!r}")
        return value

    def scorers_of(self, case: Case) -> tuple[ScorerSpec, ...]:
        """Return all assertions on a case: its own first, then the dataset's."""
        expect = (ScorerSpec(type="expect", options=case.expect),) if case.expect else ()
        return expect + case.scorers + self.scorers

    def samples_of(self, case: Case) -> int:
        """Return how often a case is asked of each model, at most."""
        written = case.samples or self.samples
        return written if isinstance(written, int) else written.max

    def tools_of(self, case: Case) -> tuple[dict[str, Any], ...]:
        """Return the tool definitions that go with a case's question."""
        return self.tools if case.tools is None else case.tools

    @property
    def digest(self) -> str:
        """64 hexadecimal digits over everything that can change a result; not over file names."""
        asked = self.model_dump(mode="json", exclude={"path", "description", "cases"})
        cases = (case.model_dump(mode="json", exclude={"source"}) for case in self.cases)
        return digest_streamed(asked, "cases", cases)
