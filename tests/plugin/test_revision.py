"""``revise``: an answer below the bar goes back on its thread; told apart from first tries."""

import json

import pytest

from pytest_evals.storage.sqlite import SqliteRunStore

JUDGE = """
    import json
    import re


    def judge(text, context):
        thread = "\\n".join(str(m["content"]) for m in context.messages)
        answer = re.findall(r"<answer-(\\w+)>\\n(.*?)\\n</answer-", thread, re.S)[-1][1]
        score = 5 if "please" in answer else 2
        return json.dumps({"reasoning": f"{len(answer)} letters", "score": score})
    """
MODEL = """
    def answer(text, context):
        said = [m["content"] for m in context.messages if m["role"] == "user"]
        with open("asked.txt", "a") as file:
            file.write(f"{len(said)}\\n")
        if "hard" in said[0]:
            return "Never."
        if "polite" in said[0] or len(said) > 1 + int("slow" in said[0]):
            return "Wait, please."
        return "Wait."
    """
DATASET = """
    name: desk
    models: [{id: app, provider: python, target: "app.py:answer"}]
    judges:
      kind: {model: {provider: python, target: "judge.py:judge"}, rubric: It is kind.,
             min_score: 0.7, revise: {max: 2}}
    scorers: [{judge: {use: kind}}, {word_count: {max: 9}}]
    cases:
      - {id: polite, input: polite}
      - {id: quick, input: quick}
      - {id: slow, input: slow}
      - {id: hard, input: hard}
"""


@pytest.fixture
def desk(write, pytester):
    """Write a model that gets kinder when it is told, and a judge that wants it kind."""
    write("app.py", MODEL)
    write("judge.py", JUDGE)

    def desk(extra: str = "") -> str:
        return write("desk.yaml", DATASET + extra)

    return desk


@pytest.fixture
def calls(pytester):
    """Return how often the model was asked, and forget it."""
    path = pytester.path / "asked.txt"

    def calls() -> int:
        count = len(path.read_text().split()) if path.exists() else 0
        path.unlink(missing_ok=True)
        return count

    return calls


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_better_answer_is_revised_not_passed(workers, desk, evals_process, calls):
    """Each trial is asked again until the judge is content, or as often as it may be."""
    if workers:
        pytest.importorskip("xdist")
    result = evals_process("-v", *workers, desk())
    result.stdout.fnmatch_lines(["*1 failed, 1 passed, 2 revised*"])
    assert 1 + 2 + 3 + 3 == calls()
    assert 1 == result.ret


def test_it_says_how_often(desk, evals):
    """With ``-v``, in the table, and where the trial failed all the same."""
    result = evals("-v", desk())
    result.stdout.fnmatch_lines_random(
        [
            "desk.yaml::quick?app? REVISED after 1 revision 1.00*",
            "desk.yaml::slow?app? REVISED after 2 revisions 1.00*",
            "desk.yaml::polite?app? PASSED 1.00*",
            "desk.yaml::hard?app? FAILED after 2 revisions 0.62*",
            "*A reviewer scored your last answer 0.25 of 1, where >= 0.7 is asked for*",
            "model * revised *",
            "app * 1/4 25% * 2 * 1 * 0 * 0.72 *",
        ]
    )


def test_metrics_count_first_answers_and_tell_the_others_apart(desk, evals, pytester):
    """pass@1 is of what was answered unaided; what revisions mended has a metric of its own."""
    evals("--evals-json=out.json", desk())
    told = json.loads((pytester.path / "out.json").read_text())
    values = {metric["metric"]: metric["value"] for metric in told["metrics"]}
    assert (0.25, 0.75) == (values["pass@1"], values["pass_after_revision"])
    assert (1 + 3 * 0.25) / 4 == values["mean(kind)"]
    trial = next(one for one in told["trials"] if one["case"] == "slow")
    assert ("passed", 2, "failed") == (
        trial["outcome"],
        trial["revisions"],
        trial["first"]["outcome"],
    )
    assert "Wait, please." == trial["answer"]


def test_gates_judge_first_answers(desk, evals):
    """A gate on pass@1 fails where only revisions pass; one on what is mended can be had too."""
    text = "    gates: [pass@1 >= 0.5, pass_after_revision >= 0.7]\n"
    result = evals(desk(text))
    result.stdout.fnmatch_lines(
        ["pass@1 >= 0.5 ?app? *FAILED*", "pass_after_revision >= 0.7 ?app? *PASSED*"]
    )
    assert 1 == result.ret


