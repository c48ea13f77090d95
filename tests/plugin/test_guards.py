"""A guard that loses its evidence never passes: what each says, its decision and exit status."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_evals import load_run
from pytest_evals.cli import main

DATASET = """\
name: d
models: [{{id: m, provider: script}}]
scorers: [{{contains: ok}}]
gates: [{gate}]
{more}
cases:
 - {{id: a, input: q, script: [{first}]}}
 - {{id: b, input: r, script: [{second}]}}
"""
OK = "{kind: chat_response, content: ok}"
WRONG = "{kind: chat_response, content: wrong}"
ERROR = "{kind: error, error_type: invalid_request, message: broken}"
APP = """
def answer(question):
    return {"text": "ok", "cost_usd": 1.0}
"""
APP_DATASET = """\
name: d
models: [{{id: m, provider: python, target: "app.py:answer"}}]
scorers: [{{contains: ok}}]
{gates}
cases: [{{id: a, input: q}}, {{id: b, input: r}}, {{id: c, input: s}}]
"""
FUNCTION = """
import pytest
from pytest_evals import Case


@pytest.fixture
def evals_target():
    return lambda question: "ok"


@pytest.mark.evals([Case(id="a", input="q"), Case(id="b", input="r")], gates=["pass@1 >= 0.5"])
def test_a(response):
    {body}
