"""SqliteRunStore: kept at once, by several processes, through kill -9."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from pytest_evals.ground.errors import StoreError
from pytest_evals.result import Outcome
from pytest_evals.run_record import Counts, RunStatus
from pytest_evals.storage.sqlite import SqliteRunStore

WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from pytest_evals.result import Outcome, TrialResult
    from pytest_evals.run_record import Run, RunStatus
    from pytest_evals.storage.sqlite import SqliteRunStore

    path, run_id, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    store = SqliteRunStore(path)
    run = Run(id=run_id, started_at=1.0)
    store.begin(run)
    for i in range(most):
        result = TrialResult(
            id=f"d.yaml::case-{i}", dataset="d", case_id=f"case-{i}", model_id="m", sample=0,
            outcome=Outcome.PASSED, output="x" * 3000,
        )
        store.append(run_id, result.model_dump_json(exclude_defaults=True), result)
        print(i, flush=True)
    store.seal(run.model_copy(update={"status": RunStatus.COMPLETE}))
    store.close()
    """
)


def writer(path: Path, run_id: str, most: int) -> subprocess.Popen[str]:
    """Start a process that records trials and prints the number of each when it is kept."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), run_id, str(most)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("after", [1, 40, 333])
def test_kill_loses_nothing_that_was_kept(tmp_path: Path, after: int) -> None:
    """Every trial that append returned for is there after kill -9, and the run is interrupted."""
    path = tmp_path / ".evals" / "evals.sqlite"
    process = writer(path, "r", 100_000)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) + 1 == after:
            break
    store = SqliteRunStore(path, write=False)
    assert store.run("r").status == RunStatus.RUNNING
    process.send_signal(signal.SIGKILL)
    told = [int(line) for line in process.communicate()[0].split("\n")[:-1]]
    kept = [result.case_id for result in store.results("r")]
    assert [f"case-{i}" for i in range(len(kept))] == kept
    assert len(kept) >= max(told, default=after - 1) + 1
    found = store.run("r")
    assert found.status == RunStatus.INTERRUPTED
    assert Counts(passed=len(kept)) == found.counts
    assert [found] == store.runs(status=RunStatus.INTERRUPTED)
    store.close()


def test_several_processes_share_one_file(tmp_path: Path) -> None:
    """Four processes that begin at once, on a file that is not there, keep all their trials."""
    path = tmp_path / ".evals" / "evals.sqlite"
    processes = [writer(path, f"run-{i}", 60) for i in range(4)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    store = SqliteRunStore(path)
    runs = sorted(store.runs(), key=lambda run: run.id)
    assert [(f"run-{i}", RunStatus.COMPLETE) for i in range(4)] == [(r.id, r.status) for r in runs]
    expected = [f"case-{i}" for i in range(60)]
    for run in runs:
        assert expected == [result.case_id for result in store.results(run.id)]
    store.close()


def test_a_closed_store_leaves_an_interrupted_run(tmp_path, make_run, make_result) -> None:
    """A run that was not sealed before its store was closed is interrupted."""
    path = tmp_path / "evals.sqlite"
    store = SqliteRunStore(path)
    store.begin(make_run("r"))
    result = make_result("a")
    store.append("r", result.model_dump_json(), result)
    store.close()
    again = SqliteRunStore(path)
    assert again.run("r").status == RunStatus.INTERRUPTED
    assert [result] == list(again.results("r"))
    again.close()
    with pytest.raises(StoreError, match="is closed"):
        store.runs()


def test_the_folder_is_ignored_by_git(tmp_path: Path) -> None:
    """The folder that is made for the store holds a .gitignore over everything."""
    SqliteRunStore(tmp_path / "a" / ".evals" / "evals.sqlite").close()
    assert (tmp_path / "a" / ".evals" / ".gitignore").read_text() == "*\n"
    SqliteRunStore(tmp_path / "evals.sqlite").close()
    assert not (tmp_path / ".gitignore").exists()


def test_a_closed_store_is_one_file(tmp_path, make_run) -> None:
    """Nothing but the store itself stays when a sealed run's store is closed."""
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    store.seal(make_run("r", status=RunStatus.COMPLETE))
    store.close()
    files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert files == ["evals.sqlite"]


def test_the_last_attempt_counts_and_all_are_kept(tmp_path, make_run, make_result) -> None:
    """A trial that is recorded again counts once, by its last attempt."""
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    for outcome in (Outcome.FAILED, Outcome.ERRORED, Outcome.PASSED):
        for name in ("a", "b"):
            result = make_result(name, outcome)
            store.append("r", result.model_dump_json(), result)
    assert [result.outcome for result in store.attempts("r", "d.yaml::a")] == [
        Outcome.FAILED,
        Outcome.ERRORED,
        Outcome.PASSED,
    ]
    assert Counts(passed=2) == store.run("r").counts
    assert [row.outcome for row in store.rows("r")] == ["passed", "passed"]
    store.close()


def test_scores_can_be_searched(tmp_path, make_run, make_result) -> None:
    """Scores stand in columns: run, trial, name, value, passed."""
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    result = make_result("a")
    store.append("r", result.model_dump_json(), result)
    store.close()
    with sqlite3.connect(tmp_path / "evals.sqlite") as db:
        found = db.execute(
            "SELECT runs.id, trials.trial, name, value, passed FROM scores "
            "JOIN trials ON trials.seq = scores.trial JOIN runs ON runs.seq = scores.run"
        ).fetchall()
    db.close()
    assert found == [("r", "d.yaml::a", "tone", 1.0, 1)]


