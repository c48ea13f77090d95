"""The HTML page: sections in their frame, under a policy that forbids every connection."""

from base64 import b64encode
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pytest_evals.ground.plain_text import neutral
from pytest_evals.report import Report
from pytest_evals.reporters.htmlparts.changes import index_changes
from pytest_evals.reporters.htmlparts.coded import coded
from pytest_evals.reporters.htmlparts.collect import (
    CHUNK,
    NOT_RUN,
    STATUSES,
    PageData,
    collect_page_data,
)
from pytest_evals.reporters.htmlparts.compress import pack
from pytest_evals.reporters.htmlparts.headline import format_time, headline
from pytest_evals.reporters.sections.catalogue import sections_of
from pytest_evals.reporters.views import HtmlView

TEMPLATES = Path(__file__).parent / "templates"

SCRIPTS = ("data.js", "filters.js", "matrix.js", "drawer.js", "app.js")
"""The parts of the page's one script, in order."""


def pieces(report: Report) -> Iterator[str]:
    """Yield the page's text, piece by piece."""
    data = collect_page_data(report)
    view = HtmlView(report, data, _render)
    sections = [section.html(view) for section in sections_of(report)]
    script, style, run = _script(), _text("style.css"), report.run
    yield from (
        _environment()
        .get_template("html.jinja")
        .generate(
            policy=_policy(script, style),
            script=script,
            style=style,
            chunks=data.chunks,
            index=pack(_index(report, data)),
            sections=[section for section in sections if section is not None],
            verdict=headline(report, data).title,
            title=", ".join(info.name for info in run.datasets) or "evals",
            run=run,
            when=format_time(run.started_at),
            cut=data.cut,
        )
    )


def _render(template: str, **values: Any) -> Markup:
    """Render a template; it escapes every value that is no markup."""
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704 - escaped


def _index(report: Report, data: PageData) -> dict[str, Any]:
    """Return what the page's script reads at once: all that filters and the matrix need."""
    tags = sorted({tag for case in data.cases.values() for tag in case.tags})
    place = {tag: i for i, tag in enumerate(tags)}
    return {
        "chunk": CHUNK,
        "statuses": STATUSES,
        "not_asked": NOT_RUN,
        "several": len(report.run.datasets) > 1,
        "models": data.models,
        "tags": tags,
        "cases": [
            [case.dataset, case.case, case.question, [place[tag] for tag in case.tags]]
            for case in data.cases.values()
        ],
        "trials": data.index,
        "changes": index_changes(report, data),
    }


def _script() -> str:
    """Return the page's script, joined from its files."""
    body = "\n".join(_text(name) for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}}})();\n'


@lru_cache
def _text(name: str) -> str:
    """Return a file that the page includes unchanged."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Return a content security policy: only this script and style run, nothing connects."""
    script_hash, style_hash = (
        b64encode(sha256(text.encode()).digest()).decode() for text in (script, style)
    )
    return (
        f"default-src 'none'; script-src 'sha256-{script_hash}'; style-src 'sha256-{style_hash}'; "
        "img-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    """Make the environment: it neutralizes control characters, then escapes everything."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: neutral(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["coded"] = coded
    return environment
