"""`pytest-evals baseline show|check|accept`: the committed baselines, read, checked, added to."""

import json
import shutil
import subprocess

import pytest

from pytest_evals.run_record import RunStatus
from pytest_evals.storage.sqlite import SqliteRunStore
from pytest_evals.verdict.baseline import read_baseline
from tests.cli._stored_project import pytest_evals, write


def files(project):
    """Return the bytes of every baseline."""
    return {path.name: path.read_bytes() for path in (project / "baselines").glob("*")}


@pytest.fixture
def here(own_project, evals_cli, monkeypatch):
    """Stand in a project that may be written to, which `evals_cli` left."""
    monkeypatch.chdir(own_project)
    return own_project


@pytest.mark.parametrize("option", ["--evals-update-baseline", "--evals-reset-baseline"])
def test_accept_writes_what_the_session_wrote(here, evals_cli, option):
    """Byte for byte, of every dataset, also of live answers whose times no session has twice."""
    before = files(here)
    (here / "bad.txt").write_text("case-0/2 case-7")
    pytest_evals(here, option)
    written = files(here)
    assert written["live.jsonl"] != before["live.jsonl"]
    for name, content in before.items():
        (here / "baselines" / name).write_bytes(content)
    more = ["--reset"] if "reset" in option else []
    status, out, _ = evals_cli("baseline", "accept", "latest", *more)
    assert status == 0
    assert files(here) == written
    assert "baseline baselines/live.jsonl now has 12 lines of this run\n" in out
    if not more:
        status, out, _ = evals_cli("baseline", "accept", "latest")
        assert (status, files(here)) == (0, written)
        assert out.count("is unchanged") == 3


def test_accept_the_first_baseline(here, evals_cli):
    """Where there is none it is made, as the session would have made it."""
    shutil.rmtree(here / "baselines")
    pytest_evals(here, "--evals-update-baseline")
    written = files(here)
    shutil.rmtree(here / "baselines")
    assert evals_cli("baseline", "accept", "latest")[0] == 0
    assert files(here) == written


def test_accept_a_part(here, evals_cli):
    """Of a run of a part only that is touched, in a session as here; nothing is taken out."""
    before = files(here)
    (here / "bad.txt").write_text("case-3 case-5/1")
    pytest_evals(here, "--evals-update-baseline", "-k", "case-5 or return-6 or new")
    written = files(here)
    for name, content in before.items():
        (here / "baselines" / name).write_bytes(content)
    status, _, _ = evals_cli("baseline", "accept", "latest")
    assert (status, files(here)) == (0, written)
    kept = read_baseline(written["support.jsonl"].decode(), "x").cells
    assert ("return-9", "large") in kept
    assert ("new", "large") in kept


def test_accept_one_dataset(here, evals_cli):
    """--dataset leaves the other files alone."""
    before = files(here)
    status, out, _ = evals_cli("baseline", "accept", "latest", "--dataset", "live")
    assert (status, out) == (0, "baseline baselines/live.jsonl now has 12 lines of this run\n")
    changed = {name for name, content in files(here).items() if content != before[name]}
    assert changed == {"live.jsonl"}
    lines = read_baseline((here / "baselines/live.jsonl").read_text(), "x").lines
    assert {len(line.runs) for line in lines} == {2}


def test_accept_as_json(here, evals_cli):
    """Which files were written."""
    _, out, _ = evals_cli("baseline", "accept", "latest", "--json")
    told = {one["dataset"]: one for one in json.loads(out)["baselines"]}
    assert told["plain"] == {
        "dataset": "plain",
        "path": "baselines/plain.jsonl",
        "changed": False,
        "lines": 1,
    }
    assert told["live"]["changed"]