def test_a_sealed_run_is_guarded_by_the_file_itself(tmp_path, make_run, make_result) -> None:
    """Not even another program can add to a sealed run, or change its record."""
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    result = make_result("a")
    other = SqliteRunStore(tmp_path / "evals.sqlite")
    other.seal(make_run("r", status=RunStatus.COMPLETE))
    with pytest.raises(StoreError, match=r"run r in .* is sealed; nothing can be added"):
        store.append("r", result.model_dump_json(), result)
    other.close()
    store.close()
    db = sqlite3.connect(tmp_path / "evals.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="sealed"):
        db.execute("UPDATE runs SET record = '{}'")
    db.close()


def test_an_unknown_price_leaves_the_cost_of_a_run_unknown(tmp_path, make_run, make_result) -> None:
    """The cost of a run that goes on is known only while every answer's price is."""
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    assert (store.run("r").cost_usd, store.run("r").tokens) == (None, None)
    for name, cost, expected in (("a", 0.5, 0.5), ("b", 0.25, 0.75), ("c", None, None)):
        result = make_result(name, cost=cost)
        store.append("r", result.model_dump_json(), result)
        assert expected == store.run("r").cost_usd
    assert store.run("r").tokens == 21
    store.close()


def test_numbers_that_no_column_holds_are_kept_in_the_record(tmp_path, make_run) -> None:
    """A server that counts 10**30 tokens does not stop the recorder."""
    from pytest_evals.exchange import Exchange, Request, Response, Usage
    from pytest_evals.result import TrialResult

    response = Response(usage=Usage(input_tokens=10**30), latency_s=float("inf"))
    result = TrialResult(
        id="d.yaml::a",
        dataset="d",
        case_id="a",
        model_id="m",
        sample=0,
        outcome=Outcome.PASSED,
        exchanges=(Exchange(request=Request(messages=()), response=response),),
    )
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    store.append("r", result.model_dump_json(), result)
    (row,) = store.rows("r")
    assert (row.tokens, row.latency_s) == (None, None)
    (kept,) = store.results("r")
    assert kept.usage.input_tokens == 10**30
    store.close()


def test_a_long_run_is_read_page_by_page(tmp_path, make_run, make_result) -> None:
    """Trials come in their order though others are written meanwhile, also to other runs."""
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    store.begin(make_run("s"))
    names = [f"case-{i}" for i in range(650)]
    for name in names:
        result = make_result(name)
        store.append("r", result.model_dump_json(), result)
        store.append("s", result.model_dump_json(), result)
    reading = store.results("r")
    found = [next(reading).case_id]
    late = make_result("late")
    store.append("r", late.model_dump_json(), late)
    found += [result.case_id for result in reading]
    assert [*names, "late"] == found
    store.close()


def test_append_is_quick(tmp_path, make_run, make_result) -> None:
    """A trial is kept in well under a millisecond, whatever the run has already."""
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    results = [make_result(f"case-{i}") for i in range(1000)]
    records = [result.model_dump_json() for result in results]
    took = []
    for record, result in zip(records, results, strict=True):
        begun = time.perf_counter()
        store.append("r", record, result)
        took.append(time.perf_counter() - begun)
    assert sorted(took)[500] < 0.0005
    store.close()


def test_listing_reads_no_trial(tmp_path, make_run, make_result) -> None:
    """Runs are listed though the trials' records are garbage, sealed or not."""
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    result = make_result("a")
    store.append("r", "garbage", result)
    assert Counts(passed=1) == store.runs()[0].counts
    with pytest.raises(StoreError, match=r"trial d.yaml::a of run r in .* cannot be read"):
        list(store.results("r"))
    store.close()


def test_the_record_is_kept_as_it_came(tmp_path, make_run, make_result) -> None:
    """What is stored is the very text that was given: it was redacted by its giver."""
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    record = json.dumps(json.loads(make_result("a").model_dump_json()), indent=1)
    store.append("r", record, make_result("a"))
    store.close()
    db = sqlite3.connect(tmp_path / "evals.sqlite")
    assert [(record,)] == db.execute("SELECT record FROM trials").fetchall()
    db.close()


@pytest.mark.skipif(os.name == "nt", reason="the lock is probed as on POSIX")
def test_a_dead_runs_number_may_be_anothers(tmp_path, make_run) -> None:
    """That a run goes on is told by a lock, not by a process number that another may have now."""
    store = SqliteRunStore(tmp_path / "evals.sqlite")
    store.begin(make_run("r"))
    reader = SqliteRunStore(tmp_path / "evals.sqlite", write=False)
    assert reader.run("r").status == RunStatus.RUNNING
    store.close()
    assert reader.run("r").status == RunStatus.INTERRUPTED
    reader.close()


def test_many_trials_at_once(tmp_path: Path, make_run, make_result) -> None:
    """Any number is kept in one transaction, each with its scores; of a trial the last counts."""
    store = SqliteRunStore(tmp_path / "e.sqlite")
    store.begin(make_run("r"))
    told = [make_result(f"case-{i}") for i in range(130)]
    again = make_result("case-7", Outcome.FAILED)
    for batch in ([*told, again], [], [make_result("case-130")]):
        store.append_all("r", [(one.model_dump_json(exclude_defaults=True), one) for one in batch])
    expected = [f"case-{i}" for i in range(131) if i != 7]
    expected.insert(129, "case-7")
    found = list(store.results("r"))
    assert expected == [result.case_id for result in found]
    assert again == found[129]
    assert [told[7], again] == store.attempts("r", "d.yaml::case-7")
    store.close()
    with closing(sqlite3.connect(tmp_path / "e.sqlite")) as db:
        assert [(132,)] == db.execute("SELECT count(*) FROM scores").fetchall()
        assert [(132, 1, 132)] == db.execute(
            "SELECT count(DISTINCT trial), min(trial), max(trial) FROM scores"
        ).fetchall()
