"""``--evals-sanity``: every case must fail on nothing, on its question, on another's answer."""

import json

import pytest

from pytest_evals.storage.sqlite import SqliteRunStore

SHOP = """
    name: shop
    models: [{id: app, provider: python, target: "app.py:answer"}]
    samples: 3
    gates: [pass@1 >= 0.9]
    cases:
      - {id: capital, input: What is the capital of France?, expected: Paris, scorers: [contains]}
      - {id: polite, input: Be nice., scorers: [{not: {contains: idiot}}]}
      - {id: days, input: Say 30 days., expected: 30 days, scorers: [contains]}
"""
APP = """
    from pathlib import Path


    def answer(text):
        Path("called").touch()
        return "Paris, in 30 days"
"""


@pytest.fixture
def shop(write, pytester) -> str:
    """Write a dataset of a program that must not be called."""
    write("app.py", APP)
    return write("shop.yaml", SHOP)


def ids(result: pytest.RunResult, word: str) -> list[str]:
    """Return the names of the trials with this outcome, sorted."""
    lines = (line.split() for line in result.outlines)
    return sorted(line[1] for line in lines if len(line) > 1 and line[0] == word)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_cases_that_pass_anyway_fail(workers, shop, evals_process, pytester):
    """What asserts too little fails, by the answer it passes on; no model is called."""
    if workers:
        pytest.importorskip("xdist")
    result = evals_process("--evals-sanity", "-rfp", *workers, shop)
    result.assert_outcomes(passed=5, failed=4)
    assert ids(result, "FAILED") == [
        "shop.yaml::days[sanity-echo]",
        "shop.yaml::polite[sanity-echo]",
        "shop.yaml::polite[sanity-empty]",
        "shop.yaml::polite[sanity-other]",
    ]
    assert not (pytester.path / "called").exists()
    assert result.ret == 1


def test_the_summary_lists_them(shop, evals):
    """A line a case, with all the answers it passes on."""
    evals("--evals-sanity", shop).stdout.fnmatch_lines(
        [
            "*cases that pass on a wrong answer*",
            "shop.yaml::polite: an empty answer, the input as the answer, another case's answer",
            "shop.yaml::days: the input as the answer",
        ]
    )


def test_a_failure_says_which_assertions_hold(shop, evals):
    """And how to run just this trial again."""
    evals("--evals-sanity", shop).stdout.fnmatch_lines(
        [
            "*passes anyway (not_contains): add an assertion that this output fails",
            "rerun   pytest --evals 'shop.yaml::polite?sanity-empty?' --evals-sanity",
        ]
    )


def test_one_of_them_is_run_by_its_id(shop, evals):
    """They are items as any others."""
    evals("--evals-sanity", f"{shop}::polite[sanity-echo]").assert_outcomes(failed=1)
    evals("--evals-sanity", "-k", "capital", shop).assert_outcomes(passed=3)


def test_gates_do_not_judge_it_and_it_is_no_run_of_the_models(shop, evals, pytester):
    """Nothing is tolerated, and `latest` never means a sanity run."""
    evals(shop)
    (pytester.path / "called").unlink()
    result = evals("--evals-sanity", shop)
    result.stdout.no_fnmatch_line("gate pass*")
    store = SqliteRunStore(pytester.path / ".evals/evals.sqlite")
    runs = store.runs()
    store.close()
    assert [9] == [run.counts.total for run in runs]


def test_the_other_answer_is_one_that_differs(write, evals):
    """Of cases with the same answer in other words none is taken; of one with no other, none is."""
    name = write(
        "same.yaml",
        """
        models: [openai:x]
        scorers: [equals]
        cases:
          - {id: a, input: one, expected: "Yes"}
          - {id: b, input: two, expected: "yes."}
        """,
    )
    result = evals("--evals-sanity", name)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        ["evals: sanity: same: 2 of 2 cases are not checked with another case's answer*"]
    )


def test_answers_come_from_scripts_with_their_calls(write, evals):
    """Another case's recorded calls are made too, so that tools are asserted as well."""
    name = write(
        "tools.yaml",
        """
        cases:
          - id: look
            input: Where is it?
            scorers: [{tool_called: find}]
            script: [{kind: tool_call, name: find}, {kind: chat_response, content: Here.}]
          - id: search
            turns: [First, Then]
            scorers: [{tool_called: search}]
            script:
              - {kind: chat_response, content: Yes?}
              - {kind: tool_call, name: find}
              - {kind: chat_response, content: There.}
        """,
    )
    result = evals("--evals-sanity", "-rf", name)
    assert ["tools.yaml::look[sanity-other]"] == ids(result, "FAILED")
    result.assert_outcomes(passed=5, failed=1)


def test_answers_come_from_a_stored_run(write, evals, pytester):
    """Where the file knows no right answers, those that passed once serve."""
    write("app.py", "def answer(text):\n    return text.upper()\n")
    cases = [
        {"id": "a", "input": "one", "scorers": [{"contains": "ONE"}]},
        {"id": "b", "input": "two", "scorers": [{"regex": "[A-Z]"}]},
    ]
    models = [{"id": "app", "provider": "python", "target": "app.py:answer"}]
    name = write("up.yaml", json.dumps({"name": "up", "models": models, "cases": cases}))
    evals(name).assert_outcomes(passed=2)
    result = evals("--evals-sanity", "-rf", name)
    result.assert_outcomes(passed=5, failed=1)
    assert ["up.yaml::b[sanity-other]"] == ids(result, "FAILED")


