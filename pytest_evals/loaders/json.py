"""JSON: one value in a file."""

from typing import ClassVar

from pytest_evals.loaders.base import Document
from pytest_evals.loaders.jsontext import JsonText, StrictDecoder
from pytest_evals.loaders.text import decode


class JsonLoader:
    """Reads JSON files."""

    name: ClassVar[str] = "json"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    def parse(self, content: bytes, path: str) -> Document:
        """Parse a file.

        Raises:
            DatasetError: it is not JSON.
        """
        text = JsonText(decode(content, path), path)
        data = text.parse(StrictDecoder())
        return Document(data, text, tuple(text.problems))
