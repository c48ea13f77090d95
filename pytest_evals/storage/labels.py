"""Labels in files: what people say of answers, as CSV or JSON lines.

A row says which answer is meant (by the answer itself, or by a recorded trial), who says it, and
what: a label, a value on the judge's scale, or both.
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
"""What makes a spreadsheet take a text for a formula."""
_UNKEYED = {"note", "at", "line"}
"""Fields that change nothing of what is said of which answer."""
_MOST_CELL = 10_000_000


class LabelRow(Frozen):
    """What one person says of one answer."""

    trial: str | None = None
    """The node id of a recorded trial."""
    case: str | None = None
    """The case's id."""
    model: str | None = None
    """The id of the model that answered."""
    sample: int | None = Field(default=None, ge=0)
    """0-based."""
    input: Any = None
    """The question, where the dataset has no such case."""
    answer: str | None = None
    """The answer itself; None where it is a recorded trial's."""
    expected: Any = None
    """A right answer, where the dataset has no such case."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """More that the judge's texts use; columns ``variables.name`` in CSV."""
    name: str | None = None
    """The judge that is meant; None is any."""
    rater: str = "anonymous"
    """Who says it."""
    label: str | None = None
    """pass or fail, or one of the judge's own labels."""
    value: float | None = Field(default=None, allow_inf_nan=False)
    """On the judge's own scale."""
    note: str = ""
    risk: str | None = None
    """``high`` counts dangerous errors on this answer apart."""
    at: float | None = None
    """Unix time, seconds; the latest of a rater and answer counts. None is before all others."""
    line: int = Field(default=0, exclude=True)
    """Where it stands in its file, 1-based."""

    @field_validator("label", mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        """Take true and false for pass and fail."""
        return {True: "pass", False: "fail"}[value] if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _whole(self) -> "LabelRow":
        """Something is said of something."""
        if self.label is None and self.value is None:
            raise ValueError("the row has neither a `label` nor a `value`")
        if self.answer is None and self.trial is None and self.case is None:
            raise ValueError("the row names no answer: give `answer`, `trial`, or `case`")
        return self


FIELDS = tuple(name for name in LabelRow.model_fields if name != "line")


def read_labels(path: Path, *, shown: str | None = None) -> tuple[LabelRow, ...]:
    """Read a file of labels; rows with neither label, value nor note are still to be filled in.

    Args:
        path: ``.csv`` with a header, or ``.jsonl`` with an object a line.
        shown: how the file is named in messages.

    Raises:
        DatasetError: it cannot be read, or rows are wrong: all problems, with their lines.
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
        why = getattr(error, "strerror", None) or f"it is not UTF-8 ({error})"
        raise DatasetError.at(Position(name), f"the labels cannot be read: {why}") from None
    problems: list[Problem] = []
    written = _csv_rows if path.suffix.lower() == ".csv" else _json_rows
    rows = [
        row
        for line, data in written(text, name, problems)
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
    """Yield the rows of a CSV file that have something in them, with their lines."""
    csv.field_size_limit(_MOST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if problem := _header_problem(header):
            problems.append(Problem(Position(name, 1), problem))
            return
        begun = reader.line_num + 1
        for cells in reader:
            if len(cells) > len(header):
                message = f"the row has {len(cells)} cells, the header {len(header)}"
                problems.append(Problem(Position(name, begun), message))
            elif any(cells):
                yield begun, _cells(header, cells)
            begun = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(Position(name, reader.line_num), f"this is no CSV: {error}"))


def _header_problem(header: Sequence[str]) -> str | None:
    """Say what is wrong with the header; None where it is right."""
    if not any(header):
        return f"the first line names no columns; known are {', '.join(FIELDS)}"
    for column in header:
        if column not in FIELDS and not column.startswith("variables."):
            hint = suggest(column, FIELDS, limit=20)
            return f"unknown column {column!r}.{hint} Other columns are called `variables.name`"
    twice = sorted({column for column in header if header.count(column) > 1})
    return f"the column {twice[0]!r} stands twice" if twice else None


def _cells(header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """Make a row's data; an empty cell is none."""
    data: dict[str, Any] = {}
    for column, cell in zip(header, cells, strict=False):
        if not cell and column != "answer":
            continue
        if column.startswith("variables."):
            data.setdefault("variables", {})[column.partition(".")[2]] = _unguarded(cell)
        elif column == "variables":
            data.setdefault("variables", {}).update(_json_cell(cell))
        else:
            data[column] = _unguarded(cell)
    if not data.get("answer") and (data.get("trial") or data.get("case")):
        data.pop("answer", None)
    return data


def _json_cell(cell: str) -> dict[str, Any]:
    """Read a cell that holds a JSON object; anything else is left to the checks that follow."""
    try:
        found = json.loads(cell)
    except ValueError:
        return {"": cell}
    return found if isinstance(found, dict) else {"": cell}


def _json_rows(
    text: str, name: str, problems: list[Problem]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file of JSON lines, with their lines."""
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
            found = type(data).__name__
            problems.append(Problem(Position(name, number), f"expected an object, found {found}"))


def _is_filled(data: Mapping[str, Any]) -> bool:
    """Whether somebody has said something in a row."""
    said = (data.get(key) for key in ("label", "value", "note"))
    return any(value is not None and value != "" for value in said)


def _no_constant(word: str) -> Any:
    """Refuse what Python reads and JSON does not know."""
    raise ValueError(f"{word} is no JSON value")


def _row(data: dict[str, Any], where: Position, problems: list[Problem]) -> LabelRow | None:
    """Make a row; None where it is wrong."""
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
    """Show what was found."""
    text = repr(detail.get("input"))
    return text if len(text) <= 60 else f"{text[:60]}…"


def labels_text(rows: Iterable[LabelRow], suffix: str) -> str:
    """Write labels as a file that `read_labels` reads back.

    Args:
        rows: in the order in which they are written.
        suffix: ``.csv`` or ``.jsonl``.
    """
    told = [row.model_dump(mode="json", exclude_defaults=True) for row in rows]
    if suffix == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in told)
    flat = [_flat(row) for row in told]
    more = sorted({key for row in flat for key in row} - set(FIELDS))
    used = {key for row in flat for key in row} | {"rater", "label", "value"}
    columns = [name for name in FIELDS if name in used] + more
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for row in flat:
        writer.writerow({key: _guarded(value) for key, value in row.items()})
    return out.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Give every variable a column."""
    variables = row.pop("variables", {})
    return {**row, **{f"variables.{key}": value for key, value in variables.items()}}


def _guarded(value: Any) -> Any:
    """Write a cell so that no spreadsheet takes it for a formula; `_unguarded` undoes it."""
    if isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith((*_FORMULA, "'")) else text


def _unguarded(cell: str) -> str:
    """Take the mark off that `_guarded` put before a text."""
    return cell[1:] if cell.startswith("'") and cell[1:2] in {*_FORMULA, "'"} else cell


def labels_digest(rows: Iterable[LabelRow]) -> str:
    """Return 16 hexadecimal digits over who says what of which answer, in any order.

    Notes, times and the form of the file change nothing.
    """
    said = sorted(
        digest(row.model_dump(mode="json", exclude=_UNKEYED, exclude_defaults=True))
        for row in latest(rows)
    )
    return digest(said, length=16)


def latest(rows: Iterable[LabelRow]) -> list[LabelRow]:
    """Return of each rater, answer and judge's name the row that counts: the latest by time.

    Rows without a time come before all others; of equal times the last one counts.
    """
    last: dict[tuple[Any, ...], LabelRow] = {}
    for row in rows:
        key = (row.rater, row.name, row.trial, row.case, row.model, row.sample, row.answer)
        mark = (*key, digest(row.input) if row.input is not None else None)
        known = last.get(mark)
        if known is None or (row.at or 0.0) >= (known.at or 0.0):
            last[mark] = row
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
