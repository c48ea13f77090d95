"""JUnit is pytest's own: valid and readable whatever a model answers, and gates are tests in it."""

import json
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from lxml import etree

from tests.reporters.text_makers import HOSTILE

pytestmark = pytest.mark.heavy

XSD = Path(__file__).with_name("junit-10.xsd")
NASTY = (
    *HOSTILE,
    "]]> <![CDATA[ ]]>",
    "lone \\ud800 surrogate",
    "\ufffe\uffff \U0001f600 \x0b\x0c\x85",
    "x" * 1_000_000,
)
"""Answers a model could give; the lone surrogate is written as a JSON escape."""


@pytest.fixture
def shop(pytester: pytest.Pytester) -> str:
    """Write a dataset whose answers are nasty, one of them an error, with an answer's app."""
    answers = json.dumps(NASTY, ensure_ascii=True).replace("\\\\ud800", "\\ud800")
    pytester.path.joinpath("answers.json").write_text(answers, encoding="ascii")
    pytester.makepyfile(
        app="""
        import json, pathlib
        ANSWERS = json.loads(pathlib.Path(__file__).with_name("answers.json").read_text())

        def answer(input):
            text = ANSWERS[int(input) % len(ANSWERS)]
            print(text)
            if int(input) >= len(ANSWERS):
                raise RuntimeError(text)
            return text
        """
    )
    cases = "".join(
        f"  - {{id: c{i}, input: '{i}', scorers: [{{contains: zebra}}]}}\n"
        for i in range(2 * len(NASTY))
    )
    pytester.path.joinpath("shop.evals.yaml").write_text(
        f"name: shop\nmodels: [{{id: app, provider: python, target: 'app.py:answer'}}]\ncases:\n{cases}"
    )
    return "shop.evals.yaml"


def junit(pytester: pytest.Pytester, *args: str) -> Path:
    """Run the dataset and return its JUnit file."""
    result = pytester.runpytest_subprocess(
        "--evals",
        "-p",
        "no:randomly",
        "-p",
        "no:hypothesispytest",
        "--junitxml=junit.xml",
        "--tb=short",
        "-q",
        *args,
    )
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    return pytester.path / "junit.xml"


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_it_is_valid_for_any_answer(pytester: pytest.Pytester, shop, workers) -> None:
    """It parses, fits the schema without properties, and errors are told from wrong answers."""
    if workers:
        pytest.importorskip("xdist")
    path = junit(pytester, "-o", "evals_junit_properties=false", *workers)
    tree = etree.parse(path, etree.XMLParser(huge_tree=True))
    etree.XMLSchema(etree.parse(XSD)).assertValid(tree)
    cases = [case for suite in JUnitXml.fromroot(tree.getroot()) for case in suite]
    kinds = [type(case.result[0]) for case in cases]
    assert {Failure: len(NASTY), Error: len(NASTY)} == {k: kinds.count(k) for k in set(kinds)}
    assert f"c{len(NASTY)}[app]" in {case.name for case in cases}


def test_texts_stand_in_it(pytester: pytest.Pytester, shop) -> None:
    """The failure holds the answer and the scorer's reason; what XML cannot hold is shown."""
    tree = etree.parse(junit(pytester), etree.XMLParser(huge_tree=True))
    texts = {
        case.get("name"): case.findtext("failure") or case.findtext("error")
        for case in tree.iter("testcase")
    }
    escapes = texts[f"c{next(i for i, text in enumerate(NASTY) if '[31mred' in text)}[app]"]
    assert "\\x1b[31mred\\x07 \\u202eright to left\\u2066 \\u200bhidden \\x00 nul" in escapes
    assert "FAIL  contains" in escapes
    assert "\\ud800" in texts[f"c{NASTY.index('lone ' + chr(92) + 'ud800 surrogate')}[app]"]
    assert len(texts[f"c{len(NASTY) - 1}[app]"]) < 20_000


SHOP = """
name: shop
samples: 2
models: [{id: bot, provider: script, price: {input: 1, output: 2}}]
gates: [{metric: pass@1, min: 0.9}, pass@1 >= 0.1]
cases:
  - id: wrong
    input: q
    scorers: [{contains: zebra}]
    script: [{kind: chat_response, content: "no | <b>", tokens: {prompt_tokens: 4, completion_tokens: 2}}]
  - {id: right, input: q, scorers: [{contains: zebra}], script: [{kind: chat_response, content: zebra}]}
"""
DOWN = """
  - {id: down, input: q, scorers: [{contains: a}], script: [{kind: error, error_type: overloaded}]}
"""


