"""People's scores of a stored run, from rows of labels and as rows of labels."""

import argparse
from collections.abc import Sequence

from pytest_evals.result import TrialResult
from pytest_evals.storage.base import HumanScore, TrialRow
from pytest_evals.storage.labels import LabelRow


def score_identity(score: "HumanScore") -> tuple[object, ...]:
    """Return what tells a score from another one, whenever it was given."""
    return (score.rater, score.name, score.value, score.label, score.note)


def score_of_row(
    row: "LabelRow", trials: "dict[str, TrialRow]", args: argparse.Namespace, at: float
) -> "tuple[str, HumanScore]":
    """Return the trial a row means and what it says.

    Raises:
        ValueError: no trial or several are meant, or it is not said what is judged.
    """
    from pytest_evals.ground.errors import suggest
    from pytest_evals.storage.base import HumanScore

    name = row.name or args.name
    if name is None:
        raise ValueError("the row has no `name` of what is judged; give it one, or --name")
    trial = row.trial
    if trial is None:
        found = [
            known.trial
            for known in trials.values()
            if known.case_id == row.case
            and row.model in {None, known.model_id}
            and row.sample in {None, known.sample}
        ]
        if len(found) != 1:
            raise ValueError(
                f"{len(found)} trials of this run are of case {row.case!r}, model {row.model!r}, "
                f"sample {row.sample}; a row means one"
            )
        trial = found[0]
    if trial not in trials:
        raise ValueError(f"the run has no trial {trial!r}.{suggest(trial, trials)}")
    rater = row.rater if row.rater != "anonymous" or not args.rater else args.rater
    return trial, HumanScore(
        rater=rater,
        name=name,
        value=row.value,
        label=row.label,
        note=row.note,
        at=at if row.at is None else row.at,
    )


def rows_of_trial(
    result: "TrialResult", said: "dict[str, list[HumanScore]]", args: argparse.Namespace
) -> "Sequence[LabelRow]":
    """Return a trial's rows: one a score, or an open one where it has none and that is wanted."""
    from pytest_evals.storage.labels import LabelRow

    scores = said.get(result.id, [])
    answered = result.answer is not None
    if not scores and not (args.template and answered):
        return ()
    asked = next((e.request.input for e in result.answers), None)
    common = {
        "trial": result.id,
        "case": result.case_id,
        "model": result.model_id,
        "sample": result.sample,
        "input": asked,
        "answer": result.answer,
    }
    if not scores:
        open_row = {**common, "name": args.name, "rater": args.rater or "anonymous"}
        return (LabelRow.model_construct(**open_row),)
    return [
        LabelRow(
            **common,
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
