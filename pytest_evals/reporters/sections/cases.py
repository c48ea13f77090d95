"""The cases of the HTML page: a row per case, a square per sample, filters above them."""

from typing import TYPE_CHECKING, Any

from pytest_evals.ground.plain_text import neutral
from pytest_evals.reporters.sections.base import Section

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_evals.reporters.htmlparts.collect import CaseRow
    from pytest_evals.reporters.views import HtmlView

STATIC_ROWS = 30
"""Cases in the page that a reader sees without JavaScript."""


class CaseMatrix(Section):
    """All cases by model, the worst first."""

    id = "cases"
    title = "Cases"

    def html(self, view: "HtmlView") -> "Markup | None":
        """Return the filters, the first rows, and the place for the others."""
        from pytest_evals.reporters.htmlparts.changes import class_titles
        from pytest_evals.reporters.htmlparts.collect import STATUSES

        data, worst = view.data, view.data.worst_first()
        return view.render(
            "sections/cases.jinja",
            title=self.title,
            kinds=class_titles(view.report),
            tags=sorted({tag for case in worst for tag in case.tags}),
            statuses=[name for i, name in enumerate(STATUSES) if i in data.index["status"]],
            columns=data.models,
            scorers=data.scorers,
            cases=[_row(case, several=view.has_several_datasets) for case in worst[:STATIC_ROWS]],
            total=len(worst),
        )


def _row(case: "CaseRow", *, several: bool) -> dict[str, Any]:
    """Return a row of the matrix; models that did not run the case have no cell."""
    from pytest_evals.reporters.htmlparts.collect import NOT_RUN, STATUSES
    from pytest_evals.reporters.htmlparts.numbers import colour_level

    cells: dict[str, dict[str, Any]] = {}
    for model, trials in case.cells.items():
        scored = [status for _, status, _ in trials if status not in NOT_RUN]
        passed = scored.count(0)
        cells[neutral(model)] = {
            "passed": passed,
            "total": len(scored),
            "level": colour_level(passed / len(scored)) if scored else None,
            "samples": [(sample, STATUSES[status]) for sample, status, _ in sorted(trials)],
        }
    name = f"{case.dataset} · {case.case}" if several else case.case
    return {"name": name, "question": case.question, "tags": case.tags, "cells": cells}
