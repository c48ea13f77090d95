"""`pytest-evals export RUN -o run.jsonl` and `pytest-evals import`: runs that move."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_evals.archive.bundle_reader import is_run_id, read_bundle
from pytest_evals.archive.bundle_writer import attempts_of, encoded, lines_of
from pytest_evals.cli import main
from pytest_evals.exchange import Response
from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.redaction import Redactor
from pytest_evals.responses.base import StoredAnswer
from pytest_evals.responses.sqlite import SqliteResponseStore
from pytest_evals.run_record import Run, RunStatus
from pytest_evals.storage.base import HumanScore
from pytest_evals.storage.sqlite import SqliteRunStore

RUN = "20261121-051500-3f9a"


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    """Lines are not broken, however long the temporary folder's name is."""
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture
def cli(capsys):
    """Run a command line: its status, output and error output."""

    def run(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as error:
            status = int(error.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


@pytest.fixture
def bundle(store, tmp_path, cli):
    """Export the complete run of the store."""
    path = tmp_path / "run.jsonl"
    assert cli("export", RUN, "-o", path) == (0, "", "")
    return path


@pytest.fixture
def other(tmp_path):
    """Return where another machine's store is made."""
    return tmp_path / "other" / "evals.sqlite"


def held(path):
    """Return all that a store holds of the run: its record, its attempts, what people said."""
    store = SqliteRunStore(path, write=False)
    try:
        return store.run(RUN), list(attempts_of(store, RUN)), store.labels(RUN)
    finally:
        store.close()


def no_runs(path):
    """Return whether a store holds none."""
    store = SqliteRunStore(path, write=False)
    try:
        return store.runs() == []
    finally:
        store.close()


def test_a_run_is_the_same_elsewhere(store, bundle, other, cli):
    """Its record, every attempt in its order, and what people said."""
    status, out, _ = cli("import", bundle, "--store", other)
    assert (status, out) == (0, f"{bundle}: run {RUN} imported, 4 trials, 1 score added\n")
    assert held(store) == held(other)
    assert len(held(other)[1]) == 4


def test_exported_again_it_is_the_same_file(bundle, other, cli, tmp_path):
    """Byte for byte, also where it is printed."""
    cli("import", bundle, "--store", other)
    again = tmp_path / "again.jsonl"
    cli("export", RUN, "--store", other, "-o", again)
    assert bundle.read_bytes() == again.read_bytes()
    _, printed, _ = cli("export", RUN, "--store", other, "--format", "bundle")
    assert bundle.read_text() == printed


def test_twice_is_once(bundle, other, cli):
    """A run that is here stays as it is."""
    cli("import", bundle, "--store", other)
    before = held(other)
    status, out, _ = cli("import", bundle, bundle, "--store", other)
    assert (status, out) == (0, f"{bundle}: run {RUN} is stored already\n" * 2)
    assert before == held(other)


def test_later_scores_of_people_are_added(store, bundle, other, cli):
    """Those that are new, each once."""
    cli("import", bundle, "--store", other)
    cli("score", RUN, "refund", "--rater", "bob", "--name", "n", "--label", "pass")
    cli("export", RUN, "-o", bundle)
    _, out, _ = cli("import", bundle, "--store", other)
    assert out == f"{bundle}: run {RUN} is stored already, 1 score added\n"
    assert held(store) == held(other)


def test_another_run_of_that_id_is_not_overwritten(store, bundle, other, cli):
    """Neither where its record differs nor where a trial does."""
    cli("import", bundle, "--store", other)
    lines = [json.loads(line) for line in bundle.read_text().splitlines()]
    for kind, key, value in (("run", "notes", ["mine"]), ("trial", "score", 0.25)):
        values = [(line["kind"], dict(line["value"])) for line in lines[:-1]]
        next(value for name, value in values if name == kind)[key] = value
        bundle.write_text("".join(encoded(values, Redactor((), ()))))
        before = held(other)
        status, out, _ = cli("import", bundle, "--store", other)
        assert (status, before) == (1, held(other))
        assert f"holds another run {RUN}; nothing was changed" in out


@pytest.mark.parametrize("tear", ["change", "cut", "drop", "swap", "double", "add"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_not_as_it_was_written_is_refused(bundle, data, tear):
    """A changed, cut, lost, moved, doubled or added line is named, and is the first wrong one."""
    lines = bundle.read_text().splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    torn = list(lines)
    if tear == "change":
        old = lines[at]
        where = data.draw(st.integers(0, len(old) - 2))
        new = data.draw(st.sampled_from([c for c in '{}7xZ"' if c != old[where]]))
        torn[at] = old[:where] + new + old[where + 1 :]
    elif tear == "cut":
        torn[at:] = [lines[at][: data.draw(st.integers(0, len(lines[at]) - 2))]]
    elif tear == "drop":
        del torn[at]
    elif tear == "swap":
        at = min(at, len(lines) - 2)
        torn[at], torn[at + 1] = lines[at + 1], lines[at]
    elif tear == "double":
        torn.insert(at, lines[at])
        at += 1
    else:
        torn.insert(at + 1, lines[at].replace('"digest":"', '"digest":"0'))
        at += 1
    path = bundle.with_name("torn.jsonl")
    path.write_text("".join(torn))
    with pytest.raises(StoreError, match=rf"torn\.jsonl:{at + 1}: .*Nothing was imported"):
        list(read_bundle(path))


def test_nothing_of_a_refused_bundle_is_stored(bundle, other, cli):
    """Though all its lines but the last one are right."""
    lines = bundle.read_text().splitlines(keepends=True)
    bundle.write_text("".join(lines[:-1]))
    status, out, _ = cli("import", bundle, "--store", other)
    assert status == 1
    assert f"run.jsonl:{len(lines)}: the bundle ends before its last line" in out
    assert no_runs(other)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([("bundle", {"format": 2, "by": "9.1"})], ":1: the bundle has format 2, this version"),
        ([("trial", {})], ":1: expected the line `bundle`, found 'trial'"),
        ([("bundle", {"format": 1}), ("trial", {})], ":2: expected the line `run`, found 'trial'"),
        (
            [("bundle", {"format": 1}), ("run", {"id": "../../x", "started_at": 1.0})],
            ":2: '../../x' is not a run id",
        ),
        (
            [("bundle", {"format": 1}), ("run", {"id": "a", "started_at": 1.0})],
            ":2: run a was still running",
        ),
        (
            [("bundle", {"format": 1}), ("run", {"id": "a", "moon": 1.0})],
            ":2: the run does not fit: started_at: Field required; perhaps it was written by another",
        ),
    ],
)
def test_what_no_version_of_ours_writes_is_refused(tmp_path, cli, other, lines, why):
    """Though its digests are right."""
    path = tmp_path / "x.jsonl"
    path.write_text("".join(encoded(lines, Redactor((), ()))))
    status, out, _ = cli("import", path, "--store", other)
    assert (status, why in out) == (1, True), out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", ":1: the bundle ends before its last line"),
        (b"SQLite format 3\0", ":1: this is a store, not a bundle; write one with"),
        (b'{"schema": 1}', ":1: this is not a bundle; `pytest-evals export RUN -o run.jsonl`"),
        (b"\xff\xfe\n", ":1: this is not a bundle"),
        (b"[" * 5000, ":1: this is not a bundle"),
    ],
)
def test_other_files_are_refused(tmp_path, cli, other, text, why):
    """With what to do instead."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(text)
    status, out, _ = cli("import", path, "--store", other)
    assert (status, why in out) == (1, True), out


def test_a_refused_file_does_not_keep_others_out(bundle, other, tmp_path, cli):
    """Each is taken by itself; the JSON says what became of which."""
    gone = tmp_path / "gone.jsonl"
    status, out, _ = cli("import", gone, bundle, "--json", "--store", other)
    assert status == 1
    assert json.loads(out)["files"] == [
        {"path": str(gone), "run": None, "error": f"{gone}: cannot be read: No such file or "
         "directory"},
        {"path": str(bundle), "run": RUN, "new": True,
         "added": {"trials": 4, "labels": 1, "answers": 0}},
    ]  # fmt: skip


_KILLED = """
import os, sys
from pytest_evals.cli import main
from pytest_evals.storage.sqlite import SqliteRunStore as Store