def test_trials_and_gates(pytester: pytest.Pytester) -> None:
    """Tolerated trials are skipped with their reason, gates are tests, trials carry properties."""
    pytester.path.joinpath("shop.evals.yaml").write_text(SHOP)
    (suite,) = JUnitXml.fromfile(str(junit(pytester)))
    cases = {case.name: case for case in suite}
    kinds = {name: [type(r) for r in case.result] for name, case in cases.items()}
    assert {
        "wrong[bot-0]": [Skipped],
        "wrong[bot-1]": [Skipped],
        "right[bot-0]": [],
        "right[bot-1]": [],
        "gate[pass@1 >= 0.9][bot]": [Failure],
        "gate[pass@1 >= 0.1][bot]": [],
    } == {name: kind for name, kind in kinds.items() if "error_rate" not in name}
    reason = cases["wrong[bot-0]"].result[0].message
    assert reason.startswith("failed (tolerated by a gate): contains: the output does not contain")
    assert "FAILED: pass@1 is 0.5" in cases["gate[pass@1 >= 0.9][bot]"].result[0].text
    tree = etree.parse(pytester.path / "junit.xml")
    found = tree.iterfind(".//testcase[@name='wrong[bot-0]']/properties/property")
    properties = {one.get("name"): one.get("value") for one in found}
    run = properties.pop("run")
    assert run.startswith("20")
    assert {
        "model": "bot",
        "case": "wrong",
        "sample": "0",
        "outcome": "failed",
        "score": "0",
        "score.contains": "0",
        "tokens": "6",
        "cost_usd": "8e-06",
    } == properties


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_the_run_as_a_whole(pytester: pytest.Pytester, workers) -> None:
    """The suite says which run it was, of which dataset and models, and what to do; it is valid."""
    if workers:
        pytest.importorskip("xdist")
    pytester.path.joinpath("shop.evals.yaml").write_text(SHOP)
    tree = etree.parse(junit(pytester, "-o", "evals_junit_properties=false", *workers))
    etree.XMLSchema(etree.parse(XSD)).assertValid(tree)
    found = tree.iterfind("./testsuite/properties/property")
    told = {one.get("name"): one.get("value") for one in found}
    assert told.pop("evals.run").startswith("20")
    assert 64 == len(told.pop("evals.digest.shop"))
    told.pop("evals.commit", None)
    assert {"evals.models.shop": "bot", "evals.decision": "reject"} == told


def test_pytest_html_shows_them(pytester: pytest.Pytester) -> None:
    """In pytest-html every trial and every gate is a row, with the failure's text."""
    pytest.importorskip("pytest_html")
    pytester.path.joinpath("shop.evals.yaml").write_text(SHOP)
    junit(pytester, "--html=report.html", "--self-contained-html")
    page = pytester.path.joinpath("report.html").read_text(encoding="utf-8")
    blob = etree.HTML(page).xpath("//*[@id='data-container']/@data-jsonblob")[0]
    tests = json.loads(blob)["tests"]
    outcomes = {name.partition("::")[2]: rows[0]["result"] for name, rows in tests.items()}
    assert {
        "wrong[bot-0]": "Skipped",
        "wrong[bot-1]": "Skipped",
        "right[bot-0]": "Passed",
        "right[bot-1]": "Passed",
        "gate[pass@1 >= 0.9][bot]": "Failed",
        "gate[pass@1 >= 0.1][bot]": "Passed",
    } == {name: result for name, result in outcomes.items() if "error_rate" not in name}
    assert "FAILED: pass@1 is 0.5" in page


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_allure_keeps_every_trial_apart(pytester: pytest.Pytester, workers) -> None:
    """In Allure every trial and every gate is a result of its own, with its status and words."""
    pytest.importorskip("allure_pytest")
    if workers:
        pytest.importorskip("xdist")
    asked = SHOP.replace("gates:", "max_error_rate: 0\ngates:") + DOWN
    pytester.path.joinpath("shop.evals.yaml").write_text(asked)
    junit(pytester, "--alluredir=allure", *workers)
    paths = pytester.path.joinpath("allure").glob("*-result.json")
    told = {one["name"]: one for one in (json.loads(path.read_text()) for path in paths)}
    assert {
        "wrong[bot-0]": "skipped",
        "wrong[bot-1]": "skipped",
        "right[bot-0]": "passed",
        "right[bot-1]": "passed",
        "down[bot-0]": "broken",
        "down[bot-1]": "broken",
        "gate[pass@1 >= 0.9][bot]": "failed",
        "gate[pass@1 >= 0.1][bot]": "failed",
    } == {name: one["status"] for name, one in told.items() if "error_rate" not in name}
    assert told["gate[pass@1 >= 0.1][bot]"]["statusDetails"]["message"].startswith(
        "INCOMPLETE: 2 of"
    )
    assert len(told) == len({one["historyId"] for one in told.values()})
    parameters = {one["name"]: one["value"] for one in told["wrong[bot-1]"]["parameters"]}
    assert {"model": "'bot'", "sample": "'1'"} == parameters


def test_a_wrong_answer_is_a_failure_in_allure(pytester: pytest.Pytester) -> None:
    """Without gates a wrong answer is failed, not broken; a failed gate tells its numbers."""
    pytest.importorskip("allure_pytest")
    pytester.path.joinpath("shop.evals.yaml").write_text(SHOP.replace("gates:", "#"))
    junit(pytester, "--alluredir=allure")
    paths = pytester.path.joinpath("allure").glob("*-result.json")
    told = {one["name"]: one for one in (json.loads(path.read_text()) for path in paths)}
    assert "failed" == told["wrong[bot-0]"]["status"]
    assert "the output does not contain 'zebra'" in told["wrong[bot-0]"]["statusDetails"]["message"]
