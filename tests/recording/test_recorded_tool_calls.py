"""Tool scorers on user code: what its recording shows, and an error where nothing shows it."""

import json

import pytest

pytest.importorskip("httpx")

APP = """
import json, os, httpx

def chat(text):
    messages = [{"role": "user", "content": text}]
    tools = [{"type": "function", "function": {"name": "find"}}]
    while True:
        body = {"model": "m", "messages": messages, "tools": tools}
        reply = httpx.post(os.environ["API_URL"] + "/v1/chat/completions", json=body).json()
        message = reply["choices"][0]["message"]
        if not message.get("tool_calls"):
            return message["content"]
        call = message["tool_calls"][0]
        messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": "it"}]
"""
SCORERS = [
    {"forbidden_tools": ["find"]},
    {"tool_called": {"name": "find", "min": 0, "max": 0}},
    {"max_tool_calls": 0},
]


@pytest.mark.parametrize(("recorded", "outcome"), [(True, "failed"), (False, "errors")])
def test_a_forbidden_call_in_a_loop_of_user_code(recorded, outcome, api, evals, pytester):
    """It fails where the recording shows it, and is an error elsewhere: it never passes."""
    pytester.makepyfile(app=APP)
    model = {"id": "app", "provider": "python", "target": "app:chat", "record_http": recorded}
    case = {"id": "c", "input": "hi", "scorers": SCORERS}
    pytester.makefile(".evals.json", t=json.dumps({"models": [model], "cases": [case]}))
    for _ in range(2):  # asked, then replayed
        result = pytester.runpytest("--evals", "t.evals.json")
        result.assert_outcomes(**{outcome: 1})
        if recorded:
            result.stdout.fnmatch_lines(["*forbidden tools were called: find(*order*7)*"])
        else:
            result.stdout.fnmatch_lines(["*tool calls of the response are unknown*"])
