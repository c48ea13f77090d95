"""``pytest-evals show RUN TRIAL``: its stages, and ``--transcript``: the conversation alone."""

import json
import re

import pytest

from pytest_evals.cli import main
from tests.cli._stored_project import event, pytest_evals

CALL = {"kind": "tool_call", "name": "find", "arguments": {"order": 7}, "result": {"paid": True}}


@pytest.fixture(scope="module")
def threads(tmp_path_factory):
    """Make a project with one run: two turns, a tool, hostile text, a case without an answer."""
    folder = tmp_path_factory.mktemp("threads")
    (folder / "pytest.ini").write_text("[pytest]\n")
    first = [event("Which order?"), CALL, event("It is\x1b[31m paid.\nAnything else?")]
    lost = [event("Which?"), {"kind": "error", "error_type": "overloaded", "message": "busy"}]
    dataset = {
        "name": "d",
        "models": [{"id": "m", "provider": "script"}],
        "prompt": [{"role": "system", "content": "Be short."},
                   {"role": "user", "content": "{{ input }}"}],
        "scorers": [{"max_latency_s": 60}],
        "cases": [
            {"id": "two", "turns": ["Is it paid?", "Order 7."], "script": first},
            {"id": "lost", "turns": ["Hello?", "Order 8."], "script": lost},
        ],
    }  # fmt: skip
    (folder / "d.evals.yaml").write_text(json.dumps(dataset))
    assert "1 passed" in pytest_evals(folder).stdout
    return folder


@pytest.fixture
def show(threads, monkeypatch, capsys):
    """Run the command: its status, output and error output."""
    monkeypatch.chdir(threads)

    def run(*words):
        try:
            status = main(["show", "latest", *words])
        except SystemExit as error:
            status = int(error.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def test_a_thread_is_told_once(show):
    """Each message in its turn, not again with every request; the tool with what it gave back."""
    status, out, _ = show("two", "--transcript")
    assert (status, out.splitlines()) == (0, [
        "[system]", "    Be short.",
        "[user]", "    Is it paid?",
        "[assistant]", "    Which order?",
        "[user]", "    Order 7.",
        "[assistant]",
        '    -> find({"order": 7}) = {"paid": true}',
        r"    It is\x1b[31m paid.", "    Anything else?",
    ])  # fmt: skip


def test_what_was_not_answered_ends_in_the_reason(show):
    """The question stands, the answer does not."""
    _, out, _ = show("lost", "--transcript")
    assert out.splitlines()[-4:] == [
        "[user]", "    Order 8.", "[no answer]", "    overloaded: busy",
    ]  # fmt: skip


def test_the_stages_of_a_trial(show):
    """A row for each call: who, from where, how long, how much."""
    _, out, _ = show("two")
    table = out[out.index("\nstages\n") :].splitlines()[2:5]
    assert [re.split(r" {2,}", line.strip()) for line in table] == [
        ["stage", "by", "how", "took", "tokens", "cost", "failed before"],
        ["answer 1", "m", "scripted", "1.5 s", "52", "-", "0"],
        ["answer 2", "m", "scripted", "1.5 s", "52", "-", "0"],
    ]
    _, out, _ = show("lost")
    assert "answer 2  m   no answer: overloaded" in out


def test_a_transcript_is_of_a_trial(show):
    """Of a run there is none."""
    status, out, err = show("--transcript")
    assert (status, out, "--transcript needs a TRIAL" in err) == (4, "", True)


def test_what_no_messages_were_sent_for(threads, monkeypatch, capsys):
    """A program's input is what was asked."""
    from pytest_evals.exchange import Exchange, Request, Response
    from pytest_evals.reporters.transcript import transcript
    from tests.cli.conftest import Outcome, trial

    asked = Request(messages=(), input={"q": 1})
    exchanges = (
        Exchange(request=asked, response=Response(text="one")),
        Exchange(request=asked, response=Response(text="", refusal="I will not")),
        Exchange(request=asked, response=Response(text="x"), role="judge:good"),
    )
    assert list(transcript(trial("x", Outcome.PASSED, exchanges=exchanges))) == [
        "[user]", '    {"q": 1}', "[assistant]", "    one",
        "[user]", '    {"q": 1}', "[assistant refuses]", "    I will not",
    ]  # fmt: skip


AGENT = """
models: [{id: m, provider: script}, {id: n, provider: script}]
cases:
  - id: t
    turns: [one, two]
    scorers: [{contains: B}]
    script:
      - {kind: tool_call, name: f, arguments: {}, result: 1}
      - {kind: chat_response, content: A}
      - {kind: tool_call, name: g, arguments: {}, result: 1}
      - {kind: chat_response, content: B}
"""


def test_each_turn_is_told_once(tmp_path, monkeypatch, capsys):
    """A later request leaves out the tool calls of earlier answers; all trials of a case follow."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "d.evals.yaml").write_text(AGENT)
    assert "2 passed" in pytest_evals(tmp_path).stdout
    capsys.readouterr()
    assert main(["show", "latest", "t[m]", "--transcript"]) == 0
    told = capsys.readouterr().out
    assert re.findall(r"^ +(.+)$", told, re.MULTILINE) == [
        "one", "-> f({}) = 1", "A", "two", "-> g({}) = 1", "B",
    ]  # fmt: skip
    assert main(["show", "latest", "t", "--transcript"]) == 0
    both = capsys.readouterr().out
    assert both.count(told) == 2
    assert "d.evals.yaml::t[n]" in both
    assert main(["show", "latest", "t", "--json"]) == 0
    assert [t["model"] for t in json.loads(capsys.readouterr().out)["trials"]] == ["m", "n"]