def test_a_revision_is_a_stored_answer(desk, evals, calls, write):
    """The same thread is not paid for twice."""
    name = write(desk(), DATASET.replace('answer"}', 'answer", stored: true}'))
    evals(name)
    assert 9 == calls()
    result = evals(name)
    result.stdout.fnmatch_lines(["*1 failed, 1 passed, 2 revised*"])
    assert 0 == calls()


def test_recorded_answers_are_not_revised(desk, evals, calls):
    """``--evals-from`` asks no model: the first answers are judged."""
    evals(desk())
    calls()
    evals("--evals-from=latest", desk()).assert_outcomes(passed=1, failed=3)
    assert 0 == calls()


def test_a_trial_whose_revision_has_no_answer_errs(desk, evals, write):
    """It is not known whether it would have passed."""
    write(
        "app.py",
        MODEL.replace('if "hard"', 'if len(said) > 1:\n            1 / 0\n        if "hard"'),
    )
    evals(desk()).assert_outcomes(passed=1, errors=3)


def test_scripted_answers_are_revised_too(write, evals):
    """Each revision takes the next answer; what is left over is a fault as ever."""
    write("judge.py", JUDGE)
    script = """
    judges:
      kind: {model: {provider: python, target: "judge.py:judge"}, rubric: Kind., min_score: 0.7,
             revise: {max: 2}}
    scorers: [{judge: {use: kind}}]
    cases:
      - id: mended
        input: hi
        script: [{kind: chat_response, content: No.}, {kind: chat_response, content: "No, please"}]
      - id: left
        input: hi
        script:
          - {kind: chat_response, content: "please"}
          - {kind: chat_response, content: "more please"}
    """
    result = evals("-v", write("s.yaml", script))
    result.stdout.fnmatch_lines(["*1 error*1 revised*"])
    result.stdout.fnmatch_lines(["*script_unused*"])


def test_the_stored_run_knows_both(desk, evals, pytester):
    """The record keeps the first verdict beside the last one."""
    evals(desk())
    store = SqliteRunStore(pytester.path / ".evals/evals.sqlite")
    results = {one.case_id: one for one in store.results(store.runs()[0].id)}
    store.close()
    assert [0, 1, 2, 2] == [results[c].revisions for c in ("polite", "quick", "slow", "hard")]
    assert [True, False] == [results["quick"].revised, results["hard"].revised]
    assert results["polite"].first is None


def test_a_judge_in_a_group_cannot_have_answers_revised(write, evals):
    """Its score is not the trial's: said when the dataset is collected."""
    name = write(
        "group.yaml",
        """
        models: [openai:x]
        cases:
          - {id: a, input: x, scorers: [{any_of: [
              {judge: {model: "openai:y", rubric: r, min_score: 0.5, revise: {max: 1}}},
              {contains: y}]}]}
        """,
    )
    result = evals(name)
    result.stdout.fnmatch_lines(["*`judge` in `any_of` has `revise`*"])
    assert 2 == result.ret


def test_an_expected_judge_score_revises_too(write, evals):
    """``expect: {min_judge_score: …}`` with the default judge's `revise`; other faults do not."""
    write("app.py", MODEL)
    write("judge.py", JUDGE)
    name = write(
        "expect.yaml",
        """
        models: [{id: app, provider: python, target: "app.py:answer"}]
        judges:
          default: {model: {provider: python, target: "judge.py:judge"}, rubric: It is kind.,
                    revise: {max: 2}}
        cases:
          - {id: quick, input: quick, expect: {min_judge_score: 0.7}}
          - {id: polite, input: polite, expect: {min_judge_score: 0.7,
             final_answer_contains: [never]}}
        """,
    )
    result = evals("-v", name)
    result.stdout.fnmatch_lines(
        [
            "expect.yaml::quick?app? REVISED after 1 revision*",
            "expect.yaml::polite?app? FAILED *",
            "*answer_missing_phrase: 'never' is not in*",
            "*1 failed, 1 revised*",
        ]
    )


def test_show_tells_the_first_scores_and_the_last(desk, evals, capsys, monkeypatch, pytester):
    """And how often the answer was revised."""
    from pytest_evals.cli import main

    evals(desk())
    monkeypatch.chdir(pytester.path)
    capsys.readouterr()
    assert 0 == main(["show", "latest", "slow"])
    told = capsys.readouterr().out
    first, last = told.index("scores of the first answer"), told.rindex("\nscores\n")
    assert "FAIL  kind 0.25" in told[first:last]
    assert "pass  kind 1" in told[last:]
    assert "revised 2 times" in told
