"""Files of human labels, as CSV or JSON lines.

A row names an answer (by its text or by a recorded trial) and the rater, and has a label, a value
on the judge's scale, or both.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from pytest_evals.ground.canonical import Frozen, digest
from pytest_evals.ground.errors import DatasetError, Position, Problem, StoreError, suggest

SUFFIXES = (".csv", ".jsonl")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a text that a spreadsheet reads as a formula."""
_NOT_DIGESTED = {"note", "at", "line"}
"""Fields that are not part of the label."""
_CELL_LIMIT = 10_000_000


class LabelRow(Frozen):
    """One person's label of one answer."""

    trial: str | None = None
    """The node id of a recorded trial."""
    case: str | None = None
    """The case's id."""
    model: str | None = None
    """The id of the model that answered."""
    sample: int | None = Field(default=None, ge=0)
    """0-based."""
    input: Any = None
    """The input, if the dataset has no such case."""
    answer: str | None = None
    """The text of the answer; None if it is that of a recorded trial."""
    expected: Any = None
    """A right answer, if the dataset has no such case."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Further variables of the judge's prompt; columns ``variables.name`` in CSV."""
    name: str | None = None
    """Name of the judge; None is any."""
    rater: str = "anonymous"
    """The person."""
    label: str | None = None
    """pass or fail, or one of the judge's labels."""
    value: float | None = Field(default=None, allow_inf_nan=False)
    """A value on the judge's scale."""
    note: str = ""
    risk: str | None = None
    """``high`` counts false passes on this answer separately."""
    at: float | None = None
    """Unix time in seconds. The latest of a rater and answer counts; None is the earliest."""
    line: int = Field(default=0, exclude=True)
    """Its line in the file, 1-based."""

    @field_validator("label", mode="before")
    @classmethod
    def _label_of_boolean(cls, value: object) -> object:
        """Convert true and false to pass and fail."""
        return {True: "pass", False: "fail"}[value] if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _whole(self) -> "LabelRow":
        """Require a label or a value, and an answer."""
        if self.label is None and self.value is None:
            raise ValueError("the row has neither a `label` nor a `value`")
        if self.answer is None and self.trial is None and self.case is None:
            raise ValueError("the row names no answer: give `answer`, `trial`, or `case`")
        return self


FIELDS = tuple(name for name in LabelRow.model_fields if name != "line")


