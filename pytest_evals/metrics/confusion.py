"""Confusion: which labels an answerer, or a judge, takes for which, over a dataset. Pure.

Of scorers that give a label beside the true one: those that keep it as `expected` in their score.
"""

from pydantic import Field

from pytest_evals.ground.canonical import Frozen
from pytest_evals.metrics.compute import TrialGroup, estimate_metric, to_metric
from pytest_evals.metrics.spec import Metric, MetricSpec
from pytest_evals.metrics.trial_stats import TrialTable
from pytest_evals.score import NO_LABEL
from pytest_evals.stats.agreement import Ratings
from pytest_evals.stats.agreement import confusion as counted

MOST_LABELS = 50
"""More labels than this are no classes: of such a scorer no matrix is made."""


class Confusion(Frozen):
    """The confusion matrix of one scorer under one model, with what follows from it."""

    dataset: str
    """The dataset's name."""
    model: str
    """The model's id."""
    scorer: str
    """The scorer, as reports call it."""
    labels: tuple[str, ...]
    """The classes, which rows and columns stand for, sorted."""
    counts: tuple[tuple[int, ...], ...]
    """counts[i][j]: trials whose true label is i and that were given label j."""
    unread: tuple[int, ...] = ()
    """unread[i]: trials whose true label is i and whose answer names no label."""
    metrics: tuple[Metric, ...] = Field(default=())
    """Accuracy and macro-F1, then precision, recall and F1 of each label, with intervals."""

    @property
    def n(self) -> int:
        """The trials in it."""
        return sum(map(sum, self.counts)) + sum(self.unread)


def compute_confusion(table: TrialTable, scorer: str, model: str) -> Confusion | None:
    """Return the confusion matrix of a scorer; None where it gives no label beside a true one.

    Args:
        table: the trials of a dataset.
        scorer: as reports call it.
        model: the model's id.
    """
    group = TrialGroup(table.cases(model))
    pairs = [
        (truth, said)
        for cell in group.scored
        for one in cell
        for name, truth, said in one.labels
        if name == scorer
    ]
    if not pairs:
        return None
    truth, said = zip(*pairs, strict=True)
    labels = tuple(sorted({*truth, *said} - {NO_LABEL}))
    if len(labels) > MOST_LABELS:
        return None
    found = counted(Ratings(truth, said), labels=(*labels, NO_LABEL))
    wanted = [MetricSpec(kind="accuracy", of=scorer), MetricSpec(kind="macro_f1", of=scorer)]
    wanted += [
        MetricSpec.model_validate({"kind": kind, "of": scorer, "label": label})
        for label in labels
        for kind in ("precision", "recall", "f1")
    ]
    return Confusion(
        dataset=table.dataset,
        model=model,
        scorer=scorer,
        labels=labels,
        counts=tuple(row[:-1] for row in found.counts[:-1]),
        unread=tuple(row[-1] for row in found.counts[:-1]),
        metrics=tuple(
            to_metric(table.dataset, model, None, what, estimate_metric(group, what), 0.95)
            for what in wanted
        ),
    )


def compute_confusions(table: TrialTable) -> tuple[Confusion, ...]:
    """Return the confusion matrices of all scorers that have one, model by model."""
    names = sorted({name for one in table for name, _, _ in one.labels})
    found = (compute_confusion(table, name, model) for model in table.models for name in names)
    return tuple(one for one in found if one is not None)
