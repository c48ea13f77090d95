"""What a session tells of its judges and classes on the terminal and in its reports."""

import json
import shutil
from pathlib import Path

import pytest

from pytest_evals.cli import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "judge"
MOOD = """
    name: mood
    scorers: [{label: {labels: [good, bad]}}]
    gates: [accuracy(label) >= 0.5]
    cases:
      - {id: a, input: x, expected: good, script: [{kind: chat_response, content: good}]}
      - {id: b, input: x, expected: good, script: [{kind: chat_response, content: bad}]}
      - {id: c, input: x, expected: bad, script: [{kind: chat_response, content: bad}]}
      - {id: d, input: x, expected: bad, script: [{kind: chat_response, content: maybe}]}
"""


def test_the_confusion_matrix_is_shown_with_v(write, evals):
    """With each label's precision, recall and F1; an answer without a label has a column."""
    name = write("mood.yaml", MOOD)
    evals("-v", name).stdout.fnmatch_lines(
        [
            "confusion of label ?script?, 4 trials: *accuracy 0.50, macro-F1 0.58",
            "*bad  good  (none)  precision  recall    F1",
            "bad *1 *0 *1 *0.50 *0.50 *0.50",
            "good *1 *1 *0 *1.00 *0.50 *0.67",
        ]
    )
    evals(name).stdout.no_fnmatch_line("*confusion of*")


def test_an_answer_whose_form_is_wrong_misses_its_label(write, evals):
    """What a transform finds nothing in is no reason to leave the trial out."""
    changed = MOOD.replace("{label: {", "{transform: boxed, label: {")
    result = evals("-v", write("mood.yaml", changed))
    result.stdout.fnmatch_lines(["confusion of label ?script?, 4 trials: *accuracy 0.00*"])


def test_a_classifier_that_is_a_judge_has_one_too(write, evals):
    """Its labels are compared with those that the cases expect."""
    write("judge.py", 'def say(text):\n    return \'{"reasoning": "so", "label": "good"}\'\n')
    text = MOOD.replace(
        "[{label: {labels: [good, bad]}}]",
        "[{classifier: {model: {provider: python, target: 'judge.py:say'}, repeats: 2, question: "
        "What is it?, choices: {good: null, bad: null}, expected: '{{ expected }}'}}]",
    ).replace("accuracy(label)", "accuracy(classifier)")
    evals("-v", write("mood.yaml", text)).stdout.fnmatch_lines(
        ["confusion of classifier ?script?, 4 trials: *accuracy 0.50, macro-F1 0.33"]
    )


@pytest.fixture
def certified(pytester, monkeypatch, evals):
    """Run the example of judges, and calibrate one of them."""
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    monkeypatch.chdir(pytester.path)
    evals("support.evals.yaml")
    assert 0 == main(["score", "latest", "--import", "labels.csv"])
    command = ["calibrate", "support.evals.yaml", "--judge", "helpful", "--run", "latest"]
    assert 0 == main(command)


def test_a_certified_judges_pass_rate_is_corrected(certified, evals, pytester):
    """On the terminal and among the metrics, beside the raw one; others are not."""
    result = evals("--evals-json=out.json", "support.evals.yaml")
    result.stdout.fnmatch_lines(
        ["judge helpful ?recorded?: passes 50% (*); corrected for its known errors 48% (*)"]
    )
    result.stdout.no_fnmatch_line("judge polite*")
    told = json.loads((pytester.path / "out.json").read_text())
    names = [m["metric"] for m in told["metrics"] if m["metric"].startswith("corrected")]
    assert ["corrected(pass@1 of helpful)"] == names


def test_a_stale_certificate_corrects_nothing(certified, evals, pytester):
    """It is that of another judge."""
    path = pytester.path / "support.evals.yaml"
    path.write_text(path.read_text().replace("need not ask again", "need no more"))
    evals("support.evals.yaml").stdout.no_fnmatch_line("judge helpful*corrected*")


def test_judges_without_a_vote_are_named(pytester, monkeypatch, evals):
    """With the reason, and in the kept run; one that is certified is not."""
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    monkeypatch.chdir(pytester.path)
    result = evals("--evals-json=out.json", "support.evals.yaml")
    result.stdout.fnmatch_lines(
        [
            f"evals: judge {name} of support is advisory, not counted (50 scores): it has no certificate"
            for name in ("grounded", "helpful", "polite")
        ]
    )
    notes = json.loads((pytester.path / "out.json").read_text())["run"]["notes"]
    assert 3 == sum("is advisory, not counted" in note for note in notes)


def test_a_judge_that_votes_is_not_named(certified, evals):
    """Only the others are; a certificate that fails says what it misses."""
    command = ["calibrate", "support.evals.yaml", "--judge", "polite", "--run", "latest"]
    assert 1 == main(command)
    result = evals("support.evals.yaml")
    result.stdout.no_fnmatch_line("*judge helpful of support is advisory*")
    result.stdout.fnmatch_lines(
        [
            "*judge polite of support is advisory, not counted (50 scores): its certificate fails: 3 of 5 *"
        ]
    )


def test_an_expected_judge_score_without_a_vote_is_named(write, evals):
    """It stands within `expect`, whose other expectations decide."""
    write("judge.py", 'def say(text):\n    return \'{"reasoning": "so", "score": 5}\'\n')
    name = write(
        "kind.yaml",
        """
        judges:
          default: {model: {provider: python, target: "judge.py:say"}, rubric: r,
                    requires_certificate: true}
        cases:
          - {id: a, input: x, script: [{kind: chat_response, content: hi}],
             expect: {min_judge_score: 0.5, final_answer_contains: [hi]}}
        """,
    )
    result = evals(name)
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        ["evals: judge expect of kind is advisory, not counted (1 score): it has no certificate"]
    )


def test_the_json_report_holds_the_confusion_matrix(write, evals, pytester):
    """With its labels, counts, and what follows from them."""
    evals("--evals-json=out.json", write("mood.yaml", MOOD))
    (told,) = json.loads((pytester.path / "out.json").read_text())["confusions"]
    assert (["bad", "good"], [[1, 0], [1, 1]], [1, 0]) == (
        told["labels"],
        told["counts"],
        told["unread"],
    )
    assert "accuracy(label)" == told["metrics"][0]["metric"]
