"""Judge summary: pass rates corrected for the known errors of judges, and confusion matrices."""

from collections.abc import Iterator, Mapping

from pytest_evals.certificate import judge_error
from pytest_evals.ground.plain_text import shorten, table
from pytest_evals.metrics.metric import Confusion, Metric
from pytest_evals.metrics.prevalence import corrected_name
from pytest_evals.score import NO_LABEL
from pytest_evals.session.plan import Plan
from pytest_evals.session.state import SessionState
from pytest_evals.stats.prevalence import JudgeError
from pytest_evals.verdict.evaluation import Evaluation

WIDTH = 79
"""Columns of a confusion matrix."""


def certified_errors(state: SessionState, plan: Plan, group: str) -> dict[str, JudgeError]:
    """Return the error rates of a dataset's calibrated judges, by the names of their scores.

    A certificate counts only for the same judge with the same threshold; a stale one is ignored.

    Args:
        state: the session's fixed values.
        plan: the session's datasets.
        group: the dataset's path.
    """
    matrix = plan.matrices.get(group)
    if matrix is None or not matrix.dataset.judges:
        return {}
    from pytest_evals.scorers.judge.rubric import RubricJudge
    from pytest_evals.storage.certificates import read_certificates

    dataset = matrix.dataset
    certificates = read_certificates((state.settings.rootdir / dataset.path).parent, dataset)
    if not certificates:
        return {}
    errors: dict[str, JudgeError] = {}
    used = {id(b): b for case in dataset.cases for b in state.registry.scorers_of(dataset, case)}
    for bound in used.values():
        if not isinstance(bound.scorer, RubricJudge):
            continue
        name, judge = bound.scorer.resolve(dataset)
        certificate = certificates.get(name or "")
        if certificate is None or certificate.unusable is not None:
            continue
        same = certificate.fingerprint == judge.fingerprint(dataset)
        error = judge_error(certificate)
        if same and certificate.min_score == judge.required_score and error is not None:
            errors[bound.name] = error
    return errors


def judge_lines(
    evaluation: Evaluation, errors: Mapping[str, JudgeError], *, verbose: bool
) -> Iterator[str]:
    """Yield lines for the terminal.

    Args:
        evaluation: the evaluation of a dataset.
        errors: the error rates of its calibrated judges.
        verbose: whether to include the confusion matrices.
    """
    metrics = {(metric.model, metric.metric): metric for metric in evaluation.metrics}
    for (model, name), metric in metrics.items():
        for scorer in errors:
            if name == corrected_name(scorer):
                raw = metrics[model, name.removeprefix("corrected(")[:-1]]
                yield f"judge {scorer} [{model}]: passes {_rate(raw)}; {_corrected(metric)}"
    for confusion in evaluation.confusions if verbose else ():
        yield from matrix_lines(confusion)


def _rate(metric: Metric) -> str:
    """Format a rate with its interval."""
    if metric.value is None:
        return "nothing"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.0%}"
    return f"{metric.value:.0%} ({metric.low:.0%} to {metric.high:.0%})"


def _corrected(metric: Metric) -> str:
    """Format the rate at which people would pass the same answers."""
    if metric.value is None:
        return f"not corrected for its known errors: {metric.absent}"
    return f"corrected for its known errors {_rate(metric)}"


def matrix_lines(confusion: Confusion) -> Iterator[str]:
    """Yield a confusion matrix and the rates of each label."""
    values = {metric.metric: metric.value for metric in confusion.metrics}
    name = _scorer_of(confusion)
    yield (
        f"confusion of {confusion.scorer} [{confusion.model}], {confusion.n} trials: rows are true "
        f"labels, columns those given; accuracy {_two_digits(values[f'accuracy({name})'])}, "
        f"macro-F1 {_two_digits(values[f'macro_f1({name})'])}"
    )
    labels = [shorten(label, 16) for label in confusion.labels]
    rows = [
        [
            label,
            *map(str, counts),
            *(_two_digits(m.value) for m in confusion.metrics[2 + 3 * i : 5 + 3 * i]),
        ]
        for i, (label, counts) in enumerate(zip(labels, confusion.counts, strict=True))
    ]
    head = ["", *labels, "precision", "recall", "F1"]
    if any(confusion.unread):
        head.insert(-3, NO_LABEL)
        for row, count in zip(rows, confusion.unread, strict=True):
            row.insert(-3, str(count))
    yield from table(head, rows, width=WIDTH)


def _scorer_of(confusion: Confusion) -> str:
    """Return the scorer's name as metrics write it."""
    return confusion.metrics[0].metric.removeprefix("accuracy(")[:-1]


def _two_digits(value: float | None) -> str:
    """Format a number of 0..1; a dash if there is none."""
    return "-" if value is None else f"{value:.2f}"
