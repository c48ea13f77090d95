"""The CSV report: a row a trial, read back by whatever reads CSV, and no formula in it."""

import csv
import io
import shutil
import subprocess

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from pytest_evals.report import Report
from pytest_evals.reporters.csv import MAX_TEXT, CsvReporter, disarm_formulas, pieces
from pytest_evals.score import Score, ScoreError
from tests.reporters.text_makers import HOSTILE, report, trial

FORMULA = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


def read(made: Report) -> list[dict[str, str]]:
    """Return a report's rows as Python reads them."""
    return list(csv.DictReader(io.StringIO("".join(pieces(made)), newline="")))


def test_a_row_a_trial() -> None:
    """Numbers are plain, what is unknown is empty, each scorer has a column."""
    scores = (
        Score(name="tone", type="judge", value=0.25, passed=False, reason="rude"),
        Score(name="kind", type="judge", label="angry", passed=None),
        Score(name="json", type="is_json", passed=True),
        Score(name="json", type="is_json", passed=False, reason="no JSON"),
        ScoreError(name="facts", type="judge", message="no verdict"),
    )
    rows = read(report([trial("a", scores=scores, tags=("x", "y")), trial("b", None)]))
    assert ["tone json facts", "tone: rude\njson: no JSON\nfacts: no verdict"] == [
        rows[0][key] for key in ("failing", "reasons")
    ]
    assert {"score.facts": "", "score.json": "0", "score.kind": "angry", "score.tone": "0.25"} == {
        key: cell for key, cell in rows[0].items() if key.startswith("score.")
    }
    assert ("fine", "x y", "12", "0.001", "0.25", "0", "false") == tuple(
        rows[0][key]
        for key in (
            "answer",
            "tags",
            "input_tokens",
            "cost_usd",
            "latency_s",
            "sample",
            "tolerated",
        )
    )
    assert ("errored", "overloaded", "come back later", "", "") == tuple(
        rows[1][key] for key in ("outcome", "error", "error_message", "answer", "score.tone")
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_formulas_are_disarmed(text: str) -> None:
    """No text begins as a formula does, whichever separator a reader takes."""
    written = "".join(pieces(report([trial("a", text, passed=False, reason=text)])))
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator):
            cells = [cell for cell in row if not _is_number(cell)]
            assert [] == [cell for cell in cells if cell.lstrip(" \"'").startswith(tuple(FORMULA))
                          and not cell.startswith("'")]  # fmt: skip


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@example("A;=")
def test_any_text_stays_one_cell(text: str) -> None:
    """A row has the cells it has, and an ordinary text is read back as it was."""
    (row,) = read(report([trial("a", text)]))
    assert disarm_formulas(text) == row["answer"]
    if text.isprintable() and text.isascii() and text[:1].isalpha() and ";" not in text:
        assert text == row["answer"]


def test_marks_of_formulas_behind_spaces() -> None:
    """Spreadsheets look past spaces and quotes, and know full-width signs."""
    told = {
        "=1": "'=1",
        " =1": "' =1",
        "\uff1d1": "'\uff1d1",
        "\uff201": "'\uff201",
        "\t=1": "'\t'=1",
        "-": "'-",
        "2-1": "2-1",
        "a\n=": "a\n'=",
        "a; =b": "a;' =b",
        "'=1": "'" + "'=1",
    }
    assert told == {text: disarm_formulas(text) for text in told}


def test_long_texts_are_cut() -> None:
    """A megabyte does not fit a spreadsheet's cell: it is cut, and says so."""
    cell = disarm_formulas("x" * 1_000_000)
    assert f"... {1_000_000 - MAX_TEXT} more characters" == cell.split("\n")[1]
    assert len(cell) < 32_767


@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice")
@pytest.mark.slow
def test_libreoffice_reads_it(tmp_path) -> None:
    """LibreOffice reads every text as a text."""
    CsvReporter().write(
        report([trial(f"c{i}", t) for i, t in enumerate(HOSTILE)]), tmp_path / "a.csv"
    )
    subprocess.run(
        ["soffice", "--headless", "--convert-to", "fods", "--outdir", tmp_path, tmp_path / "a.csv"],
        check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    assert "table:formula" not in (tmp_path / "a.fods").read_text(encoding="utf-8")