def test_accept_reads_everything_before_it_writes(here, evals_cli):
    """A file that is not right is refused, and no other one is written."""
    path = here / "baselines" / "support.jsonl"
    path.write_text(path.read_text().replace('"passes":3', '"passes":2', 1))
    before = files(here)
    status, _, err = evals_cli("baseline", "accept", "latest")
    assert (status, files(here)) == (1, before)
    assert "baselines/support.jsonl:2: the line of case 'return-0', model 'large' was edited" in err


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"status": RunStatus.RUNNING}, "interrupted"),
        ({"options": {"sanity": True}}, "is a sanity run (--evals-sanity)"),
        ({"datasets": ()}, "ran no trial of any dataset"),
    ],
)
def test_accept_refuses_what_is_no_baseline(here, evals_cli, update, said):
    """A run that still goes on, a sanity run, a run of nothing."""
    before = files(here)
    store = SqliteRunStore(here / ".evals" / "evals.sqlite")
    run = store.runs()[0].model_copy(update={"id": "20300101-000000-0000", **update})
    try:
        store.begin(run.model_copy(update={"status": RunStatus.RUNNING}))
        if run.status is not RunStatus.RUNNING:
            store.seal(run)
        else:  # while its process lives
            said = "is still running"
        status, _, err = evals_cli("baseline", "accept", "latest")
    finally:
        store.close()
    assert (status, files(here)) == (1, before)
    assert said in err


def test_accept_what_is_not_there(evals_cli):
    """No such run, no such dataset."""
    _, _, err = evals_cli("baseline", "accept", "lates")
    assert "Did you mean 'latest'?" in err
    _, _, err = evals_cli("baseline", "accept", "latest", "--dataset", "liv")
    assert "Did you mean 'live'?" in err


def test_check_says_what_is_stale(evals_cli):
    """Edited, removed and new cases by name; they fail it with --strict alone."""
    status, out, _ = evals_cli("baseline", "check")
    assert status == 0
    assert out.splitlines() == [
        "baselines/live.jsonl: whole, 12 lines",
        "  every case of live.evals.yaml has its line, and none is stale",
        "baselines/plain.jsonl: whole, 1 line",
        "  every case of plain.evals.yaml has its line, and none is stale",
        "baselines/support.jsonl: whole, 20 lines",
        "  stale: return-8 (its input or reference answer changed)",
        "  not in the dataset: return-9",
        "  without a line: new",
    ]
    assert evals_cli("baseline", "check", "--strict")[0] == 1
    assert evals_cli("baseline", "check", "--strict", "baselines/live.jsonl")[0] == 0


def test_check_after_accepting(here, evals_cli):
    """A run of everything leaves nothing stale."""
    evals_cli("baseline", "accept", "latest")
    assert evals_cli("baseline", "check", "--strict")[0] == 0


def test_check_sees_changed_assertions_models_and_prompts(here, evals_cli):
    """Changed assertions are stale; a changed model or prompt is told, and is not."""
    path = here / "plain.evals.yaml"
    dataset = json.loads(path.read_text())
    dataset["prompt"] = "Say: {{ input }}"
    dataset["models"][0]["params"] = {"temperature": 1}
    path.write_text(json.dumps(dataset))
    status, out, _ = evals_cli("baseline", "check", "plain.evals.yaml", "--strict")
    assert status == 0
    assert "the definition of large changed since" in out
    assert "the prompt changed since" in out
    dataset["scorers"] = [{"contains": "bye"}]
    path.write_text(json.dumps(dataset))
    status, out, _ = evals_cli("baseline", "check", "plain.evals.yaml", "--strict")
    assert status == 1
    assert "  stale: hi (its assertions changed)" in out


def test_check_names_file_and_line_of_what_is_wrong(here, evals_cli):
    """Every line that was edited, a file that was cut off, an unresolved merge; always status 1."""
    folder = here / "baselines"
    live = folder / "live.jsonl"
    live.write_text(live.read_text().replace('"n":5', '"n":6', 4))
    support = folder / "support.jsonl"
    support.write_text(support.read_text()[:-20])
    plain = folder / "plain.jsonl"
    plain.write_text(plain.read_text().replace("{", "<<<<<<< ours\n{", 1))
    status, out, _ = evals_cli("baseline", "check", "--json")
    told = {one["path"]: one["problems"] for one in json.loads(out)["baselines"]}
    assert status == 1
    assert [line.partition(": ")[0] for line in told["baselines/live.jsonl"]] == [
        "baselines/live.jsonl:2",
        "baselines/live.jsonl:3",
    ]
    assert told["baselines/support.jsonl"][0].startswith("baselines/support.jsonl:2")
    assert "the baseline is truncated" in told["baselines/support.jsonl"][0]
    assert told["baselines/plain.jsonl"][0].startswith("baselines/plain.jsonl:1: an unresolved me")
    status, out, _ = evals_cli("baseline", "check")
    assert status == 1
    assert "baselines/plain.jsonl:1: an unresolved merge." in out


