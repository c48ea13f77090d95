"""A calibration report as lines for a terminal. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from pytest_evals.certificate import Certificate
from pytest_evals.ground.plain_text import listed, table

_METRICS = {"f1": "F1", "macro_f1": "macro F1", "alpha": "alpha (people)", "mae": "mean abs. error"}
"""Names of metrics that are no plain words."""
_SHOWN_CASES = 12
_SHOWN_ERRORS = 3


def report_lines(certificate: Certificate, judge_type: str, errors: Sequence[str]) -> Iterator[str]:
    """Yield the report.

    Args:
        certificate: the judge's agreement with people.
        judge_type: the type of the judge.
        errors: why answers got no verdict.
    """
    labels = certificate.labels
    yield (
        f"judge        {certificate.judge} ({judge_type}) by {', '.join(certificate.models)}, "
        f"fingerprint {certificate.fingerprint}"
    )
    raters = f"{len(labels.raters)} raters" if len(labels.raters) > 1 else "1 rater"
    yield f"labels       {labels.items} answers, {raters}: {', '.join(labels.raters)}"
    yield ""
    yield from _matrix(certificate.confusion)
    if certificate.labels_confusion:
        yield ""
        yield from _matrix(certificate.labels_confusion)
    yield ""
    for name, rate in certificate.metrics.items():
        yield f"{_METRICS.get(name, name.replace('_', ' ')):<22} {rate}"
    yield ""
    yield from _false_passes(certificate)
    if certificate.unscored:
        yield f"unscored     {certificate.unscored} answers got no verdict of the judge"
        distinct = list(dict.fromkeys(errors))
        yield from (f"             {error}" for error in distinct[:_SHOWN_ERRORS])


def _matrix(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Yield a confusion matrix: a row per label of people, a column per verdict of the judge."""
    names = list(counts)
    rows = [[f"people {name}", *(str(counts[name][other]) for other in names)] for name in names]
    yield from table(("", *(f"judge {name}" for name in names)), rows, align="<" + ">" * len(names))


def _false_passes(certificate: Certificate) -> Iterator[str]:
    """Yield the false passes: the judge passed an answer that people failed."""
    false_passes = certificate.dangerous
    upper = ""
    if false_passes.upper is not None:
        upper = f" (at most {false_passes.upper:.1%}, with 95 % confidence)"
    yield (
        f"false passes {false_passes.count} of {false_passes.n} answers that people failed{upper}; "
        f"{false_passes.high_risk} of high risk"
    )
    if false_passes.cases:
        yield f"             {listed(false_passes.cases, _SHOWN_CASES)}"
