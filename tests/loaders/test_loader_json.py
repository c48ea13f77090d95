"""JSON files and JSON lines: strict reading, places, and lines that are no JSON."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.errors import DatasetError
from pytest_evals.loaders.base import Document
from pytest_evals.loaders.json import JsonLoader
from pytest_evals.loaders.jsonl import JsonlLoader


def parse(text: str) -> Document:
    """Parse a JSON file."""
    return JsonLoader().parse(text.encode(), "f.json")


def rows(text: str) -> Document:
    """Parse a JSON lines file."""
    return JsonlLoader().parse(text.encode(), "f.jsonl")


def problems(parsed, text: str) -> list[str]:
    """Return what is wrong, whether the data could be read or not."""
    try:
        return [str(problem) for problem in parsed(text).problems]
    except DatasetError as error:
        return [str(problem) for problem in error.problems]


def test_a_key_that_stands_twice_names_both_lines():
    """At any depth, also where a text looks like a key."""
    text = '{"a": 1,\n "b": [{"x": "x", "y": 2,\n "x": 3}],\n "a": 4}'
    assert problems(parse, text) == [
        "f.json:3:2: duplicate key 'x' in this mapping, first in line 2",
        "f.json:4:2: duplicate key 'a' in this mapping, first in line 1",
    ]
    assert parse(text).data == {"a": 4, "b": [{"x": 3, "y": 2}]}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("NaN", "found 'NaN', expected a finite number"),
        ("-Infinity", "found '-Infinity', expected a finite number"),
        ("1e999", "found '1e999', expected a finite number"),
        ('"\\ud83d"', "found half a character (a lone surrogate); write the whole character"),
        ("9" * 5000, "found a number of 5000 digits; make it a text"),
    ],
)
def test_what_json_readers_let_pass_is_refused(written, message):
    """Each is named at its place; the word inside a text is no fault."""
    assert [f"f.json:2:7: {message}"] == problems(parse, f'{{"b": "NaN",\n "a": {written}}}')


def test_a_pair_of_surrogates_is_one_character():
    """Escaped emoji are what json.dumps writes by default."""
    text = json.dumps({"a": "😀"})
    assert "\\u" in text
    assert (parse(text).data, parse(text).problems) == ({"a": "😀"}, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"a": 1,\n}',
            "f.json:2:1: not JSON: expecting property name enclosed in double quotes, found '}'",
        ),
        ("{'a': 1}", "f.json:1:2: not JSON: expecting property name enclosed in double quotes"),
        ("{\"a\": 'b'}", 'f.json:1:7: not JSON: expecting value, found "\'"; texts need double'),
        ('{"a": 1} x', "f.json:1:10: not JSON: extra data, found 'x'"),
        ('{"a": ', "f.json:1:7: not JSON: expecting value, found the end of the text"),
        ('{"a": "b\nc"}', "f.json:1:9: not JSON: invalid control character"),
        ("// x\n{}", "f.json:1:1: not JSON: expecting value, found '/'"),
    ],
)
def test_syntax_errors_say_where(text, expected):
    """The place is that of the character; trailing commas have their hint."""
    if sys.version_info >= (3, 13) and text == '{"a": 1,\n}':
        expected = "f.json:1:8: not JSON: illegal trailing comma before end of object"
    (problem,) = problems(parse, text)
    assert problem.startswith(expected)


@pytest.mark.parametrize("depth", [101, 2_000, 100_000])
def test_deep_nesting_ends_in_an_error(depth):
    """It is refused at level 101, whatever Python's own limit is."""
    assert problems(parse, "[" * depth + "]" * depth) == [
        "f.json:1:101: found more than 100 lists and mappings in one another; flatten the data"
    ]


def test_a_hundred_levels_are_not_too_deep():
    """The limit itself is allowed, and brackets in texts do not count."""
    assert parse("[" * 100 + "]" * 100).problems == ()
    assert parse(json.dumps(["[" * 500])).data == ["[" * 500]


