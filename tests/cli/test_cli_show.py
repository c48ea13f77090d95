"""``pytest-evals show RUN [TRIAL]``: a run with its trials, or one trial whole."""

import json
import re
import time

import pytest


@pytest.fixture(autouse=True)
def _utc(store) -> None:
    """Show times as at Greenwich."""
    time.tzset()


def test_a_run(command) -> None:
    """The header says what the run was, the table what became of each trial."""
    status, out, _ = command("show", "20261121")
    assert status == 0
    assert out.splitlines() == [
        "run      20261121-051500-3f9a   complete",
        "when     2026-11-21 05:15, took 1m 05s",
        "dataset  support (evals/d.yaml): 3 cases, 3 trials",
        "trials   1 passed, 1 failed, 1 error of 3",
        "cost     $0.0024, $0.0012 spent, 94 tokens",
        "commit   01234567+ on main, with changes",
        "versions python 3.11.7",
        r"note     a note \x1b[0m",
        "",
        "trial        outcome  score  latency  tokens     cost  error",
        "refund[gpt]  passed    1.00   850 ms      47  $0.0012",
        "late[gpt]    failed    0.00   850 ms      47  $0.0012",
        "broken[gpt]  error        -        -       -        -  timeout",
        "3 trials",
    ]


def test_only_what_did_not_pass(command) -> None:
    """--failed leaves out what passed, --limit and --offset page through the rest."""
    _, out, _ = command("show", "20261121", "--failed")
    table, _, reasons = out.partition("broken[gpt]  error")
    assert "refund[gpt]" not in out
    assert "late[gpt]" in table
    lines = reasons.splitlines()
    assert lines[-1] == "2 trials that did not pass"
    late, broken = lines.index("late[gpt]"), lines.index("broken[gpt]")
    assert re.match(r"    \w+: ", lines[late + 1])
    assert lines[broken + 1].startswith("    timeout: ")
    _, out, _ = command("show", "20261121", "--failed", "--limit", "1", "--offset", "1")
    lines = out.splitlines()
    assert "broken[gpt]  error        -        -       -     -  timeout" in lines
    assert "late[gpt]" not in out
    assert lines[-1] == "1 of 2 trials that did not pass"


def test_latest(command) -> None:
    """``latest`` is the run that was begun last."""
    _, out, _ = command("show", "latest")
    assert out.splitlines()[0] == "run      20261122-060000-77aa   interrupted"
    assert out.splitlines()[-1] == "0 trials"


def test_a_run_as_json(command) -> None:
    """The run and its trials, in the shape of --evals-json."""
    _, out, _ = command("show", "20261121", "--json", "--failed")
    told = json.loads(out)
    assert (told["schema"], told["run"]["id"]) == (1, "20261121-051500-3f9a")
    assert [trial["case"] for trial in told["trials"]] == ["late", "broken"]
    first = told["trials"][0]
    assert (first["outcome"], first["answer"]) == ("failed", "answer of late")
    assert [score["kind"] for score in first["scores"]] == ["score", "error"]
    assert out.isascii()
    assert "\x1b" not in out


def test_an_empty_run_as_json(command) -> None:
    """A run without trials is valid JSON too."""
    _, out, _ = command("show", "latest", "--json")
    assert json.loads(out)["trials"] == []


def test_a_trial(command) -> None:
    """Question, answer, each score with its reason, tokens, cost, attempts, people's scores."""
    status, out, _ = command("show", "20261121", "late")
    assert status == 0
    assert out.splitlines() == [
        "trial    evals/d.yaml::late[gpt]",
        "outcome  failed",
        (
            "         score 0, latency 850 ms, 47 tokens (41 in, 6 out), cost $0.0012, "
            "1 failed attempt"
        ),
        "",
        "input",
        "    How long do I have?",
        "    attempt 1 failed: rate_limit (HTTP 429): slow down",
        "",
        "answer of gpt (asked, 850 ms, $0.0012)",
        "    answer of late",
        "",
        "scores",
        "    FAIL  contains (required: 30 days)",
        r"          no \x1b[31mred\x1b[0m \u202ewords",
        "    ERROR judge: could not score",
        "          no verdict",
        "",
        "people",
        "    contains fine by ann",
        "          said so",
        "",
        "output",
        r"    printed\x07",
    ]


def test_a_trial_that_was_recorded_again(command) -> None:
    """Earlier attempts are told, the last one is shown."""
    _, out, _ = command("show", "20261121", "evals/d.yaml::refund[gpt]")
    assert out.splitlines()[1] == "outcome  passed"
    assert "recorded 2 times; the last one counts. Before it:" in out
    assert out.splitlines()[-1].startswith("    failed  score 0")


def test_a_trial_without_an_answer(command) -> None:
    """The error stands where the answer would."""
    _, out, _ = command("show", "20261121", "broken")
    assert out.splitlines()[-2:] == ["error", "    timeout: gave up"]


def test_a_trial_as_json(command) -> None:
    """The whole trial, its earlier attempts and what people said."""
    _, out, _ = command("show", "20261121", "refund", "--json")
    told = json.loads(out)["trial"]
    assert (told["outcome"], len(told["exchanges"])) == ("passed", 1)
    assert [earlier["outcome"] for earlier in told["earlier_attempts"]] == ["failed"]
    assert told["labels"] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nothing"], r"holds no run 'nothing'\. Known: "),
        (["2026"], r"'2026' begins 2 run ids in .*: 20261122-060000-77aa, 20261121-051500-3f9a"),
        (["20261121", "refundd"], r"has no trial 'refundd'\. Did you mean 'refund\[gpt\]'"),
        (["20261121", "gpt"], r"'gpt' is part of 3 trials of run 20261121-051500-3f9a: evals/"),
        (["latest", "x"], r"run 20261122-060000-77aa has no trial 'x'\.$"),
    ],
)
def test_what_is_not_there(command, words, expected) -> None:
    """An id that names nothing, or several, says what there is."""
    status, out, err = command("show", *words)
    assert (status, out) == (1, "")
    assert re.search(expected, err), err


def test_no_control_sequence_reaches_the_terminal(command) -> None:
    """Whatever a model said, nothing but tab and new line is left of its controls."""
    for words in ([], ["late"], ["--json"], ["late", "--json"], ["--failed"]):
        _, out, _ = command("show", "20261121", *words)
        assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out) is None


def test_colors_are_for_terminals(command, monkeypatch) -> None:
    """On a terminal outcomes have colours; NO_COLOR takes them away; cells keep their columns."""
    import sys

    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    _, plain, _ = command("show", "20261121", "--failed")
    assert "\x1b[31mfailed\x1b[0m" in plain
    monkeypatch.setenv("NO_COLOR", "1")
    _, without, _ = command("show", "20261121", "--failed")
    assert without == re.sub(r"\x1b\[[0-9;]*m", "", plain)


def test_a_case_shows_all_its_trials(command) -> None:
    """By the case's id; of several trials JSON has a list."""
    status, out, _ = command("show", "20261121", "refund")
    assert (status, out.splitlines()[0]) == (0, "trial    evals/d.yaml::refund[gpt]")