"""


def dataset(gate: str = "pass@1 >= 0.5", first: str = OK, second: str = OK, more: str = "") -> str:
    """Return a dataset of two cases with recorded answers."""
    return DATASET.format(gate=gate, first=first, second=second, more=more)


@dataclass(frozen=True)
class Guard:
    """A session in which a guard has no evidence."""

    id: str
    files: dict[str, str]
    says: str
    """A pattern of what is printed."""
    decision: str | None
    status: int
    strict: int
    """The exit status with ``--evals-strict``."""
    options: tuple[str, ...] = ()
    before: tuple[str, ...] | None = None
    """The options of an earlier session; None without one."""
    edited: dict[str, str] | None = None
    """Files that are written after the earlier session."""


D = "d.evals.yaml"
PRICE = "id: m, price: {input: 1, output: 1},"
BUDGET = "--evals-max-cost=1.5"
GATED = APP_DATASET.format(gates="gates: [pass@1 >= 0.5]")
ALLOWED = "max_error_rate: 1.0"
NEW = ("--evals-update-baseline",)
REGRESSIONS = {D: dataset("no regressions")}
GUARDS = [
    # What can never have evidence is rejected before anything is called.
    Guard("where: no such tag", {D: dataset("pass@1 >= 0.5 where tag=z")}, "tag", None, 2, 2),
    Guard("where: no such case", {D: dataset("pass@1 >= 0.5 where case=z")}, "case", None, 2, 2),
    Guard("per tag without tags", {D: dataset("pass@1 >= 0.5 per tag")}, "tag", None, 2, 2),
    Guard("a mean of no scorer", {D: dataset("mean(foo) >= 0.5")}, "foo", None, 2, 2),
    Guard("a bar that always holds", {D: dataset("error_rate <= 1.0")}, "never fail", None, 2, 2),
    Guard("no cases", {D: dataset().split("cases:")[0] + "cases: []\n"}, "cases", None, 2, 2),
    Guard("no scorers", {D: dataset().replace("[{contains: ok}]", "[]")}, "scorer", None, 2, 2),
    Guard("a shard without cases", {D: dataset()}, "shards", None, 4, 4, ("--evals-shard=5/9",)),
    Guard("no price", {"app.py": APP, D: GATED}, "price", None, 4, 4, (BUDGET,)),
    Guard("a baseline that is missing", REGRESSIONS, "there is no such baseline", None, 4, 4,
          ("--evals-baseline=none.jsonl",)),
    Guard("a report in no folder", {D: dataset()}, "cannot be made", None, 4, 4,
          (f"--evals-json={D}/r.json",)),
    # The metric is absent, which is not zero and no pass.
    Guard("every call failed", {D: dataset(first=ERROR, second=ERROR)}, "2 of 2 trials of m errored",
          "reject", 1, 1),
    Guard("every call failed, allowed", {D: dataset(first=ERROR, second=ERROR, more=ALLOWED)},
          "pass@1 is absent: none of 2 trials could be scored", "reject", 1, 1),
    Guard("a mean of errors", {D: dataset("mean(contains) >= 0.0001", ERROR, ERROR, ALLOWED)},
          r"mean\(contains\) is absent", "reject", 1, 1),
    Guard("the case of a slice failed", {D: dataset("pass@1 >= 0.5 where case=a", ERROR, OK, ALLOWED)},
          "pass@1 is absent", "reject", 1, 1),
    Guard("too few samples", {D: dataset("pass^3 >= 0.5")}, "fewer than k = 3", "reject", 1, 1),
    Guard("no known cost", {"app.py": "def answer(q):\n    return 'ok'\n",
                            D: APP_DATASET.format(gates="gates: [cost_usd <= 1]")},
          "cost_usd is absent", "reject", 1, 1),
    Guard("no latency", {D: dataset("p95(latency_s) <= 1")}, "absent", "reject", 1, 1),
    Guard("functions that skip", {"test_a.py": FUNCTION.format(body="pytest.skip('no')")},
          "pass@1 is absent: no trial", "reject", 1, 1),
    # There is nothing to compare with.
    Guard("no baseline yet", REGRESSIONS, "there is no baseline to compare with", "reject", 1, 1),
    Guard("a baseline of other cases", REGRESSIONS, "no case is in both", "investigate", 0, 1,
          before=NEW, edited={D: dataset("no regressions").replace("input: ", "input: new ")}),
    Guard("a baseline of another model", REGRESSIONS, "no case is in both", "investigate", 0, 1,
          before=NEW, edited={D: dataset("no regressions").replace("id: m", "id: n")}),
    Guard("a baseline of other scorers", REGRESSIONS, "no case is in both", "investigate", 0, 1,
          before=NEW, edited={D: dataset("no regressions").replace("contains", "icontains")}),
    Guard("errors where the baseline has answers", REGRESSIONS, "no case is in both", "investigate",
          0, 1, before=NEW, edited={D: dataset("no regressions", ERROR, ERROR, ALLOWED)}),
    # The run is not whole: skipped if the user selected a part, incomplete if it was cut short.
    Guard("-k", {D: dataset()}, "only 1 of 2 trials", "investigate", 0, 0, ("-k", "a[m]")),
    Guard("--deselect", {D: dataset()}, "only 1 of 2 trials", "investigate", 0, 0,
          (f"--deselect={D}::a[m]",)),
    Guard("--lf", {D: dataset("pass@1 >= 0.9", WRONG)}, "only 1 of 2 trials", "reject", 1, 1,
          ("--lf",), before=()),
    Guard("-x", {D: dataset("pass@1 >= 0.1", ERROR)}, "ended with 1 of 2", "investigate", 1, 1,
          ("-x",)),
    Guard("a budget that ran out", {"app.py": APP, D: GATED.replace("id: m,", PRICE)},
          "ended with 2 of 3 trials", "investigate", 1, 1, (BUDGET,)),
    Guard("a budget that ran out, no gates",
          {"app.py": APP, D: APP_DATASET.format(gates="").replace("id: m,", PRICE)},
          "1 of 3 trials were not run, so this session fails", None, 1, 1, (BUDGET,)),
    Guard("answers of a run that ended early", {"app.py": APP, D: GATED.replace("id: m,", PRICE)},
          "STALE", "reject", 1, 1, ("--evals-from=latest",), before=(BUDGET,)),
    Guard("answers of a part of the cases", {"app.py": APP, D: GATED},
          "STALE", "reject", 1, 1, ("--evals-from=latest",), before=("-k", "a[m]")),
    # Code of plugins.
    Guard("a hook before a trial", {D: dataset(), "conftest.py":
          "def pytest_evals_before_trial():\n    raise ValueError('boom')\n"},
          "2 of 2 trials of m errored", "reject", 1, 1),
    Guard("a hook after a trial", {D: dataset(), "conftest.py":
          "def pytest_evals_after_trial():\n    raise ValueError('boom')\n"},
          "raised ValueError: boom", "accept", 0, 0),
    Guard("a scorer that raises", {D: dataset().replace("contains: ok", "python: app.py:score"),
          "app.py": "def score(output):\n    raise ValueError('boom')\n"},
          "2 of 2 trials of m errored", "reject", 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("strict", [False, True], ids=["", "strict"])
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.id)
def test_a_guard_without_evidence(guard: Guard, strict, pytester: pytest.Pytester):
    """Fails, or is not evaluated and told; then the decision is no "accept"."""
    write(pytester.path, guard.files)
    if guard.before is not None:
        pytester.runpytest("--evals", *guard.before)
    write(pytester.path, guard.edited or {})
    options = (*guard.options, "--evals-strict") if strict else guard.options
    result = pytester.runpytest("--evals", *options)
    told = " ".join((result.stdout.str() + result.stderr.str()).split())
    assert re.search(guard.says, told), told
    found = re.findall(r"^decision: (\w+)$", result.stdout.str(), re.MULTILINE)
    assert found == ([guard.decision] if guard.decision else [])
    assert result.ret == (guard.strict if strict else guard.status)


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files."""
    for name, text in files.items():
        (folder / name).write_text(text)