_data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(_data, st.integers(0, 3) | st.none(), st.booleans())
def test_places_point_at_the_text(data, indent, ascii_only):
    """Wherever a value or a key stands, the text there is how it was written."""
    text = json.dumps({"root": data}, ensure_ascii=ascii_only, indent=indent)
    document = parse(text)
    assert ({"root": data}, ()) == (document.data, document.problems)
    lines = text.split("\n")
    for loc, value in _walk({"root": data}, ()):
        where = document.where(loc)
        rest = "\n".join([lines[where.line - 1][where.column - 1 :], *lines[where.line :]])
        assert value == json.JSONDecoder().raw_decode(rest)[0]
        if isinstance(loc[-1], str):
            key = document.where(loc, key=True)
            written = lines[key.line - 1][key.column - 1 :]
            assert written.startswith(json.dumps(loc[-1], ensure_ascii=ascii_only))


@given(st.lists(_data, min_size=1, max_size=5), st.integers(0, 2))
def test_rows_round_trip_with_their_lines(data, blank):
    """Each line is a row; blank lines count as lines and are no rows."""
    text = ("\n" * (blank + 1)).join(json.dumps(row, ensure_ascii=False) for row in data)
    document = rows(text)
    assert data == document.data
    for i in range(len(data)):
        assert 1 + i * (blank + 1) == document.where((i,)).line


def _walk(value, loc):
    """Yield every value with the way to it."""
    if loc:
        yield loc, value
    if isinstance(value, dict | list):
        for step, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _walk(child, (*loc, step))


def test_a_place_that_does_not_exist_is_its_deepest_part():
    """The way is followed as far as it goes."""
    document = parse('{"a": [1,\n {"b": 2}]}')
    assert str(document.where(("a", 1, "c", 5))) == "f.json:2:2"
    assert str(document.where(("z",))) == "f.json:1:1"
    assert str(document.where(("a",), key=True)) == "f.json:1:2"


def test_lines_that_are_no_json_hide_no_others():
    """Each bad line is named with its column, and the good ones are kept."""
    document = rows('{"id": 1}\n{"id": }\n\n{"id": 2, "id": 3}\n[\n{"id": 4}\r\n')
    assert document.data == [{"id": 1}, {"id": 3}, {"id": 4}]
    assert [str(problem) for problem in document.problems] == [
        (
            "f.jsonl:2:8: not JSON: expecting value, found '}'; texts need double quotes, and a "
            "comma before a closing bracket is not allowed"
        ),
        "f.jsonl:4:11: duplicate key 'id' in this mapping, first in line 4",
        "f.jsonl:5:2: not JSON: expecting value, found the end of the text",
    ]
    assert str(document.where((2, "id"))) == "f.jsonl:6:8"
    assert str(document.where((2, "id"), key=True)) == "f.jsonl:6:2"


def test_a_row_that_is_too_deep_is_dropped_alone():
    """Other rows stay."""
    document = rows("[1]\n" + "[" * 101 + "]" * 101 + "\n[2]\n")
    assert document.data == [[1], [2]]
    assert [str(problem) for problem in document.problems] == [
        "f.jsonl:2:101: found more than 100 lists and mappings in one another; flatten the data"
    ]


def test_a_long_row_of_brackets_is_no_deep_one():
    """Many lists beside one another are fine."""
    row = [[] for _ in range(500)]
    assert [row] == rows(json.dumps(row)).data


def test_many_lines_that_are_no_json_are_counted():
    """After twenty, the others are one problem that says how many."""
    document = rows('{"id": 1}\n' + "x\n" * 25)
    assert len(document.problems) == 21
    assert str(document.problems[-1]) == "f.jsonl: 5 more lines are not JSON either"


def test_one_json_value_over_several_lines_is_recognised():
    """The file is JSON under the wrong name."""
    assert problems(rows, json.dumps([{"id": "a"}], indent=2)) == [
        (
            "f.jsonl:1: found one JSON value over several lines, expected one value in each line; "
            "rename the file to .json, or write each case on one line"
        )
    ]


def test_line_separators_inside_a_text_end_no_row():
    """U+2028 is a character of JSON texts."""
    assert rows('{"a": "x\u2028y"}\n').data == [{"a": "x\u2028y"}]
