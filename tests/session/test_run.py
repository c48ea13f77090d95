"""`run`, `arun` and `load_run`: a product of their own, in scripts without pytest."""

import asyncio
import json
import subprocess
import sys
import textwrap
from dataclasses import fields
from pathlib import Path

import pytest
import yaml  # noqa: F401 - imported before the first session in process, not once for each

from pytest_evals import (
    Case,
    Dataset,
    DatasetError,
    Model,
    SettingsError,
    StoreError,
    arun,
    load_run,
    run,
)
from pytest_evals.config import OPTIONS, Settings
from pytest_evals.session.run import RunOptions

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTED = """
    samples: 3
    scorers: [{contains: blue}]
    cases:
      - id: sky
        input: What colour is the sky?
        script: {script: [[{kind: chat_response, content: blue}], [{kind: chat_response, content: blue}],
          [{kind: chat_response, content: SKY}]]}
      - id: sea
        input: What colour is the sea?
        script: [{kind: chat_response, content: blue}]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dataset(folder, text=SCRIPTED, name="d.evals.yaml"):
    """Write a dataset; return its name."""
    (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    return name


def target(folder, body, **options):
    """Write user code; return a dataset of five cases that it answers."""
    (folder / "app.py").write_text(textwrap.dedent(body), encoding="utf-8")
    model = Model(id="app", provider="python", options={"target": "app.py:answer", **options})
    cases = [
        Case(id=f"c{i}", input=f"{i}", scorers=[{"type": "contains", "value": "yes"}])
        for i in range(5)
    ]
    return Dataset(name="mine", path="mine", models=[model], cases=cases)


def test_every_option_of_the_command_line_is_an_argument():
    """An option that is added to the table is an argument of `run` too."""
    attributes = {option.attribute for option in OPTIONS}
    assert attributes == set(RunOptions.__annotations__)
    assert attributes <= {field.name for field in fields(Settings)}


def test_a_file_is_run_and_the_run_is_stored(folder):
    """The trials are handed over in order; the store has the same run."""
    trials = []
    made = run(dataset(folder, SCRIPTED.replace("SKY", "grey")), on_trial=trials.append)
    assert (5, 1, "complete", 1) == (
        made.counts.passed,
        made.counts.failed,
        made.status,
        made.exit_status,
    )
    assert [f"d.evals.yaml::{case}[script-{n}]" for case in ("sky", "sea") for n in range(3)] == [
        trial.id for trial in trials
    ]
    assert made == load_run() == load_run(made.id)


def test_all_passed(folder):
    """Exit status 0."""
    assert run(dataset(folder, SCRIPTED.replace("SKY", "blue"))).exit_status == 0


@pytest.mark.parametrize("content", ["blue", "grey"])
@pytest.mark.parametrize(
    "gates", ["", "gates: [pass@1 >= 0.8]", "gates: [pass@1 >= 0.9, 'pass^3 >= 0.9']"]
)
def test_the_verdict_is_that_of_pytest(pytester, content, gates):
    """Counts, outcomes, gates, decision and exit status are the same, without pytest and with it."""
    text = textwrap.dedent(SCRIPTED).replace("SKY", content) + f"\n{gates}\n"
    dataset(pytester.path, text)
    ours = run("d.evals.yaml", rootdir=pytester.path, json="ours.json")
    result = pytester.runpytest("--evals", "--evals-json=theirs.json", "d.evals.yaml")
    theirs = load_run(rootdir=pytester.path)
    assert ours.id != theirs.id
    assert int(result.ret) == ours.exit_status == theirs.exit_status
    assert (ours.counts, ours.gates, ours.decision) == (
        theirs.counts,
        theirs.gates,
        theirs.decision,
    )
    read = [json.loads((pytester.path / f"{name}.json").read_text()) for name in ("ours", "theirs")]
    for key in ("metrics", "gates", "decision"):
        assert read[0].get(key) == read[1].get(key), key
    for key in ("id", "outcome", "tolerated", "scores", "answer"):
        assert [t.get(key) for t in read[0]["trials"]] == [t.get(key) for t in read[1]["trials"]]


def test_an_example_has_the_same_trials_as_under_pytest(pytester):
    """The dataset of the quick start."""
    path = EXAMPLES / "quickstart" / "support.evals.yaml"
    ours = {}
    run(path, rootdir=pytester.path, on_trial=lambda t: ours.update({t.id: t.outcome}))
    pytester.runpytest("--evals", str(path), "--evals-json=r.json", f"--rootdir={pytester.path}")
    theirs = json.loads((pytester.path / "r.json").read_text())["trials"]
    assert {i.partition("::")[2]: str(o) for i, o in ours.items()} == {
        trial["id"].partition("::")[2]: trial["outcome"] for trial in theirs
    }


def test_pytest_is_not_imported(folder):
    """Neither by the import nor by a run with gates and reports."""
    dataset(folder, SCRIPTED.replace("SKY", "grey") + "    gates: [pass@1 >= 0.5]\n")
    code = (
        "import sys, pytest_evals\n"
        "r = pytest_evals.run('d.evals.yaml', html='r.html', md='r.md', csv='r.csv')\n"
        "print(r.exit_status, sorted(m for m in sys.modules if m in {'pytest', '_pytest'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"
    assert all((folder / f"r.{kind}").stat().st_size for kind in ("html", "md", "csv"))


def test_user_code_is_asked_and_what_it_prints_is_its_trials(folder, capsys):
    """A dataset made in Python; nothing of a trial reaches the script's own output."""
    trials = []
    made = run(
        target(folder, "def answer(q):\n    print('thinking')\n    return 'yes'\n"),
        on_trial=trials.append,
    )
    assert (5, 0) == (made.counts.passed, made.exit_status)
    assert {"thinking\n"} == {trial.output for trial in trials}
    assert capsys.readouterr().out == ""


