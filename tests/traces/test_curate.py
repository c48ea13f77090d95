"""`pytest-evals curate`: what it makes loads, passes and is what happened; the rest is refused."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_evals.case import Case
from pytest_evals.curation.case_text import added, item_lines, json_line
from pytest_evals.curation.from_trace import error_type, of_thread, threads_of
from pytest_evals.curation.from_trial import of_trial
from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response, Usage
from pytest_evals.ground.errors import SettingsError
from pytest_evals.loaders.yaml import YamlLoader
from pytest_evals.message import Message, ToolCall
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.script import Script
from pytest_evals.trace.otlp import read

pytestmark = pytest.mark.heavy

TEXT = st.text(max_size=30) | st.sampled_from(
    ["yes", "0o14", "1e5", "1:30", "012", "- a", "a: b", " x ", "#", "", "null", "~", "é\u2028\x85", "a\nb", "{{ x }}", "\ud7ff\U0001f600", "\x00\x7f", "'", '"', "y"]
)  # fmt: skip
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@given(st.dictionaries(TEXT, PLAIN, min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_again(case):
    """As YAML, by our reader and by one of YAML 1.1 alike, and as a line of JSON."""
    text = "\n".join(["cases:", *item_lines(case, 2)])
    assert {"cases": [case]} == YamlLoader().parse(text.encode(), "f").data
    assert repr({"cases": [case]}) == repr(yaml.safe_load(text))
    line = json_line(case)
    assert [line] == line.splitlines()
    assert case == json.loads(line)


def result(*exchanges, **keys):
    """Make a stored trial."""
    given = {"dataset": "d", "case_id": "refund", "model_id": "app", "sample": 0}
    given |= {"id": "d.yaml::refund[app]", "outcome": Outcome.PASSED, "exchanges": exchanges}
    return TrialResult(**{**given, **keys})


def asked(response=None, *, error=None, **request):
    """Make an exchange."""
    told = {"messages": (Message(role="user", content="How long?"),), "input": "How long?"}
    return Exchange(request=Request(**{**told, **request}), response=response, error=error)


CALL = ToolCall(name="find", arguments={"q": "x"}, id="c", result={"days": 30}, captured=True)
FULL = Response(
    text="30 days.",
    tool_calls=(CALL, ToolCall(name="bad", error="gone", captured=True), ToolCall(name="unseen")),
    usage=Usage(input_tokens=9, output_tokens=3, cached_tokens=2),
    finish_reason="length",
    latency_s=1.23456,
)


def test_a_stored_trial_becomes_its_script():
    """Calls with results, errors and what is not known; tokens, finish reason and time."""
    made = of_trial(result(asked(FULL, variables={"v": 1}), tags=("en",)), "R1")
    assert ([], ["find", "bad", "unseen"]) == (made.lost, made.tools)
    case = Case.model_validate(made.case)
    assert ("refund-app-0", "How long?", {"v": 1}, ("en",)) == (
        case.id, case.input, case.variables, case.tags,
    )  # fmt: skip
    assert {"curated_from": "run R1: d.yaml::refund[app]"} == case.metadata
    found, bad, unseen, answer = case.script.events("any", 0)
    assert (True, {"days": 30}, {"q": "x"}) == (found.captured, found.result, found.arguments)
    assert ("gone", False) == (bad.error, unseen.captured)
    assert ("30 days.", "length", 1.235, 9, 3, 2) == (
        answer.content, answer.finish_reason, answer.latency_s, answer.tokens.prompt_tokens,
        answer.tokens.completion_tokens, answer.tokens.cache_read_tokens,
    )  # fmt: skip


def test_turns_and_errors_become_a_script():
    """A conversation keeps its turns; an error that a script can play ends it."""
    late = ErrorInfo(type="rate_limit", message="slow down")
    made = of_trial(
        result(
            asked(Response(text="one"), input="a", turn=0, turns=2),
            asked(error=late, input="b", turn=1, turns=2),
        ),
        "R1",
    )
    assert ([], ["a", "b"]) == (made.lost, made.case["turns"])
    assert {"kind": "error", "error_type": "rate_limit", "message": "slow down"} == made.script[-1]
    Script.model_validate(made.script)


@pytest.mark.parametrize(
    ("trial", "reason"),
    [
        (result(asked(FULL), revisions=2), "a judge sent the answer back 2 times"),
        (result(), "nothing was asked"),
        (result(asked(FULL, input=None, messages=())), "does not hold what was asked"),
        (result(asked(error=ErrorInfo(type="target", message="x"))), "no answer (target)"),
        (result(asked(Response(text="", tool_calls=()))), "the answer is empty"),
        (result(asked(Response(text="no", refusal="no"))), "refused by a field of its own"),
        (result(asked(Response(text="a", data={"b": 1}))), "its structured answer is not its text"),
        (
            result(asked(Response(text="x [redacted] y"))),
            "script[0].content: a secret was replaced by",
        ),
        (result(asked(Response(text="x… [cut]"))), "script[0].content: the text was cut"),
        (result(asked(Response(text="x", faults=("1 event left",)))), "1 event left"),
        (
            result(asked(Response(text="x", tool_calls=(ToolCall(name="f", arguments="{oops"),)))),
            "the arguments of f are no object: '{oops'",
        ),
        (result(asked(FULL, turns=2, input="a")), "1 of 2 turns were recorded"),
    ],
)
def test_what_a_trial_lacks_is_a_reason_to_refuse(trial, reason):
    """Each with what it is and where."""
    assert any(reason in one for one in of_trial(trial, "R1").lost), of_trial(trial, "R1").lost


def attribute(key, value):
    """Write an attribute as OTLP does."""
    kind = {str: "stringValue", int: "intValue"}[type(value)]
    return {"key": key, "value": {kind: value}}


def span(number, parent=None, *, trace="a" * 32, name="chat", status=0, **attributes):
    """Write a span as OTLP does."""
    return {
        "traceId": trace,
        "spanId": f"{number:016x}",
        "parentSpanId": f"{parent:016x}" if parent else "",
        "name": name,
        "startTimeUnixNano": str(1_000_000_000 * number),
        "endTimeUnixNano": str(1_000_000_000 * (number + 1)),
        "attributes": [attribute(key.replace("__", "."), value) for key, value in attributes.items()],
        "status": {"code": status},
    }  # fmt: skip


def wrapped(*spans):
    """Wrap spans as an exporter does."""
    return {"resourceSpans": [{"scopeSpans": [{"spans": [*spans]}]}]}


def chat(number, asked=None, answered=None, **keys):
    """Write a model call with its messages."""
    told = {"gen_ai__operation__name": "chat", "gen_ai__usage__input_tokens": 5}
    told |= {"gen_ai__usage__output_tokens": 2, "gen_ai__response__model": "small-1"}
    for side, messages in (("input", asked), ("output", answered)):
        if messages is not None:
            told[f"gen_ai__{side}__messages"] = json.dumps(messages)
    return span(number, keys.pop("parent", 1), **{**told, **keys})


def text(role, content):
    """Write a message."""
    return {"role": role, "parts": [{"type": "text", "content": content}]}


ASKS = {
    "role": "assistant",
    "parts": [{"type": "tool_call", "id": "c1", "name": "find", "arguments": {"q": "x"}}],
}
GIVES = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "30"}]}
SYSTEM, USER, FINAL = (
    text("system", "Be brief."),
    text("user", "How long?"),
    text("assistant", "30 days."),
)
AGENT = span(1, name="invoke_agent a", gen_ai__operation__name="invoke_agent")
FIND = {
    "gen_ai__operation__name": "execute_tool",
    "gen_ai__tool__name": "find",
    "name": "execute_tool find",
}
GOOD = wrapped(
    AGENT,
    chat(2, [SYSTEM, USER], [ASKS]),
    span(3, 1, **FIND, gen_ai__tool__call__id="c1"),
    chat(4, [SYSTEM, USER, ASKS, GIVES], [FINAL]),
)


def curated(value):
    """Make the only case of a trace."""
    ((name, traces),) = threads_of(read(value))
    return of_thread(name, traces)


def test_a_trace_becomes_a_case():
    """The user's question, the tools (their halves joined by id), the answer, tokens and time."""
    made = curated(GOOD)
    assert [] == made.lost
    case = Case.model_validate(made.case)
    assert ("how-long", "How long?") == (case.id, case.input)
    assert ["small-1"] == case.metadata["recorded_models"]
    call, answer = case.script.events("any", 0)
    assert ("find", {"q": "x"}, 30, "c1") == (call.name, call.arguments, int(call.result), call.id)
    assert ("30 days.", 10, 4, 4.0) == (
        answer.content, answer.tokens.prompt_tokens, answer.tokens.completion_tokens,
        answer.latency_s,
    )  # fmt: skip


