"""A section that a plugin adds with the hook ``pytest_evals_report_context``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_evals.report import ContextValue
from pytest_evals.reporters.markup import prose
from pytest_evals.reporters.mdtables import table_head, table_row
from pytest_evals.reporters.sections.base import Section
from pytest_evals.reporters.truncate import TextSection

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_evals.reporters.views import HtmlView, MarkdownView


class PluginSection(Section):
    """A text or named values under a title.

    Args:
        name: the section's id.
        title: the heading.
        value: a text, or values by name.
    """

    def __init__(self, name: str, title: str, value: ContextValue) -> None:
        self.id = name
        self.title = title
        self._value = value

    def html(self, view: "HtmlView") -> "Markup | None":
        """Return the text, or the values as a list of terms."""
        return view.render("sections/plugin.jinja", id=self.id, title=self.title, value=self._value)

    def markdown(self, view: "MarkdownView") -> Iterable[TextSection]:
        """Return the text, or the values as a table."""
        title = f"### {prose(self.title)}"
        if isinstance(self._value, str):
            return [TextSection(title, [prose(self._value, 2_000)], "parts")]
        items = [
            table_row([prose(name), prose(_value_text(value))])
            for name, value in self._value.items()
        ]
        return [TextSection(title, items, "values", before=table_head(["", ""]), between="\n")]


def _value_text(value: object) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)