def test_an_error_of_user_code_is_an_error_and_fails_the_run(folder):
    """It is no wrong answer."""
    made = run(target(folder, "def answer(q):\n    raise OSError('no disk')\n"))
    assert made.counts.errored + made.counts.skipped == 5
    assert (0, 1) == (made.counts.failed, made.exit_status)


def test_inside_a_running_event_loop(folder):
    """As in a notebook: the loop goes on meanwhile, and two runs do not disturb each other."""
    body = "import time\ndef answer(q):\n    time.sleep(0.05)\n    return 'yes'\n"
    mine = target(folder, body)
    beats = []

    async def beat():
        while True:
            beats.append(1)
            await asyncio.sleep(0.01)

    async def main():
        pulse = asyncio.create_task(beat())
        made = await asyncio.gather(
            arun(mine, concurrency=1), arun(mine, concurrency=1, store="other.sqlite")
        )
        pulse.cancel()
        return made

    first, second = asyncio.run(main())
    assert [5, 5] == [first.counts.passed, second.counts.passed]
    assert len(beats) > 10
    assert (first.id, second.id) == (load_run().id, load_run(store="other.sqlite").id)


def test_a_cancelled_task_seals_its_run_as_interrupted(folder):
    """What was recorded is stored, and no further call is made."""
    body = """
        import pathlib, time
        def answer(q):
            with pathlib.Path("calls").open("a") as file:
                file.write("x")
            time.sleep(0.2)
            return "yes"
    """
    mine = target(folder, body)

    async def main():
        recorded = asyncio.Event()
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(
            arun(
                mine,
                concurrency=1,
                window=1,
                on_trial=lambda _: loop.call_soon_threadsafe(recorded.set),
            )
        )
        await recorded.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    made = load_run()
    assert ("interrupted", 2) == (made.status, made.exit_status)
    assert 1 <= made.counts.passed < 5
    assert len((folder / "calls").read_text()) < 5


def test_ctrl_c_seals_the_run_and_is_raised(folder):
    """Also from `on_trial`."""

    def stop(trial):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(dataset(folder, SCRIPTED.replace("SKY", "blue")), on_trial=stop)
    made = load_run()
    assert ("interrupted", 2, 1) == (made.status, made.exit_status, made.counts.passed)


