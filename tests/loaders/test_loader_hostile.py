"""Files that are no dataset at all: one clear problem each, never a traceback, never a hang."""

import os
import time

import pytest

GOOD = {
    "d.yaml": "cases: [{id: a, input: x}]\n",
    "d.json": '{"cases": [{"id": "a", "input": "x"}]}',
    "d.jsonl": '{"id": "a", "input": "x"}\n',
    "d.csv": "id,input\na,x\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_file(folder, name):
    """It is not there."""
    assert [f"{name}: the file does not exist"] == folder.problems(name)


@pytest.mark.parametrize("name", GOOD)
def test_a_directory(folder, name):
    """It is no file."""
    (folder.path / name).mkdir()
    assert [f"{name}: found a directory, expected a file"] == folder.problems(name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe(folder):
    """Reading it would wait for ever."""
    os.mkfifo(folder.path / "d.yaml")
    assert folder.problems("d.yaml") == ["d.yaml: found a device or pipe, expected a file"]


def test_a_file_that_may_not_be_read(folder, monkeypatch):
    """The system's word is passed on."""
    path = folder.write("d.yaml", "x")

    def denied(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "read_bytes", denied)
    assert folder.problems("d.yaml") == ["d.yaml: cannot be read: Permission denied"]


def test_a_name_that_no_system_takes(folder):
    """Too long for the file system."""
    (problem,) = folder.problems("x" * 5000 + ".yaml")
    assert problem.endswith("cannot be read: File name too long")


def test_a_file_of_another_kind(folder):
    """The endings that are read are listed."""
    assert folder.problems("d.txt", "x") == [
        (
            "d.txt: found a file with the suffix '.txt', expected one of .yaml, .yml, .json, "
            ".jsonl, .ndjson, .csv, .tsv"
        )
    ]


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"], ids=["none", "space", "bom"])
def test_an_empty_file(folder, name, content):
    """Nothing to test is an error."""
    assert [f"{name}: the file is empty: there is nothing to test"] == folder.problems(
        name, content
    )


@pytest.mark.parametrize("name", GOOD)
def test_a_binary_file(folder, name):
    """A NUL byte is named at its place."""
    assert [
        f"{name}:2:3: found a NUL byte, expected text in UTF-8: this looks like a binary file"
    ] == folder.problems(name, b"a: b\n\xff\xd8\x00\x10")


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_encodings(folder, name, encoding):
    """Their mark tells them."""
    assert [
        f"{name}: the file is {encoding.upper()}, expected UTF-8; save it as UTF-8"
    ] == folder.problems(name, GOOD[name].encode(encoding))


@pytest.mark.parametrize("name", GOOD)
def test_latin_1(folder, name):
    """The first byte that is no UTF-8 is named, columns counted in characters."""
    assert [
        f"{name}:2:4: found the byte 0xe9, which is not UTF-8 here; save the file as UTF-8"
    ] == folder.problems(name, "a: é\n".encode() + "né à é".encode()[:3] + b"f\xe9\n")


@pytest.mark.parametrize("name", GOOD)
def test_a_byte_order_mark_is_no_fault(folder, name):
    """It is passed over."""
    assert [case.id for case in folder.load(name, b"\xef\xbb\xbf" + GOOD[name].encode()).cases] == [
        "a"
    ]


@pytest.mark.parametrize("name", GOOD)
def test_windows_line_ends_are_no_fault(folder, name):
    """Lines are counted as they are."""
    content = GOOD[name].replace("\n", "\r\n")
    (case,) = folder.load(name, content).cases
    assert ("a", 2 if name == "d.csv" else 1) == (case.id, case.source.line)


@pytest.mark.parametrize("name", GOOD)
def test_a_single_line_of_ten_megabytes(folder, name):
    """It is refused in time, and the message shows only its beginning."""
    start = time.monotonic()
    problems = folder.problems(name, "x" * 10_000_000)
    assert time.monotonic() - start < 20
    assert problems
    assert all(len(problem) < 500 for problem in problems)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("d.yaml", "cases: [{id: a, input: ", "}]"),
        ("d.json", '{"cases": [{"id": "a", "input": "', '"}]}'),
        ("d.jsonl", '{"id": "a", "input": "', '"}'),
        ("d.csv", "id,input\na,", "\n"),
    ],
)
def test_an_input_of_ten_megabytes_is_fine(folder, name, before, after):
    """Long is not wrong."""
    (case,) = folder.load(name, before + "x" * 10_000_000 + after).cases
    assert len(case.input) == 10_000_000


@pytest.mark.parametrize("name", ["d.yaml", "d.json", "d.jsonl"])
@pytest.mark.parametrize("depth", [150, 3_000, 100_000])
def test_huge_nesting(folder, name, depth):
    """Neither Python's recursion limit nor the C stack is met."""
    (problem,) = folder.problems(name, "[" * depth + "]" * depth)
    assert (
        f"{name}:1:101: found more than 100 lists and mappings in one another; flatten the data"
        == problem
    )


def test_deep_data_that_is_allowed_has_a_digest(folder):
    """What is loaded can be worked with."""
    nested = '{"a": ' * 90 + "1" + "}" * 90
    dataset = folder.load("d.jsonl", f'{{"id": "a", "input": {nested}}}')
    assert len(dataset.cases[0].digest) == 16
    assert len(dataset.digest) == 64


def test_anchors_that_explode(folder):
    """The classic: refused before it is written out."""
    text = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (problem,) = folder.problems("d.yaml", text)
    assert problem.endswith("expand to more than 1,000,000 values; use fewer aliases")


def test_a_link_that_leads_to_itself(folder):
    """No endless following."""
    (folder.path / "p.txt").symlink_to("p.txt")
    problems = folder.problems("d.yaml", "prompt: file://p.txt\ncases: [{id: a}]\n")
    assert len(problems) == 1
    assert problems[0].startswith("d.yaml:1:9: ")


@pytest.mark.parametrize("written", ["a\\0b", "x\\ud800"])
def test_names_that_no_file_can_have(folder, written):
    """NUL is refused, and so is half a character."""
    (problem, *_) = folder.problems(
        "d.json", '{"cases": "' + written.replace("\\0", "\\u0000") + '"}'
    )
    assert problem.startswith("d.json:1:11: ")
