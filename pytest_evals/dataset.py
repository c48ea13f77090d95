"""Dataset: a named, ordered tuple of cases with their models, prompt, scorers and gates.

This module knows cases and models. It knows nothing of files or results.
"""

from typing import Any

from pydantic import Field, field_validator, model_validator

from pytest_evals.case import Case, SampleCount, ScorerSpec
from pytest_evals.ground.canonical import Frozen, digest, digest_streamed
from pytest_evals.message import Message
from pytest_evals.model import Model


class Prompt(Frozen):
    """The prompt of a dataset: Jinja2 templates of one user message or of several messages."""

    messages: tuple[Message, ...]
    """Messages whose contents are templates over `input` and the case's variables."""

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, data: object) -> object:
        """Accept a text (one user message) or a list of messages."""
        if isinstance(data, str):
            return {"messages": [{"role": "user", "content": data}]}
        if isinstance(data, list | tuple):
            return {"messages": data}
        return data

    @property
    def digest(self) -> str:
        """Digest of the prompt, 16 hexadecimal digits."""
        return digest(self.model_dump(mode="json"), length=16)


class Defaults(Frozen):
    """Defaults of every case. Tags and metadata are merged with those of the case."""

    tags: tuple[str, ...] = ()
    """Tags added to those of each case."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Metadata of each case; a case's value overrides."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Variables of each case; a case's value overrides."""
    samples: SampleCount | None = None
    """Samples of each case; None uses the dataset's number."""


class Dataset(Frozen):
    """A named, ordered tuple of cases with models, prompt, scorers, judges and gates."""

    name: str = Field(min_length=1)
    """Names the run, the baseline and the cassette. Default: the file name without suffix."""
    path: str
    """The file; relative to the rootdir if it is below it."""
    description: str = ""
    """Description for the reader; empty for none."""
    samples: SampleCount = 1
    """Samples of each case for each model."""
    models: tuple[Model, ...] = ()
    """Models to run; empty uses the recorded responses."""
    prompt: Prompt | None = None
    """None sends a text input as one user message, and chat messages unchanged."""
    tools: tuple[dict[str, Any], ...] = ()
    """Tool definitions sent with each request: name, description, parameters (JSON Schema)."""
    response_format: dict[str, Any] | None = None
    """The provider's option for structured output, passed through."""
    judges: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Judges by name, for ``judge: {use: name}``; validated by the judge scorers."""
    scorers: tuple[ScorerSpec, ...] = ()
    """Assertions on every case."""
    cases: tuple[Case, ...] = ()
    """Cases in the order of the file; ids are unique."""
    gates: tuple[Any, ...] = ()
    """Thresholds on metrics of many trials, as written. Without gates, every trial must pass."""
    max_error_rate: float = Field(default=0.0, ge=0, le=1)
    """With gates: maximum share of trials with an error, 0..1."""

    @field_validator("name")
    @classmethod
    def _file_name(cls, value: str) -> str:
        """Reject names that cannot be part of a file name."""
        if any(c in value for c in '/\\:*?"<>|\0') or value.startswith("."):
            raise ValueError(f"a dataset's name is a file name without folders, found {value!r}")
        return value

    def scorers_of(self, case: Case) -> tuple[ScorerSpec, ...]:
        """Return all assertions on a case: those of the case first, then those of the dataset."""
        expect = (ScorerSpec(type="expect", options=case.expect),) if case.expect else ()
        return expect + case.scorers + self.scorers

    def samples_of(self, case: Case) -> int:
        """Return the maximum number of samples of a case for each model."""
        samples = case.samples or self.samples
        return samples if isinstance(samples, int) else samples.max

    def tools_of(self, case: Case) -> tuple[dict[str, Any], ...]:
        """Return the tool definitions sent with a case."""
        return self.tools if case.tools is None else case.tools

    @property
    def digest(self) -> str:
        """Digest of everything that can change a result, 64 hexadecimal digits; no file names."""
        settings = self.model_dump(mode="json", exclude={"path", "description", "cases"})
        cases = (case.model_dump(mode="json", exclude={"source"}) for case in self.cases)
        return digest_streamed(settings, "cases", cases)