def test_what_is_stored_is_asked_once(folder):
    """A second run of a python target that vouches for its answers makes no call."""
    body = """
        import pathlib
        def answer(q):
            with pathlib.Path("calls").open("a") as file:
                file.write("x")
            return "yes"
    """
    mine = target(folder, body)
    stored = mine.model_copy(
        update={"models": (mine.models[0].model_copy(update={"stored": True}),)}
    )
    run(stored)
    run(stored)
    assert (folder / "calls").read_text() == "x" * 5


def test_a_secret_reaches_neither_store_nor_report(folder, monkeypatch):
    """`on_trial` has none either."""
    monkeypatch.setenv("CANARY_API_KEY", "sk-canary-0123456789abcdef")
    body = "import os\ndef answer(q):\n    return 'yes ' + os.environ['CANARY_API_KEY']\n"
    trials = []
    run(target(folder, body), json="r.json", on_trial=trials.append)
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"sk-canary" not in written.replace(body.encode(), b"")
    assert "sk-canary" not in str(trials)


def test_a_baseline_is_written_and_compared_with(folder):
    """A broken case is a regression, as under pytest."""
    text = SCRIPTED + "    gates: [no regressions]\n"
    first = run(dataset(folder, text.replace("SKY", "blue")), update_baseline=True)
    assert (folder / "baselines" / "d.jsonl").is_file()
    second = run(dataset(folder, text.replace("content: blue", "content: grey")))
    assert (0, 1) == (first.exit_status, second.exit_status)
    assert (second.gates[0]["verdict"], second.decision["decision"]) == ("failed", "reject")


def test_one_shard_runs_its_cases(folder):
    """The two parts together are the whole."""
    name = dataset(folder, SCRIPTED.replace("SKY", "blue"))
    cases = []
    for part in ("1/2", "2/2"):
        made = run(name, shard=part, on_trial=lambda trial: cases.append(trial.case_id))
        assert made.status == "narrowed"
    assert sorted(cases) == ["sea"] * 3 + ["sky"] * 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sample": 3}, TypeError, "there is no option 'sample'; did you mean 'samples'?"),
        ({"samples": 0}, SettingsError, "^samples: expected a whole number, at least 1, found '0'"),
        ({"model": "gpt"}, SettingsError, "gpt.* no such model"),
        ({"model": "python:app:x"}, SettingsError, "provider 'python' needs `target`"),
        ({"from_run": "latest"}, SettingsError, "there is no store"),
        ({"baseline": "no.jsonl"}, StoreError, "no.jsonl"),
        ({"responses": "replay", "samples": 1, "from_run": "x"}, SettingsError, "samples"),
    ],
)
def test_a_wrong_option_is_an_error_before_anything_runs(folder, options, error, message):
    """Nothing is stored."""
    name = dataset(folder, SCRIPTED.replace("SKY", "blue"))
    with pytest.raises(error, match=message):
        run(name, **options)
    with pytest.raises(StoreError, match=r"there is no store|holds no run"):
        load_run()


def test_a_wrong_dataset_is_told_whole(folder):
    """All problems at once, of a file and of what is made in Python."""
    with pytest.raises(DatasetError, match=r"d\.evals\.yaml:2:.*scrorers"):
        run(dataset(folder, "cases: [{id: a, input: x}]\nscrorers: [is_json]\n"))
    cases = [
        Case(id="a", input="x", scorers=[{"type": "contians", "value": "x"}]),
        Case(id="b", input="x", scorers=[{"type": "is_jsn"}]),
    ]
    with pytest.raises(DatasetError) as caught:
        run(cases)
    assert ["contains", "is_json"] == [
        name for name in ("contains", "is_json") if f"{name!r}" in str(caught.value)
    ]
    with pytest.raises(DatasetError, match="no cases"):
        run([])
    with pytest.raises(TypeError, match="item 0 is a str, expected a Case"):
        run(["x"])


def test_a_duplicate_case_of_python_is_an_error(folder):
    """Two trials would have one id."""
    case = Case(id="a", input="x", scorers=[{"type": "contains", "value": "x"}])
    with pytest.raises(DatasetError, match="duplicate id 'a'"):
        run([case, case])


def test_a_missing_run(folder):
    """The message says what is there."""
    run(dataset(folder, SCRIPTED.replace("SKY", "blue")))
    with pytest.raises(StoreError, match="holds no run 'nope'"):
        load_run("nope")
