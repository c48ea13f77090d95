"""Sessions on several xdist workers: the same trials, limits that hold for all of them together."""

import json
import signal
from time import sleep

import pytest

from pytest_evals.engine.worker_share import WorkerShare

pytest.importorskip("xdist")
pytestmark = pytest.mark.slow


def test_the_same_trials_are_recorded_once_each(server, ask, evals_process, stored):
    """Four workers, forty questions, forty calls, forty records."""
    evals_process("-n", "4", ask(40)).assert_outcomes(passed=40)
    assert server.asked() == {f"q{i}": 1 for i in range(40)}
    trials = [case for (case,) in stored("select case_id from trials")]
    assert sorted(trials) == sorted(f"c{i}" for i in range(40))
    assert stored("select status from runs") == [("complete",)]


def test_calls_at_once_are_divided(server, ask, evals_process):
    """Seven at once on three workers are seven, not six and not twenty-one."""
    server.script({"*": [{"delay_s": 1.0}]})
    evals_process("-n", "3", "--evals-concurrency=7", ask(42)).assert_outcomes(passed=42)
    assert 4 <= server.seen()["peak"] <= 7


@pytest.mark.parametrize("limited", ["session", "model", "host"])
def test_a_limit_smaller_than_the_number_of_workers_holds(
    limited, server, ask, evals_process, pytester
):
    """Two workers take turns at a model that takes one call at a time."""
    server.script({"*": [{"delay_s": 0.05, "forever": True}]})
    options = ["--evals-concurrency=1"] if limited == "session" else []
    if limited == "host":
        pytester.makeini("[pytest]\nevals_host_concurrency = 1\n")
    name = ask(12, model={"concurrency": 1} if limited == "model" else {})
    evals_process("-n", "2", *options, name).assert_outcomes(passed=12)
    assert server.seen()["peak"] == 1


def test_maxfail_takes_back_what_is_queued(server, ask, evals_process):
    """After the first failure only the windows have been spent."""
    server.script({"*": [{"delay_s": 0.1, "text": "no", "forever": True}]})
    result = evals_process("-n", "2", "--maxfail=1", "--evals-concurrency=4", ask(200))
    assert result.ret != 0
    assert result.parseoutcomes()["failed"] >= 1
    assert server.total() < 100


def test_equal_output_of_each_trial_on_workers(python_target, evals_process, records):
    """What a target prints stands in its own trial."""
    source = """
        def answer(text):
            print(f"printed for {text}")
            return text
        """
    evals_process("-n", "2", python_target(source, 20)).assert_outcomes(passed=20)
    told = {case: record["output"] for case, record in records().items()}
    assert told == {f"c{i}": f"printed for q{i}\n" for i in range(20)}


def test_a_missing_key_is_one_error_a_worker_and_no_call(server, ask, evals_process, records):
    """What a usage error is without workers; the rest is not run and the session fails."""
    name = ask(20, model={"api_key_env": "NO_SUCH_KEY"})
    result = evals_process("-n", "2", name)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert server.total() == 0
    outcomes = [record["outcome"] for record in records().values()]
    assert 1 <= outcomes.count("errored") <= 2
    assert outcomes.count("skipped") == 20 - outcomes.count("errored")
    result.stdout.fnmatch_lines(["*not run*NO_SUCH_KEY (for m)*"])


def test_workers_record_one_cassette_that_replays_without_the_store(
    server, ask, evals_process, evals, pytester
):
    """Sorted, whole, and enough by itself."""
    name = ask(20)
    evals_process("-n", "2", "--evals-cassette=cassettes", name).assert_outcomes(passed=20)
    path = pytester.path / "cassettes/ask.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["case"] for line in lines] == sorted(f"c{i}" for i in range(20))
    for file in pytester.path.glob(".evals/*"):
        if file.is_file():
            file.unlink()
    server.forget()
    replay = ("--evals-cassette=cassettes", "--evals-responses=replay", name)
    evals(*replay).assert_outcomes(passed=20)
    assert server.total() == 0


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_signal_to_the_controller_ends_the_calls_of_its_workers(sign, server, ask, begin):
    """After it, no more calls are made than were in flight."""
    server.script({"*": [{"delay_s": 0.3, "forever": True}]})
    session = begin("-n", "2", "--evals-concurrency=4", ask(200))
    server.wait_for(lambda seen: sum(seen["answered"].values()) >= 8)
    session.process.send_signal(sign)
    sleep(1.0)  # what is in flight ends
    before = server.total()
    assert before < 60
    sleep(3.0)  # xdist's workers live on for five seconds
    assert server.total() == before
    assert session.end(signal.SIGKILL) != 0


def test_a_session_ends_for_the_engines_of_its_folder(tmp_path):
    """It says so, or its folder is gone; a single engine has none."""
    share, other = WorkerShare(folder=tmp_path), WorkerShare(folder=tmp_path / "gone")
    assert [WorkerShare().is_over(), share.is_over(), other.is_over()] == [False, False, True]
    share.end_all()
    other.end_all()
    WorkerShare().end_all()
    assert [WorkerShare().is_over(), share.is_over(), other.is_over()] == [False, True, True]
