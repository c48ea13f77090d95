"""The page: the parts of a report, put into its template, with a policy that lets nothing out."""

from base64 import b64encode
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2

from pytest_evals.ground.plain_text import neutral
from pytest_evals.report import Report
from pytest_evals.reporters.htmlparts.agreement import calibration
from pytest_evals.reporters.htmlparts.changes import (
    change_counts,
    change_groups,
    class_title,
    class_titles,
    index_changes,
)
from pytest_evals.reporters.htmlparts.collect import (
    CHUNK,
    NOT_ASKED,
    STATUSES,
    CaseRow,
    PageData,
    collect_page_data,
)
from pytest_evals.reporters.htmlparts.compress import pack
from pytest_evals.reporters.htmlparts.curves import pass_curves
from pytest_evals.reporters.htmlparts.figure import Figure
from pytest_evals.reporters.htmlparts.gates import gate_rows
from pytest_evals.reporters.htmlparts.headline import format_time, headline
from pytest_evals.reporters.htmlparts.numbers import colour_level, detail_tables, model_table
from pytest_evals.reporters.htmlparts.spread import latency_spread, score_spread
from pytest_evals.reporters.htmlparts.tradeoff import cost_against_quality
from pytest_evals.reporters.shape import all_verdicts

TEMPLATES = Path(__file__).parent.parent / "templates"

SCRIPTS = ("data.js", "filters.js", "matrix.js", "drawer.js", "app.js")
"""In the order in which they are one script."""

STATIC_ROWS = 30
"""Cases that stand in the page without a script."""

GATES_SHOWN = 10


def pieces(report: Report) -> Iterator[str]:
    """Yield the page's text, piece by piece."""
    seen = collect_page_data(report)
    script, style = _script(), _text("style.css")
    template = _environment().get_template("html.jinja")
    yield from template.generate(
        policy=_policy(script, style),
        script=script,
        style=style,
        chunks=seen.chunks,
        index=pack(_index(report, seen)),
        **_view(report, seen),
    )


def _view(report: Report, seen: PageData) -> dict[str, Any]:
    """Return what the template shows without a script."""
    run, judged = report.run, report.judgements
    several = len(run.datasets) > 1
    rows = gate_rows(all_verdicts(report), several=several)
    blocking = sum(row.verdict != "passed" for row in rows)
    shown = max(GATES_SHOWN, min(blocking, 3 * GATES_SHOWN))
    worst = seen.worst_first()
    return {
        "title": ", ".join(info.name for info in run.datasets) or "evals",
        "run": run,
        "when": format_time(run.started_at),
        "head": headline(report, seen),
        "gates": rows[:shown],
        "more_gates": rows[shown:],
        "changes": change_groups(report, seen),
        "change_counts": {class_title(kind): n for kind, n in change_counts(report).items()},
        "models": [
            model_table(name if several else "", one, seen.declared) for name, one in judged.items()
        ],
        "tables": detail_tables(judged, seen.tables, seen.declared),
        "kinds": class_titles(report),
        "tags": sorted({tag for case in worst for tag in case.tags}),
        "statuses": [name for i, name in enumerate(STATUSES) if i in seen.index["status"]],
        "columns": seen.models,
        "scorers": seen.scorers,
        "cases": [_case(case, several=several) for case in worst[:STATIC_ROWS]],
        "total": len(worst),
        "figures": list(_figures(report, seen)),
        "context": report.context,
        "cut": seen.cut,
    }


def _case(case: CaseRow, *, several: bool) -> dict[str, Any]:
    """Return a row of the matrix; a model's cell is None where it was not asked."""
    cells: dict[str, dict[str, Any]] = {}
    for model, trials in case.cells.items():
        asked = [status for _, status, _ in trials if status not in NOT_ASKED]
        passed = asked.count(0)
        cells[neutral(model)] = {
            "passed": passed,
            "total": len(asked),
            "level": colour_level(passed / len(asked)) if asked else None,
            "samples": [(sample, STATUSES[status]) for sample, status, _ in sorted(trials)],
        }
    name = f"{case.dataset} · {case.case}" if several else case.case
    return {"name": name, "question": case.question, "tags": case.tags, "cells": cells}


def _figures(report: Report, seen: PageData) -> Iterator[Figure]:
    """Yield the drawings that there is something to draw of."""
    several = len(seen.tables) > 1
    for name, table in seen.tables.items():
        judged = report.judgements.get(name)
        models = [model for model in seen.declared if model in table.models]
        found = [
            pass_curves(table, models, several=several),
            cost_against_quality(judged.metrics, (name, models), several=several)
            if judged
            else None,
            score_spread(table, models, several=several),
            latency_spread(table, models, several=several),
        ]
        yield from (figure for figure in found if figure is not None)
    for certificate in report.certificates:
        figure = calibration(certificate)
        if figure is not None:
            yield figure


def _index(report: Report, seen: PageData) -> dict[str, Any]:
    """Return what the page's script reads at once: all that filters and the matrix need."""
    tags = sorted({tag for case in seen.cases.values() for tag in case.tags})
    place = {tag: i for i, tag in enumerate(tags)}
    return {
        "chunk": CHUNK,
        "statuses": STATUSES,
        "not_asked": NOT_ASKED,
        "several": len(report.run.datasets) > 1,
        "models": seen.models,
        "tags": tags,
        "cases": [
            [case.dataset, case.case, case.question, [place[tag] for tag in case.tags]]
            for case in seen.cases.values()
        ],
        "trials": seen.index,
        "changes": index_changes(report, seen),
    }


def _script() -> str:
    """Return the page's script, of its files."""
    body = "\n".join(_text(name) for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}}})();\n'


@lru_cache
def _text(name: str) -> str:
    """Return a file that stands in the page as it is."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Return a content security policy: our script and style alone, and no connection at all."""
    ours, drawn = (b64encode(sha256(t.encode()).digest()).decode() for t in (script, style))
    return (
        f"default-src 'none'; script-src 'sha256-{ours}'; style-src 'sha256-{drawn}'; "
        "img-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    """Make the environment: everything escaped, and harmless before that."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: neutral(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
