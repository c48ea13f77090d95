"""The sections of the HTML page and the Markdown report: one list, two formats, one page of docs."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import Markup

from pytest_evals.metrics.metric import TOO_FEW, interval_text, shown_interval
from pytest_evals.reporters.markdown import render_markdown
from pytest_evals.reporters.sections import catalogue
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.truncate import TextSection
from pytest_evals.reporters.views import HtmlView, MarkdownView
from tests.reporters.page_makers import page, shop
from tests.reporters.text_makers import report, trial

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "reports.md"
ROW = re.compile(r"^\| (.+?) \| `([a-z-]+)` \| (yes|) ?\| (yes|) ?\| (.+) \|$", re.MULTILINE)


class Owners(Section):
    """A section as a contributor would write it."""

    id = "owners"
    title = "Owners"

    def html(self, view: HtmlView) -> Markup | None:
        """Return the owner of each dataset."""
        names = ", ".join(info.name for info in view.report.run.datasets)
        return Markup("<section><h2>{}</h2><p>{}</p></section>").format(self.title, names)

    def markdown(self, view: MarkdownView) -> Iterable[TextSection]:
        """Return the owner of each dataset."""
        items = [f"- {info.name}" for info in view.report.run.datasets]
        return [TextSection(f"### {self.title}", items, "owners")]


def test_one_line_in_the_list_adds_a_section_to_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new section needs its class and its place in the list, for HTML and for Markdown."""
    first, *others = catalogue.BUILT_IN
    monkeypatch.setattr(catalogue, "BUILT_IN", (first, Owners(), *others))
    html, markdown = page(shop()), render_markdown(shop())
    assert "<h2>Owners</h2><p>shop</p>" in html
    assert html.index("Owners") < html.index('id="gates"')
    assert "### Owners\n\n- shop\n\n### Gates" in markdown


def test_plugins_sections_come_by_the_same_list() -> None:
    """A section of a plugin stands in both formats, before the facts of the run."""
    context = {"Owner": "team refunds", "Deployment": {"prompt": "v7", "canary": True}}
    made = replace(shop(), context=context)
    names = [section.id for section in catalogue.sections_of(made)]
    assert ["context-1", "context-2", "run"] == names[-3:]
    assert '<h2 id="context-1">Owner</h2>' in page(made)
    assert "### Owner\n\nteam refunds\n\n### Deployment\n\n|  |  |" in render_markdown(made)


def test_a_section_without_content_is_not_shown() -> None:
    """Without gates and without a baseline their sections are missing."""
    names = {section.id for section in catalogue.sections_of(report([trial("a")]))}
    assert {"headline", "models", "cases", "run"} <= names
    assert not names & {"gates", "all-gates", "changes", "notes"}


def test_every_section_is_documented() -> None:
    """The page lists every built-in section in order, with its title and its formats."""
    documented = [row[:4] for row in ROW.findall(PAGE.read_text("utf-8"))]
    expected = [
        (
            section.title,
            section.id,
            *("yes" if name in catalogue.formats_of(section) else "" for name in FORMATS),
        )
        for section in catalogue.BUILT_IN
    ]
    assert expected == documented


FORMATS = ("html", "markdown")


def test_every_section_has_a_format_and_an_id_of_its_own() -> None:
    """No section is without a format, and no two share an id."""
    assert all(catalogue.formats_of(section) for section in catalogue.BUILT_IN)
    assert len(catalogue.BUILT_IN) == len({section.id for section in catalogue.BUILT_IN})


@pytest.mark.parametrize(
    ("ends", "unit", "is_change", "expected"),
    [
        ((-0.2, 1.3), "rate", False, (0.0, 1.0)),
        ((-1.34, 0.678), "rate", True, (-1.0, 0.678)),
        ((-0.5, 4.0), "s", False, (0.0, 4.0)),
        ((-3.0, 4.0), "score", False, (-3.0, 4.0)),
        ((-3.0, 4.0), "tokens", True, (-3.0, 4.0)),
        ((None, None), "rate", False, None),
    ],
)
def test_no_interval_leaves_the_range_of_its_quantity(ends, unit, is_change, expected) -> None:
    """Rates stay in 0..1, their changes in -1..1, times and costs above 0; scores are free."""
    assert expected == shown_interval(*ends, unit, is_change=is_change)


@pytest.mark.parametrize(
    ("ends", "cases", "expected"),
    [
        ((-0.2, 1.3), 3, "0.00 to 1.00"),
        ((0.25, 0.5), 1000, "0.25 to 0.50"),
        ((0.25, 0.5), 2, TOO_FEW),
        ((None, None), 1, TOO_FEW),
        ((None, None), 3, ""),
        ((None, None), 0, ""),
    ],
)
def test_fewer_than_three_cases_are_too_few_for_an_interval(ends, cases, expected) -> None:
    """One or two cases do not show how much cases differ; without a value nothing is said."""
    assert expected == interval_text(*ends, "rate", cases, "{:.2f}".format)


def test_the_table_of_gates_keeps_changes_inside_their_range() -> None:
    """A change of a rate by more than 100 points is shown as 100."""
    rows = [line for line in render_markdown(shop()).splitlines() if "`no regressions`" in line]
    assert any("-0.3333 (-1 to 0.678)" in row for row in rows)
