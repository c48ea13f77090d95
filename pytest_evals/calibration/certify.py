"""The certificate of a judge: its agreement with people, bound to the labels that it rests on."""

from collections.abc import Sequence
from os.path import relpath
from pathlib import Path

from pytest_evals.calibration.agreement import Agreement
from pytest_evals.calibration.label_join import Labelled
from pytest_evals.certificate import Certificate, Labels
from pytest_evals.dataset import Dataset
from pytest_evals.model import Model
from pytest_evals.scorers.judge.base import Judge
from pytest_evals.storage.labels import LabelRow, labels_digest


def make_certificate(
    name: str, judge: Judge, dataset: Dataset, labels: Labels, agreement: Agreement
) -> Certificate:
    """Return the certificate of a judge.

    Args:
        name: the judge's name in the dataset.
        judge: the judge.
        dataset: its dataset.
        labels: people's labels.
        agreement: how the judge agrees with them.
    """
    models = judge.models(dataset)
    return Certificate(
        judge=name,
        dataset=dataset.name,
        fingerprint=judge.fingerprint(dataset),
        models=tuple(model.id if isinstance(model, Model) else model for model in models),
        min_score=judge.required_score,
        labels=labels,
        metrics=agreement.metrics,
        confusion=agreement.confusion,
        labels_confusion=agreement.labels_confusion,
        dangerous=agreement.dangerous,
        unscored=agreement.unscored,
    )


def describe_labels(
    rows: Sequence[LabelRow], answers: Sequence[Labelled], *, file: Path | None, folder: Path
) -> Labels:
    """Return what a certificate keeps of the labels.

    Args:
        rows: the labels.
        answers: the labelled answers.
        file: the labels' file; None for the labels of a run.
        folder: the dataset's folder, which the file's path is relative to.
    """
    path = None
    if file is not None:
        relative = Path(relpath(file.absolute(), folder)).as_posix()
        # The path of a file outside of the project means nothing on other machines.
        path = None if relative.startswith("../..") or ":" in relative else relative
    return Labels(
        digest=labels_digest(rows),
        path=path,
        items=len(answers),
        raters=tuple(sorted({rater for answer in answers for rater in answer.people})),
    )