def test_tools_without_spans_are_read_from_the_messages():
    """A trace of model calls alone holds its tools too."""
    made = curated(
        wrapped(
            chat(2, [USER], [ASKS], parent=None), chat(4, [USER, ASKS, GIVES], [FINAL], parent=None)
        )
    )
    assert ([], ["find"]) == (made.lost, made.tools)


def test_a_parent_in_another_service_is_no_loss():
    """The top of what was recorded may stand below a span that somebody else keeps."""
    spans = GOOD["resourceSpans"][0]["scopeSpans"][0]["spans"]
    made = curated(wrapped({**spans[0], "parentSpanId": "f" * 16}, *spans[1:]))
    assert ([], ["find"]) == (made.lost, made.tools)


def test_an_earlier_conversation_stays_in_the_input():
    """A question that stands behind others is asked behind them."""
    before = [text("user", "Hi"), text("assistant", "Hello")]
    made = curated(wrapped(chat(2, [SYSTEM, *before, USER], [FINAL], parent=None)))
    assert [] == made.lost
    assert ["user", "assistant", "user"] == [one["role"] for one in made.case["input"]]


def test_traces_of_one_conversation_are_turns_in_order():
    """By the conversation's id, in the order they began, whatever the order in the file."""
    later = chat(9, [USER, FINAL, text("user", "And then?")], [text("assistant", "Nothing.")],
                 parent=None, trace="b" * 32, gen_ai__conversation__id="talk")  # fmt: skip
    first = chat(2, [USER], [FINAL], parent=None, gen_ai__conversation__id="talk")
    made = curated(wrapped(later, first))
    assert ([], ["How long?", "And then?"]) == (made.lost, made.case["turns"])
    assert ["30 days.", "Nothing."] == [event["content"] for event in made.script]


