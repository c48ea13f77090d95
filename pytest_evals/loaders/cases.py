"""The cases of a dataset: convert each row to a Case, and record its origin.

Rows come from the list of the dataset and from included files. An invalid row does not hide
problems of other rows.
"""

from collections.abc import Iterator
from itertools import islice
from marshal import dumps
from pathlib import Path
from pickle import dumps as dumps_any
from typing import Any

from pydantic import ValidationError

from pytest_evals.case import Case, ScorerSpec, Source, slug
from pytest_evals.dataset import Defaults
from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import DatasetError
from pytest_evals.loaders.base import Document, Loc
from pytest_evals.loaders.explain import Finding, explain, unknown_key
from pytest_evals.loaders.files import BadReferenceError, Files
from pytest_evals.loaders.report import Report
from pytest_evals.loaders.text import clip, show
from pytest_evals.message import Message

CASE_KEYS = tuple(name for name in Case.model_fields if name != "source")
HEADER = "$dataset"
"""The key of the row with the other keys of the dataset."""
_INCLUDE = "$include"
_NO_ID = "case"
"""A placeholder until the id is derived."""

Row = tuple[Json, Document, Loc]
"""The raw case, its file, and its location there."""

_validate = Case.__pydantic_validator__.validate_python


class CaseReader:
    """Reads the cases of one dataset.

    Attributes:
        cases: the valid cases, in order.
        origins: the file and location of each of them.
    """

    def __init__(self, files: Files, report: Report, defaults: Defaults) -> None:
        self.cases: list[Case] = []
        self.origins: list[tuple[Document, Loc]] = []
        self._files = files
        self._report = report
        self._defaults = defaults
        self._has_defaults = defaults != Defaults()
        self._seen: dict[str, int] = {}
        self._specs: dict[bytes, ScorerSpec] = {}
        self._written: dict[tuple[str, ...], set[str]] = {}
        """Sets of written fields, by the keys of a row."""

    def read(self, document: Document, loc: Loc, path: Path, *, first: int = 0) -> None:
        """Add the cases at a location: a list, or the path of a file.

        Args:
            document: the file.
            loc: the location of the cases.
            path: the path of the file; included files are relative to it.
            first: the index of the first row with a case.
        """
        written = document.data
        for step in loc:
            written = written[step]
        rows = self._rows(document, loc, (path,), written)
        for raw, row_document, row_loc in islice(rows, first, None):
            self._add(raw, row_document, row_loc)

    def _rows(
        self, document: Document, loc: Loc, chain: tuple[Path, ...], written: Json
    ) -> Iterator[Row]:
        """Yield the rows of a list, with the rows of included files in their place."""
        if isinstance(written, str):
            yield from self._included(document, loc, chain, written)
            return
        if not isinstance(written, list):
            self._report.at(
                document,
                loc,
                f"expected a list of cases, or the path of a file of cases, found {show(written)}",
            )
            return
        for i, raw in enumerate(written):
            row_loc = (*loc, i)
            if type(raw) is dict and _INCLUDE in raw:
                target = raw[_INCLUDE]
                if len(raw) > 1 or not isinstance(target, str):
                    self._report.at(
                        document,
                        row_loc,
                        f"`{_INCLUDE}` must be the only key, with the path of a file of cases",
                    )
                    continue
                yield from self._included(document, (*row_loc, _INCLUDE), chain, target)
            else:
                yield raw, document, row_loc

    def _included(
        self, document: Document, loc: Loc, chain: tuple[Path, ...], written: str
    ) -> Iterator[Row]:
        """Yield the rows of an included file."""
        try:
            path = self._files.beside(chain[-1], written)
            if path.resolve() in [other.resolve() for other in chain]:
                circle = " -> ".join(self._files.shown(other) for other in (*chain, path))
                raise BadReferenceError(f"{written!r} includes itself: {circle}")
            inner = self._files.parse(path)
        except BadReferenceError as error:
            self._report.at(document, loc, str(error))
            return
        except DatasetError as error:
            self._report.extend(error.problems)
            return
        self._report.extend(inner.problems)
        if not isinstance(inner.data, list):
            self._report.at(
                inner, (), f"an included file must be a list of cases, found {show(inner.data)}"
            )
        elif not inner.data and not inner.problems:
            self._report.at(document, loc, f"{written!r} has no cases")
        else:
            yield from self._rows(inner, (), (*chain, path), inner.data)

    def _add(self, raw: Json, document: Document, loc: Loc) -> None:
        """Convert a row to a case, or report its problems."""
        if type(raw) is not dict:
            self._report.at(
                document, loc, f"expected a case (a mapping with `id`, `input`), found {show(raw)}"
            )
            return
        if HEADER in raw:
            self._report.at(
                document, loc, f"`{HEADER}` is only allowed in the first row of a dataset"
            )
            return
        place = document.where(loc)
        fields = {**raw, "source": Source(path=place.path, line=place.line)}
        right = True
        if "source" in raw:
            self._report.at(document, (*loc, "source"), unknown_key("source", CASE_KEYS), key=True)
            right = False
        if "scorers" in raw and isinstance(raw["scorers"], list):
            specs = [
                self.scorer(document, (*loc, "scorers", i), scorer)
                for i, scorer in enumerate(raw["scorers"])
            ]
            right = right and None not in specs
            fields["scorers"] = tuple(spec for spec in specs if spec is not None)
        named = "id" in raw
        if not named:
            fields["id"] = _NO_ID
        if self._has_defaults:
            self._apply_defaults(fields)
        try:
            case = _validate(fields)
        except ValidationError as error:
            self._report.findings(document, loc, _findings(error, raw))
            return
        # Share the set of written fields between cases with equal keys: saves 200 bytes a case.
        written = self._written.setdefault(tuple(fields), case.model_fields_set)
        object.__setattr__(case, "__pydantic_fields_set__", written)
        if right:
            self._register(case if named else _with_id(case), document, loc, named=named)

    def _register(self, case: Case, document: Document, loc: Loc, *, named: bool) -> None:
        """Add a case; report a duplicate id."""
        first = self._seen.setdefault(case.id, len(self.cases))
        if first == len(self.cases):
            self.cases.append(case)
            self.origins.append((document, loc))
            return
        other = self.cases[first].source
        if named:
            message = f"duplicate id {clip(case.id)}, first in {other}; ids must be unique"
            self._report.at(document, (*loc, "id"), message)
        else:
            message = f"this case has the same content as the one in {other}; give both an `id`"
            self._report.at(document, loc, message)

    def scorer(self, document: Document, loc: Loc, raw: Json) -> ScorerSpec | None:
        """Return the scorer at a location, shared between equal ones; None if it is invalid."""
        key = _key_of(raw)
        spec = self._specs.get(key)
        if spec is not None:
            return spec
        if not isinstance(raw, str | dict) or not raw:
            self._report.at(
                document,
                loc,
                "expected a scorer (a name, `contains: x`, or a mapping with `type`), "
                f"found {show(raw)}",
            )
            return None
        try:
            spec = self._specs[key] = ScorerSpec.model_validate(raw)
        except ValidationError as error:
            self._report.findings(document, loc, explain(error, raw, ScorerSpec))
        return spec

    def _apply_defaults(self, fields: dict[str, Any]) -> None:
        """Add the defaults to a row: tags and mappings are merged, the values of the row win."""
        defaults = self._defaults
        if defaults.tags:
            written = fields.get("tags", ())
            tags = (written,) if isinstance(written, str) else written
            if isinstance(tags, list | tuple):
                fields["tags"] = [
                    *defaults.tags,
                    *(tag for tag in tags if tag not in defaults.tags),
                ]
        for name in ("variables", "metadata"):
            common = getattr(defaults, name)
            written = fields.get(name, {})
            if common and isinstance(written, dict):
                fields[name] = {**common, **written}
        if defaults.samples is not None:
            fields.setdefault("samples", defaults.samples)


