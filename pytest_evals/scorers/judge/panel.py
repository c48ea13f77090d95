"""Panels: the members of a judge, their opinions and errors, and the record of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, field_validator, model_validator

from pytest_evals.ground.canonical import Frozen
from pytest_evals.model import Model
from pytest_evals.parameters import Params
from pytest_evals.scorers.base import ScoringError
from pytest_evals.scorers.judge.models import check_model, model_of
from pytest_evals.scorers.judge.opinion import Opinion


class Member(Frozen):
    """One judge of a panel: a model that gets the same request."""

    model: str | dict[str, Any]
    """A model id, ``provider:model``, or a model written out."""
    params: Params = Field(default_factory=dict)
    """Sampling parameters that override those of the judge."""
    weight: float = Field(default=1.0, gt=0)
    """Its weight under ``rule: weighted``."""

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: object) -> object:
        """Accept a model without other options."""
        if isinstance(data, str) or (isinstance(data, dict) and "provider" in data):
            return {"model": data}
        return data

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> str | dict[str, Any]:
        """Reject a value that is not a model."""
        return check_model(value)


@dataclass(frozen=True, slots=True)
class MemberResult:
    """The opinions of one member of the panel, or its error."""

    member: Member
    opinions: tuple[Opinion, ...] = ()
    opinion: Opinion | None = None
    error: ScoringError | None = None


def panel_error(results: Sequence[MemberResult]) -> ScoringError:
    """Return the error of a panel without a single opinion."""
    errors = [result.error for result in results if result.error is not None]
    if len(errors) == 1:
        return errors[0]
    words = "; ".join(dict.fromkeys(error.message for error in errors))
    details = "\n".join(error.detail for error in errors if error.detail)
    message = f"none of the {len(errors)} judges could judge: {words}"
    return ScoringError(message, detail=details or None)


def member_record(result: MemberResult) -> dict[str, Any]:
    """Return the opinions of one member as metadata."""
    model = model_of(result.member.model)
    record: dict[str, Any] = {"model": model.id if isinstance(model, Model) else model}
    if result.member.weight != 1.0:
        record["weight"] = result.member.weight
    if result.opinion is not None:
        record.update(
            value=result.opinion.value, passed=result.opinion.passed, label=result.opinion.label
        )
    if result.error is not None:
        record["error"] = result.error.message
    record["repeats"] = [
        {"value": o.value, "passed": o.passed, "label": o.label, "reason": o.reason, **o.detail}
        for o in result.opinions
    ]
    return record
