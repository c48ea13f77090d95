"""One run has one verdict: the decision, the exit status and every reader agree."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml  # noqa: F401 - imported before the first session in process, not once for each
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pytest_evals import Case, Dataset, Model, load_run, run
from pytest_evals.script import Script
from pytest_evals.verdict.decide import decide
from pytest_evals.verdict.gate.spec import GateVerdict

OUTCOMES = {
    "pass": {"kind": "chat_response", "content": "ok"},
    "fail": {"kind": "chat_response", "content": "no"},
    "error": {"kind": "error", "error_type": "invalid_request", "message": "broken"},
}
GATES = (
    "pass@1 >= 0.5",
    "pass@1 >= 0.9",
    "pass@1 >= 0.5 where case=c0",
    "error_rate <= 0.5",
    "mean(contains) >= 0.2 where case=c1",
    "p95(latency_s) <= 100",
)


def dataset(outcomes, gates, max_error_rate):
    """Make a dataset whose answers are written in it."""
    cases = [
        Case(
            id=f"c{number}",
            input="q",
            scorers=[{"type": "contains", "value": "ok"}],
            script=Script(models={"rec": ((OUTCOMES[outcome],),)}),
        )
        for number, outcome in enumerate(outcomes)
    ]
    model = Model(id="rec", provider="script")
    return Dataset(
        name="d", path="d", models=[model], cases=cases, gates=gates, max_error_rate=max_error_rate
    )


def verdict_of(made):
    """Return the exit status, the decision and the verdicts of the gates."""
    return made.exit_status, made.decision, [gate["verdict"] for gate in made.gates]


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    outcomes=st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=2, max_size=4),
    gates=st.lists(st.sampled_from(GATES), max_size=2, unique=True),
    max_error_rate=st.sampled_from([0.0, 0.4, 1.0]),
)
def test_exit_status_and_decision_agree(tmp_path_factory, outcomes, gates, max_error_rate):
    """Whatever the trials and the gates are; the store and the JSON report say the same."""
    root = tmp_path_factory.mktemp("one")
    data = dataset(outcomes, gates, max_error_rate)
    made = run(data, rootdir=root, json="r.json", md="r.md", html="r.html")
    stored, report = load_run(rootdir=root), json.loads((root / "r.json").read_text())
    assert (made.exit_status, made.decision) == (stored.exit_status, stored.decision)
    assert made.decision == report["decision"]
    title = (root / "r.md").read_text().splitlines()[1]
    assert ("❌" in title) == bool(made.exit_status), title
    tone = re.search('class="hero (.*?)"', (root / "r.html").read_text())
    assert tone is not None
    assert (tone[1] == "bad") == bool(made.exit_status), tone
    scored_again = run(data, rootdir=root, from_run=made.id)
    assert verdict_of(made) == verdict_of(scored_again)
    if made.decision is None:
        assert not gates
        assert bool(made.exit_status) == any(outcome != "pass" for outcome in outcomes)
        return
    assert bool(made.exit_status) == made.decision["failed"]
    if made.decision["decision"] == "accept":
        assert (made.exit_status, [gate for gate in made.gates if gate["blocking"]]) == (0, [])
    if made.decision["decision"] == "reject":
        assert made.exit_status == 1


def verdict(outcome, **more):
    """Make a gate's verdict."""
    return GateVerdict(
        gate="pass@1 >= 0.5",
        dataset="d",
        model="m",
        verdict=outcome,
        blocking=outcome in {"failed", "incomplete"},
        metric="pass@1",
        bar=">= 0.5",
        **more,
    )


@pytest.mark.parametrize(
    ("verdicts", "failing", "unresolved", "word", "failed"),
    [
        (["passed"], [], [], "accept", False),
        (["passed"], ["a"], [], "reject", True),
        (["passed"], [], ["a"], "investigate", True),
        (["inconclusive"], [], [], "investigate", False),
        (["skipped"], [], [], "investigate", False),
        (["incomplete"], [], [], "investigate", True),
        (["failed", "passed"], [], ["a"], "reject", True),
        ([], ["a"], [], "reject", True),
        ([], [], ["a"], "investigate", True),
    ],
)
def test_trials_that_no_gate_covers_are_part_of_the_decision(
    verdicts, failing, unresolved, word, failed
):
    """They are named."""
    made = decide([verdict(one) for one in verdicts], failing=failing, unresolved=unresolved)
    assert (word, failed) == (made.decision, made.failed)
    assert any(": a" in reason for reason in made.reasons) == bool(failing or unresolved)


