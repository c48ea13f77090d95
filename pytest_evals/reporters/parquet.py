"""ParquetReporter: one row per trial, for data frames. pyarrow is imported only when used.

The columns are those of the CSV with their types; texts are complete and unchanged.
"""

from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from pytest_evals.ground.errors import ReportError
from pytest_evals.ground.files import replacing
from pytest_evals.report import Report
from pytest_evals.reporters.text import COLUMNS, scorer_names, trial_rows

_AT_ONCE = 2_000


class ParquetReporter:
    """Writes one row per trial, as columns."""

    name: ClassVar[str] = "parquet"

    def write(self, report: Report, path: Path) -> None:
        """Write a report; an existing file is replaced completely, or stays as it is.

        Raises:
            ReportError: pyarrow is not installed, or the file cannot be written.
        """
        try:
            arrow: Any = import_module("pyarrow")
            parquet: Any = import_module("pyarrow.parquet")
        except ImportError:
            raise ReportError(
                "Parquet needs pyarrow, which is not installed (pip install pyarrow); "
                "CSV and JSON hold the same"
            ) from None
        names = scorer_names(report)
        schema = _schema(arrow, report, names)
        try:
            with replacing(path) as file, parquet.ParquetWriter(file, schema) as writer:
                every = trial_rows(report, names)
                while batch := list(islice(every, _AT_ONCE)):
                    writer.write_table(_table(arrow, schema, batch))
        except (OSError, arrow.ArrowException) as error:
            raise ReportError(str(error)) from None


def _schema(arrow: Any, report: Report, names: list[str]) -> Any:
    """Return the columns with their types; scorers with labels are text columns."""
    types = {str: arrow.string(), int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_()}
    labels = {
        name
        for row in trial_rows(report, names)
        for name, cell in zip(names, row[len(COLUMNS) :], strict=True)
        if isinstance(cell, str)
    }
    fixed = [(name, types[cell_type]) for name, cell_type in COLUMNS.items()]
    scores = [(f"score.{name}", types[str if name in labels else float]) for name in names]
    return arrow.schema([*fixed, *scores])


def _table(arrow: Any, schema: Any, batch: list[list[Any]]) -> Any:
    """Return rows as a table."""
    columns = []
    for place, field in enumerate(schema):
        cells = [row[place] for row in batch]
        if field.type == arrow.string():
            cells = [None if cell is None else str(cell) for cell in cells]
        columns.append(arrow.array(cells, type=field.type))
    return arrow.Table.from_arrays(columns, schema=schema)
