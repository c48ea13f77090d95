"""What the host does to a session: it stops early, runs no test, draws otherwise, reads failures."""

from pathlib import Path
from shutil import copy
from types import SimpleNamespace

import pytest

from pytest_evals.plugin.bridges.scheduling import ShareScheduling

CASES = Path(__file__).parent / "hosts"
APP = """
from pathlib import Path

def answer(question):
    with Path("calls.txt").open("a") as file:
        file.write(question + chr(10))
    return "yes"
"""
ASKS = """
name: asks
models: [{id: app, provider: python, target: "app:answer"}]
scorers: [{contains: "yes"}]
gates: [pass@1 >= 0.5]
cases:
  - {id: a, input: one}
  - {id: b, input: two}
"""
PYTHON = """
import pytest
from app import answer
from pytest_evals import Case

@pytest.fixture
def evals_target():
    return answer

@pytest.mark.evals(dataset=[Case(id="c", input="three")])
def test_c(response):
    assert response.text == "yes"
"""


class FakeNode:
    """A worker of xdist, as the scheduler sees it."""

    shutting_down = False

    def __init__(self, name: str, *, ended: bool = False) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.ended = ended
        self.sent: list[int] = []

    def _send(self) -> None:
        if self.ended:
            raise OSError("cannot send to <Channel closed>")

    def send_runtest_some(self, indices):
        """Take items."""
        self._send()
        self.sent.extend(indices)

    def send_steal(self, indices):
        """Return items."""
        self._send()

    def shutdown(self) -> None:
        """End after the last item."""


@pytest.fixture
def scheduler():
    """Return a scheduler of eight items and two workers, and the workers."""
    config = SimpleNamespace(getvalue=lambda name: ["2*popen"])
    nodes = [FakeNode("gw0"), FakeNode("gw1")]
    scheduler = ShareScheduling(config)
    for node in nodes:
        scheduler.add_node(node)
        scheduler.add_node_collection(node, [f"t[{i}]" for i in range(8)])
    scheduler.schedule()
    return scheduler, nodes


def test_a_worker_that_has_ended_can_be_told_nothing(scheduler):
    """Its channel is closed: taking back items from it is no error, and reaches the other one."""
    scheduler, (first, second) = scheduler
    stolen = []
    second.send_steal = stolen.extend
    first.ended = True
    scheduler.take_back()
    assert stolen == second.sent[2:]


@pytest.mark.parametrize(("status", "crashed"), [(1, False), (0, False), (2, True), (None, True)])
def test_only_a_worker_that_was_cut_off_has_crashed(scheduler, status, crashed):
    """One that ended in order may have returned items of which its message is still under way."""
    scheduler, (first, _) = scheduler
    scheduler.take_back()
    if status is not None:
        first.workeroutput = {"exitstatus": status}
    item = scheduler.remove_node(first)
    assert item == (f"t[{first.sent[0]}]" if crashed else None)
    scheduler.mark_test_complete(first, first.sent[0])  # late, of a worker that is gone


def test_items_that_could_not_be_sent_are_not_lost(scheduler):
    """The replacement of a worker that ended gets them."""
    scheduler, (first, second) = scheduler
    share = set(second.sent)
    scheduler.remove_node(first)
    scheduler.remove_node(second)
    third, fourth = FakeNode("gw2", ended=True), FakeNode("gw3")
    for node in (third, fourth):
        scheduler.add_node(node)
        scheduler.add_node_collection(node, [f"t[{i}]" for i in range(8)])
    scheduler.schedule()
    assert scheduler.has_pending
    scheduler.remove_node(third)
    fifth = FakeNode("gw4")
    scheduler.add_node(fifth)
    scheduler.add_node_collection(fifth, [f"t[{i}]" for i in range(8)])
    scheduler.schedule()
    crashed = {first.sent[0], second.sent[0]}
    assert {*fourth.sent, *fifth.sent} == (set(first.sent) | share) - crashed


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 2])
def test_maxfail_of_workers_ends_as_pytest_has_it(pytester, limit):
    """No internal error, however the last messages of the workers are ordered."""
    copy(CASES / "maxfail.evals.json", pytester.path)
    for _ in range(10):
        result = pytester.runpytest_subprocess(
            "--evals", "-n2", f"--maxfail={limit}", "maxfail.evals.json"
        )
        assert result.ret in {1, 2}
        result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only", "--collect-only"])
@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "workers"])
def test_a_session_that_runs_no_test_calls_no_model(pytester, write, option, workers):
    """It ends with 0, stores nothing and misses nothing."""
    if workers and option == "--collect-only":
        pytest.skip("pytest-xdist starts no workers for it")
    write("app.py", APP)
    write("asks.evals.yaml", ASKS)
    write("test_python.py", PYTHON)
    result = pytester.runpytest_subprocess("--evals", option, *workers)
    assert result.ret == 0
    assert not (pytester.path / "calls.txt").exists()
    result.stdout.no_fnmatch_line("*no record*")


REPORTERS = {
    "lacks isatty": "del reporter.isatty",
    "is not pytest's": "reporter._tw = object()",
    "raises": "reporter.ensure_newline = reporter.write_sep = broken",
}


@pytest.mark.parametrize("change", REPORTERS.values(), ids=list(REPORTERS))
@pytest.mark.parametrize("tty", [True, False], ids=["terminal", "log"])
def test_a_strange_reporter_changes_no_outcome(pytester, write, change, tty):
    """Drawing never breaks judging: the trials pass, and what is missing is told at most once."""
    write("app.py", APP)
    write("asks.evals.yaml", ASKS)
    write(
        "conftest.py",
        f"""
        import pytest
        from pytest_evals.plugin.terminal.live_line import LiveLine

        def broken(*args, **kwargs):
            raise RuntimeError("no drawing here")

        @pytest.hookimpl(wrapper=True)
        def pytest_runtestloop(session):
            reporter = session.config.pluginmanager.getplugin("terminalreporter")
            live = session.config.pluginmanager.getplugin("evals-progress")
            live._every_s = 0
            before = dict(vars(reporter))
            reporter.isatty = {tty}
            {change}
            live._show(None)
            vars(reporter).clear()
            vars(reporter).update(before)
            return (yield)
        """,
    )
    result = pytester.runpytest_subprocess("--evals", "asks.evals.yaml")
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    notes = [line for line in result.outlines if "part of the display is missing" in line]
    assert len(notes) <= 1
    if change == REPORTERS["is not pytest's"] and tty:
        assert notes


def test_a_failed_gate_has_a_whole_longrepr(pytester):
    """Its path, line and sentence, where other plugins look for those of a failed test."""
    copy(CASES / "gate_longrepr.evals.yaml", pytester.path / "gate.evals.yaml")
    seen = []

    class Reader:
        """Reads what pytest-json-report and the annotating plugins read."""

        def pytest_runtest_logreport(self, report):
            if report.failed:
                crash, entries = report.longrepr.reprcrash, report.longrepr.reprtraceback
                place = entries.reprentries[0].reprfileloc
                seen.append((crash.path, crash.lineno, place.lineno, report.location[1]))
                seen.append(crash.message)

    result = pytester.runpytest_inprocess("--evals", "gate.evals.yaml", plugins=[Reader()])
    assert result.ret == 1
    assert seen[0] == ("gate.evals.yaml", 4, 4, 3)
    assert "0.9" in seen[1]
