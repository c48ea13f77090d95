"""The text of a baseline: stable, reviewable, and refused where it is not right."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.errors import StoreError
from pytest_evals.verdict.baseline import (
    build_baseline,
    read_baseline,
    update_baseline,
    write_baseline,
)
from tests.gates.makers import drawn, extend, info, table

MADE = extend(table({"b": "++-", "a": "+++"}), {"a": "---"}, model="n")
TEXT = write_baseline(build_baseline(MADE, info(MADE)))


def texts(made, **more):
    """Return a table's baseline as text."""
    return write_baseline(build_baseline(made, info(made), **more))


def test_the_form():
    """Sorted by case and model, one line each, counts first, a head and an end, no date."""
    head, *lines, end, last = TEXT.split("\n")
    assert (head, end, last) == ('{"baseline":"d","format":1}', '{"end":true}', "")
    rows = [json.loads(line) for line in lines]
    assert [(row["case"], row["model"]) for row in rows] == [("a", "m"), ("a", "n"), ("b", "m")]
    assert [(row["passes"], row["n"]) for row in rows] == [(3, 3), (0, 3), (2, 3)]
    assert rows[2]["scores"] == {"contains": 0.6667}
    assert {"case", "model", "prompt", "scorers"} == set(rows[0]["digests"])
    assert not re.search(r"\b20\d\d-", TEXT)


@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_reading_gives_back_what_was_written(one, two):
    """Writing what was read gives the same bytes, and reading what was written the same lines."""
    made, more = drawn([0.3, 0.9], 3, one), drawn([0.3, 0.9, 1.0], 2, two)
    whole = update_baseline(build_baseline(made, info(made)), build_baseline(more, info(more)))
    text = write_baseline(whole)
    read = read_baseline(text, "b")
    assert text == write_baseline(read)
    assert [(line.key, line.passes, line.n, line.digests) for line in whole.lines] == [
        (line.key, line.passes, line.n, line.digests) for line in read.lines
    ]


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_answer_survives(answer, tool):
    """Whatever a model says or calls, the text is UTF-8, keeps its lines and reads back."""
    from pytest_evals.metrics.summarize import excerpt

    made = table({"a": "+"}, answer=excerpt(answer), tools=(excerpt(tool),))
    text = texts(made)
    assert len(text.encode("utf-8").decode("utf-8").split("\n")) == 4
    assert text == write_baseline(read_baseline(text, "b"))


def test_windows_line_ends_are_read():
    """A checkout with CRLF is the same baseline."""
    assert read_baseline(TEXT, "b") == read_baseline(TEXT.replace("\n", "\r\n"), "b")


def test_digests_of_answers_only_where_they_are_recorded():
    """Live answers differ every time, so their digests would only make noise in git."""
    live, fixed = (texts(table({"a": "+"}, origin=o)) for o in ("asked", "scripted"))
    assert '"answers"' not in live
    assert '"answers":["a1"]' in fixed


def test_both_sides_of_a_merge():
    """Keeping the lines of both sides of a conflict adds the runs up."""
    one, two = (table({"a": "+"}, seed=seed) for seed in "12")
    rows = texts(one).split("\n")
    both = "\n".join([rows[0], rows[1], texts(two).split("\n")[1], *rows[2:]])
    [line] = read_baseline(both, "b").lines
    assert (line.passes, line.n) == (2, 2)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("", "b:1: this is no baseline"),
        ("hello\n", "b:1: this is no baseline"),
        ('{"case": 1}\n', "b:1: this is no baseline"),
        (TEXT.replace('"format":1', '"format":2'), "format 2, and this version of pytest-evals"),
        (TEXT[:-1], "is truncated"),
        (TEXT.replace('{"end":true}\n', ""), "b:4: the baseline is truncated"),
        (TEXT[: len(TEXT) // 2], "is truncated"),
        (TEXT.replace('"passes":2', '"passes":3', 1), "b:4: the line of case 'b', model 'm' was"),
        (TEXT.replace('"passes":2', '"passes":3'), "b:4: the line of case 'b', model 'm' was"),
        (TEXT.replace('"case":"b"', '"case":"z"'), "b:4: the line of case 'z'"),
        (TEXT.replace('{"case":"b"', '{ "case":"b"'), "edited by hand"),
        (TEXT.replace('"runs":[', '"runs":{', 1), "b:2: no JSON"),
        (TEXT.replace('"n":3', '"n":0'), "b:2: `runs.0.n`"),
        (TEXT.replace('{"end":true}', '{"x":1}\n{"end":true}'), "b:5: no line of a baseline"),
        (f"<<<<<<< ours\n{TEXT}", "b:1: an unresolved merge"),
        (TEXT.replace('{"end"', '=======\n{"end"'), "b:5: an unresolved merge"),
    ],
)
def test_what_is_not_right_is_refused(broken, said):
    """Cut off, newer, edited or unmerged: a clear error with the line, never a baseline."""
    with pytest.raises(StoreError, match=re.escape(said)):
        read_baseline(broken, "b")


@given(st.data())
def test_no_single_edit_goes_unseen(data):
    """Changing any one character inside a line is refused, or the line is as it was."""
    place = data.draw(st.integers(len('{"baseline":"d","format":1}\n'), len(TEXT) - 2))
    character = data.draw(st.characters(codec="utf-8", exclude_categories=["Cc"]))
    broken = TEXT[:place] + character + TEXT[place + 1 :]
    if broken == TEXT:
        assert read_baseline(broken, "b") == read_baseline(TEXT, "b")
        return
    with pytest.raises(StoreError):
        read_baseline(broken, "b")


def test_every_broken_line_is_named():
    """All wrong lines are told at once, up to five."""
    made = table({f"c{i}": "+" for i in range(9)})
    with pytest.raises(StoreError) as caught:
        read_baseline(texts(made).replace('"passes":1', '"passes":0'), "b")
    assert [row if row.startswith("and") else row[:3] for row in str(caught.value).split("\n")] == [
        "b:2",
        "b:3",
        "b:4",
        "b:5",
        "b:6",
        "and 4 more lines",
    ]


def test_another_dataset():
    """A baseline of another dataset is refused by name."""
    with pytest.raises(StoreError, match="baseline of dataset 'd', and the dataset here is 'x'"):
        read_baseline(TEXT, "b", dataset="x")


def test_a_merge_of_two_definitions():
    """Lines of both sides with different definitions are refused: one of them must go."""
    one, two = (texts(table({"a": "+"}, case_digest=digest)) for digest in ("old", "new"))
    rows = one.split("\n")
    both = "\n".join([rows[0], rows[1], two.split("\n")[1], *rows[2:]])
    with pytest.raises(StoreError, match=r"b: case 'a', model 'm' has two different definitions"):
        read_baseline(both, "b")
