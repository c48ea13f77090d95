"""Report: a finished run with its evaluations and trials, for the reporters. Pure.

A session makes one at its end; `pytest-evals export` makes one of a stored run. Everything in it
has passed the redaction.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_evals.ground.canonical import N
from pytest_evals.ground.redaction import Redactor
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run

if TYPE_CHECKING:
    from pytest_evals.certificate import Certificate
    from pytest_evals.verdict.evaluation import Evaluation

ContextValue = str | Mapping[str, str | int | float | bool | None]
"""A section of `Report.context`: a text, or values by name."""


@dataclass(frozen=True, slots=True)
class Report:
    """The input of a reporter."""

    run: Run
    """The sealed run; its `datasets` list the planned and selected trials and the models."""
    evaluations: "Mapping[str, Evaluation]"
    """By dataset name: metrics, gate verdicts, diff and decision. A dataset without a recorded
    trial has none."""
    trials: Callable[[], Iterable[TrialResult]] = field(repr=False)
    """Yields the recorded trials in planned order; can be called again."""
    certificates: "tuple[Certificate, ...]" = ()
    """The calibration reports of judges, for judges that have one."""

    context: Mapping[str, ContextValue] = field(default_factory=dict)
    """Sections of plugins, by title."""

    @property
    def judgements(self) -> "Mapping[str, Evaluation]":
        """The former name of `evaluations`."""
        return self.evaluations

    @property
    def complete(self) -> bool:
        """Whether every planned trial of every dataset was selected and recorded."""
        return self.run.status == "complete"


def redact_report(report: Report, redactor: Redactor) -> Report:
    """Return a report without secrets in its run, evaluations, certificates and context.

    Its trials were redacted when they were recorded; baselines, names and notes were not.
    """
    evaluations = {
        redactor.redact(name): redact_value(evaluation, redactor)
        for name, evaluation in report.evaluations.items()
    }
    return replace(
        report,
        run=redact_value(report.run, redactor),
        evaluations=evaluations,
        certificates=tuple(redact_value(item, redactor) for item in report.certificates),
        context=json.loads(redactor.redact_json(json.dumps(report.context))),
    )


def redact_value(noun: N, redactor: Redactor) -> N:
    """Return a noun without secrets; the same object if it has none."""
    text = noun.model_dump_json()
    redacted_text = redactor.redact_json(text)
    return noun if redacted_text == text else type(noun).model_validate_json(redacted_text)