def test_a_failed_model_call_becomes_an_error():
    """With the script's word for it."""
    failed = chat(2, [USER], parent=None, status=2, error__type="RateLimitError")
    assert ([], "rate_limit") == (
        curated(wrapped(failed)).lost,
        curated(wrapped(failed)).script[0]["error_type"],
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("openai.APITimeoutError", "timeout"), ("401", "unauthorized"), ("BadRequestError", "invalid_request"), ("InternalServerError", "provider")],
)  # fmt: skip
def test_error_types(kind, expected):
    """By the names that SDKs give."""
    assert expected == error_type(kind, "")


IMAGE = {
    "role": "user",
    "parts": [{"type": "uri", "uri": "http://x/a.png"}, {"type": "text", "content": "What?"}],
}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (wrapped(AGENT), "has no span of a model call"),
        (wrapped(chat(2, parent=None)), "span 'chat' was recorded without its messages; record with content capture on, into spans"),
        (wrapped(chat(2, [USER], parent=None)), "span 'chat' was recorded without its messages"),
        (wrapped(chat(2, [USER], [{"role": "assistant", "parts": []}], parent=None)), "has no content"),
        (wrapped(chat(2, [USER], [text("assistant", "")], parent=None)), "has an empty answer: no final answer was recorded"),
        (wrapped(chat(2, [USER], [ASKS], parent=None)), "ends by asking for find: no final answer"),
        (wrapped(chat(2, [IMAGE], [FINAL], parent=None)), 'input: message 1 has a part of type "uri", not a text'),
        (wrapped(chat(2, [SYSTEM], [FINAL], parent=None)), "no message of a user is in its input"),
        (wrapped(chat(2, [USER, FINAL], [FINAL], parent=None)), "is not the user's: assistant"),
        (wrapped(chat(2, [USER], [FINAL, FINAL], parent=None)), "2 answers to one question (n > 1)"),
        (wrapped(AGENT, span(3, 1, **FIND), chat(4, [USER], [FINAL])), "what the tool find was called with was not recorded"),
        (wrapped(AGENT, span(3, 1, **FIND, gen_ai__tool__call__arguments="{}"), chat(4, [USER], [FINAL])), "what the tool find gave back was not recorded"),
        (wrapped(AGENT, chat(2, [USER], [FINAL], parent=7)), "the parent of 1 span is not in the trace"),
        (wrapped({**chat(2, [USER], [FINAL], parent=None), "endTimeUnixNano": "0"}), "1 span was still open"),
        (wrapped({**chat(2, [USER], [FINAL], parent=None), "droppedAttributesCount": 2}), "2 attributes or events were dropped"),
    ],
)  # fmt: skip
def test_what_a_trace_lacks_is_a_reason_to_refuse(value, reason):
    """Content that was not captured, images, streams without text, tools without their halves."""
    assert any(reason in one for one in curated(value).lost), curated(value).lost


