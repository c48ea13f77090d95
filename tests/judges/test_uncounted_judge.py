"""A judge without a valid certificate: its verdict is missing, so nothing that rests on it is green."""

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "judge"
DATASET = """name: st
models: [{id: rec, provider: script}]
judges:
  default:
    model: {id: stand-in, provider: python, target: "stand_in.py:reply"}
  grounded: {type: factuality, %srequires_certificate: {precision: 0.9, recall: 0.9, max_dangerous: 1}}
scorers: [{not: {contains: As an AI}}, {judge: {use: grounded}}]
%s
cases: cases.jsonl
"""


@pytest.fixture
def folder(pytester):
    """The example's folder without its dataset."""
    for name in ("cases.jsonl", "stand_in.py", "labels.csv", "pytest.ini"):
        shutil.copy(EXAMPLE / name, pytester.path / name)

    def write(gates="gates: [pass@1 >= 0.9]", params=""):
        text = DATASET % (params, gates)
        (pytester.path / "st.evals.yaml").write_text(text, encoding="utf-8")

    return write


def run(pytester, *options):
    """Run the dataset with every report."""
    reports = ("--evals-json=r.json", "--evals-md=s.md", "--junitxml=j.xml", "--evals-html=r.html")
    return pytester.runpytest_subprocess("--evals", "st.evals.yaml", *reports, *options)


def test_nothing_that_rests_on_it_is_green(pytester, folder):
    """The gate is incomplete and the decision is to investigate, in every report."""
    folder()
    result = run(pytester)
    assert result.ret == 0
    result.assert_outcomes(passed=50, skipped=1)
    body = result.outlines[
        result.outlines.index(next(x for x in result.outlines if "- evals -" in x)) :
    ]
    assert "judge grounded of st is advisory, not counted" in body[1]
    report = json.loads((pytester.path / "r.json").read_text(encoding="utf-8"))
    (gate,) = report["gates"]
    assert (gate["verdict"], gate["blocking"]) == ("incomplete", False)
    assert "judge grounded: it has no certificate" in gate["sentence"]
    assert report["decision"]["decision"] == "investigate"
    markdown = (pytester.path / "s.md").read_text(encoding="utf-8")
    assert "1 incomplete" in markdown
    assert "✅" not in markdown.partition("\n### ")[0]
    gates = [
        c for c in ET.parse(pytester.path / "j.xml").iter("testcase") if "gate[" in c.get("name")
    ]
    assert [child.tag for child in gates[0]][:1] == ["skipped"]


@pytest.mark.parametrize("gates", ["gates: [pass@1 >= 0.9]", "gates: [mean(grounded) >= 0]",
                                   "gates: [no regressions, pass@1 >= 0.9]", ""])  # fmt: skip
def test_it_fails_a_strict_run(pytester, folder, gates):
    """With gates of each kind and without gates; the same run read later agrees."""
    folder(gates)
    if "regressions" in gates:
        run(pytester, "--evals-update-baseline")
    result = run(pytester, "--evals-strict")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*INCOMPLETE*grounded*", "decision: investigate"])
    assert run(pytester, "--evals-from", "latest", "--evals-strict").ret == 1
    assert run(pytester, "--evals-from", "latest").ret == 0


def test_gates_that_do_not_rest_on_it_are_evaluated(pytester, folder):
    """Errors and completeness say nothing of quality."""
    folder("gates: [error_rate <= 0, completeness >= 1]")
    result = run(pytester, "--evals-strict")
    assert result.ret == 0
    result.assert_outcomes(passed=52)


def test_a_failed_gate_stays_failed(pytester, folder):
    """The judge could only have failed more."""
    folder("gates: [pass@1 >= 0.9]")
    path = pytester.path / "st.evals.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "not: {contains: As an AI}", "contains: As an AI"
    )
    path.write_text(text, encoding="utf-8")
    result = run(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["pass@1 >= 0.9 [[]rec[]] *FAILED *"])


def test_a_certificate_that_went_stale(pytester, folder):
    """A certified judge counts; after a change of its parameters it does not."""
    folder("gates: [pass@1 >= 0.45]")
    run(pytester)
    for command in (
        ("score", "latest", "--import", "labels.csv"),
        ("calibrate", "st.evals.yaml", "--judge", "grounded", "--run", "latest"),
    ):
        assert pytester.run("pytest-evals", *command).ret == 0
    certified = run(pytester)
    certified.stdout.fnmatch_lines(["pass@1 >= 0.45*PASSED*", "decision: accept"])
    folder("gates: [pass@1 >= 0.45]", params="params: {temperature: 0}, ")
    stale = run(pytester)
    stale.stdout.fnmatch_lines(
        ["*its certificate is stale*", "*INCOMPLETE*", "decision: investigate"]
    )
    assert run(pytester, "--evals-strict").ret == 1


def test_the_page_draws_no_rate_of_an_incomplete_gate(pytester, folder):
    """Its rate rests on other judgements: the page has the word and the reason, and code as code."""
    folder("gates: [pass@1 >= 0.9]")
    result = run(pytester, "--evals-html=r.html")
    assert result.ret == 0
    page = (pytester.path / "r.html").read_text(encoding="utf-8")
    (row,) = re.findall(r'<li class="gate.*?</li>', page, re.DOTALL)
    assert 'class="gate"' in row
    assert '<span class="chip v-incomplete">incomplete</span>' in row
    assert "<svg" not in row
    assert "%" not in re.sub(r"<p>.*?</p>|<b>.*?</b>", "", row)
    assert "<code>pytest-evals calibrate</code>" in row
    assert "`" not in row
    assert "The gate is incomplete." in page
    told = result.outlines[
        next(i for i, x in enumerate(result.outlines) if x.startswith("gate ")) :
    ]
    assert told[1].split() == ["pass@1", ">=", "0.9", "[rec]", "INCOMPLETE", "50", "cases"]
    assert told[2].startswith("    50 trials lack the verdict of a judge")