append, seen = Store.append, []

def killed(self, *words):
    append(self, *words)
    seen.append(words)
    len(seen) < 2 or os.kill(os.getpid(), 9)

Store.append = killed
main(sys.argv[1:])
"""


def test_a_killed_import_is_begun_anew(store, bundle, other, cli):
    """What it left is no run of this machine, and in nobody's way."""
    words = ["import", str(bundle), "--store", str(other)]
    done = subprocess.run([sys.executable, "-c", _KILLED, *words], check=False)
    assert done.returncode < 0
    assert len(held(other)[1]) == 2
    status, out, _ = cli(*words)
    assert (status, out) == (0, f"{bundle}: run {RUN} imported, 4 trials, 1 score added\n")
    assert held(store) == held(other)


def test_an_import_that_fails_leaves_nothing(bundle, other, cli, monkeypatch):
    """The disk is full at the third trial."""
    append, seen = SqliteRunStore.append, []

    def full(self, run_id, record, result):
        seen.append(result.id)
        if len(seen) == 3:
            raise StoreError("the disk is full")
        append(self, run_id, record, result)

    monkeypatch.setattr(SqliteRunStore, "append", full)
    status, out, _ = cli("import", bundle, "--store", other)
    assert (status, out) == (1, "the disk is full\n")
    assert no_runs(other)
    monkeypatch.undo()
    assert cli("import", bundle, "--store", other)[0] == 0


