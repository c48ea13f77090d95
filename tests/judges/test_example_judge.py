"""examples/judge, and the page that goes through it."""

import csv
import json
import shutil

import pytest
import yaml

from tests.docs._pages import DOCS, ROOT, blocks, play

EXAMPLE = ROOT / "examples" / "judge"
PAGE = DOCS / "how-to" / "calibrate-a-judge.md"


@pytest.mark.slow
def test_the_page_can_be_played(tmp_path):
    """From a run to certificates to a run in which certified judges vote."""
    left = shutil.ignore_patterns(".*", "__pycache__", "certificates")
    shutil.copytree(EXAMPLE, tmp_path / "examples" / "judge", ignore=left)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)  # as in a clone, whose root has settings too
    play(PAGE, tmp_path / "examples" / "judge")


def test_the_judges_shown_are_those_of_the_example():
    """But for what the page does not speak of."""
    (shown,) = (yaml.safe_load(block.text) for block in blocks(PAGE, "yaml"))
    real = yaml.safe_load((EXAMPLE / "support.evals.yaml").read_text("utf-8"))["judges"]
    del real["default"]["model"]["price"]
    assert shown["judges"] == real


def test_people_labelled_every_answer_for_every_judge():
    """50 cases, three judges, two people."""
    cases = [json.loads(line)["id"] for line in (EXAMPLE / "cases.jsonl").read_text().splitlines()]
    rows = list(csv.DictReader((EXAMPLE / "labels.csv").read_text("utf-8").splitlines()))
    said = {(row["case"], row["name"], row["rater"]) for row in rows}
    assert said == {
        (case, name, rater)
        for case in cases
        for name in ("helpful", "grounded", "polite")
        for rater in ("ann", "bob")
    }
    assert (len(cases), len(rows)) == (50, 300)