def test_what_is_the_right_answer_is_not_held_against_a_case(write, evals):
    """Neither an empty one, nor one that repeats the question, nor what its metadata leaves out."""
    name = write(
        "right.yaml",
        """
        models: [openai:x]
        cases:
          - {id: silent, input: Say nothing., expected: "", scorers: [equals]}
          - {id: parrot, input: Hello, expected: hello, scorers: [icontains]}
          - {id: any, input: Say something., scorers: [{word_count: {min: 1}}],
             metadata: {sanity: [empty]}}
          - {id: free, input: Hi, scorers: [{max_latency_s: 5}], metadata: {sanity: false}}
        """,
    )
    result = evals("--evals-sanity", "-v", name)
    result.assert_outcomes(passed=4)
    names = sorted(line.split()[0] for line in result.outlines if "PASSED" in line)
    assert names == [
        "right.yaml::any[sanity-empty]",
        "right.yaml::parrot[sanity-empty]",
        "right.yaml::silent[sanity-echo]",
        "right.yaml::silent[sanity-other]",
    ]


def test_a_wrong_word_in_the_metadata_is_told(write, evals):
    """With the place and a suggestion."""
    name = write(
        "wrong.yaml",
        """
        models: [openai:x]
        cases: [{id: a, input: x, scorers: [{contains: y}], metadata: {sanity: [emty]}}]
        """,
    )
    result = evals("--evals-sanity", name)
    result.stdout.fnmatch_lines(["wrong.yaml:3: case 'a': *found 'emty'.*'empty'*"])
    assert 2 == result.ret


def test_a_scorer_that_cannot_score_saves_the_case(write, evals):
    """Code that raises on an empty answer never lets it pass, so it is no weak assertion."""
    write("mine.py", "def check(answer):\n    return bool(answer.split()[0])\n")
    name = write(
        "own.yaml",
        """
        models: [openai:x]
        cases: [{id: a, input: " ", scorers: [{python: "mine.py:check"}]}]
        """,
    )
    evals("--evals-sanity", name).assert_outcomes(passed=1)


def test_an_expected_error_fails_on_any_answer(write, evals):
    """Where no answer is right, every answer is wrong."""
    name = write(
        "down.yaml",
        """
        cases:
          - id: a
            input: hi
            expect: {expected_error_type: overloaded}
            script: [{kind: error, error_type: overloaded}]
        """,
    )
    evals("--evals-sanity", name).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "option", ["--evals-update-baseline", "--evals-reset-baseline", "--evals-from=latest"]
)
def test_what_would_keep_it_is_refused(option, shop, evals):
    """A sanity run is no run of the models."""
    result = evals("--evals-sanity", option, shop)
    assert 4 == result.ret
    flag = option.partition("=")[0]
    result.stderr.fnmatch_lines([f"*--evals-sanity calls no model under test, so {flag} has no*"])


def test_a_cassette_is_left_as_it_is(shop, evals, pytester):
    """What a sanity run does not ask is not dropped from it."""
    evals("--evals-cassette=c.jsonl", shop)
    before = (pytester.path / "c.jsonl").read_bytes()
    evals("--evals-sanity", "--evals-cassette=c.jsonl", shop)
    assert before == (pytester.path / "c.jsonl").read_bytes()


JUDGE = """
    import json


    def judge(text, context):
        with open("judged.txt", "a") as file:
            file.write("x")
        return json.dumps({"reasoning": "Fine by me.", "score": 5})
    """


@pytest.fixture
def judged(write, pytester):
    """Write cases with a judge that likes everything; return their file and its calls."""
    write("judge.py", JUDGE)
    name = write(
        "judged.yaml",
        """
        models: [openai:x]
        judges:
          fond: {model: {provider: python, target: "judge.py:judge"}, rubric: Good., min_score: 0.5,
                 revise: {max: 2}}
        cases:
          - {id: noticed, input: one, expected: "1", scorers: [{judge: {use: fond}}, equals]}
          - {id: fond, input: two, expected: "2", scorers: [{judge: {use: fond}}]}
        """,
    )
    path = pytester.path / "judged.txt"
    return name, lambda: len(path.read_text()) if path.exists() else 0


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_judges_are_asked_where_all_else_holds(workers, judged, evals_process):
    """A judge that lets nothing pass as an answer is found; nobody is asked to revise."""
    if workers:
        pytest.importorskip("xdist")
    name, calls = judged
    result = evals_process("--evals-sanity", "-rf", *workers, name)
    result.assert_outcomes(passed=3, failed=3)
    assert {f"judged.yaml::fond[sanity-{kind}]" for kind in ("empty", "echo", "other")} == set(
        ids(result, "FAILED")
    )
    assert 3 == calls()


def test_a_judge_that_cannot_be_asked_is_an_error(judged, evals, write):
    """It is not known whether the case passes."""
    name, _ = judged
    write("judge.py", "def judge(text):\n    raise RuntimeError('down')\n")
    evals("--evals-sanity", name).assert_outcomes(passed=3, errors=3)


def test_what_it_would_ask_is_told_by_collect_only(judged, evals):
    """No model under test is asked."""
    name, _ = judged
    evals("--evals-sanity", "--collect-only", name).stdout.fnmatch_lines(
        [
            "evals: estimate: sanity-empty: no calls, its answers are recorded; and 2 calls of judges*"
        ]
    )
