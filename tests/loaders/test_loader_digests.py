"""Digests stay what they are: baselines and stored answers are found by them.

A digest that has to change here makes every baseline in the world a stranger to its dataset.
"""

import json

import pytest

ROWS = [
    {"id": "plain", "input": "How long do I have?", "scorers": [{"contains": "30 days"}]},
    {
        "id": "chat",
        "input": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "Hé?"}]},
        ],
        "expected": {"a": [1, 1.5, None, True]},
        "tags": ["refunds", "en"],
        "metadata": {"n": 1},
        "scorers": ["is_json", {"type": "equals", "value": 2, "weight": 2}],
        "samples": {"min": 1, "max": 3},
        "tools": [{"name": "search", "parameters": {"type": "object"}}],
    },
    {
        "id": "turns",
        "turns": ["Hello", "And now?"],
        "variables": {"policy": "30 days"},
        "script": [
            {"kind": "tool_call", "name": "search", "arguments": {"q": "x"}, "result": None},
            {"kind": "chat_response", "content": "30 days", "tokens": {"prompt_tokens": 3}},
        ],
        "expect": {"final_answer_contains": ["30"]},
        "samples": 2,
    },
    {"input": {"question": 7}, "tags": "numbers", "scorers": [{"contains": "30 days"}]},
]
HEAD = {
    "name": "golden",
    "samples": 2,
    "models": [{"id": "m", "provider": "openai", "model": "x", "params": {"seed": 1}}],
    "prompt": "Answer: {{ input }}",
    "defaults": {"tags": ["all"], "metadata": {"team": "a"}},
    "scorers": [{"max_latency_s": 5}, {"contains": "30 days"}],
    "gates": ["pass@1 >= 0.9 per case"],
}
CASES = {
    "plain": "4c29b0aa0aa47ddf",
    "chat": "370c3ccd5fe963d0",
    "turns": "941faeb0a2200cb0",
    "question-7-7fb646": "7fb64637855391a9",
}
PROMPT = "67609227892b4320"
DATASET = "98354b4fb2db429bc9cf8442632224c90a573422266ac4c2b895ff54eecfe859"


@pytest.mark.parametrize("suffix", ["yaml", "json", "jsonl"])
def test_digests_are_those_of_stored_baselines(folder, suffix):
    """The same dataset in three formats has the digests that it has always had."""
    if suffix == "jsonl":
        text = "\n".join(map(json.dumps, [{"$dataset": HEAD}, *ROWS]))
    else:
        text = json.dumps({**HEAD, "cases": ROWS})
    dataset = folder.load(f"golden.{suffix}", text)
    assert {case.id: case.digest for case in dataset.cases} == CASES
    assert dataset.prompt.digest == PROMPT
    assert dataset.digest == DATASET
