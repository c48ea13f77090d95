"""`pytest-evals score`: a person's score of a trial; import and export."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.cli import main
from pytest_evals.ground.errors import DatasetError
from pytest_evals.storage.labels import (
    LabelRow,
    labels_digest,
    labels_text,
    latest,
    read_labels,
    write_labels,
)
from pytest_evals.storage.sqlite import SqliteRunStore

RUN = "20261121-051500-3f9a"
REFUND = "evals/d.yaml::refund[gpt]"
LATE = "evals/d.yaml::late[gpt]"


@pytest.fixture
def score(store, capsys):
    """Run the command on a store with a run; its status, output and error output."""

    def run(*words):
        status = main(["score", *words])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def kept(store):
    """Return what is in the store: trial, rater, name, label, value, note."""
    opened = SqliteRunStore(store, write=False)
    try:
        return [
            (trial, said.rater, said.name, said.label, said.value, said.note)
            for trial, said in opened.labels(RUN)
        ]
    finally:
        opened.close()


SEEDED = (LATE, "ann", "contains", "fine", None, "said so")


def test_a_score_is_added_to_a_trial(score, store):
    """By a part of its name; all of a rater's scores are kept."""
    words = ("--rater", "bob", "--name", "helpful")
    assert score(RUN, "refund", *words, "--label", "pass", "--note", "ok")[0] == 0
    status, out, _ = score(RUN, "refund", *words, "--label", "fail", "--value", "2")
    assert (status, out) == (0, f"{REFUND}: helpful fail 2.0 by bob\n")
    assert kept(store)[1:] == [
        (REFUND, "bob", "helpful", "pass", None, "ok"),
        (REFUND, "bob", "helpful", "fail", 2.0, ""),
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("refund",), "a score needs --rater, --name, --label or --value"),
        (("refund", "--rater", "b", "--name", "n"), "a score needs --label or --value"),
        (("nope", "--rater", "b", "--name", "n", "--label", "x"), "has no trial 'nope'"),
        ((), "name one of"),
        (("refund", "--export", "x.csv"), "name one of"),
        (("--export", "x.txt"), "--export writes .csv or .jsonl"),
        (("--template", "--import", "x.csv"), "--template belongs to --export"),
        (("--import", "gone.csv"), "the labels cannot be read: No such file"),
    ],
)
def test_what_cannot_be_done_is_said(score, store, words, why):
    """And nothing is kept."""
    status, _, err = score(RUN, *words)
    assert (status, why in err, kept(store)) == (1, True, [SEEDED])


@pytest.mark.parametrize("value", ["nan", "inf", "four"])
def test_a_value_is_a_finite_number(score, value):
    """Usage, as everywhere."""
    with pytest.raises(SystemExit, match="4"):
        score(RUN, "refund", "--value", value)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_an_export_can_be_imported_elsewhere_and_again(score, store, tmp_path, suffix):
    """The same scores are not added twice."""
    file = tmp_path / f"labels{suffix}"
    score(RUN, "refund", "--rater", "=cmd()", "--name", "n", "--value", "0.5", "--note", '-1, "x"')
    assert score(RUN, "--export", str(file))[0] == 0
    assert score(RUN, "--import", str(file))[:2] == (
        0, f"0 scores added to run {RUN}, 2 were stored already\n",
    )  # fmt: skip
    rows = read_labels(file)
    assert {(row.trial, row.answer, row.rater, row.value, row.note) for row in rows} == {
        (LATE, "answer of late", "ann", None, "said so"),
        (REFUND, "answer of refund", "=cmd()", 0.5, '-1, "x"'),
    }


def test_an_exported_cell_is_no_formula(score, tmp_path):
    """A spreadsheet shows it as it is."""
    file = tmp_path / "labels.csv"
    score(RUN, "refund", "--rater", "=1+1", "--name", "n", "--label", "pass")
    score(RUN, "--export", str(file))
    cells = [cell for row in csv.reader(file.read_text().splitlines()) for cell in row]
    assert [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell] == []


def test_an_import_is_whole_or_not_at_all(score, store, tmp_path):
    """Every wrong row is named with its line, and nothing is kept."""
    file = tmp_path / "labels.csv"
    file.write_text(
        "trial,case,label,value,rater\n"
        f"{REFUND},,pass,,bob\n"
        "nope,,pass,,bob\n"
        ",missing,pass,,bob\n"
        f"{LATE},,,much,bob\n"
    )
    status, _, err = score(RUN, "--import", str(file), "--name", "helpful")
    assert (status, kept(store)) == (1, [SEEDED])
    assert f"{file}:5: `value`" in err
    file.write_text(file.read_text().replace("much", "4"))
    status, _, err = score(RUN, "--import", str(file), "--name", "helpful")
    assert (status, kept(store)) == (1, [SEEDED])
    assert [f"{file}:{n}:" in err for n in (2, 3, 4, 5)] == [False, True, True, False]


