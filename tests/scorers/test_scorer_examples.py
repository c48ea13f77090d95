"""The example of every scorer, run on a right and on a wrong answer."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_evals.exchange import Response, Usage
from pytest_evals.ground.canonical import field_docs
from pytest_evals.scorers.catalogue import SCORERS
from pytest_evals.span import Span

SENTENCE = "You have 30 days to return it, in the original box."
ORDER = '{"order": {"status": "shipped"}}'
FILES = {
    "my_scorers.py": (
        "from pydantic import BaseModel\n\n"
        "class Order(BaseModel):\n    id: int\n\n"
        "def polite(answer):\n    return 'please' in answer\n"
    ),
    "check_answer.py": (
        "import json, sys\nprint(json.dumps('please' in json.load(sys.stdin)['answer']))\n"
    ),
}
WEATHER = {
    "name": "get_weather",
    "parameters": {"properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PARIS, ROME = ("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})
BROKEN = ("book", {}, {"error": "sold out"})
BOOKED = ("book", {}, {"result": {"id": 7}, "captured": True})
AGENT = Span(id="a", name="invoke_agent bot", kind="agent_turn", end_s=4)
LOOKUP = Span(id="b", parent="a", name="lookup", kind="retrieval", end_s=1)
CHAT = Span(id="c", parent="a", name="chat small", kind="llm_call", start_s=1, end_s=2)
TOOL = Span(id="d", parent="a", name="execute_tool book", kind="tool_call", start_s=2, end_s=3)
SLOW = LOOKUP.model_copy(update={"end_s": 3.5})
FAILED = TOOL.model_copy(update={"error": "sold out"})


def traced(*spans):
    """Make an answer with a trace."""
    return {"response": Response(text="Booked.", trace=spans)}


RIGHT_AND_WRONG = {
    "all_of": (SENTENCE, "30 days, or never"),
    "any_of": (SENTENCE, "a month"),
    "at_least": ("A box with the receipt.", "A box."),
    "bfcl_calls": ({"calls": [PARIS]}, {"calls": [ROME]}),
    "bleu": (SENTENCE, "Nothing can be done."),
    "meteor": (SENTENCE, "Nothing can be done."),
    "char_count": ("short", "x" * 281),
    "chrf": (SENTENCE, "Nope."),
    "command": ("Yes, please.", "No."),
    "contains": (SENTENCE, "In 31 days."),
    "contains_all": (SENTENCE, "30 days"),
    "contains_any": (SENTENCE, "a month"),
    "contains_json": (f"It is:\n```json\n{ORDER}\n```", '{"order": {"status": "lost"}}'),
    "contains_pii": ("Ask jo@example.com.", "Ask Jo."),
    "ends_with": ("Bye. Kind regards", "Kind regards, Jo"),
    "equals": ("Paris", "Rome"),
    "equals_any": ("City of Paris", "Rome"),
    "exact_match": ("the Eiffel tower!", "the Louvre"),
    "expect": (SENTENCE, {"answer": SENTENCE, "calls": ["delete_account"]}),
    "expected_error": (
        {"error": "content_filtered", "error_message": "against our policy"},
        {"error": "timeout"},
    ),
    "finish_reason": ({"finish_reason": "stop"}, {"finish_reason": "length"}),
    "forbidden_tools": ({"calls": [PARIS]}, {"calls": ["admin_reset"]}),
    "icontains": ("Thirty days.", "30 days."),
    "icontains_all": ("A refund, in the ORIGINAL BOX.", "A refund."),
    "icontains_any": ("A month.", "A week."),
    "is_html": ("<table><tr><td>1</td></tr></table>", "<p>1</p>"),
    "is_json": (ORDER, SENTENCE),
    "is_python": ("def f():\n    return 1\n", "def f(:"),
    "is_refusal": ("I'm sorry, but I can't help with that.", SENTENCE),
    "is_sql": ("SELECT 1", "DROP TABLE users"),
    "is_xml": ("<order id='7'/>", "<cart/>"),
    "is_yaml": ("```yaml\na: 1\n```", "just prose"),
    "json_equals": ('{"days": 30, "city": "Paris"}', '{"city": "Paris"}'),
    "json_schema": ('{"city": "Paris"}', '{"town": "Paris"}'),
    "label": ("Refund.", "It is a complaint."),
    "language": ("Sie haben dreißig Tage Zeit.", "You have thirty days to return it."),
    "levenshtein": ("30 day", "thirty days"),
    "matches_model": ('{"id": 7}', '{"id": "seven"}'),
    "max_span_duration_s": (traced(AGENT, LOOKUP, CHAT), traced(AGENT, SLOW)),
    "no_error_spans": (traced(AGENT, TOOL), traced(AGENT, FAILED)),
    "span": (traced(AGENT, CHAT), traced(CHAT, TOOL)),
    "span_order": (traced(AGENT, LOOKUP, CHAT, TOOL), traced(AGENT, CHAT, TOOL)),
    "valid_trace": (traced(AGENT, LOOKUP), traced(AGENT, LOOKUP, CHAT, CHAT)),
    "math_equal": ("The answer is 0.5.", "The answer is 2."),
    "max_cost_usd": ({"cost_usd": 0.01}, {"cost_usd": 0.02}),
    "max_latency_s": ({"latency_s": 4.9}, {"latency_s": 5.1}),
    "max_tokens": (
        {"usage": Usage(input_tokens=1500, output_tokens=500)},
        {"usage": Usage(input_tokens=1500, output_tokens=501)},
    ),
    "max_tool_calls": ({"calls": [PARIS] * 5}, {"calls": [PARIS] * 6}),
    "max_turns": ({}, {"messages": [{"role": "assistant"}] * 5}),
    "multiple_choice": ("The answer is (B).", "The answer is (C)."),
    "must_cite": ("30 days [policy.md].", "30 days."),
    "no_loops": ({"calls": [PARIS, PARIS]}, {"calls": [PARIS] * 3}),
    "no_pii": (SENTENCE, "Ask jo@example.com."),
    "no_tool_error": ({"calls": [BOOKED]}, {"calls": [BROKEN]}),
    "not": (SENTENCE, "I don't know."),
    "numeric": ("It is 3.1415.", "It is 3.2."),
    "python": ("Yes, please.", "No."),
    "regex": (SENTENCE, "130 days"),
    "required_tool_calls": ({"calls": [("search", {"q": "refund"})]}, {"calls": ["search"]}),
    "rouge_1": ("You have 30 days.", "Nope."),
    "rouge_2": ("You have 30 days.", "30 have days you"),
    "rouge_l": ("You have 30 days.", "Nope."),
    "set_match": ("blue, red and green", "red and green"),
    "similarity": ("You have 30 day", "Nothing"),
    "starts_with": ("Dear Jo,", "Hi Jo,"),
    "token_f1": ("you have 30 days", "a month"),
    "tool_args": ({"calls": [PARIS]}, {"calls": [ROME]}),
    "tool_call_f1": ({"calls": [PARIS]}, {"calls": [ROME]}),
    "tool_called": ({"calls": [PARIS]}, {"calls": []}),
    "tool_sequence": ({"calls": ["search", "pick", "book"]}, {"calls": ["book", "search"]}),
    "valid_tool_call": (
        {"calls": [PARIS], "tools": (WEATHER,)},
        {"calls": ["get_wether"], "tools": (WEATHER,)},
    ),
    "word_count": ("one two three", "one two"),
}
WITH_SERVICE = {
    "embedding_similarity": ("test_embedding_scorer.py", "EmbeddingSimilarity"),
    "webhook": ("test_own_scorers.py", "webhook"),
}
"""Scorers whose example needs a service: the file of their tests, and how it names them."""


def test_every_scorer_has_an_example_that_is_run():
    """None is left out, and none is listed that is gone."""
    ours = {name for name, home in SCORERS.items() if ".judge" not in home}
    assert ours == RIGHT_AND_WRONG.keys() | WITH_SERVICE.keys()
    for file, name in WITH_SERVICE.values():
        assert name in Path(__file__).with_name(file).read_text("utf-8")


@pytest.mark.parametrize("name", sorted(RIGHT_AND_WRONG))
def test_the_example_passes_a_right_answer_and_fails_a_wrong_one(
    bench, tmp_path, monkeypatch, name
):
    """As its documentation shows it."""
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    example = yaml.safe_load(bench.find(name).example)
    verdicts = []
    for told in RIGHT_AND_WRONG[name]:
        given = dict(told) if isinstance(told, dict) else {"answer": told}
        answer = given.pop("answer", "")
        assert bench.problems(example, **given) == []
        verdicts.append(bench.passes(example, answer, **given))
    assert verdicts == [True, False]


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_every_scorer_and_every_option_is_documented(bench, name):
    """A summary of one line and a sentence for each option."""
    cls = bench.find(name)
    summary = (cls.__doc__ or "").partition("\n")[0]
    assert summary.endswith((".", ":")), summary
    assert [field for field in cls.model_fields if not field_docs(cls).get(field)] == []
    assert cls.example
    assert cls.version


def test_scorers_are_imported_when_they_are_first_used():
    """Knowing all of them imports none, and a text scorer brings no library of another."""
    code = (
        "import sys\n"
        "from pytest_evals.case import ScorerSpec\n"
        "from pytest_evals.scorers.binding import bind\n"
        "from pytest_evals.scorers.catalogue import SCORERS\n"
        "from pytest_evals.scorers.text import Contains\n"
        "bind(ScorerSpec(type='contains', argument='a'), lambda n: Contains, lambda: SCORERS)\n"
        "heavy = {'regex', 'jsonschema', 'jmespath', 'yaml', 'jinja2', 'sacrebleu', 'rapidfuzz',\n"
        "         'rouge_score', 'sqlglot', 'py3langid', 'numpy', 'httpx', 'asyncio', 'xml.parsers'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_twenty_scorers_cost_less_than_a_millisecond(load_script):
    """On an answer of 2 KB, at the best of many rounds: other work on the machine is not theirs."""
    script = load_script("benchmarks", "scorers.py")
    scorers = [script.bound(written) for written in script.WRITTEN]
    assert len(scorers) == 20
    assert 1_800 < len(script.ANSWER) < 2_100
    assert script.measure(scorers, rounds=60)[0] < 1.0
