"""Scorers of traces: span, span_order, no_error_spans, max_span_duration_s and valid_trace."""

import pytest

from pytest_evals.exchange import Exchange, Request, Response
from pytest_evals.span import Span
from pytest_evals.trace.convert import LEFT_OUT

AGENT = Span(id="1", name="invoke_agent bot", kind="agent_turn", end_s=5)
LOOKUP = Span(id="2", parent="1", name="lookup", kind="retrieval", end_s=1)
CHAT = Span(
    id="3",
    parent="1",
    name="chat small",
    kind="llm_call",
    start_s=1,
    end_s=2.5,
    attributes={"gen_ai.request.model": "small", "n": [1, 2], "m": {"a": 1, "b": 2}},
)
TOOL = Span(
    id="4",
    parent="3",
    name="running tool",
    kind="tool_call",
    start_s=3,
    end_s=4,
    error="sold out",
    attributes={"gen_ai.tool.name": "book"},
)
OPEN = Span(id="5", parent="4", name="background", start_s=3.5)
WHOLE = (AGENT, LOOKUP, CHAT, TOOL, OPEN)


def traced(*spans, notes=()):
    """Make an answer with a trace."""
    return {"response": Response(text="x", trace=spans, trace_notes=notes)}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("chat small", 1),
        ("chat*", 1),
        ("chat", 0),
        ("book", 1),
        ("running tool", 1),
        ({"name_matches": "^(chat|lookup)"}, 2),
        ({"kind": "llm_call"}, 1),
        ({"attributes": {"gen_ai.request.model": "small", "m": {"a": 1}}}, 1),
        ({"attributes": {"n": [1]}}, 0),
        ({"attributes": {"gen_ai.request.model": "large"}}, 0),
        ({"has_attributes": ["n"]}, 1),
        ({"has_attributes": ["n", "gone"]}, 0),
        ({"failed": True}, 1),
        ({"failed": False}, 4),
        ({"min_duration_s": 1.5}, 2),
        ({"max_duration_s": 1}, 2),
        ({"min_duration_s": 1, "max_duration_s": 1.5}, 3),
        ({"has_child": "running tool"}, 1),
        ({"has_child": "background", "failed": True}, 1),
        ({"has_child": {"has_child": "background"}}, 1),
        ({"has_descendant": "background"}, 3),
        ({"has_ancestor": {"kind": "llm_call"}}, 2),
        ({"has_ancestor": "invoke_agent*", "kind": "llm_call"}, 1),
        ({"name": "chat*", "kind": "retrieval"}, 0),
    ],
)
def test_span_finds(bench, query, found):
    """By every part of a query, all of which must hold; the count is exact."""
    told = {"name": query} if isinstance(query, str) else query
    exact = {"span": {**told, "min": found, "max": found}}
    assert bench.passes(exact, **traced(*WHOLE)) is True
    assert bench.passes({"span": {**told, "min": found + 1}}, **traced(*WHOLE)) is False


def test_span_says_what_there_was(bench):
    """The query in words, and the spans, those in a row counted."""
    chats = [CHAT.model_copy(update={"id": str(i)}) for i in range(10, 13)]
    score = bench.score({"span": {"kind": "tool_call"}}, **traced(AGENT, *chats))
    assert (
        "no span matches kind 'tool_call'; the spans: invoke_agent bot [agent_turn], chat small [llm_call] x3"
        == score.reason
    )
    assert ">= 1" == score.bar


def test_max_zero_forbids(bench):
    """`max: 0` alone means none."""
    assert bench.passes({"span": {"name": "book", "max": 0}}, **traced(CHAT)) is True
    assert bench.passes({"span": {"name": "book", "max": 0}}, **traced(TOOL)) is False


def test_a_query_is_a_template(bench):
    """Its texts take the case's variables."""
    asked = {"span": {"attributes": {"gen_ai.request.model": "{{ want }}"}}}
    assert bench.passes(asked, variables={"want": "small"}, **traced(CHAT)) is True
    assert bench.passes(asked, variables={"want": "large"}, **traced(CHAT)) is False


@pytest.mark.parametrize(
    ("spans", "passed", "value"),
    [
        ((AGENT, LOOKUP, CHAT, TOOL), True, 1.0),
        ((TOOL, CHAT, LOOKUP), True, 1.0),
        ((LOOKUP, TOOL), False, 1 / 3),
        ((LOOKUP, CHAT), False, 2 / 3),
        ((AGENT,), False, 0.0),
    ],
)
def test_span_order(bench, spans, passed, value):
    """By when they began, whatever the order they are handed over in; the value is the share met."""
    asked = {"span_order": ["lookup", {"kind": "llm_call"}, "book"]}
    score = bench.score(asked, **traced(*spans))
    assert (passed, pytest.approx(value)) == (score.passed, score.value)


def test_one_span_does_not_count_twice_in_an_order(bench):
    """Each query needs a span of its own."""
    assert bench.passes({"span_order": ["chat*", "chat*"]}, **traced(CHAT)) is False


def test_no_error_spans(bench):
    """An error fails and is quoted; allowed names may fail."""
    score = bench.score("no_error_spans", **traced(*WHOLE))
    assert (False, "1 span has an error: 'running tool': 'sold out'") == (
        score.passed,
        score.reason,
    )
    assert bench.passes({"no_error_spans": ["running*"]}, **traced(*WHOLE)) is True