def test_rows_find_their_trials_by_case_model_and_sample(score, store, tmp_path):
    """Where there is one of them; the name and the rater may come from the command."""
    file = tmp_path / "labels.jsonl"
    file.write_text(
        json.dumps({"case": "refund", "model": "gpt", "label": True})
        + "\n\n"
        + json.dumps({"case": "late", "value": 3, "rater": "cy", "name": "own"})
    )
    words = ("--import", str(file), "--name", "helpful", "--rater", "dee")
    assert score(RUN, *words)[1] == f"2 scores added to run {RUN}\n"
    assert kept(store)[1:] == [
        (REFUND, "dee", "helpful", "pass", None, ""),
        (LATE, "cy", "own", None, 3.0, ""),
    ]


def test_a_template_has_a_row_for_every_answer(score, store, tmp_path):
    """Rows that nobody has filled in are not imported."""
    file = tmp_path / "labels.csv"
    words = ("--export", str(file), "--template", "--name", "helpful")
    assert score(RUN, *words)[1] == f"2 rows written to {file}\n"
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert {(row["case"], row["answer"], row["label"]) for row in rows} == {
        ("refund", "answer of refund", ""),
        ("late", "answer of late", ""),
    }
    header = list(rows[0])
    filled = [{**row, "label": "pass" if row["case"] == "late" else ""} for row in rows]
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, header)
        writer.writeheader()
        writer.writerows(filled)
    assert score(RUN, "--import", str(file))[1] == f"1 scores added to run {RUN}\n"


def test_nothing_to_export_is_said(score, tmp_path):
    """No empty file is made."""
    file = tmp_path / "labels.csv"
    status, _, err = score(RUN, "--export", str(file), "--name", "nobody")
    assert (status, err, file.exists()) == (1, f"run {RUN} has no scores of people\n", False)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@given(
    st.lists(
        st.builds(
            LabelRow,
            case=TEXT.filter(str.strip),
            answer=TEXT,
            rater=TEXT.filter(bool),
            label=TEXT.filter(str.strip),
            note=TEXT,
            value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            sample=st.none() | st.integers(0, 9),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_labels_survive_their_files(tmp_path_factory, rows):
    """Whatever people write; an empty answer in CSV is the case's own."""
    folder = tmp_path_factory.mktemp("labels")
    for suffix in (".csv", ".jsonl"):
        path = folder / f"l{suffix}"
        write_labels(path, rows)
        back = [row.model_copy(update={"line": 0}) for row in read_labels(path)]
        wanted = rows
        if suffix == ".csv":
            wanted = [row.model_copy(update={"answer": row.answer or None}) for row in rows]
        assert back == wanted
    assert labels_digest(rows) == labels_digest(rows[::-1]) or len(latest(rows)) < len(rows)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("l.txt", "x", "labels are .csv or .jsonl"),
        ("l.csv", "", "names no columns"),
        ("l.csv", "case,lable\na,b\n", "Did you mean 'label'"),
        ("l.csv", "case,case\n", "duplicate column 'case'"),
        ("l.csv", "case,label\n", "holds no label"),
        ("l.csv", "case,label\na,pass,x\n", "2: the row has 3 cells"),
        ("l.csv", 'case,label\n"a,pass\n', "this is no CSV"),
        ("l.csv", "rater,label\nann,pass\n", "2: the row names no answer"),
        ("l.csv", "case,label,sample\na,pass,-1\n", "`sample`"),
        ("l.csv", "case,value\na,nan\n", "`value`"),
        ("l.jsonl", "{\n", "1: this is no JSON"),
        ("l.jsonl", "[]\n", "expected an object, found list"),
        ("l.jsonl", '{"case": "a", "lable": "x", "note": "n"}\n', "Did you mean 'label'"),
        ("l.jsonl", '{"case": "a", "value": NaN}\n', "NaN is no JSON value"),
    ],
)
def test_wrong_labels_are_named_with_their_lines(tmp_path, name, text, why):
    """In words that say what to do."""
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError) as caught:
        read_labels(tmp_path / name)
    assert why in str(caught.value)


def test_all_problems_of_a_file_are_named(tmp_path):
    """Not only the first."""
    (tmp_path / "l.jsonl").write_text('{"label": "x"}\n{"case": "a", "value": "b"}\nnope\n')
    with pytest.raises(DatasetError) as caught:
        read_labels(tmp_path / "l.jsonl")
    assert [problem.where.line for problem in caught.value.problems] == [1, 2, 3]


def test_the_latest_of_a_rater_counts():
    """By time; rows without one come first, and of equal ones the last."""
    row = LabelRow(case="c", answer="a", rater="ann", label="pass", at=2.0)
    later = row.model_copy(update={"label": "fail", "at": 3.0})
    untimed = row.model_copy(update={"label": "fine", "at": None})
    assert latest([later, row, untimed]) == [later]
    assert latest([untimed, untimed.model_copy(update={"label": "no"})])[0].label == "no"
    other = row.model_copy(update={"rater": "bob"})
    assert len(latest([row, other])) == 2


def test_columns_of_variables_and_texts_that_look_like_marks(tmp_path):
    """A guarded cell is what it was."""
    row = LabelRow(answer="'=x", input="+1", variables={"context": "@home"}, label="pass")
    (tmp_path / "l.csv").write_text(labels_text([row], ".csv"))
    (back,) = read_labels(tmp_path / "l.csv")
    assert (back.answer, back.input, back.variables) == ("'=x", "+1", {"context": "@home"})