CASE = {"id": "new", "input": "q", "scorers": [{"equals": "a"}]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cases:\n  - id: a # first\n    input: x\n", "cases:\n  - id: a # first\n    input: x\n  - id: new\n    input: q\n    scorers:\n      - {equals: a}\n"),
        ("cases:\n- {id: a, input: x}", "cases:\n- {id: a, input: x}\n- id: new\n  input: q\n  scorers:\n    - {equals: a}\n"),
        ("cases:\n  - id: a\n\n# the bars\ngates: [pass@1 >= 1]\n", "cases:\n  - id: a\n  - id: new\n    input: q\n    scorers:\n      - {equals: a}\n\n# the bars\ngates: [pass@1 >= 1]\n"),
    ],
)  # fmt: skip
def test_a_file_keeps_its_words(tmp_path, before, after):
    """A case is put behind the last one; comments, order and what follows stay as they were."""
    path = tmp_path / "d.evals.yaml"
    assert after == added(path, before, CASE)


@pytest.mark.parametrize(
    "before", ["cases: more.csv\n", "cases: [{id: a}]\n", "cases: []\n", "name: x\n", "- 1\n"]
)
def test_a_file_of_another_form_is_left_alone(tmp_path, before):
    """With what to do instead."""
    with pytest.raises(SettingsError, match="leave -o out"):
        added(tmp_path / "d.yaml", before, CASE)


def test_rows_are_put_behind_rows(tmp_path):
    """A JSONL file gets one more line, whether or not it ended with a line's end."""
    for before in ('{"id": "a"}', '{"id": "a"}\n'):
        assert ['{"id": "a"}', json_line(CASE)] == added(
            tmp_path / "d.jsonl", before, CASE
        ).splitlines()
    with pytest.raises(SettingsError, match=r"found d\.csv"):
        added(tmp_path / "d.csv", "", CASE)


APP = """
def answer(q):
    calls = [{"name": "find", "arguments": {"q": q}, "result": "30 days"}]
    return {"text": "You have 30 days.", "tool_calls": calls}
"""