def read_labels(path: Path, *, shown: str | None = None) -> tuple[LabelRow, ...]:
    """Read a file of labels; skip rows that are not filled in: without a label, value and note.

    Args:
        path: ``.csv`` with a header, or ``.jsonl`` with an object a line.
        shown: its name in messages.

    Raises:
        DatasetError: it cannot be read, or has invalid rows; lists every problem with its line.
    """
    name = shown or str(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DatasetError.at(
            Position(name),
            f"labels are {' or '.join(SUFFIXES)}, found {path.suffix or 'no ending'}",
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or f"it is not UTF-8 ({error})"
        raise DatasetError.at(Position(name), f"the labels cannot be read: {reason}") from None
    problems: list[Problem] = []
    read_rows = _csv_rows if path.suffix.lower() == ".csv" else _json_rows
    rows = [
        row
        for line, data in read_rows(text, name, problems)
        if _is_filled(data) and (row := _row(data, Position(name, line), problems)) is not None
    ]
    if not rows and not problems:
        problems.append(Problem(Position(name), "the file holds no label"))
    if problems:
        raise DatasetError(problems)
    return tuple(rows)


def _csv_rows(
    text: str, name: str, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the non-empty rows of a CSV file with their lines."""
    csv.field_size_limit(_CELL_LIMIT)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if problem := _header_problem(header):
            problems.append(Problem(Position(name, 1), problem))
            return
        first_line = reader.line_num + 1
        for cells in reader:
            if len(cells) > len(header):
                message = f"the row has {len(cells)} cells, the header {len(header)}"
                problems.append(Problem(Position(name, first_line), message))
            elif any(cells):
                yield first_line, _cells(header, cells)
            first_line = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(Position(name, reader.line_num), f"this is no CSV: {error}"))


def _header_problem(header: Sequence[str]) -> str | None:
    """Return what is wrong with the header; None if it is valid."""
    if not any(header):
        return f"the first line names no columns; known are {', '.join(FIELDS)}"
    for column in header:
        if column not in FIELDS and not column.startswith("variables."):
            hint = suggest(column, FIELDS, limit=20)
            return f"unknown column {column!r}.{hint} Other columns are called `variables.name`"
    duplicates = sorted({column for column in header if header.count(column) > 1})
    return f"duplicate column {duplicates[0]!r}" if duplicates else None


def _cells(header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """Return the data of a row, without empty cells."""
    data: dict[str, Any] = {}
    for column, cell in zip(header, cells, strict=False):
        if not cell and column != "answer":
            continue
        if column.startswith("variables."):
            data.setdefault("variables", {})[column.partition(".")[2]] = _unescape(cell)
        elif column == "variables":
            data.setdefault("variables", {}).update(_json_cell(cell))
        else:
            data[column] = _unescape(cell)
    if not data.get("answer") and (data.get("trial") or data.get("case")):
        data.pop("answer", None)
    return data


def _json_cell(cell: str) -> dict[str, Any]:
    """Read a cell with a JSON object; validation rejects anything else later."""
    try:
        value = json.loads(cell)
    except ValueError:
        return {"": cell}
    return value if isinstance(value, dict) else {"": cell}


def _json_rows(
    text: str, name: str, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file of JSON lines with their lines."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(Position(name, number), f"this is no JSON: {error}"))
            continue
        if isinstance(data, dict):
            yield number, data
        else:
            type_ = type(data).__name__
            problems.append(Problem(Position(name, number), f"expected an object, found {type_}"))


def _is_filled(data: Mapping[str, Any]) -> bool:
    """Return whether a row has a label, a value or a note."""
    values = (data.get(key) for key in ("label", "value", "note"))
    return any(value is not None and value != "" for value in values)


def _no_constant(word: str) -> Any:
    """Reject NaN and infinities, which are not JSON."""
    raise ValueError(f"{word} is no JSON value")


def _row(data: dict[str, Any], where: Position, problems: list[Problem]) -> LabelRow | None:
    """Validate a row; None if it is invalid."""
    try:
        return LabelRow.model_validate({**data, "line": where.line})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            column = ".".join(map(str, detail["loc"]))
            message = str(detail["msg"]).removeprefix("Value error, ")
            if detail["type"] == "extra_forbidden":
                message = f"unknown key {column!r}.{suggest(column, FIELDS, limit=20)}"
            elif column:
                message = f"`{column}`: {message[:1].lower()}{message[1:]}, found {_clip(detail)}"
            problems.append(Problem(where, message))
        return None


def _clip(detail: Mapping[str, Any]) -> str:
    """Quote the invalid value."""
    text = repr(detail.get("input"))
    return text if len(text) <= 60 else f"{text[:60]}…"


def labels_text(rows: Iterable[LabelRow], suffix: str) -> str:
    """Return the text of a file that `read_labels` reads.

    Args:
        rows: in the order to write them.
        suffix: ``.csv`` or ``.jsonl``.
    """
    records = [row.model_dump(mode="json", exclude_defaults=True) for row in rows]
    if suffix == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in records)
    flat = [_flat(row) for row in records]
    extra = sorted({key for row in flat for key in row} - set(FIELDS))
    used = {key for row in flat for key in row} | {"rater", "label", "value"}
    columns = [name for name in FIELDS if name in used] + extra
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for row in flat:
        writer.writerow({key: _escape(value) for key, value in row.items()})
    return out.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Convert every variable to a column."""
    variables = row.pop("variables", {})
    return {**row, **{f"variables.{key}": value for key, value in variables.items()}}


def _escape(value: Any) -> Any:
    """Escape a cell that a spreadsheet would read as a formula; `_unescape` undoes it."""
    if isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith((*_FORMULA, "'")) else text


def _unescape(cell: str) -> str:
    """Remove the quote that `_escape` put before a text."""
    return cell[1:] if cell.startswith("'") and cell[1:2] in {*_FORMULA, "'"} else cell


def labels_digest(rows: Iterable[LabelRow]) -> str:
    """Return 16 hexadecimal digits that identify the raters, answers and labels, in any order.

    Notes, times and the format of the file do not matter.
    """
    digests = sorted(
        digest(row.model_dump(mode="json", exclude=_NOT_DIGESTED, exclude_defaults=True))
        for row in latest(rows)
    )
    return digest(digests, length=16)


def latest(rows: Iterable[LabelRow]) -> list[LabelRow]:
    """Return the latest row of each rater, answer and judge.

    Rows without a time are the earliest; of equal times the last one counts.
    """
    last: dict[tuple[Any, ...], LabelRow] = {}
    for row in rows:
        key = (row.rater, row.name, row.trial, row.case, row.model, row.sample, row.answer)
        full_key = (*key, digest(row.input) if row.input is not None else None)
        earlier = last.get(full_key)
        if earlier is None or (row.at or 0.0) >= (earlier.at or 0.0):
            last[full_key] = row
    return list(last.values())


def write_labels(path: Path, rows: Iterable[LabelRow]) -> None:
    """Write labels to a file.

    Raises:
        StoreError: it cannot be written.
    """
    from pytest_evals.ground.files import replace_text

    try:
        replace_text(path, labels_text(rows, path.suffix.lower()))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from None
