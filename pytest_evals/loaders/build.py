"""Load a file as a Dataset, or report every problem of the file.

This module knows the keys of a dataset file. Loaders know the formats; the checker of the context
knows which scorers and providers exist.
"""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from pytest_evals.case import Case, ScorerSpec
from pytest_evals.dataset import Dataset, Defaults, Prompt
from pytest_evals.ground.canonical import Json
from pytest_evals.loaders.base import Document, LoadContext, Loc
from pytest_evals.loaders.cases import HEADER, CaseReader
from pytest_evals.loaders.explain import explain, unknown_key, value_at, written_loc
from pytest_evals.loaders.files import Files, is_rows
from pytest_evals.loaders.models import read_model
from pytest_evals.loaders.prompts import PromptReader
from pytest_evals.loaders.report import Report
from pytest_evals.loaders.text import show
from pytest_evals.model import Model

DATASET_KEYS = (*(name for name in Dataset.model_fields if name != "path"), "defaults")
"""The keys of a dataset file; keys with the prefix ``x-`` are free, for example for anchors."""
_READ_APART = frozenset({"models", "prompt", "scorers", "cases", "defaults"})
_AT_KEY = ("unknown key", "no scorer is called")
"""The prefixes of checker messages about a key instead of its value."""


def load(path: Path, context: LoadContext) -> Dataset:
    """Load a dataset.

    Args:
        path: a YAML, JSON, JSON Lines or CSV file. JSON Lines and CSV are rows of cases; the first
            row of JSON Lines may be ``{"$dataset": {...}}`` with the other keys of a dataset.
        context: the rootdir and the checker.

    Raises:
        DatasetError: holds every problem of the file and of included files.
    """
    with _gc_paused():
        return _Build(path, context).dataset()


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Disable the garbage collector.

    Loading creates many objects and no garbage; collection took most of the time (YAML: 0.55 s of
    0.67 s for 10,000 cases).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True, slots=True)
class _Layout:
    """The locations of the dataset keys and of the cases in a file."""

    document: Document
    keys: dict[str, Json]
    """The dataset keys without `cases`."""
    at: Loc
    """The location of the keys."""
    cases: Loc
    """The location of the cases."""
    first: int = 0
    """The index of the first row with a case."""

    def place(self, *loc: str | int) -> Loc:
        """Return the location of a value of the dataset as written."""
        return (*self.at, *written_loc(self.keys, loc))


