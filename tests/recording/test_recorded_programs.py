"""``record_http`` of programs, ``record_env``: calls that a server on this machine records."""

import json
import os
import sys

import pytest

from tests.recording.conftest import CANARY

PROGRAM = """
import json, os, sys, urllib.request
asked = json.load(sys.stdin)
if {sdk}:
    import openai
    out = []
    for stream in (False, True):
        reply = openai.OpenAI().chat.completions.create(
            model="gpt-x", stream=stream, messages=[{{"role": "user", "content": asked["input"]}}]
        )
        if stream:
            out += [c.choices[0].delta.content or "" for c in reply if c.choices]
        else:
            out.append(reply.choices[0].message.content)
    print("/".join(out))
else:
    for name, path in (("OPENAI_BASE_URL", "/chat/completions"), ("OTHER", "/v1/messages")):
        body = {{"model": "m", "messages": [{{"role": "user", "content": asked["input"]}}]}}
        headers = {{"content-type": "application/json", "authorization": "Bearer {key}"}}
        request = urllib.request.Request(os.environ[name] + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as reply:
            print(json.loads(reply.read())["model"], end="/")
"""
REPLAY = "--evals-responses=replay"


@pytest.fixture
def program(write, api, monkeypatch):
    """Write a program that calls model APIs, and a dataset that runs it."""

    def program(*, sdk: bool, samples: int = 1, count: int = 1) -> str:
        write("tool.py", PROGRAM.format(sdk=sdk, key=CANARY))
        monkeypatch.setenv("OPENAI_BASE_URL", f"{api.url}/v1")
        cases = [{"id": f"c{i}", "input": f"<{i}>"} for i in range(count)]
        model = {
            "id": "tool",
            "provider": "command",
            "command": [sys.executable, "tool.py"],
            "record_http": True,
            "record_env": {"OTHER": api.url},
        }
        text = {"name": "tool", "samples": samples, "models": [model], "cases": cases}
        return write("tool.evals.json", json.dumps({**text, "scorers": [{"regex": "."}]}))

    return program


def test_a_program_with_an_sdk_is_recorded(program, trials, api, monkeypatch):
    """Each run of it has an address of its own, so samples have their own answers.

    A proxy that the environment names is not asked for this machine.
    """
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    data = program(sdk=True, samples=2)
    first = [t["answer"] for t in trials(data, passed=2)]
    assert 2 == len(set(first))
    assert 4 == len(api.asked)
    assert first == [t["answer"] for t in trials(data, passed=2)]
    assert first == [t["answer"] for t in trials(data, REPLAY, passed=2)]
    assert 4 == len(api.asked)
    assert {f"Bearer {CANARY}"} == {headers["authorization"] for _, headers, _ in api.asked}


def test_programs_at_once_without_an_sdk(program, trials, api, pytester):
    """Whatever makes its requests: variables lead it here, further ones as the model says."""
    data = program(sdk=False, count=8)
    first = trials(data, "--evals-cassette=c.jsonl", passed=8)
    assert {"m/m/"} == {t["answer"] for t in first}
    assert 16 == len(api.asked)
    assert {"/v1/chat/completions", "/v1/messages"} == {path for path, _, _ in api.asked}
    trials(data, REPLAY, "--evals-cassette=c.jsonl", passed=8)
    assert 16 == len(api.asked)
    stored = [
        path for path in pytester.path.rglob("*") if path.is_file() and path.name != "tool.py"
    ]
    assert [] == [path.name for path in stored if CANARY.encode() in path.read_bytes()]


def test_a_replay_of_a_program_calls_nobody(program, trials, api):
    """Stale, with the part that changed; the program's own failure does not hide it."""
    trials(program(sdk=False), passed=1)
    data = program(sdk=False, count=2)
    errors = [t["error"] for t in trials(data, REPLAY, passed=1, errors=1) if t["error"]]
    assert [("stale", True)] == [
        (e["type"], "no answer of 'tool' is stored" in e["message"]) for e in errors
    ]
    assert 2 == len(api.asked)


SERIAL = """
    import asyncio, os, requests
    base = os.environ["OTHER_URL"]                # read when it is imported
    def call(text):
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        reply = requests.post(base + "/chat/completions", json=body)
        reply.raise_for_status()
        assert requests.get(base + "/models").json()["data"] == []
        return reply.json()["choices"][0]["message"]["content"]
    async def answer(text):
        return await asyncio.to_thread(call, text)
"""


def test_other_http_clients_are_led_by_the_environment(dataset, trials, api):
    """`requests` in this process: one trial at a time, each with its own answers."""
    os.environ.pop("OTHER_URL", None)
    cases = "[{id: a, input: one}, {id: b, input: two}]"
    model = f"record_env: {{OTHER_URL: '{api.url}/v1'}}"
    data = dataset(SERIAL, model=model, cases=cases, samples=2)
    first = [t["answer"] for t in trials(data, passed=4)]
    assert 4 == len(set(first)) == sum(path.endswith("completions") for path, _, _ in api.asked)
    assert first == [t["answer"] for t in trials(data, REPLAY, passed=4)]
    assert 4 == sum(path.endswith("completions") for path, _, _ in api.asked)
    assert "OTHER_URL" not in os.environ


def test_a_server_that_is_gone_is_the_codes_own_error(dataset, evals, api):
    """The code sees a bad gateway; nothing is stored."""
    data = dataset(SERIAL, model="record_env: {OTHER_URL: 'http://127.0.0.1:9/v1'}")
    result = evals(data)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*raised HTTPError: 502*"])


FIXTURE = """
    import os, openai, pytest
    client = openai.OpenAI(base_url=os.environ["API_URL"] + "/v1")

    @pytest.fixture
    def evals_target():
        def answer(text):
            asked = [{"role": "user", "content": text}]
            reply = client.chat.completions.create(model="gpt-x", messages=asked)
            return reply.choices[0].message.content
        return answer

    @pytest.mark.evals("app.evals.yaml", samples=3)
    def test_it(response):
        assert "You said| one" in response.text
"""


def test_a_target_of_a_test_is_recorded(dataset, write, evals, api, pytester):
    """The code of a fixture `evals_target`, in the thread of the tests, by the same option."""
    dataset("def answer(text): raise AssertionError")
    write("test_app.py", FIXTURE)
    evals("--evals-cassette=c.jsonl", "test_app.py").assert_outcomes(passed=3)
    evals("--evals-cassette=c.jsonl", REPLAY, "test_app.py").assert_outcomes(passed=3)
    assert 3 == len(api.asked) == len((pytester.path / "c.jsonl").read_text().splitlines())
