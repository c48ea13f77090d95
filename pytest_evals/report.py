"""Report: all there is to tell of a run, for whoever writes it down. Pure.

A session makes one at its end, `pytest-evals export` makes one of a stored run; reporters only
read it. What it holds has passed the redaction point already.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_evals.ground.canonical import N
from pytest_evals.ground.redaction import Redactor
from pytest_evals.result import TrialResult
from pytest_evals.run import Run

if TYPE_CHECKING:
    from pytest_evals.certificate import Certificate
    from pytest_evals.verdict.evaluation import Evaluation

ContextValue = str | Mapping[str, str | int | float | bool | None]
"""What a section of `Report.context` holds: a text, or named values."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a reporter is given."""

    run: Run
    """The sealed run; its `datasets` say what was planned and selected, and with which models."""
    judgements: "Mapping[str, Evaluation]"
    """By the dataset's name: metrics, verdicts of gates, diff and decision. A dataset of which
    nothing was recorded has none."""
    trials: Callable[[], Iterable[TrialResult]] = field(repr=False)
    """Yields the recorded trials in the order they were planned; can be called again."""
    certificates: "tuple[Certificate, ...]" = ()
    """How the judges agree with people, of those that have a certificate on file."""

    context: Mapping[str, ContextValue] = field(default_factory=dict)
    """Sections that plugins add, by their titles."""

    @property
    def complete(self) -> bool:
        """Whether every planned trial of every dataset was selected and recorded."""
        return self.run.status == "complete"


def redact_report(report: Report, redactor: Redactor) -> Report:
    """Return a report without secrets in its run and judgements; its trials have none already.

    What is compared with, and the names and notes of a session, come from elsewhere than records.
    """
    judgements = {
        redactor.redact(name): redact_value(judgement, redactor)
        for name, judgement in report.judgements.items()
    }
    return replace(
        report,
        run=redact_value(report.run, redactor),
        judgements=judgements,
        certificates=tuple(redact_value(one, redactor) for one in report.certificates),
        context=json.loads(redactor.redact_json(json.dumps(report.context))),
    )


def redact_value(noun: N, redactor: Redactor) -> N:
    """Return a noun without secrets; the same one where it has none."""
    text = noun.model_dump_json()
    redacted_text = redactor.redact_json(text)
    return noun if redacted_text == text else type(noun).model_validate_json(redacted_text)
