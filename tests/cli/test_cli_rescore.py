"""`pytest-evals rescore RUN`: the answers of a run, scored anew."""

import json
import shutil

import pytest

from pytest_evals.cli import main
from pytest_evals.run_record import RunStatus
from pytest_evals.storage.sqlite import SqliteRunStore
from tests.cli._stored_project import pytest_evals

APP = '''
from pathlib import Path


def _count(what):
    with open(f"{what}.txt", "a") as file:
        file.write("x")


def answer(input, context):
    """Say yes to what is even; break on 4."""
    _count("calls")
    if input == "4":
        raise ValueError("no answer")
    return f"{'yes' if int(input) % 2 == 0 else 'no'} to {input}, sample {context.sample}"


def judge(input, context):
    """Pass what holds yes."""
    _count("verdicts")
    text = context.messages[1]["content"].partition("<answer")[2].partition("</answer")[0]
    return '{"reasoning": "read", "reply": "%s"}' % ("yes" if "yes to" in text else "no")
'''


def dataset(**more):
    """Return the dataset; JSON is YAML."""
    model = {"provider": "python", "target": "app.py:judge", "stored": True}
    return json.dumps(
        {
            "name": "d",
            "samples": 2,
            "models": [{"id": "app", "provider": "python", "target": "app.py:answer"}],
            "judges": {
                "good": {"type": "closed_qa", "model": model, "question": "Yes?"},
                "new": {"type": "closed_qa", "model": model, "question": "Is it a yes?"},
            },
            "scorers": [{"contains": "sample"}, {"judge": {"use": "good"}}],
            "max_error_rate": 0.5,
            "cases": [{"id": f"c{i}", "input": str(i)} for i in range(6)],
            **more,
        }
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Make a project with one run."""
    folder = tmp_path_factory.mktemp("rescore")
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "app.py").write_text(APP)
    (folder / "d.evals.yaml").write_text(dataset())
    done = pytest_evals(folder)
    assert (folder / "verdicts.txt").read_text() == "x" * 10, done.stdout
    return folder


@pytest.fixture
def project(ran, tmp_path, monkeypatch):
    """Stand in a copy of it, in which nothing has been called yet."""
    folder = tmp_path / "own"
    shutil.copytree(ran, folder)
    for name in ("calls.txt", "verdicts.txt"):
        (folder / name).unlink()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def rescore(project, capsys):
    """Rescore the run: the status, what the JSON says, and the error output."""

    def run(*words, written=None):
        if written is not None:
            (project / "d.evals.yaml").write_text(written)
        try:
            status = main(["rescore", "latest", "--json", *words])
        except SystemExit as error:
            status = int(error.code or 0)
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return run


def outcomes(run_id):
    """Return the outcome of each trial of a stored run."""
    store = SqliteRunStore(store_path(), write=False)
    try:
        return {row.trial.partition("::")[2]: row.outcome for row in store.rows(run_id)}
    finally:
        store.close()


def store_path():
    """Return the store's file."""
    from pytest_evals.cli import stores

    return stores.store_path(None)


def runs():
    """Return the stored runs, newest first."""
    store = SqliteRunStore(store_path(), write=False)
    try:
        return store.runs()
    finally:
        store.close()


def called(project, what="calls"):
    """Return how often something was called."""
    path = project / f"{what}.txt"
    return len(path.read_text()) if path.is_file() else 0


def test_the_same_scorers_say_the_same(project, rescore):
    """Trial by trial, errors too; nothing is called, and the old run is as it was."""
    before = runs()[0]
    status, told, _ = rescore()
    new = runs()[0]
    assert (status, told["rescored"], told["run"]["id"]) == (1, before.id, new.id)
    assert outcomes(before.id) == outcomes(new.id)
    assert (new.status, new.counts) == (RunStatus.COMPLETE, before.counts)
    assert (new.options["from"], new.spent_usd) == (before.id, 0.0)
    assert new.notes == (f"re-scored: the answers are those of run {before.id}",)
    assert (called(project), called(project, "verdicts"), before) == (0, 0, runs()[1])


def test_todays_scorers_and_gates_count(project, rescore):
    """A bar that was mended; gates that were not there; a trial keeps its name."""
    scorers = [{"contains": "yes"}]
    status, told, _ = rescore(written=dataset(scorers=scorers, gates=["pass@1 >= 0.5"]))
    found = outcomes(told["run"]["id"])
    assert {name for name, outcome in found.items() if outcome == "failed"} == {
        f"c{i}[app-{n}]" for i in (1, 3, 5) for n in (0, 1)
    }
    assert {name for name, outcome in found.items() if outcome == "errored"} == {
        "c4[app-0]", "c4[app-1]",
    }  # fmt: skip
    (gate,) = (gate for gate in told["run"]["gates"] if gate["gate"] == "pass@1 >= 0.5")
    assert (status, gate["verdict"], told["run"]["decision"]["decision"]) == (1, "failed", "reject")
    assert called(project) == 0


@pytest.mark.parametrize(
    "more",
    [
        {"gates": ["pass@1 >= 0.3"]},
        {"gates": ["pass@1 >= 0.5"]},
        {"gates": ["pass@1 >= 0.3"], "max_error_rate": 0.0},
        {"gates": ["mean(contains) >= 0.3"]},
        {},
    ],
    ids=json.dumps,
)
def test_the_status_is_that_of_evals_from(project, rescore, more):
    """A session over the same answers ends alike, with the same verdicts and outcomes."""
    written = dataset(scorers=[{"contains": "yes"}], **more)
    recorded = runs()[0].id
    status, told, _ = rescore(written=written)
    done = pytest_evals(project, f"--evals-from={recorded}")
    session = runs()[0]
    mine = [(gate["gate"], gate["verdict"]) for gate in told["run"]["gates"]]
    assert (status, mine) == (
        done.returncode,
        [(gate["gate"], gate["verdict"]) for gate in session.gates],
    )
    assert outcomes(told["run"]["id"]) == outcomes(session.id)
    store = SqliteRunStore(store_path(), write=False)
    both = [[row.tolerated for row in store.rows(i)] for i in (told["run"]["id"], session.id)]
    store.close()
    assert both[0] == both[1]


def test_judges_are_asked_where_that_is_wanted(project, rescore):
    """Else what is not stored is an error, which says what to do; paid once, it is stored."""
    written = dataset(scorers=[{"judge": {"use": "new"}}])
    status, told, _ = rescore(written=written)
    assert (status, told["judges_not_asked"], called(project, "verdicts")) == (1, 10, 0)
    assert set(outcomes(told["run"]["id"]).values()) == {"errored"}
    status, told, _ = rescore("--judges")
    assert (status, told["judges_not_asked"], called(project, "verdicts")) == (1, 0, 10)
    assert outcomes(told["run"]["id"])["c2[app-0]"] == "passed"
    _, told, _ = rescore()
    assert (told["judges_not_asked"], called(project, "verdicts")) == (0, 10)
    assert called(project) == 0


def test_what_has_no_answer_is_said(project, rescore):
    """Cases that are gone or new are named; an edited question is STALE, and not green."""
    cases = [
        {"id": "c0", "input": "another"},
        {"id": "c2", "input": "2"},
        {"id": "z", "input": "1"},
    ]
    status, told, _ = rescore(written=dataset(scorers=[{"contains": "yes"}], cases=cases))
    assert outcomes(told["run"]["id"]) == {
        "c0[app-0]": "errored", "c0[app-1]": "errored",
        "c2[app-0]": "passed", "c2[app-1]": "passed",
    }  # fmt: skip
    left = {item["reason"]: item["names"] for item in told["not_scored"]}
    assert (left["not in that run"], len(left["the case is gone"])) == (["z"], 8)
    assert (status, told["run"]["status"]) == (1, "narrowed")


@pytest.mark.parametrize(
    ("written", "words", "why"),
    [
        (None, ("--dataset", "e"), "nothing of dataset 'e'"),
        ("name: e", (), "`cases` is missing"),
        (dataset(name="e"), (), "is dataset 'e' now, not 'd'"),
        (dataset(cases=[{"id": "z", "input": "1"}]), (), "has no trial to score (the case is gone"),
        (None, ("--baseline", "nowhere"), "baseline nowhere: it is no file"),
        (dataset(gates=["no regressions"]), ("--baseline", "gone.jsonl"), "no such baseline"),
    ],
)
def test_what_cannot_be_rescored(project, rescore, written, words, why):
    """Is said, and leaves no run."""
    status, told, err = rescore(*words, written=written)
    assert (status, told, why in err) == (1, None, True), err
    assert len(runs()) == 1


def test_without_the_dataset(project, rescore):
    """The file is named."""
    (project / "d.evals.yaml").unlink()
    status, _, err = rescore()
    assert (status, "d.evals.yaml: dataset 'd' of the run is missing" in err) == (1, True)


def test_what_fails_on_its_way_leaves_no_run(project, rescore, monkeypatch):
    """Though half of it was written."""
    from pytest_evals.ground.errors import StoreError

    append, seen = SqliteRunStore.append, []

    def full(self, *words):
        seen.append(words)
        if len(seen) == 3:
            raise StoreError("the disk is full")
        append(self, *words)

    monkeypatch.setattr(SqliteRunStore, "append", full)
    assert rescore()[2] == "error: the disk is full\n"
    assert len(runs()) == 1


def test_it_is_compared_with_a_run(project, rescore):
    """Also with the one whose answers it has."""
    before = runs()[0].id
    _, told, _ = rescore("--baseline", before, written=dataset(gates=["no regressions"]))
    assert [gate["verdict"] for gate in told["run"]["gates"] if gate["gate"] == "no regressions"]


def test_secrets_stay_out(project, rescore, monkeypatch):
    """What is secret here and was not when it was stored."""
    monkeypatch.setenv("SOME_TOKEN", "yes to 2, sample")
    _, told, _ = rescore()
    store = SqliteRunStore(store_path(), write=False)
    texts = [result.model_dump_json() for result in store.results(told["run"]["id"])]
    store.close()
    assert not any("yes to 2, sample" in text for text in texts)


def test_for_people(project, capsys):
    """The run, what it was before, and where it is kept."""
    (project / "d.evals.yaml").write_text(dataset(scorers=[{"judge": {"use": "new"}}]))
    assert main(["rescore", "latest"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "before 6 passed, 4 failed, 2 errors of 12" not in out
    assert "before 4 passed, 6 failed, 2 errors of 12 10 trials lack a judge's verdict" in out
