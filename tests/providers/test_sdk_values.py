"""What SDKs give a target, put through: usage, tool calls, and whole objects."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel

from pytest_evals.exchange import Usage
from pytest_evals.providers.parsing import response_of

USAGES = {
    "openai chat": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        Usage(input_tokens=100, output_tokens=20, cached_tokens=40, reasoning_tokens=5),
    ),
    "openai responses": (
        {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 0},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 5},
            "total_tokens": 120,
        },
        Usage(
            input_tokens=100,
            output_tokens=20,
            cached_tokens=40,
            cache_write_tokens=0,
            reasoning_tokens=5,
        ),
    ),
    "anthropic": (
        {
            "input_tokens": 60,
            "output_tokens": 20,
            "cache_read_input_tokens": 40,
            "cache_creation_input_tokens": 10,
        },
        Usage(input_tokens=110, output_tokens=20, cached_tokens=40, cache_write_tokens=10),
    ),
    "anthropic without a cache": (
        {
            "input_tokens": 60,
            "output_tokens": 20,
            "cache_read_input_tokens": None,
            "cache_creation_input_tokens": None,
            "service_tier": "standard",
        },
        Usage(input_tokens=60, output_tokens=20),
    ),
    "langchain": (
        {
            "input_tokens": 110,
            "output_tokens": 20,
            "total_tokens": 130,
            "input_token_details": {"cache_read": 40, "cache_creation": 10},
            "output_token_details": {"reasoning": 5},
        },
        Usage(
            input_tokens=110,
            output_tokens=20,
            cached_tokens=40,
            cache_write_tokens=10,
            reasoning_tokens=5,
        ),
    ),
    "google-genai": (
        {
            "prompt_token_count": 100,
            "candidates_token_count": 15,
            "thoughts_token_count": 5,
            "cached_content_token_count": 40,
            "total_token_count": 120,
        },
        Usage(input_tokens=100, output_tokens=20, cached_tokens=40, reasoning_tokens=5),
    ),
    "google's json": (
        {"promptTokenCount": 100, "candidatesTokenCount": 15, "thoughtsTokenCount": 5},
        Usage(input_tokens=100, output_tokens=20, reasoning_tokens=5),
    ),
    "pydantic-ai": (
        {
            "input_tokens": 100,
            "cache_write_tokens": 10,
            "cache_read_tokens": 40,
            "output_tokens": 20,
            "details": {"reasoning_tokens": 5},
            "requests": 2,
        },
        Usage(
            input_tokens=100,
            output_tokens=20,
            cached_tokens=40,
            cache_write_tokens=10,
            reasoning_tokens=5,
        ),
    ),
    "bedrock": (
        {"inputTokens": 60, "outputTokens": 20, "cacheReadInputTokens": 40},
        Usage(input_tokens=100, output_tokens=20, cached_tokens=40),
    ),
    "ours": (
        {"input_tokens": 41, "output_tokens": 2, "reasoning_tokens": 1},
        Usage(input_tokens=41, output_tokens=2, reasoning_tokens=1),
    ),
    "nothing": ({}, Usage()),
    "unknown counts": ({"input_tokens": None}, Usage()),
}


@pytest.mark.parametrize(("usage", "read"), USAGES.values(), ids=USAGES)
def test_usage_in_the_form_of_an_sdk(usage, read):
    """Cached, written and reasoning tokens have prices of their own."""
    assert response_of({"text": "x", "usage": usage}).usage == read


@pytest.mark.parametrize(("usage", "read"), USAGES.values(), ids=USAGES)
def test_usage_as_an_object_of_an_sdk(usage, read):
    """`r.usage` as it is, a model or a dataclass."""

    class Counts(BaseModel, extra="allow"):
        """What SDKs have."""

    assert response_of({"text": "x", "usage": Counts(**usage)}).usage == read


@pytest.mark.parametrize("usage", [{"tokens": 5}, {"promptTokens": 1, "n": 2}, "many", 5])
def test_usage_of_which_nothing_is_understood_is_an_error(usage):
    """Absent is not zero: no count of a key that no one knows is lost without a word."""
    with pytest.raises(ValueError, match="`usage`"):
        response_of({"text": "x", "usage": usage})


@dataclass
class Function:
    """OpenAI's."""

    name: str = "lookup"
    arguments: str = '{"q": "hi"}'


@dataclass
class Call:
    """OpenAI's."""

    id: str = "c"
    type: str = "function"
    function: Function = field(default_factory=Function)


CALLS = {
    "openai, an object": Call(),
    "openai responses": {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "c",
        "name": "lookup",
        "arguments": '{"q": "hi"}',
    },
    "anthropic": {"type": "tool_use", "id": "c", "name": "lookup", "input": {"q": "hi"}},
    "langchain": {"name": "lookup", "args": {"q": "hi"}, "id": "c", "type": "tool_call"},
    "pydantic-ai": {
        "tool_name": "lookup",
        "args": '{"q": "hi"}',
        "tool_call_id": "c",
        "part_kind": "tool-call",
    },
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_tool_calls_in_the_form_of_an_sdk(call):
    """Name, id and arguments."""
    (read,) = response_of({"text": "x", "tool_calls": [call]}).tool_calls
    assert (read.name, read.id, read.arguments) == ("lookup", "c", {"q": "hi"})


def made(name: str, **attributes: Any) -> Any:
    """Make an object of a class with some attributes."""
    kind = type(name, (), {"__module__": "somesdk.types"})
    value = kind()
    vars(value).update(attributes)
    return value


OBJECTS = {
    "openai chat": made("ChatCompletion", choices=[], usage=None, created=1),
    "openai message": made("ChatCompletionMessage", role="assistant", content="x", refusal=None),
    "openai responses": made("Response", output=[], output_text="x"),
    "anthropic": made("Message", content=[], stop_reason="end_turn"),
    "google-genai": made("GenerateContentResponse", candidates=[], usage_metadata=None),
    "pydantic-ai": made("AgentRunResult", output="x", all_messages=list),
    "openai-agents": made("RunResult", final_output="x", new_items=[]),
    "langchain message": made("AIMessage", content="x", response_metadata={}),
    "adk event": made("Event", content=None, author="shop", invocation_id="i"),
    "mcp": made("CallToolResult", content=[], isError=True),
    "dspy": made("Prediction", _store={}, _completions=None),
    "crewai": made("CrewOutput", raw="x", tasks_output=[]),
    "smolagents": made("RunResult", output="x", state="success", steps=[]),
    "haystack": made("ChatMessage", _content=[], _role="assistant"),
}


@pytest.mark.parametrize("value", OBJECTS.values(), ids=OBJECTS)
def test_an_object_of_an_sdk_is_an_error_that_says_what_to_return(value):
    """Its JSON is ids and dates; a judge would be given them as the answer."""
    for given in (value, [value], {"messages": ["earlier", value]}):
        with pytest.raises(ValueError, match=rf"somesdk's {type(value).__name__} .*return "):
            response_of(given)


def test_what_opens_a_stream_is_an_error():
    """It has to be read."""
    with pytest.raises(ValueError, match="is a stream; read it"):
        response_of(iter(["a", "b"]))


class Out(BaseModel):
    """The structured output of an agent."""

    answer_text: str
    content: str = ""
    output: int = 0


@pytest.mark.parametrize(
    "value",
    [Out(answer_text="x"), [Out(answer_text="x")], {"messages": ["a"], "n": 1}, [1, 2], {"a": 1}],
)
def test_a_value_of_the_users_own_is_data(value):
    """Models and dataclasses are structured output, whatever some of their fields are called."""
    assert response_of(value).data is not None
