"""``--evals-cassette``: answers in a committed file, replayed without a call."""

import json

import pytest

APP = """
    def answer(text):
        with open("calls.log", "a") as log:
            log.write(text + "\\n")
        return f"You said {text}."
"""
DATASET = """
    name: app
    models: [{id: app, provider: python, target: "app.py:answer", stored: true}]
    scorers: [{contains: You said}]
    cases: [{id: a, input: one}, {id: b, input: two}]
"""


@pytest.fixture
def app(write) -> str:
    """Write an application that counts its calls, and a dataset of two cases."""
    write("app.py", APP)
    return write("app.evals.yaml", DATASET)


@pytest.fixture
def calls(pytester):
    """Return what the application was asked so far."""

    def calls() -> list[str]:
        log = pytester.path / "calls.log"
        return log.read_text().split() if log.exists() else []

    return calls


def test_a_recorded_answer_is_replayed_without_a_call(app, evals, calls, pytester):
    """The cassette alone is enough: the store may be gone."""
    evals("--evals-cassette=cassettes/app.jsonl", app).assert_outcomes(passed=2)
    pytester.path.joinpath(".evals/evals.sqlite").unlink()
    args = ("--evals-cassette=cassettes/app.jsonl", "--evals-responses=replay", app)
    evals(*args).assert_outcomes(passed=2)
    assert sorted(calls()) == ["one", "two"]


def test_a_folder_holds_a_file_for_the_dataset(app, evals, pytester):
    """``cassettes/<dataset>.jsonl``, sorted, a line an answer."""
    evals("--evals-cassette=cassettes", app)
    lines = pytester.path.joinpath("cassettes/app.jsonl").read_text().splitlines()
    cases = [json.loads(line).get("case") for line in lines]
    assert [case for case in cases if case] == ["a", "b"]


def test_recording_again_changes_nothing(app, evals, pytester):
    """No timestamps, no latencies that move: an empty diff."""
    evals("--evals-cassette=c.jsonl", app)
    before = pytester.path.joinpath("c.jsonl").read_bytes()
    evals("--evals-cassette=c.jsonl", "--evals-responses=refresh", app)
    assert pytester.path.joinpath("c.jsonl").read_bytes() == before


def test_a_changed_question_is_stale_and_says_what_changed(app, evals, write, calls):
    """Not a pass, not a wrong answer: an error that names the part."""
    evals("--evals-cassette=c.jsonl", app)
    name = write("app.evals.yaml", DATASET.replace("two", "three"))
    result = evals("--evals-cassette=c.jsonl", "--evals-responses=replay", "-v", name)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*b?app? STALE*", "*STALE: *input* changed since*"])
    assert sorted(calls()) == ["one", "two"]


def test_a_narrowed_run_touches_only_what_ran(app, evals, write, pytester):
    """The line of the case that was not selected stays as it is."""
    evals("--evals-cassette=c.jsonl", app)
    kept = [x for x in pytester.path.joinpath("c.jsonl").read_text().splitlines() if '"a"' in x]
    name = write("app.evals.yaml", DATASET.replace("two", "three"))
    evals("--evals-cassette=c.jsonl", "-k", "b", name)
    text = pytester.path.joinpath("c.jsonl").read_text()
    assert all(line in text for line in kept)
    assert "You said three." in text


def test_workers_record_into_one_file(app, evals_process, pytester, calls):
    """Each worker keeps a journal; the session merges them at its end."""
    pytest.importorskip("xdist")
    evals_process("-n", "2", "--evals-cassette=c.jsonl", app).assert_outcomes(passed=2)
    text = pytester.path.joinpath("c.jsonl").read_text()
    assert "You said one." in text
    assert "You said two." in text
    args = ("-n", "2", "--evals-cassette=c.jsonl", "--evals-responses=replay", app)
    evals_process(*args).assert_outcomes(passed=2)
    assert sorted(calls()) == ["one", "two"]


def test_a_damaged_cassette_is_a_usage_error(app, evals, write, calls):
    """Known before anything is asked, with the line."""
    write("c.jsonl", "not json\n")
    result = evals("--evals-cassette=c.jsonl", app)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "c.jsonl:1" in result.stderr.str() + result.stdout.str()
    assert calls() == []


def test_off_and_a_cassette_contradict_each_other(app, evals):
    """Keeping nothing and recording cannot both be meant."""
    result = evals("--evals-cassette=c.jsonl", "--evals-responses=off", app)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
