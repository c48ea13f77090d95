"""Faults of a server: what is tried again, how often, and what is told of it."""

from email.utils import formatdate
from time import time

import pytest

OK = {"passed": 1}
FAST = "evals_max_retries = 2"


@pytest.fixture(autouse=True)
def _ini(pytester):
    """Two attempts after the first, so that a failure does not take long."""
    pytester.makeini("[pytest]\nevals_max_retries = 2\nevals_attempt_timeout = 20s\n")


TRANSIENT = {
    "429": {"status": 429},
    "429-retry-after": {"status": 429, "headers": [["Retry-After", "1"]]},
    "500": {"status": 500},
    "502-html": {"status": 502, "body": "<h1>bad", "headers": [["Content-Type", "text/html"]]},
    "503": {"status": 503},
    "529": {"status": 529},
    "408": {"status": 408},
    "reset": {"reset": True},
    "truncated": {"cut": 40},
    "cut-before-the-body": {"cut": 0},
}


@pytest.mark.parametrize("fault", TRANSIENT, ids=str)
def test_a_fault_that_passes_is_tried_again(fault, server, ask, evals, records):
    """One more call brings the answer; the attempt that failed stands in the record."""
    server.script({"q0": [TRANSIENT[fault]]})
    evals(ask()).assert_outcomes(passed=1)
    assert server.asked() == {"q0": 2}
    assert len(records()["c0"]["exchanges"][0]["attempts"]) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_what_cannot_get_better_is_not_tried_again(status, server, ask, evals):
    """A refusal is one call and one error."""
    server.script({"*": [{"status": status, "forever": True}]})
    evals(ask()).assert_outcomes(errors=1)
    assert server.total() == 1


@pytest.mark.parametrize(
    "act",
    [
        {"body": '{"choices": [{"message"'},
        {"body": "[]"},
        {"body": '{"choices": []}'},
        {"body": ""},
        {"body": "<html>", "headers": [["Content-Type", "text/html"]]},
        {"body": "\ufffd\x00", "headers": [["Content-Type", "application/json; charset=utf-16"]]},
    ],
    ids=["cut-json", "a-list", "no-choices", "empty", "html", "nonsense"],
)
def test_a_malformed_body_is_an_error_and_never_an_answer(act, server, ask, evals, records):
    """However often it is asked, nothing is made up."""
    server.script({"*": [{**act, "forever": True}]})
    evals(ask()).assert_outcomes(errors=1)
    assert records()["c0"]["error"]["type"] == "malformed"
    assert server.total() <= 3


def test_a_wrong_content_type_with_a_good_body_is_an_answer(server, ask, evals):
    """Some servers call JSON text."""
    server.script({"q0": [{"headers": [["Content-Type", "text/plain"]]}]})
    evals(ask()).assert_outcomes(**OK)
    assert server.total() == 1


def test_headers_that_stand_twice_are_read(server, ask, evals):
    """Of two wishes the longer one is met."""
    twice = [["Retry-After", "0"], ["Retry-After", "2"], ["X-Twice", "1"], ["X-Twice", "2"]]
    server.script({"q0": [{"status": 429, "headers": twice}, {"headers": twice}]})
    evals(ask()).assert_outcomes(**OK)
    first, second = server.seen()["times"]["q0"]
    assert second - first >= 2


def test_retry_after_in_seconds_is_honoured_by_all_calls(server, ask, evals):
    """Nobody asks that model before the server wished, whoever was refused."""
    server.script({"q0": [{"status": 429, "headers": [["Retry-After", "2"]]}]})
    evals("--evals-concurrency=1", ask(3)).assert_outcomes(passed=3)
    times = server.seen()["times"]
    refused = times["q0"][0]
    later = [t for moments in times.values() for t in moments if t != refused]
    assert len(later) == 3
    assert min(later) - refused >= 2


def test_retry_after_as_a_date_is_honoured(server, ask, evals):
    """The date counts from the server's own clock."""
    now = time()
    date = [
        ["Date", formatdate(now, usegmt=True)],
        ["Retry-After", formatdate(now + 2, usegmt=True)],
    ]
    server.script({"q0": [{"status": 503, "headers": date}]})
    evals(ask()).assert_outcomes(**OK)
    first, second = server.seen()["times"]["q0"]
    assert second - first >= 2