@pytest.mark.parametrize(
    ("written", "spans", "passed"),
    [
        ({"max_span_duration_s": 5}, (AGENT, CHAT), True),
        ({"max_span_duration_s": 4.9}, (AGENT, CHAT), False),
        ({"max_span_duration_s": {"max": 1, "span": "lookup"}}, (AGENT, LOOKUP), True),
        ({"max_span_duration_s": {"max": 1, "span": {"kind": "llm_call"}}}, (AGENT, CHAT), False),
        ({"max_span_duration_s": 10}, (AGENT, OPEN), False),
        ({"max_span_duration_s": {"max": 1, "span": "gone"}}, (AGENT, LOOKUP), False),
    ],
)
def test_max_span_duration(bench, written, spans, passed):
    """Every span that is meant; one that has not ended fails, and so does meaning none."""
    assert passed == bench.passes(written, **traced(*spans))


@pytest.mark.parametrize(
    ("written", "answer", "reason"),
    [
        ("valid_trace", traced(AGENT, CHAT), None),
        ("valid_trace", traced(CHAT), "the parent of 1 span is not in the trace: 'chat small'"),
        ("valid_trace", traced(AGENT, AGENT), "duplicate id: '1'"),
        ("valid_trace", traced(AGENT, OPEN.model_copy(update={"parent": "1"})), "1 spans had not"),
        ({"valid_trace": True}, traced(AGENT, OPEN.model_copy(update={"parent": "1"})), None),
        ("valid_trace", traced(AGENT, notes=["2 values were cut"]), "2 values were cut"),
    ],
)
def test_valid_trace(bench, written, answer, reason):
    """Missing parents, double ids, spans that run on and what was cut fail, each in its words."""
    score = bench.score(written, **answer)
    assert (reason is None) == score.passed
    assert reason is None or reason in score.reason


@pytest.mark.parametrize(
    "written",
    [
        {"span": "x"},
        {"span_order": ["a", "b"]},
        "no_error_spans",
        {"max_span_duration_s": 1},
        "valid_trace",
    ],
)
def test_without_a_trace_nothing_is_scored(bench, written):
    """It is an error that says how to get a trace, never a verdict."""
    score = bench.score(written, **traced(notes=["the provider is odd"]))
    assert "error" == score.kind
    assert "the response has no trace (the provider is odd)" in score.message
    assert "pytest-evals-matrix[otel]" in score.message


@pytest.mark.parametrize(
    ("written", "passed"),
    [
        ({"span": "chat small"}, True),
        ({"span": {"name": "chat small", "max": 0}}, False),
        ({"span": {"name": "chat small", "max": 2}}, None),
        ({"span": "gone"}, None),
        ({"span_order": ["lookup", "chat small"]}, True),
        ({"span_order": ["chat small", "gone"]}, None),
        ({"max_span_duration_s": 1}, False),
        ({"max_span_duration_s": 100}, None),
        ("no_error_spans", None),
    ],
)
def test_of_a_trace_with_spans_left_out(bench, written, passed):
    """What was seen decides; what was not seen is not known, which is an error."""
    note = f"5 of 9 {LEFT_OUT}: 4 are kept"
    score = bench.score(written, **traced(LOOKUP, CHAT, notes=[note]))
    if passed is None:
        assert "error" == score.kind
        assert note in score.message
    else:
        assert passed == score.passed


def test_turns_are_looked_at_together(bench):
    """Spans of all turns count, and keep the order of the turns though each begins at 0 s."""
    answers = [Response(trace=(CHAT,)), Response(trace=(LOOKUP,))]
    turns = tuple(Exchange(request=Request(messages=()), response=one) for one in answers)
    bound = bench.bind({"span_order": ["chat small", "lookup"]})
    from dataclasses import replace

    ctx = replace(bench.context(response=answers[-1]), exchanges=turns)
    assert bound.scorer.score(ctx).passed is True
    back = replace(ctx, exchanges=turns[::-1])
    assert bound.scorer.score(back).passed is False


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"span": {"kid": "x"}}, "unknown option 'kid' of scorer `span`. Did you mean 'kind'?"),
        ({"span": {"kind": "tool"}}, "unknown span kind 'tool'. Did you mean 'tool_call'?"),
        ({"span": {"name_matches": "("}}, "the regular expression '(' is invalid"),
        ({"span": {}}, "empty span query; add a `name`, a `kind` or `attributes`"),
        ({"span": {"name": "x", "min": 3, "max": 1}}, "`min` 3 is greater than `max` 1"),
        ({"span": {"name": "x", "min_duration_s": 3, "max_duration_s": 1}}, "is greater than"),
        ({"span": {"name": "x", "has_child": {"nam": "y"}}}, "Did you mean 'name'?"),
        ({"span_order": ["a"]}, "at least 2 items"),
        (
            {"span_order": ["a", {"knd": "b"}]},
            "unknown option 'knd' of a span query. Did you mean 'kind'?",
        ),
        ({"max_span_duration_s": -1}, "greater than or equal to 0"),
    ],
)
def test_mistakes_are_refused(bench, written, message):
    """When the dataset is collected, with what was meant."""
    assert any(message in one for one in bench.problems(written)), bench.problems(written)


@pytest.mark.parametrize("written", [{"span": {"name": "x", "min": 0}}, {"no_error_spans": ["*"]}])
def test_what_cannot_fail_is_refused(bench, written):
    """It would be no assertion."""
    (problem,) = bench.problems(written)
    assert "cannot fail" in problem


def test_a_pattern_that_explodes_is_an_error(bench):
    """It does not hang the run."""
    evil = Span(id="1", name="a" * 5_000 + "!")
    score = bench.score({"span": {"name_matches": "^(a|a)*$"}}, **traced(evil))
    assert "error" == score.kind
