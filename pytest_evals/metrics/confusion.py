"""Confusion matrices of a dataset: the labels that scorers give beside the true ones. Pure.

A scorer gives the true label as `expected` in the metadata of its score.
"""

from pytest_evals.metrics.compute import TrialGroup, estimate_metric, to_metric
from pytest_evals.metrics.metric import Confusion
from pytest_evals.metrics.spec import MetricSpec
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.score import NO_LABEL
from pytest_evals.stats.agreement import Ratings
from pytest_evals.stats.agreement import confusion as counted

MAX_LABELS = 50
"""The most labels of a matrix; more labels than this are no classes."""


def compute_confusion(table: TrialTable, scorer: str, model: str) -> Confusion | None:
    """Return the confusion matrix of a scorer; None if it gives no label beside a true one.

    Args:
        table: the trials of a dataset.
        scorer: its name in reports.
        model: the model's id.
    """
    group = TrialGroup(table.cases(model))
    pairs = [
        (truth, predicted)
        for cell in group.scored
        for trial in cell
        for name, truth, predicted in trial.labels
        if name == scorer
    ]
    if not pairs:
        return None
    truth, predicted = zip(*pairs, strict=True)
    labels = tuple(sorted({*truth, *predicted} - {NO_LABEL}))
    if len(labels) > MAX_LABELS:
        return None
    matrix = counted(Ratings(truth, predicted), labels=(*labels, NO_LABEL))
    specs = [MetricSpec(kind="accuracy", of=scorer), MetricSpec(kind="macro_f1", of=scorer)]
    specs += [
        MetricSpec.model_validate({"kind": name_of_metric, "of": scorer, "label": label})
        for label in labels
        for name_of_metric in ("precision", "recall", "f1")
    ]
    return Confusion(
        dataset=table.dataset,
        model=model,
        scorer=scorer,
        labels=labels,
        counts=tuple(row[:-1] for row in matrix.counts[:-1]),
        unread=tuple(row[-1] for row in matrix.counts[:-1]),
        metrics=tuple(
            to_metric(table.dataset, model, None, spec, estimate_metric(group, spec), 0.95)
            for spec in specs
        ),
    )


def compute_confusions(table: TrialTable) -> tuple[Confusion, ...]:
    """Return the confusion matrices of all scorers that have one, model by model."""
    names = sorted({name for trial in table for name, _, _ in trial.labels})
    matrices = (compute_confusion(table, name, model) for model in table.models for name in names)
    return tuple(trial for trial in matrices if trial is not None)
