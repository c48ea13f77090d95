"""CSV files: typed columns, quoting, and the place of every cell."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.errors import DatasetError
from pytest_evals.loaders.base import Document
from pytest_evals.loaders.csv import CsvLoader


def parse(text: str | bytes, name: str = "f.csv") -> Document:
    """Parse a text under a name."""
    return CsvLoader().parse(text.encode() if isinstance(text, str) else text, name)


def problems(text: str) -> list[str]:
    """Return what is wrong, whether the data could be read or not."""
    try:
        return [str(problem) for problem in parse(text).problems]
    except DatasetError as error:
        return [str(problem) for problem in error.problems]


def test_columns_become_keys_of_a_case():
    """Plain, dotted and typed columns, in any order; empty cells are no values."""
    text = (
        "id,input,expected:int,tags,metadata.topic,variables.n:float,samples,turns\n"
        'a,Hello,30,"x, y",t,1.5,3,\n'
        'b,,,,,,,"[""one"", ""two""]"\n'
    )
    assert parse(text).data == [
        {
            "id": "a",
            "input": "Hello",
            "expected": 30,
            "tags": ["x", "y"],
            "metadata": {"topic": "t"},
            "variables": {"n": 1.5},
            "samples": 3,
        },
        {"id": "b", "turns": ["one", "two"]},
    ]


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("expected", "007", "007"),
        ("expected", " x ", " x "),
        ("expected:str", "1", "1"),
        ("expected:int", " -7 ", -7),
        ("expected:float", "1e3", 1000.0),
        ("expected:bool", "Yes", True),
        ("expected:bool", "0", False),
        ("expected:json", '"{""a"": [1, null]}"', {"a": [1, None]}),
        ("expected:list", '"a, b;c"', ["a", "b", "c"]),
        ("expected:list", '"[""a, b"", 1]"', ["a, b", 1]),
        ("tags", "a b;c", ["a", "b", "c"]),
        ("metadata.a.b", "x", {"a.b": "x"}),
        ("scorers", '"[{""contains"": ""x""}]"', [{"contains": "x"}]),
    ],
)
def test_a_cell_is_read_by_its_column(column, cell, value):
    """The suffix gives the type; without one it is the text as it stands."""
    (row,) = parse(f"id,{column}\na,{cell}\n").data
    assert value == row[column.partition(".")[0].partition(":")[0]]


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("expected:int", "3.0", "expected a whole number, found '3.0'"),
        ("expected:float", "1_0", "expected a number, found '1_0'"),
        ("expected:float", "inf", "expected a finite number, found 'inf'"),
        ("expected:bool", "maybe", "expected true or false (or yes, no, 1, 0), found 'maybe'"),
        (
            "expected:json",
            "{a}",
            (
                "not JSON: expecting property name enclosed in double quotes, found 'a'; keys need "
                "double quotes, and a comma before a closing bracket is not allowed (character 2 of "
                "the cell's line 1)"
            ),
        ),
        (
            "expected:json",
            '"{""a"": NaN}"',
            "found 'NaN', expected a finite number (character 7 of the cell's line 1)",
        ),
        ("samples", "many", "expected a whole number, found 'many'"),
    ],
)
def test_a_cell_of_another_type_is_named_at_its_place(column, cell, message):
    """Line and column of the cell, what was found and what was expected."""
    assert [f"f.csv:3:7: {message}"] == problems(f"id,input,{column}\na,b,\nc,ddd,{cell}\n")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "id,inptu",
            (
                "f.csv:1:4: unknown column 'inptu'. Did you mean 'input'? Use "
                "`metadata.<name>` for extra fields, and `variables.<name>` for the variables of "
                "the prompt"
            ),
        ),
        (
            "id,expected:integer",
            (
                "f.csv:1:4: column 'expected:integer' has the unknown type 'integer'. "
                "Did you mean 'int'?"
            ),
        ),
        ("id,metadata", "f.csv:1:4: column 'metadata' needs a name: `metadata.<name>`"),
        ("id,input,id", "f.csv:1:10: duplicate column 'id': columns 1 and 3"),
        (
            "id,metadata.a,metadata.a:int",
            "f.csv:1:15: duplicate column 'metadata.a:int': columns 2 and 3",
        ),
        ("id,,input", "f.csv:1:4: found a column without a name"),
        (
            "id;input",
            "f.csv:1:1: found a single column 'id;input'; separate cells with ',', not with ';'",
        ),
    ],
)
def test_columns_that_mean_nothing_are_refused(header, expected):
    """With a suggestion, at their place in the first line."""
    cells = ",".join("x" for _ in header.split(","))
    assert expected in problems(f"{header}\n{cells}\n")


def test_rows_of_another_length_are_named():
    """A forgotten quote shows as a cell too many."""
    assert problems("id,input\na,b,c\nd,e\nf\n") == [
        (
            "f.csv:2:1: found 3 cells, expected 2 as in the first line; "
            "quote a cell that contains ',' or a line break"
        ),
        (
            "f.csv:4:1: found 1 cell, expected 2 as in the first line; "
            "quote a cell that contains ',' or a line break"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('id,input\na,"x"y\n', "f.csv:2:1: not CSV: ',' expected after '\"'"),
        ('id,input\na,b\nc,"d\n', "f.csv:3:1: not CSV: unexpected end of data"),
    ],
)
def test_broken_quoting_ends_the_reading(text, expected):
    """The row where it began is named."""
    (problem,) = problems(text)
    assert problem.startswith(expected)


def test_the_limit_on_cells_is_lifted_and_put_back():
    """A cell of a megabyte is read; the module's limit is what it was."""
    before = csv.field_size_limit()
    long = "x" * 1_000_000
    assert long == parse(f"id,input\na,{long}\n").data[0]["input"]
    assert before == csv.field_size_limit()


def test_tabs_separate_the_cells_of_a_tsv():
    """The ending of the name says so."""
    assert parse("id\tinput\na\tx, y\n", "f.tsv").data == [{"id": "a", "input": "x, y"}]


def test_a_byte_order_mark_of_a_spreadsheet_is_passed_over():
    """utf-8-sig is what spreadsheets write."""
    assert parse(b"\xef\xbb\xbfid\r\na\r\n").data == [{"id": "a"}]


_cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\0\ufeff", exclude_categories=["Cs"]),
    min_size=1,
).filter(lambda text: not text.isspace())


@given(st.lists(st.tuples(_cells, _cells, _cells), min_size=1, max_size=5))
def test_cells_round_trip_with_their_places(table):
    """What a writer wrote is read back, and each place points at its cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "input", "metadata.x"])
    writer.writerows(table)
    document = parse(out.getvalue())
    assert [{"id": a, "input": b, "metadata": {"x": c}} for a, b, c in table] == document.data
    lines = out.getvalue().split("\n")
    for i, cells in enumerate(table):
        for loc, cell in zip([("id",), ("input",), ("metadata", "x")], cells, strict=True):
            where = document.where((i, *loc))
            rest = "\n".join([lines[where.line - 1][where.column - 1 :], *lines[where.line :]])
            assert cell == next(csv.reader(io.StringIO(rest, newline="")))[0]


def test_the_place_of_a_key_is_its_column():
    """Where a column's name is wrong for a case, the first line is shown."""
    document = parse("id,metadata.x\na,1\n")
    assert str(document.where((0, "metadata", "x"), key=True)) == "f.csv:1:4"
    assert str(document.where((0, "scorers", 1))) == "f.csv:2:1"