def test_a_wish_to_wait_an_hour_is_an_error_at_once_and_holds_nobody_up(server, ask, evals):
    """The others go on, each to its own fate."""
    server.script({"q0": [{"status": 429, "headers": [["Retry-After", "3600"]]}]})
    result = evals("--evals-concurrency=1", ask(3))
    result.assert_outcomes(passed=2, errors=1)
    assert server.asked() == {"q0": 1, "q1": 1, "q2": 1}


def test_attempts_are_bounded_and_recorded(server, ask, evals, records):
    """Three calls, two of them told as attempts and the last as the error."""
    server.script({"*": [{"status": 500, "forever": True}]})
    evals(ask()).assert_outcomes(errors=1)
    assert server.asked() == {"q0": 3}
    record = records()["c0"]
    assert [a["status"] for a in record["exchanges"][0]["attempts"]] == [500, 500]
    assert record["error"]["status"] == 500


def test_an_error_is_never_stored_as_an_answer(server, ask, evals):
    """The next session asks what had none, and nothing else."""
    server.script({"q1": [{"status": 400}]})
    name = ask(3)
    evals(name).assert_outcomes(passed=2, errors=1)
    server.forget()
    server.script({})
    evals(name).assert_outcomes(passed=3)
    assert server.asked() == {"q1": 1}


def test_a_refused_key_stops_the_model_at_once(server, ask, evals, records):
    """One error; the others are told as not run, and the session fails."""
    server.script({"*": [{"status": 401, "forever": True}]})
    result = evals("--evals-concurrency=4", ask(60))
    result.assert_outcomes(errors=1, skipped=0)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert server.total() <= 4
    outcomes = [record["outcome"] for record in records().values()]
    assert sorted(outcomes) == ["errored"] + ["skipped"] * 59
    result.stdout.fnmatch_lines(["evals: 59 of 60 trials were not run*m*was disabled*401*"])


def test_a_refused_key_of_one_model_leaves_the_others_alone(server, ask, evals):
    """Each model has its own breaker."""
    model = {"provider": "openai", "base_url": server.url}
    models = [{"id": "a", "model": "a", **model}, {"id": "b", "model": "b", **model}]
    server.script({"q0": [{"status": 401}]})
    result = evals("--evals-concurrency=1", ask(4, models=models))
    assert result.parseoutcomes()["passed"] == 4
    assert result.parseoutcomes()["errors"] == 1


def test_the_same_error_again_and_again_opens_the_breaker(server, ask, evals, records):
    """After five equal errors in a row nobody asks that model."""
    server.script({"*": [{"status": 400, "forever": True}]})
    result = evals("--evals-concurrency=1", ask(40))
    assert server.total() == 5
    assert result.parseoutcomes()["errors"] == 5
    assert sum(record["outcome"] == "skipped" for record in records().values()) == 35
    result.stdout.fnmatch_lines(["*was disabled after it failed 5 times in a row*"])


def test_errors_that_are_not_in_a_row_do_not_open_the_breaker(server, ask, evals):
    """A success between them counts."""
    server.script({f"q{i}": [{"status": 400}] for i in range(0, 20, 2)})
    evals("--evals-concurrency=1", ask(20)).assert_outcomes(passed=10, errors=10)
    assert server.total() == 20


def test_pushback_halves_the_calls_at_once_and_all_are_answered(server, ask, evals):
    """A server that refuses every question once sees each exactly twice."""
    server.script({"*": [{"status": 429}]})
    evals("--evals-concurrency=16", ask(40)).assert_outcomes(passed=40)
    assert server.asked() == {f"q{i}": 2 for i in range(40)}


def test_results_stand_in_order_whatever_the_timing(server, ask, evals, stored):
    """The slowest first, the records are in the dataset's order."""
    server.script({f"q{i}": [{"delay_s": (12 - i) * 0.03}] for i in range(12)})
    evals("--evals-concurrency=12", ask(12)).assert_outcomes(passed=12)
    cases = [case for (case,) in stored("select case_id from trials order by seq")]
    assert cases == [f"c{i}" for i in range(12)]


def test_so_many_calls_at_once_and_no_more(server, ask, evals):
    """The limits of the session and of the model both hold."""
    server.script({"*": [{"delay_s": 0.1}]})
    evals("--evals-concurrency=5", ask(20)).assert_outcomes(passed=20)
    assert server.seen()["peak"] == 5
    server.forget()
    evals("--evals-responses=off", ask(12, model={"concurrency": 2})).assert_outcomes(passed=12)
    assert server.seen()["peak"] == 2
