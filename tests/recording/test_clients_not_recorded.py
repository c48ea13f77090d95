"""``record_http`` with clients other than httpx: told while recording, an error in a replay."""

from importlib.util import find_spec

import pytest

HEAD = """
import asyncio, json, os
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
URL = os.environ["API_URL"] + "/v1/chat/completions"

def text_of(reply):
    return reply["choices"][0]["message"]["content"]
"""

CLIENTS = {
    "urllib": """
def answer(q):
    import urllib.request
    request = urllib.request.Request(URL, json.dumps(BODY).encode(), method="POST")
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request) as reply:
        return text_of(json.load(reply))
""",
    "requests": """
import requests
def answer(q):
    return text_of(requests.post(URL, json=BODY).json())
""",
    "aiohttp": """
async def answer(q):
    import aiohttp
    async with aiohttp.ClientSession() as session, session.post(URL, json=BODY) as reply:
        return text_of(await reply.json())
""",
    "aiohttp in a thread of the code": """
import aiohttp
async def ask():
    async with aiohttp.ClientSession() as session, session.post(URL, json=BODY) as reply:
        return text_of(await reply.json())
def answer(q):
    return asyncio.run(ask())
""",
    "an error that the code swallows": """
import requests
def answer(q):
    try:
        return text_of(requests.post(URL, json=BODY).json())
    except Exception:
        return "sorry"
""",
}


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_client_that_is_not_recorded(api, dataset, evals, client):
    """A note says so; a replay makes no call and fails, whatever the code does about it."""
    pytest.importorskip("requests")
    pytest.importorskip("aiohttp")
    name = dataset(HEAD + client)
    result = evals(name)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*POST */v1/chat/completions by * is not recorded*record_env*"])
    calls = len(api.asked)
    assert calls == 1
    result = evals("--evals-responses=replay", name)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*STALE: POST */v1/chat/completions by * is not recorded*"])
    assert len(api.asked) == calls


def test_other_requests_of_these_clients_are_sent(api, dataset, evals):
    """A database or a search engine is the code's own matter, also in a replay."""
    source = (
        HEAD
        + """
import requests
def answer(q):
    return str(requests.get(os.environ["API_URL"] + "/search?q=1").status_code)
"""
    )
    name = dataset(source)
    evals(name).assert_outcomes(passed=1)
    evals("--evals-responses=replay", name).assert_outcomes(passed=1)


def test_litellm_is_recorded_through_its_own_transport_over_aiohttp(
    api, dataset, pytester, monkeypatch
):
    """`acompletion` sends by aiohttp unless it is told otherwise."""
    if find_spec("litellm") is None:
        pytest.skip("needs litellm")
    # When it is imported it asks the network for prices, unless it is told not to.
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")

    def evals(*words):
        return pytester.runpytest_subprocess("--evals", "-p", "no:cacheprovider", *words)

    source = (
        HEAD
        + """
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
litellm.suppress_debug_info = True
async def answer(q):
    reply = await litellm.acompletion(
        model="openai/m", messages=BODY["messages"], api_base=os.environ["API_URL"] + "/v1"
    )
    return reply.choices[0].message.content
"""
    )
    name = dataset(source)
    result = evals("-W", "ignore", name)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*is not recorded*")
    calls = len(api.asked)
    evals("-W", "ignore", "--evals-responses=replay", name).assert_outcomes(passed=1)
    assert len(api.asked) == calls == 1