CUT_SHORT = [
    pytest.param(GATED.replace("id: m,", PRICE), (BUDGET,), "investigate", id="gates"),
    pytest.param(APP_DATASET.format(gates="").replace("id: m,", PRICE), (BUDGET,), None, id="none"),
    pytest.param(GATED.replace("id: m,", PRICE), ("-x", "-p", "stop"), "investigate", id="-x"),
]
STOP = """
import pytest


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if report.when == "teardown":
        raise pytest.exit.Exception("enough", 1)
"""


@pytest.mark.parametrize(("text", "options", "decision"), CUT_SHORT)
def test_a_run_that_was_cut_short_is_so_for_later_readers(
    text, options, decision, pytester, monkeypatch, capsys
):
    """``rescore`` has no answers of what was not run, so it fails as the session did."""
    monkeypatch.chdir(pytester.path)
    write(pytester.path, {"app.py": APP, D: text, "stop.py": STOP})
    assert pytester.runpytest_subprocess("--evals", *options).ret == 1
    session = load_run()
    assert main(["rescore", "latest"]) == 1
    assert "INCOMPLETE" in capsys.readouterr().out or decision is None
    again = load_run()
    assert (again.status, again.exit_status) == (session.status, 1) == ("interrupted", 1)
    assert (again.decision or {}).get("decision") == decision


def test_samples_that_were_not_needed_are_no_gap(pytester, monkeypatch):
    """A run that stopped early by design is complete, when it is re-scored too."""
    monkeypatch.chdir(pytester.path)
    write(
        pytester.path,
        {
            "app.py": "def answer(question):\n    return 'wrong'\n",
            D: APP_DATASET.format(
                gates="gates: [pass@1 >= 0.9 per case]\nsamples: {min: 2, max: 8}"
            ),
        },
    )
    pytester.runpytest("--evals", "-q")
    session = load_run()
    assert session.counts.unneeded
    main(["rescore", "latest"])
    again = load_run()
    assert again.id != session.id
    assert (again.status, again.counts) == (session.status, session.counts)
    assert [gate["verdict"] for gate in again.gates] == [gate["verdict"] for gate in session.gates]
