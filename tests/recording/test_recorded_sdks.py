"""``record_http``: the SDKs of OpenAI and Anthropic, recorded and replayed as they are."""

import re
from pathlib import Path

import pytest

APP = """
import os, openai
client = openai.OpenAI(base_url=os.environ["API_URL"] + "/v1")
def aclient(): return openai.AsyncOpenAI(base_url=os.environ["API_URL"] + "/v1")
import anthropic, httpx
claude = anthropic.Anthropic(base_url=os.environ["API_URL"])
def aclaude(): return anthropic.AsyncAnthropic(base_url=os.environ["API_URL"])

def ask(name, text):
    messages = [{"role": "user", "content": f"{name} {text}"}]
    return dict(model="m", max_tokens=9, messages=messages)

def openai_sync(text):
    reply = client.chat.completions.create(**ask("openai", text))
    return reply.choices[0].message.content

async def openai_async(text):
    async with aclient() as other:
        reply = await other.chat.completions.create(**ask("openai async", text))
        return reply.choices[0].message.content

def openai_stream(text):
    chunks = client.chat.completions.create(stream=True, **ask("openai stream", text))
    return "/".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

async def openai_async_stream(text):
    asked = ask("openai async stream", text)
    async with aclient() as other:
        chunks = await other.chat.completions.create(stream=True, **asked)
        return "/".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])

def openai_tools(text):
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    asked = ask("openai tools", text) | {"tools": [tool]}
    message = client.chat.completions.create(**asked).choices[0].message
    call = message.tool_calls[0]
    told = {"role": "tool", "tool_call_id": call.id, "content": "order " + call.function.arguments}
    asked["messages"] = [*asked["messages"], message.model_dump(exclude_none=True), told]
    return client.chat.completions.create(**asked).choices[0].message.content

def openai_raw(text):
    raw = client.chat.completions.with_raw_response.create(**ask("raw", text))
    return raw.parse().choices[0].message.content

def openai_embeddings(text):
    return str(client.embeddings.create(model="e", input=text).data[0].embedding)

def anthropic_sync(text):
    return claude.messages.create(**ask("anthropic", text)).content[0].text

async def anthropic_async(text):
    async with aclaude() as other:
        reply = await other.messages.create(**ask("anthropic async", text))
        return reply.content[0].text

def anthropic_stream(text):
    with claude.messages.stream(**ask("anthropic stream", text)) as stream:
        return "/".join(stream.text_stream)

async def anthropic_async_stream(text):
    asked = ask("anthropic async stream", text)
    async with aclaude() as other, other.messages.stream(**asked) as stream:
        return "/".join([text async for text in stream.text_stream])

async def openai_aiohttp(text):
    async with openai.DefaultAioHttpClient() as http:
        other = openai.AsyncOpenAI(base_url=os.environ["API_URL"] + "/v1", http_client=http)
        reply = await other.chat.completions.create(**ask("openai aiohttp", text))
        return reply.choices[0].message.content

async def anthropic_aiohttp(text):
    async with anthropic.DefaultAioHttpClient() as http:
        other = anthropic.AsyncAnthropic(base_url=os.environ["API_URL"], http_client=http)
        async with other.messages.stream(**ask("anthropic aiohttp", text)) as stream:
            return "/".join([text async for text in stream.text_stream])

def openai_responses(text):
    with client.responses.stream(model="m", input=[{"role": "user", "content": text}]) as events:
        return "/".join(e.delta for e in events if e.type == "response.output_text.delta")

def plain_httpx(text):
    url = os.environ["API_URL"] + "/v1/chat/completions"
    reply = httpx.post(url, json=ask("httpx", text))
    return reply.json()["choices"][0]["message"]["content"]
"""

NAMES = re.findall(r"^(?:async )?def (\w+)\(text", APP, re.MULTILINE)


@pytest.mark.parametrize("gzip", [True, False])
def test_applications_run_again_without_a_call(gzip, dataset, write, trials, api):
    """Two runs and a replay, whatever the SDK: one call each, the same answers to the last byte."""
    api.gzip = gzip
    models = [
        f'{{id: {name}, provider: python, target: "app.py:{name}", record_http: true}}'
        for name in NAMES
    ]
    data = dataset(APP)
    text = Path(data).read_text().splitlines()
    write(data, "\n".join([text[0], f"models: [{', '.join(models)}]", *text[2:]]))
    first = {t["model"]: t["answer"] for t in trials(data, passed=len(NAMES))}
    assert len(NAMES) + 1 == len(api.asked)  # one calls a tool and asks again
    second = {t["model"]: t["answer"] for t in trials(data)}
    third = {t["model"]: t["answer"] for t in trials(data, "--evals-responses=replay")}
    assert len(NAMES) + 1 == len(api.asked)
    assert [first, first] == [second, third]
    assert len(NAMES) == len(set(first.values()))
    # what came in pieces comes in the same pieces from the store
    assert 3 == len(third["openai_stream"].strip("/").split("/"))
