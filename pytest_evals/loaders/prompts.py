"""The prompt of a dataset: a text, messages, or a file of either."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_evals.dataset import Prompt
from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import DatasetError
from pytest_evals.loaders.base import Document, Loc
from pytest_evals.loaders.explain import explain
from pytest_evals.loaders.files import BadReferenceError, Files
from pytest_evals.loaders.report import Report
from pytest_evals.loaders.text import decode, show

TEXT_SUFFIXES = (".txt", ".md", ".j2", ".jinja", ".jinja2")
MESSAGE_SUFFIXES = (".yaml", ".yml", ".json")
_SCHEME = "file://"


class PromptReader:
    """Reads the prompt of one dataset."""

    def __init__(self, path: Path, files: Files, report: Report) -> None:
        """Create a reader.

        Args:
            path: the file of the dataset.
            files: finds and reads named files.
            report: collects the problems.
        """
        self._path = path
        self._files = files
        self._report = report

    def read(self, document: Document, loc: Loc, raw: Json) -> Prompt | None:
        """Return the prompt at a location; None if it is invalid."""
        if isinstance(raw, str) and raw.startswith(_SCHEME):
            return self._from_file(document, loc, raw)
        return self._prompt(document, loc, raw, self._path)

    def _from_file(self, document: Document, loc: Loc, written: str) -> Prompt | None:
        """Read a prompt from a separate file."""
        try:
            path = self._files.beside(self._path, written)
            if path.suffix.lower() in MESSAGE_SUFFIXES:
                inner = self._files.parse(path)
                self._report.extend(inner.problems)
                return self._prompt(inner, (), inner.data, path)
            return self._prompt(document, loc, self._text(path), path)
        except BadReferenceError as error:
            self._report.at(document, loc, str(error))
        except DatasetError as error:
            self._report.extend(error.problems)
        return None

    def _prompt(self, document: Document, loc: Loc, raw: Json, path: Path) -> Prompt | None:
        """Build a prompt from a text or messages."""
        if isinstance(raw, dict) and raw.keys() == {"messages"}:
            loc, raw = (*loc, "messages"), raw["messages"]
        if not isinstance(raw, str | list) or not raw:
            self._report.at(
                document,
                loc,
                "expected a prompt (a text, a list of messages with `role` and `content`, or "
                f"`file://` with a path), found {show(raw)}",
            )
            return None
        if isinstance(raw, str):
            return Prompt.model_validate(raw)
        messages = [
            self._message(document, (*loc, i), message, path) for i, message in enumerate(raw)
        ]
        try:
            return Prompt.model_validate(messages)
        except ValidationError as error:
            self._report.findings(document, loc, explain(error, raw, Prompt))
            return None

    def _message(self, document: Document, loc: Loc, raw: Json, path: Path) -> Json:
        """Return a message; a file name in its content is replaced by the text of the file."""
        content: Any = raw.get("content") if isinstance(raw, dict) else None
        if not isinstance(content, str) or not content.startswith(_SCHEME):
            return raw
        try:
            return {**raw, "content": self._text(self._files.beside(path, content))}
        except BadReferenceError as error:
            self._report.at(document, (*loc, "content"), str(error))
        except DatasetError as error:
            self._report.extend(error.problems)
        return raw

    def _text(self, path: Path) -> str:
        """Return the text of a file.

        Raises:
            BadReferenceError: its suffix is not that of a text.
            DatasetError: it cannot be read.
        """
        if path.suffix.lower() not in TEXT_SUFFIXES:
            raise BadReferenceError(
                f"{path.name!r} is not a prompt: its suffix is {path.suffix or 'nothing'!r}, "
                f"expected one of {', '.join((*TEXT_SUFFIXES, *MESSAGE_SUFFIXES))}"
            )
        return decode(self._files.read(path), self._files.shown(path))