def test_check_without_a_dataset(here, evals_cli):
    """A baseline whose dataset is gone, or is not right, is read; --strict fails it."""
    (here / "plain.evals.yaml").unlink()
    (here / "live.evals.yaml").write_text("name: [")
    status, out, _ = evals_cli("baseline", "check")
    assert status == 0
    assert "not compared with its dataset: " in out
    assert evals_cli("baseline", "check", "--strict", "baselines/plain.jsonl")[0] == 1


def test_show(evals_cli):
    """Models with their rates, then the lines; --limit says how many are left."""
    status, out, _ = evals_cli("baseline", "show", "support.evals.yaml", "--limit", "2")
    assert status == 0
    assert out.splitlines() == [
        "baselines/support.jsonl: dataset support, 10 cases, 2 models",
        "model  cases  runs  passed    rate     95% interval  recorded",
        "large     10     1   30/30  100.0%  66.1% to 100.0%  yes",
        "small     10     1   22/30   73.3%   38.7% to 92.3%  yes",
        "",
        "case             passed  runs  latency       cost  scores",
        "return-0[large]     3/3     1    1.5 s   $0.00088  contains 1, max_latency_s 1",
        "return-0[small]     3/3     1    1.5 s  $0.000088  contains 1, max_latency_s 1",
        "and 18 more (--limit 0 shows all)",
    ]


def test_show_several_as_json(evals_cli):
    """Every baseline below the folder, with each line's counts."""
    _, out, _ = evals_cli("baseline", "show", "--json")
    told = {one["dataset"]: one for one in json.loads(out)["baselines"]}
    assert sorted(told) == ["live", "plain", "support"]
    assert told["live"]["models"]["app"]["passes"] == 59
    line = next(line for line in told["live"]["lines"] if line["case"] == "case-3")
    assert (line["passes"], line["n"], line["scores"]) == (4, 5, {"contains": 0.8})


def test_show_of_a_revision(here, evals_cli):
    """REVISION:PATH is read with git."""
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "baselines"], ["commit", "-qm", "b"]):
        subprocess.run([*git, *words], check=True, cwd=here)
    shutil.rmtree(here / "baselines")
    status, out, _ = evals_cli("baseline", "show", "main:baselines/plain.jsonl")
    assert status == 0
    assert out.startswith("main:baselines/plain.jsonl: dataset plain, 1 case, 1 model\n")
    status, _, err = evals_cli("baseline", "show")
    assert status == 1
    assert "pytest-evals baseline accept latest" in err


def test_what_is_not_there(evals_cli):
    """A path that leads nowhere is an error, and so is a dataset that is not right."""
    status, _, err = evals_cli("baseline", "show", "nothing.jsonl")
    assert (status, err) == (
        1,
        "error: nothing.jsonl: there is no such baseline; make it with --evals-update-baseline\n",
    )
    status, out, _ = evals_cli("baseline", "check", "nothing.jsonl")
    assert status == 1
    assert "nothing.jsonl: there is no such baseline" in out


def test_scripts_are_answers(here, evals_cli):
    """Where only recorded answers change, the lines are compared, and not stale."""
    write(here, now=False)
    pytest_evals(here, "--evals-reset-baseline")
    write(here, now=True)
    _, out, _ = evals_cli("baseline", "check", "baselines/support.jsonl", "--json")
    (told,) = json.loads(out)["baselines"]
    assert told["edited"] == {"return-8": "input or reference answer"}
