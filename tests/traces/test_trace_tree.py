"""The tree of spans: every walk ends and visits each span once, and what is wrong is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.exchange import Response, Usage
from pytest_evals.message import ToolCall
from pytest_evals.span import Span
from pytest_evals.trace.attach import attach_trace
from pytest_evals.trace.text import lines
from pytest_evals.trace.tree import Tree
from pytest_evals.trace.validation import problems

IDS = st.sampled_from("abcdef")
SPANS = st.lists(
    st.builds(
        Span,
        id=IDS,
        name=st.text("xyz", min_size=1, max_size=3),
        parent=st.none() | st.sampled_from("abcdefz"),
        start_s=st.floats(0, 9),
        end_s=st.none() | st.floats(0, 9),
    ),
    max_size=12,
)


@given(SPANS)
def test_a_walk_visits_every_span_once(spans):
    """Whatever circles, missing parents and double ids there are."""
    walked = list(Tree(spans).walk())
    assert sorted(map(id, spans)) == sorted(id(span) for span, _ in walked)


@given(SPANS)
def test_a_walk_goes_down_one_level_at_a_time(spans):
    """A span stands right below one of the level above it, and its ancestors agree."""
    tree = Tree(spans)
    last = -1
    for span, depth in tree.walk():
        assert depth <= last + 1
        assert depth == len(list(tree.above(span)))
        last = depth


@given(SPANS)
def test_below_and_above_mirror_each_other(spans):
    """A span is below another exactly when the other is above it."""
    tree = Tree(spans)
    down = {(id(top), id(low)) for top in tree.spans for low in tree.below(top)}
    up = {(id(top), id(low)) for low in tree.spans for top in tree.above(low)}
    assert down == up


@given(SPANS)
def test_a_right_trace_has_no_problem_and_a_wrong_one_has(spans):
    """Parents exist, ids are unique, ends follow starts and nothing is its own ancestor."""
    ids = [span.id for span in spans]
    parents = {span.id: span.parent for span in spans}

    def circular(start):
        seen, at = set(), start
        while at in parents and at not in seen:
            seen.add(at)
            at = parents[at]
        return at in seen

    right = (
        len(ids) == len(set(ids))
        and all(span.parent is None or span.parent in ids for span in spans)
        and all(span.end_s is None or span.end_s >= span.start_s for span in spans)
        and not any(circular(span.id) for span in spans)
    )
    assert right == (problems(spans) == ())


def test_problems_name_the_spans():
    """Each says how many, and which."""
    wrong = [
        Span(id="a", name="first", parent="gone", start_s=2, end_s=1),
        Span(id="a", name="again"),
        Span(id="b", name="self", parent="b"),
    ]
    assert (
        "duplicate id: 'a'",
        "the parent of 1 span is not in the trace: 'first'",
        "1 span ended before starting: 'first'",
        "1 span is its own ancestor: 'self'",
    ) == problems(wrong)


def test_a_deep_trace_is_walked():
    """A chain of ten thousand spans is no recursion."""
    chain = [
        Span(id=str(i), name="n", parent=str(i - 1) if i else None, start_s=i)
        for i in range(10_000)
    ]
    assert 9_999 == max(depth for _, depth in Tree(chain).walk())
    assert () == problems(chain)


def test_spans_of_one_level_stand_in_the_order_they_began():
    """Not in the order they were handed over."""
    spans = [
        Span(id="3", name="late", parent="1", start_s=2),
        Span(id="2", name="early", parent="1", start_s=1),
        Span(id="1", name="top"),
    ]
    assert ["top", "early", "late"] == [span.name for span, _ in Tree(spans).walk()]


MODEL_CALL = Span(
    id="m",
    name="chat",
    kind="llm_call",
    end_s=1,
    attributes={"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 2},
)
TOOL = Span(
    id="t",
    name="execute_tool find",
    kind="tool_call",
    start_s=1,
    end_s=1.5,
    attributes={
        "gen_ai.tool.name": "find",
        "gen_ai.tool.call.id": "c1",
        "gen_ai.tool.call.arguments": '{"q": "x"}',
        "gen_ai.tool.call.result": "it",
    },
)


def test_a_trace_fills_in_what_the_target_did_not_say():
    """Usage and tool calls come from the spans."""
    made = attach_trace(Response(text="hi"), [TOOL, MODEL_CALL])
    assert Usage(input_tokens=7, output_tokens=2) == made.usage
    (call,) = made.tool_calls
    assert ("find", {"q": "x"}, "c1", "it", True, 0.5) == (
        call.name,
        call.arguments,
        call.id,
        call.result,
        call.captured,
        call.duration_s,
    )
    assert ["chat", "execute_tool find"] == [span.name for span in made.trace]


def test_a_trace_leaves_what_the_target_said():
    """Its own usage and calls are not added to and not replaced, a count of 0 included."""
    said = Response(usage=Usage(output_tokens=0), tool_calls=(ToolCall(name="own"),))
    made = attach_trace(said, [TOOL, MODEL_CALL])
    assert (said.usage, said.tool_calls) == (made.usage, made.tool_calls)


@pytest.mark.parametrize(("most", "expected"), [(2, ["a", "  b  3.0s", "… 1 more spans"])])
def test_lines_stop_and_say_so(most, expected):
    """A tree is cut to what is asked for."""
    spans = [
        Span(id="a", name="a", end_s=3),
        Span(id="b", name="b", parent="a", end_s=3),
        Span(id="c", name="c", parent="a", start_s=1),
    ]
    told = list(lines(spans, ["a note"], limit=most))
    assert told[0].startswith("a  ")
    assert told[1].startswith("  b  ")
    assert expected[2] == told[2]
    assert "note: a note" == told[-1]
