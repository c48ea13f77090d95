"""What a judge is shown of a trial, whatever form it has."""

import pytest

from pytest_evals.exchange import Exchange, Request, Response, Span
from pytest_evals.message import Message, ToolCall
from pytest_evals.scorers.judge.material import contexts_of, conversation_of, question_of


def pieces(*exchanges, bench):
    """Return the conversation as (name, text)."""
    ctx = bench.context("end", exchanges=exchanges)
    return [(piece.name, piece.text) for piece in conversation_of(ctx)]


def asked(*said):
    """Make a request of (role, text)."""
    return Request(messages=tuple(Message(role=role, content=text) for role, text in said))


@pytest.mark.parametrize(
    ("given", "question"),
    [
        ({"input": "How long?"}, "How long?"),
        ({"input": {"city": "Rome", "days": 2}}, '{\n  "city": "Rome",\n  "days": 2\n}'),
        ({"input": [{"role": "system", "content": "s"}, {"role": "user", "content": "Hi"}]}, "Hi"),
        ({"input": None, "turns": ("One.", "Two.")}, "One.\nTwo."),
        ({"input": None}, "How long?"),
        ({"input": None, "exchanges": (Exchange(request=Request(messages=())),)}, ""),
    ],
)
def test_the_question_is_what_the_case_asks(bench, given, question):
    """Or, where it holds none, what the user said first."""
    assert question_of(bench.context(**given)) == question


def test_a_tool_is_shown_with_what_it_gave_back(bench):
    """Or with its error, or, where nothing is known, alone."""
    calls = (
        ToolCall(name="a", arguments={"x": 1}, result=[1], captured=True),
        ToolCall(name="b", error="down"),
        ToolCall(name="c", arguments="raw"),
    )
    exchange = Exchange(
        request=asked(("system", "s"), ("user", "Do it.")),
        response=Response(text="Done.", tool_calls=calls),
    )
    assert pieces(exchange, bench=bench) == [
        ("user", "Do it."),
        ("tool-call", 'a({\n  "x": 1\n})'),
        ("tool-result", "[\n  1\n]"),
        ("tool-call", "b({})"),
        ("tool-error", "down"),
        ("tool-call", "c(raw)"),
        ("assistant", "Done."),
    ]


def test_messages_that_an_application_added_are_shown_once(bench):
    """Its answer among them is not repeated; one that is missing is added."""
    added = (
        Message(role="assistant", tool_calls=(ToolCall(name="find", id="1"),)),
        Message(role="tool", content="found", tool_call_id="1"),
        Message(role="assistant", content="Here."),
    )
    whole = Exchange(request=asked(("user", "Q")), response=Response(text="Here.", messages=added))
    expected = [
        ("user", "Q"), ("tool-call", "find({})"), ("tool-result", "found"), ("assistant", "Here."),
    ]  # fmt: skip
    assert pieces(whole, bench=bench) == expected
    less = Response(text="Here.", messages=added[:2])
    assert pieces(Exchange(request=asked(("user", "Q")), response=less), bench=bench) == expected


def test_a_turn_without_an_answer_is_the_question_alone(bench):
    """And an empty answer is no message."""
    silent = Exchange(request=asked(("user", "Q")))
    empty = Exchange(request=asked(("user", "R")), response=Response())
    assert pieces(silent, empty, bench=bench) == [("user", "Q"), ("user", "R")]


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"documents": [{"page_content": "a"}, {"text": "b"}, "c", {"id": 1}]}, ("a", "b", "c", '{\n  "id": 1\n}')),
        ({"output": "one"}, ("one",)),
        ({"result": ["", "two"]}, ("two",)),
    ],
)  # fmt: skip
def test_passages_are_found_in_retrieval_spans(bench, attributes, found):
    """In the forms that tracers write."""
    spans = (
        Span(id="0", name="s", kind="llm_call", attributes={"output": "not this"}),
        Span(id="1", name="s", kind="retrieval", attributes=attributes),
        Span(id="2", name="s", kind="retrieval", attributes={"query": "q"}),
    )
    answer = Response(text="a", trace=spans)
    exchange = Exchange(request=Request(messages=()), response=answer)
    assert contexts_of(bench.context(response=answer, exchanges=(exchange,)), ()) == found


def test_the_judges_own_passages_come_first(bench):
    """Before the case's variable, and that before what was retrieved."""
    answer = Response(text="a", metadata={"documents": ["M"]})
    ctx = bench.context(response=answer, variables={"contexts": ["V"]})
    assert contexts_of(ctx, ("W", " ")) == ("W",)
    assert contexts_of(ctx, ()) == ("V",)
    assert contexts_of(bench.context(response=answer), ()) == ("M",)