def _findings(error: ValidationError, raw: dict[str, Json]) -> list[Finding]:
    """Return the problems of a row; those of its chat messages one by one."""
    findings: list[Finding] = []
    for finding in explain(error, raw, Case, allowed=CASE_KEYS):
        if finding.loc != ("input",) or not isinstance(raw["input"], list):
            findings.append(finding)
            continue
        for i, message in enumerate(raw["input"]):
            try:
                Message.model_validate(message)
            except ValidationError as inner:
                findings += [
                    Finding(
                        ("input", i, *inner_finding.loc),
                        inner_finding.message,
                        at_key=inner_finding.at_key,
                    )
                    for inner_finding in explain(inner, message, Message)
                ]
    return findings


def _with_id(case: Case) -> Case:
    """Return the case with an id that is derived from its content."""
    return case.model_copy(update={"id": f"{slug(_input_text(case))}-{case.digest[:6]}"})


def _input_text(case: Case) -> str:
    """Return the input of a case as a text."""
    if case.turns:
        return case.turns[0]
    if isinstance(case.input, str):
        return case.input
    if isinstance(case.input, tuple):
        users = [m.text for m in case.input if isinstance(m, Message) and m.role == "user"]
        return users[-1] if users else ""
    return "" if case.input is None else str(case.input)


def _key_of(raw: Json) -> bytes:
    """Return a key that equal scorers share; numbers with their written form only pickle writes."""
    try:
        return dumps(raw, 2)
    except ValueError:
        return dumps_any(raw)
