"""The charts of the HTML page: pass@k, cost against quality, scores, latencies, calibration."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_evals.reporters.sections.base import Section

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_evals.reporters.htmlparts.figure import Figure
    from pytest_evals.reporters.views import HtmlView


class Charts(Section):
    """The figures that have data to draw."""

    id = "charts"
    title = "Charts"

    def html(self, view: "HtmlView") -> "Markup | None":
        """Return all figures; None without any."""
        figures = list(_figures(view))
        if not figures:
            return None
        return view.render("sections/charts.jinja", title=self.title, figures=figures)


def _figures(view: "HtmlView") -> "Iterator[Figure]":
    """Yield the figures of each dataset, then those of calibrated judges."""
    from pytest_evals.reporters.htmlparts.agreement import calibration
    from pytest_evals.reporters.htmlparts.curves import pass_curves
    from pytest_evals.reporters.htmlparts.spread import latency_spread, score_spread
    from pytest_evals.reporters.htmlparts.tradeoff import cost_against_quality

    data = view.data
    several = len(data.tables) > 1
    for name, table in data.tables.items():
        evaluation = view.report.evaluations.get(name)
        models = [model for model in data.declared if model in table.models]
        figures = [
            pass_curves(table, models, several=several),
            cost_against_quality(evaluation.metrics, (name, models), several=several)
            if evaluation
            else None,
            score_spread(table, models, several=several),
            latency_spread(table, models, several=several),
        ]
        yield from (figure for figure in figures if figure is not None)
    for certificate in view.report.certificates:
        figure = calibration(certificate)
        if figure is not None:
            yield figure