def test_from_a_run_to_a_case_that_passes(folder):
    """Stored trials, printed and added; then pytest plays them, and a broken rule is refused."""
    folder.write("app.py", APP)
    folder.dataset(
        models=[{"id": "app", "provider": "python", "target": "app:answer"}],
        cases=[{"id": "refund", "input": "How long?", "scorers": [{"contains": "30"}]}],
    )
    assert "1 passed" in folder.evals()
    folder.write(
        "more.evals.yaml",
        "# ours\nname: more\nmodels: [{id: r, provider: script}]\ncases:\n  - id: old\n    input: x\n    scorers: [{equals: y}]\n    script: [{kind: chat_response, content: y}]\n",
    )
    made = folder.cli(
        "curate",
        "latest",
        "refund",
        "--tools",
        "--assert",
        "contains: 30 days",
        "-o",
        "more.evals.yaml",
    )
    assert "more.evals.yaml: 1 case added\n\nstatus 0" in made
    again = folder.cli("curate", "latest", "refund", "--tools", "-o", "more.evals.yaml")
    assert "duplicate id 'refund-app-0', first in more.evals.yaml:9; ids must be unique" in again
    assert again.endswith("status 1")
    wrong = folder.cli(
        "curate",
        "latest",
        "refund",
        "--assert",
        "contains: 31",
        "--id",
        "b",
        "-o",
        "more.evals.yaml",
    )
    assert "the recorded answer fails its own case: contains: " in wrong
    none = folder.cli("curate", "latest", "refund", "--id", "b", "-o", "more.evals.yaml")
    assert "has no assertions" in none
    assert "--assert 'contains: …'" in none
    assert (folder.path / "more.evals.yaml").read_text().startswith("# ours\nname: more\n")
    assert [] == list(folder.path.glob(".curated-*"))
    assert "2 passed" in folder.evals("more.evals.yaml")


def test_from_a_file_of_traces_to_a_dataset(folder):
    """Good traces are kept and lossy ones refused, each told; one is chosen by its beginning."""
    lossy = chat(2, parent=None, trace="c" * 32)
    spans = GOOD["resourceSpans"][0]["scopeSpans"][0]["spans"]
    folder.write("t.json", json.dumps(wrapped(*spans, lossy)))
    told = folder.cli("curate", "--otlp", "t.json", "--tools", "-o", "new.evals.yaml")
    assert f"refused: trace {'c' * 32}\n  - span 'chat' was recorded without its messages" in told
    assert told.startswith("new.evals.yaml: 1 case added\n")
    assert told.endswith("status 1")
    one = folder.cli(
        "curate", "--otlp", "t.json", "--trace", "aaaa", "--tools", "--json", "--with-trace"
    )
    assert one.endswith("status 0")
    assert 4 == len(json.loads(one.splitlines()[0])["script"][-1]["trace"])
    missing = folder.cli("curate", "--otlp", "t.json", "--trace", "ff")
    assert "t.json: no trace begins with 'ff'; it has 2: " in missing
    assert "1 passed" in folder.evals("new.evals.yaml")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "a RUN and a TRIAL, or --otlp FILE"),
        (["latest"], "a RUN and a TRIAL, or --otlp FILE"),
        (["latest", "x", "--otlp", "t"], "not of both"),
        (["latest", "x", "--trace", "t"], "--trace belongs to --otlp"),
        (["--otlp", "gone.json"], "gone.json: No such file or directory"),
    ],
)
def test_usage(folder, capsys, monkeypatch, args, message):
    """What cannot be meant is refused in one line."""
    from pytest_evals.cli import main

    monkeypatch.chdir(folder.path)
    assert 1 == main(["curate", *args])
    assert message in capsys.readouterr().err


def test_hostile_words_are_harmless_on_the_terminal(folder, capsys, monkeypatch):
    """Control characters of a model's answer are quoted in what is printed."""
    from pytest_evals.cli import main

    evil = "\x1b[31m30\u202e\x07 days"
    value = wrapped(
        chat(2, [text("user", "a\x1b]0;x\x07")], [text("assistant", evil)], parent=None)
    )
    (folder.path / "t.json").write_text(json.dumps(value))
    monkeypatch.chdir(folder.path)
    assert 0 == main(["curate", "--otlp", "t.json", "--assert", "contains: days"])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