def command(folder, *words):
    """Run a command in a folder; return its status and its output."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def broken(tmp_path):
    """A project with a baseline, two of whose 25 cases break."""
    (tmp_path / "app.py").write_text(
        textwrap.dedent('''
            """Two of 25 cases break when the file `mode` says bad."""
            from pathlib import Path


            def answer(question, context):
                number = int(question.split()[-1])
                bad = Path(__file__).with_name("mode").read_text().strip() == "bad"
                return "no" if bad and number in (3, 7) else "yes"
        '''),
        encoding="utf-8",
    )
    rows = "".join(f"c{number},question {number},yes\n" for number in range(25))
    (tmp_path / "cases.csv").write_text("id,input,expected\n" + rows, encoding="utf-8")
    (tmp_path / "one.evals.yaml").write_text(
        textwrap.dedent("""
            name: one
            samples: 3
            models: [{id: app, provider: python, target: "app.py:answer"}]
            scorers: [equals]
            gates: [no regressions]
            cases: cases.csv
        """),
        encoding="utf-8",
    )
    (tmp_path / "mode").write_text("good", encoding="utf-8")
    status, out = command(tmp_path, "pytest", "-q", "--evals", ".", "--evals-update-baseline")
    assert status == 0, out
    (tmp_path / "mode").write_text("bad", encoding="utf-8")
    return tmp_path


@pytest.mark.heavy
def test_later_readers_reach_the_verdict_of_the_session(broken):
    """The confirmation samples are stored with the run, and are none of its trials."""
    status, out = command(
        broken,
        *("pytest", "-q", "--evals", ".", "--junitxml=j.xml"),
        *("--evals-json=r.json", "--evals-md=r.md", "--evals-html=r.html"),
    )
    assert status == 1
    assert "REGRESSED: c3, c7" in out
    session = load_run(rootdir=broken)
    assert session.counts.total == 75
    assert {"c3", "c7"} == {sample.case_id for sample in session.confirmations["one"]}
    sentence = session.gates[0]["sentence"]
    assert sentence in (broken / "r.json").read_text()
    assert "❌ Evals: reject" in (broken / "r.md").read_text()
    assert "c3, c7 passed all 3 baseline samples" in (broken / "r.html").read_text()
    suite = ET.parse(broken / "j.xml").getroot()[0]
    assert suite.get("failures") == "1"
    for words in (
        ("pytest_evals.cli", "diff", "latest"),
        ("pytest", "-q", "--evals", ".", "--evals-from", session.id),
        ("pytest_evals.cli", "rescore", session.id),
        ("pytest_evals.cli", "show", session.id),
    ):
        status, out = command(broken, *words)
        assert "REGRESSED: c3, c7" in " ".join(out.split()), (words, out)
        assert status == (0 if words[1] == "show" else 1), (words, out)
    again = load_run(rootdir=broken)
    assert again.id != session.id
    assert (again.exit_status, again.gates[0]["verdict"]) == (1, session.gates[0]["verdict"])


@pytest.mark.heavy
def test_confirmation_samples_survive_export_and_import(broken):
    """A bundle carries them, so the verdict does not depend on the machine."""
    command(broken, "pytest", "-q", "--evals", ".")
    session = load_run(rootdir=broken)
    other = broken / "other"
    other.mkdir()
    for name in ("app.py", "cases.csv", "one.evals.yaml", "baselines"):
        source = broken / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, other / name)
    status, out = command(broken, "pytest_evals.cli", "export", session.id, "-o", "run.jsonl")
    assert status == 0, out
    status, out = command(other, "pytest_evals.cli", "import", str(broken / "run.jsonl"))
    assert status == 0, out
    status, out = command(other, "pytest_evals.cli", "diff", "latest")
    assert (1, True) == (status, "REGRESSED: c3, c7" in " ".join(out.split())), out


def write_half_allowed(pytester, second):
    """Write a dataset that allows errors in half of its three cases; the third ends in one.

    Args:
        pytester: has the folder.
        second: the recorded answer of the second case.
    """
    text = f"""
        name: e
        max_error_rate: 0.5
        models: [{{id: rec, provider: script}}]
        scorers: [{{contains: ok}}]
        gates: [pass@1 >= 0.5]
        cases:
         - {{id: a, input: q, script: [{{kind: chat_response, content: ok}}]}}
         - {{id: b, input: q, script: [{second}]}}
         - {{id: c, input: q, script: [{{kind: error, error_type: invalid_request, message: m}}]}}
    """
    (Path(pytester.path) / "e.evals.yaml").write_text(textwrap.dedent(text))


@pytest.mark.heavy
def test_what_max_error_rate_allows_is_green(pytester):
    """One error of three is within 0.5: gates passed, decision accept, exit 0; it is still shown."""
    write_half_allowed(pytester, "{kind: chat_response, content: ok}")
    result = pytester.runpytest("--evals", "--evals-json=r.json", "--evals-md=r.md", "--junitxml=j")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["decision: accept", "*4 passed, 1 errored (allowed)*"])
    report = json.loads((pytester.path / "r.json").read_text())
    assert ("accept", False) == (report["decision"]["decision"], report["decision"]["failed"])
    assert [1, 0] == [report["run"]["counts"]["errored"], report["run"]["exit_status"]]
    assert "✅ Evals: accept" in (pytester.path / "r.md").read_text()
    suite = ET.parse(pytester.path / "j").getroot()[0]
    assert ["0", "0", "1"] == [suite.get(name) for name in ("failures", "errors", "skipped")]
    for words in (("--evals-from", "latest"), ("-n", "2")):
        assert pytester.runpytest_subprocess("--evals", *words).ret == 0


def test_more_errors_than_allowed_are_red(pytester):
    """Two of three; the trials themselves stay as they are, the gate fails."""
    write_half_allowed(pytester, "{kind: error, error_type: invalid_request, message: m}")
    result = pytester.runpytest("--evals")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["decision: reject"])


def test_a_failing_trial_outside_a_where_gate_rejects(pytester):
    """The gate passes, the session fails, and the decision says why."""
    path = Path(pytester.path) / "w.evals.yaml"
    path.write_text(
        textwrap.dedent("""
            name: w
            scorers: [{contains: ok}]
            gates: [pass@1 >= 0.5 where tag=core]
            cases:
             - {id: a, input: q, tags: core, script: [{kind: chat_response, content: ok}]}
             - {id: b, input: q, tags: rest, script: [{kind: chat_response, content: no}]}
        """)
    )
    result = pytester.runpytest("--evals", "--evals-md=r.md")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["decision: reject", "*1 trial failed and no gate covers it: w.evals.yaml::b*"]
    )
    assert "❌ Evals: reject" in (pytester.path / "r.md").read_text()
