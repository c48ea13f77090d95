"""People's scores of a stored run: from rows of labels, and as rows of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_evals.ground.errors import suggest
from pytest_evals.result import TrialResult
from pytest_evals.storage.base import HumanScore, TrialRow
from pytest_evals.storage.labels import LabelRow


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDefaults:
    """What the command line fills in for rows that leave it out."""

    name: str | None = None
    """The judge or metric."""
    rater: str | None = None


def score_identity(score: HumanScore) -> tuple[object, ...]:
    """Return what makes two scores the same, whenever they were given."""
    return (score.rater, score.name, score.value, score.label, score.note)


def score_of_row(
    row: LabelRow, trials: Mapping[str, TrialRow], defaults: LabelDefaults, at: float
) -> tuple[str, HumanScore]:
    """Return a row's trial and its score.

    Args:
        row: the row.
        trials: the run's trials by node id.
        defaults: for a row without a name or a rater.
        at: the time of a row without one, Unix time, seconds.

    Raises:
        ValueError: the row matches no trial or several, or has no name.
    """
    name = row.name or defaults.name
    if name is None:
        raise ValueError("the row has no `name` of what is judged; give it one, or --name")
    trial = row.trial if row.trial is not None else _only_trial(row, trials)
    if trial not in trials:
        raise ValueError(f"the run has no trial {trial!r}.{suggest(trial, trials)}")
    is_anonymous = row.rater == "anonymous" and defaults.rater
    return trial, HumanScore(
        rater=defaults.rater if is_anonymous and defaults.rater else row.rater,
        name=name,
        value=row.value,
        label=row.label,
        note=row.note,
        at=at if row.at is None else row.at,
    )


def _only_trial(row: LabelRow, trials: Mapping[str, TrialRow]) -> str:
    """Return the one trial of a row's case, model and sample.

    Raises:
        ValueError: the row matches none or several.
    """
    matches = [
        trial.trial
        for trial in trials.values()
        if trial.case_id == row.case
        and row.model in {None, trial.model_id}
        and row.sample in {None, trial.sample}
    ]
    if len(matches) != 1:
        raise ValueError(
            f"{len(matches)} trials of this run are of case {row.case!r}, model {row.model!r}, "
            f"sample {row.sample}; a row must match exactly one"
        )
    return matches[0]


def rows_of_trial(
    result: TrialResult,
    scores: Sequence[HumanScore],
    defaults: LabelDefaults,
    *,
    template: bool = False,
) -> Sequence[LabelRow]:
    """Return a trial's rows, one per score.

    Args:
        result: the trial.
        scores: people's scores of it.
        defaults: the name and rater of an empty row.
        template: whether a trial with an answer but without scores gets an empty row.
    """
    if not scores and not (template and result.answer is not None):
        return ()
    trial: dict[str, Any] = {
        "trial": result.id,
        "case": result.case_id,
        "model": result.model_id,
        "sample": result.sample,
        "input": next((exchange.request.input for exchange in result.answers), None),
        "answer": result.answer,
    }
    if not scores:
        empty = {**trial, "name": defaults.name, "rater": defaults.rater or "anonymous"}
        return (LabelRow.model_construct(**empty),)
    return [
        LabelRow(
            **trial,
            name=score.name,
            rater=score.rater,
            label=score.label,
            value=score.value,
            note=score.note,
            at=score.at,
        )
        for score in scores
        if score.label is not None or score.value is not None
    ]
