"""What crosses from process to process: every writer with its reader, and nothing beside them."""

import ast
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import pytest_evals.plugin
from pytest_evals.engine.worker_share import WorkerShare
from pytest_evals.model import Model
from pytest_evals.plugin import wire
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo

FOLDER = Path(pytest_evals.plugin.__file__).parent
TREES = {
    path.relative_to(FOLDER).as_posix(): ast.parse(path.read_text())
    for path in FOLDER.rglob("*.py")
}
OURS = ("evals-", "evals_")


def report() -> pytest.TestReport:
    """Make a report of a test."""
    return pytest.TestReport("d.yaml::a[m]", ("d.yaml", 0, "a[m]"), {}, "passed", None, "call")


def crossed(sent: pytest.TestReport) -> pytest.TestReport:
    """Send a report to another process, as xdist does."""
    return pytest.TestReport._from_json(json.loads(json.dumps(sent._to_json())))


def test_the_input_of_a_worker(tmp_path):
    """Only plain values, which execnet can send."""
    share = WorkerShare(rank=1, used_usd=0.5, used_tokens=7, folder=tmp_path)
    written = {"workerid": "gw1", "workercount": 3}
    wire.write_worker_input(written, run_id="r", mark="m", share=share, seconds=2.5)
    read = wire.read_worker_input(SimpleNamespace(workerinput=json.loads(json.dumps(written))))
    assert ("gw1", "r", "m", 2.5) == (read.worker, read.run_id, read.mark, read.seconds)
    assert (
        WorkerShare(workers=3, rank=1, used_usd=0.5, used_tokens=7, folder=tmp_path) == read.share
    )
    assert wire.read_worker_input(SimpleNamespace()) is None


def test_the_notes_of_a_worker():
    """One that crashed has written none."""
    worker = SimpleNamespace(workeroutput={})
    wire.write_worker_notes(worker, ["a", "b"])
    assert ["a", "b"] == wire.read_worker_notes(SimpleNamespace(workeroutput=worker.workeroutput))
    assert [] == wire.read_worker_notes(SimpleNamespace())


def test_a_trial_on_a_report():
    """Everything is taken off, and what is displayed stays on."""
    sent = report()
    info = DatasetInfo(name="d", path="d.yaml", digest="x", models=(Model(id="m", provider="s"),))
    wire.write_infos(sent, (info,))
    wire.write_trial(sent, '{"id": "a"}')
    wire.write_word(sent, "tolerated")
    wire.write_brief(sent, "1.00 2 s")
    wire.write_gate(sent)
    read = crossed(sent)
    assert (info,) == wire.take_infos(read)
    assert '{"id": "a"}' == wire.take_trial(read)
    assert ((), None) == (wire.take_infos(read), wire.take_trial(read))
    assert ("tolerated", "1.00 2 s") == (wire.read_word(read), wire.read_brief(read))
    assert wire.is_gate(read)


def test_a_plain_report_has_nothing():
    """Of a test that is no eval."""
    read = report()
    assert ((), None, "", None, "") == (
        wire.take_infos(read), wire.take_trial(read), wire.read_word(read),
        wire.read_brief(read), wire.worker_of(read),
    )  # fmt: skip
    assert not wire.is_gate(read)


def test_the_latest_trial_is_not_parsed_again():
    """Another one is parsed from its record."""
    results = [
        TrialResult(
            id=f"d.yaml::{case}[m]", dataset="d", case_id=case, model_id="m", sample=0,
            outcome=Outcome.PASSED,
        )
        for case in "ab"
    ]  # fmt: skip
    latest = wire.LatestTrial()
    latest.put(results[0])
    assert results[0] is latest.take(results[0].id, "no JSON")
    latest.put(results[0])
    assert results[1] == latest.take(results[1].id, results[1].model_dump_json())
    assert results[0] is not latest.take(results[0].id, results[0].model_dump_json())


@pytest.mark.parametrize("path", sorted(TREES))
def test_keys_that_cross_are_in_one_module(path):
    """No other module names an attribute or a key of ours on a report or a worker."""
    keys = {
        node.value
        for node in ast.walk(TREES["wire.py"])
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("evals_")
    } | {word.arg for word in ast.walk(TREES["wire.py"]) if isinstance(word, ast.keyword)}
    keys = {key for key in keys if key and key.startswith("evals_")}
    assert {"evals_record", "evals_run", "evals_notes"} <= keys
    if path == "wire.py":
        return
    names = {node.value for node in ast.walk(TREES[path]) if isinstance(node, ast.Constant)}
    names |= {node.attr for node in ast.walk(TREES[path]) if isinstance(node, ast.Attribute)}
    assert set() == keys & {name for name in names if isinstance(name, str)}


@pytest.mark.parametrize("path", sorted(TREES))
def test_no_object_of_ours_is_looked_up_by_its_name(path):
    """Every object receives its collaborators from its constructor."""
    lookups = ("getplugin", "get_plugin", "hasplugin", "has_plugin")
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in lookups:
            name = getattr(node.args[0], "value", "")
            assert not str(name).startswith(OURS), f"line {node.lineno}: {name}"
            assert "compat.py" == path, f"line {node.lineno}: plugins of others are compat's"