class _Build:
    """One load of a dataset."""

    def __init__(self, path: Path, context: LoadContext) -> None:
        self._path = path
        self._checker = context.checker
        self._files = Files(context.rootdir, context.checker)
        self._shown = self._files.shown(path)
        self._report = Report(self._shown)
        self._doubtful = False
        """Whether checker messages about whole cases may be a consequence of another problem."""

    def dataset(self) -> Dataset:
        """Return the dataset.

        Raises:
            DatasetError: holds every problem.
        """
        document = self._files.parse(self._path)
        self._report.extend(document.problems)
        written = self._written(document)
        self._check_keys(written)
        defaults = self._defaults(written)
        reader = CaseReader(self._files, self._report, defaults)
        models = self._models(written)
        scorers = self._scorers(written, reader)
        prompt = self._prompt(written)
        plain_values = self._plain_values(written)
        reader.read(document, written.cases, self._path, first=written.first)
        dataset = plain_values.model_copy(
            update={
                "models": tuple(models.values()),
                "scorers": tuple(scorers.values()),
                "prompt": prompt,
                "cases": tuple(reader.cases),
            }
        )
        self._check(dataset, written, reader, {"models": [*models], "scorers": [*scorers]})
        if len(self._report):
            raise self._report.error()
        return dataset

    def _written(self, document: Document) -> _Layout:
        """Find the dataset keys and the cases.

        Raises:
            DatasetError: there are no cases.
        """
        data = document.data
        if isinstance(data, list) and is_rows(self._path):
            return self._in_rows(document, data)
        if data is None:
            self._fail(document, (), "the file has no data: there is nothing to test")
        if not isinstance(data, dict):
            self._fail(document, (), f"expected a mapping with `cases`, found {show(data)}")
        if "cases" not in data:
            self._check_keys(_Layout(document, data, (), ()))
            self._fail(document, (), "`cases` is missing: there is nothing to test")
        if data["cases"] in (None, [], ""):
            self._fail(document, ("cases",), "there are no cases: there is nothing to test")
        keys = {key: value for key, value in data.items() if key != "cases"}
        return _Layout(document, keys, (), ("cases",))

    def _in_rows(self, document: Document, rows: list[Json]) -> _Layout:
        """Find the dataset keys in the first row, if it has any.

        Raises:
            DatasetError: there are no cases.
        """
        written = _Layout(document, {}, (), ())
        head = rows[0] if rows else None
        if isinstance(head, dict) and HEADER in head:
            keys = head[HEADER]
            if len(head) > 1 or not isinstance(keys, dict):
                self._fail(
                    document, (0,), f"`{HEADER}` must be the only key of its row, with a mapping"
                )
            if "cases" in keys:
                self._fail(document, (0, HEADER, "cases"), "the cases are the rows below this one")
            written = _Layout(document, keys, (0, HEADER), (), 1)
        if len(rows) <= written.first:
            self._fail(document, (), "there are no cases: there is nothing to test")
        return written

    def _fail(self, document: Document, loc: Loc, message: str) -> NoReturn:
        """Raise an error with all problems so far."""
        self._report.at(document, loc, message)
        raise self._report.error()

    def _check_keys(self, written: _Layout) -> None:
        """Report unknown dataset keys."""
        for key in written.keys:
            if key not in DATASET_KEYS and key != "$schema" and not key.startswith("x-"):
                self._doubtful = True
                self._report.at(
                    written.document, (*written.at, key), unknown_key(key, DATASET_KEYS), key=True
                )

    def _defaults(self, written: _Layout) -> Defaults:
        """Return the defaults of all cases."""
        raw = written.keys.get("defaults", {})
        try:
            defaults = Defaults.model_validate(raw)
            Case.model_validate({"id": "x", "tags": defaults.tags})
        except ValidationError as error:
            self._doubtful = True
            findings = explain(error, raw, Defaults)
            self._report.findings(written.document, (*written.at, "defaults"), findings)
            return Defaults()
        return defaults

    def _models(self, written: _Layout) -> dict[int, Model]:
        """Return the valid models, by their indices in the file."""
        _, providers = self._checker.names()
        models: dict[int, Model] = {}
        for i in range(self._length(written, "models", "models")):
            loc = (*written.at, "models", i)
            model = read_model(written.document, loc, providers=providers, report=self._report)
            if model is None:
                self._doubtful = True
            else:
                models[i] = model
        return models

    def _scorers(self, written: _Layout, reader: CaseReader) -> dict[int, ScorerSpec]:
        """Return the valid scorers of the dataset, by their indices in the file."""
        scorers: dict[int, ScorerSpec] = {}
        for i in range(self._length(written, "scorers", "scorers")):
            loc = (*written.at, "scorers", i)
            spec = reader.scorer(written.document, loc, written.keys["scorers"][i])
            if spec is None:
                self._doubtful = True
            else:
                scorers[i] = spec
        return scorers

    def _length(self, written: _Layout, key: str, things: str) -> int:
        """Return the length of a list; 0 if it is missing. Report any other type."""
        raw = written.keys.get(key, [])
        if isinstance(raw, list):
            return len(raw)
        self._doubtful = True
        self._report.at(
            written.document,
            (*written.at, key),
            f"`{key}`: expected a list of {things}, found {show(raw)}",
        )
        return 0

    def _prompt(self, written: _Layout) -> Prompt | None:
        """Return the prompt."""
        if "prompt" not in written.keys:
            return None
        reader = PromptReader(self._path, self._files, self._report)
        prompt = reader.read(written.document, (*written.at, "prompt"), written.keys["prompt"])
        self._doubtful = self._doubtful or prompt is None
        return prompt

    def _plain_values(self, written: _Layout) -> Dataset:
        """Return the dataset with its plain values only."""
        stem = self._path.name.removesuffix(self._path.suffix).removesuffix(".evals")
        fallback = {
            "name": re.sub(r'^\.+|[/\\:*?"<>|]', "", stem) or "dataset",
            "path": self._shown,
        }
        raw = {
            key: value
            for key, value in written.keys.items()
            if key in DATASET_KEYS and key not in _READ_APART
        }
        try:
            return Dataset.model_validate({**fallback, **raw})
        except ValidationError as error:
            findings = explain(error, raw, Dataset)
            self._report.findings(written.document, written.at, findings)
            wrong = {detail["loc"][0] for detail in error.errors()}
            self._doubtful = self._doubtful or "judges" in wrong
            right = {key: value for key, value in raw.items() if key not in wrong}
            return Dataset.model_validate({**fallback, **right})

    def _check(
        self, dataset: Dataset, written: _Layout, reader: CaseReader, numbers: dict[str, list[int]]
    ) -> None:
        """Report the problems that the checker finds.

        Args:
            dataset: the valid parts of the dataset.
            written: the layout of the file.
            reader: has the origin of each case.
            numbers: for models and scorers, their indices in the file.
        """
        for loc, message in self._checker.check(dataset):
            key = message.startswith(_AT_KEY)
            if len(loc) > 1 and loc[0] == "cases" and isinstance(loc[1], int):
                if self._doubtful and (len(loc) < 4 or loc[2] == "script"):
                    continue
                document, origin = reader.origins[loc[1]]
                inner = written_loc(value_at(document.data, origin), loc[2:])
                self._report.at(document, (*origin, *inner), message, key=key)
                continue
            if len(loc) > 1 and loc[0] in numbers and isinstance(loc[1], int):
                loc = (loc[0], numbers[str(loc[0])][loc[1]], *loc[2:])  # noqa: PLW2901 - the location in the file
            self._report.at(written.document, written.place(*loc), message, key=key)