def test_secrets_of_both_sides_stay_out(store, other, tmp_path, cli, monkeypatch):
    """What is secret where it is written, and what is secret where it is taken in."""
    monkeypatch.setenv("ONE_TOKEN", "answer of late")
    bundle = tmp_path / "run.jsonl"
    cli("export", RUN, "-o", bundle)
    assert "answer of late" not in bundle.read_text()
    monkeypatch.delenv("ONE_TOKEN")
    monkeypatch.setenv("OTHER_KEY", "answer of refund")
    monkeypatch.setenv("PYTEST_EVALS_REDACT", "How long")
    cli("import", bundle, "--store", other)
    told = "".join(result.model_dump_json() for result in held(other)[1])
    assert "answer of refund" not in told
    assert "How long" not in told
    assert "[redacted] do I have to" not in told
    assert "[redacted] do I have?" in told
    assert cli("import", bundle, "--store", other)[1].endswith("is stored already\n")


def test_stored_answers_move_where_they_are_wanted(store, other, tmp_path, cli):
    """Those of the run's own questions; an answer that is there already stays."""
    answers = SqliteResponseStore(store)
    runs = SqliteRunStore(store)
    mine = Run(id="moving", started_at=1.0)
    result = held(store)[1][0]
    exchanges = tuple(
        result.exchanges[0].model_copy(update={"key": key}) for key in ("a" * 64, "b" * 64)
    )
    result = result.model_copy(update={"exchanges": exchanges})
    runs.begin(mine)
    runs.append("moving", result.model_dump_json(), result)
    runs.seal(mine.model_copy(update={"status": RunStatus.COMPLETE}))
    runs.close()
    for key in ("a", "b", "c"):
        answers.put(StoredAnswer(key=key * 64, case="x", model="m", response=Response(text=key)))
    answers.close()
    theirs = SqliteResponseStore(other)
    theirs.put(StoredAnswer(key="a" * 64, case="x", model="m", response=Response(text="own")))
    path = tmp_path / "run.jsonl"
    cli("export", "moving", "--answers", "-o", path)
    _, out, _ = cli("import", path, "--store", other)
    assert out == f"{path}: run moving imported, 1 trial, 1 stored answer added\n"
    found = [theirs.get(key * 64) for key in ("a", "b", "c")]
    theirs.close()
    assert [one and one.response.text for one in found] == ["own", "b", None]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--answers", "-o", "x.html"), "--answers belongs to a bundle"),
        (("--baseline", "main:", "-o", "x.jsonl"), "leave --baseline to reports"),
        (("-o", "."), "is a folder; name a file in it"),
    ],
)
def test_what_a_bundle_cannot_be(store, cli, words, why):
    """Is said before anything is written."""
    words = ("--format", "bundle", *words) if words[-1] == "." else words
    status, out, err = cli("export", RUN, *words)
    assert (status, out, why in err) == (1, "", True), err


def test_a_run_that_goes_on_is_not_exported(tmp_path, cli):
    """Its trials are not all there yet."""
    path = tmp_path / "s.sqlite"
    store = SqliteRunStore(path)
    store.begin(Run(id="now", started_at=1.0))
    try:
        status, _, err = cli("export", "now", "--store", path, "-o", tmp_path / "x.jsonl")
    finally:
        store.close()
    assert (status, "still running; export it when it has ended" in err) == (1, True)
    assert not (tmp_path / "x.jsonl").exists()


@pytest.mark.parametrize("name", ["latest", "", "a/b", "..", "a b", "é", "a" * 101, "-x", "a\n"])
def test_ids_that_name_no_run(name):
    """An id is a file's name too."""
    assert not is_run_id(name)


scores = st.builds(
    HumanScore,
    rater=st.text(max_size=5),
    name=st.text(max_size=5),
    label=st.text(max_size=5),
    at=st.floats(0, 1e10),
)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30), st.lists(scores, max_size=3), st.floats(allow_nan=False))
def test_any_text_survives(tmp_path_factory, text, said, number):
    """What is written is what is read."""
    from pytest_evals.archive.bundle import Label
    from tests.cli.conftest import Outcome, trial

    text = text.encode("utf-8", "ignore").decode()
    result = trial("x", Outcome.PASSED, output=text, score=number)
    run = Run(id="a", started_at=1.0, status=RunStatus.COMPLETE, notes=(text,))
    labels = [Label(trial=result.id, score=score) for score in said]
    path = tmp_path_factory.getbasetemp() / f"any-{os.getpid()}.jsonl"
    path.write_text("".join(encoded(lines_of(run, [result], labels, ()), Redactor((), ()))))
    expected = [("run", run), ("trial", result), *(("label", label) for label in labels)]
    assert expected == list(read_bundle(path))


def test_a_real_run_moves_and_is_compared_there(own_project, tmp_path, cli):
    """The diff against the run before is the same in both places."""
    (own_project / "moved").mkdir()
    moved = tmp_path / "moved.sqlite"
    _, listed, _ = cli("runs", "--json")
    for i, one in enumerate(json.loads(listed)["runs"]):
        cli("export", one["id"], "-o", f"moved/{i}.jsonl")
    assert cli("import", "moved/1.jsonl", "moved/0.jsonl", "--store", moved)[0] == 0
    here = cli("diff", "latest", "latest", "--dataset", "live", "--json")
    there = cli("diff", "latest", "latest", "--dataset", "live", "--json", "--store", moved)
    assert json.loads(here[1]) == json.loads(there[1])
    assert here[0] == there[0]
    shutil.rmtree(own_project / "moved")
