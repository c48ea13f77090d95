"""Figures of calibration reports: the agreement of judges with human labels. Pure."""

from markupsafe import Markup

from pytest_evals.certificate import Certificate, Rate
from pytest_evals.reporters.htmlparts.figure import Figure
from pytest_evals.reporters.htmlparts.svg import Scale, line, picture, tag, text

_WIDTH = 520.0
_SHOWN = {"precision": "precision", "recall": "recall", "f1": "F1", "kappa": "kappa"}


def calibration(certificate: Certificate) -> Figure | None:
    """Return the figure of one judge; None if nothing was measured."""
    rates = [(title, certificate.metrics.get(name)) for name, title in _SHOWN.items()]
    measured = [
        (title, rate) for title, rate in rates if rate is not None and rate.value is not None
    ]
    if not measured:
        return None
    scale = Scale(min(0.0, *(rate.low or 0.0 for _, rate in measured)), 1, 80, _WIDTH - 140)
    height = len(measured) * 28.0 + 28
    marks = [*_axis(scale, height)]
    for place, (title, rate) in enumerate(measured):
        marks += _row(title, rate, place * 28.0 + 18, scale)
    labels, false_passes = certificate.labels, certificate.dangerous
    raters = f" by {len(labels.raters)} people" if labels.raters else ""
    return Figure(
        title=f"Judge {certificate.judge} against people",
        note=f"Measured on {labels.items} answers labelled{raters}, with 95% intervals. "
        "False passes (judge passed, human failed): "
        f"{false_passes.count} of {false_passes.n}.",
        drawing=picture(
            _WIDTH, height, f"Agreement of judge {certificate.judge} with people", *marks
        ),
        confusion=_confusion(certificate),
    )


def _axis(scale: Scale, height: float) -> list[Markup]:
    """Return the grid."""
    marks = []
    for value in (0, 0.25, 0.5, 0.75, 1):
        marks.append(line(scale(value), 4, scale(value), height - 20))
        marks.append(text(scale(value), height - 6, f"{value:g}", "middle"))
    return marks


def _row(title: str, rate: Rate, y: float, scale: Scale) -> list[Markup]:
    """Return one metric with its interval and its numbers."""
    value, interval = rate.value or 0.0, ""
    marks = []
    if rate.low is not None and rate.high is not None:
        interval = f" ({rate.low:.2f} to {rate.high:.2f})"
        marks.append(line(scale(rate.low), y, scale(rate.high), y, "whisker"))
    marks.append(tag("circle", cx=scale(value), cy=y, r=4.5, class_="dot"))
    return [
        text(0, y + 4, title, class_="label"),
        tag("g", *marks, class_="s0"),
        text(_WIDTH, y + 4, f"{value:.2f}{interval}", "end", "number"),
    ]


def _confusion(certificate: Certificate) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the confusion table of human labels and the judge's."""
    counts = certificate.confusion
    if not counts:
        return ()
    rows = [
        (
            f"people {label}",
            tuple(str(counts.get(label, {}).get(judge, 0)) for judge in ("pass", "fail")),
        )
        for label in ("pass", "fail")
    ]
    return (("", ("judge pass", "judge fail")), *rows)
