"""What a session tells of its judges and classes: corrected pass rates, confusion matrices."""

from collections.abc import Iterator, Mapping

from pytest_evals.certificate import judge_error
from pytest_evals.ground.plain_text import shorten, table
from pytest_evals.metrics.metric import Confusion, Metric
from pytest_evals.metrics.prevalence import corrected_name
from pytest_evals.plugin.session import Evals
from pytest_evals.score import NO_LABEL
from pytest_evals.stats.prevalence import JudgeError
from pytest_evals.verdict.evaluation import Evaluation

WIDTH = 79
"""Columns of a matrix."""


def known_errors(evals: Evals, path: str) -> dict[str, JudgeError]:
    """Return the known errors of a dataset's judges, by the names of their scores.

    Of judges whose certificate is of this judge, with this bar; one that is stale says nothing.

    Args:
        evals: the session.
        path: the dataset's.
    """
    matrix = evals.matrices.get(path)
    if matrix is None or not matrix.dataset.judges:
        return {}
    from pytest_evals.scorers.judge.rubric import RubricJudge
    from pytest_evals.storage.certificates import read_certificates

    dataset = matrix.dataset
    certificates = read_certificates((evals.settings.rootdir / dataset.path).parent, dataset)
    if not certificates:
        return {}
    found: dict[str, JudgeError] = {}
    used = {id(b): b for case in dataset.cases for b in evals.registry.scorers_of(dataset, case)}
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
            found[bound.name] = error
    return found


def told_of(
    judgement: Evaluation, errors: Mapping[str, JudgeError], *, verbose: bool
) -> Iterator[str]:
    """Yield lines for the terminal.

    Args:
        judgement: of a dataset.
        errors: the known errors of its judges.
        verbose: whether to show the confusion matrices.
    """
    metrics = {(metric.model, metric.metric): metric for metric in judgement.metrics}
    for (model, name), metric in metrics.items():
        for scorer in errors:
            if name == corrected_name(scorer):
                raw = metrics[model, name.removeprefix("corrected(")[:-1]]
                yield f"judge {scorer} [{model}]: passes {_rate(raw)}; {_corrected(metric)}"
    for one in judgement.confusions if verbose else ():
        yield from matrix_lines(one)


def _rate(metric: Metric) -> str:
    """Write a rate with its interval."""
    if metric.value is None:
        return "nothing"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.0%}"
    return f"{metric.value:.0%} ({metric.low:.0%} to {metric.high:.0%})"


def _corrected(metric: Metric) -> str:
    """Say what people would pass."""
    if metric.value is None:
        return f"not corrected for its known errors: {metric.absent}"
    return f"corrected for its known errors {_rate(metric)}"


def matrix_lines(one: Confusion) -> Iterator[str]:
    """Yield a confusion matrix and the rates of each label."""
    values = {metric.metric: metric.value for metric in one.metrics}
    yield (
        f"confusion of {one.scorer} [{one.model}], {one.n} trials: rows are true labels, columns "
        f"those given; accuracy {_two(values[f'accuracy({_of(one)})'])}, "
        f"macro-F1 {_two(values[f'macro_f1({_of(one)})'])}"
    )
    shown = [shorten(label, 16) for label in one.labels]
    rows = [
        [label, *map(str, counts), *(_two(m.value) for m in one.metrics[2 + 3 * i : 5 + 3 * i])]
        for i, (label, counts) in enumerate(zip(shown, one.counts, strict=True))
    ]
    head = ["", *shown, "precision", "recall", "F1"]
    if any(one.unread):
        head.insert(-3, NO_LABEL)
        for row, count in zip(rows, one.unread, strict=True):
            row.insert(-3, str(count))
    yield from table(head, rows, width=WIDTH)


def _of(one: Confusion) -> str:
    """Return the scorer as metrics write it."""
    name = one.metrics[0].metric
    return name.removeprefix("accuracy(")[:-1]


def _two(value: float | None) -> str:
    """Write a number of 0..1, or a dash where there is none."""
    return "-" if value is None else f"{value:.2f}"
