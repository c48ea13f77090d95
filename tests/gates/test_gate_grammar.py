"""The grammar of gates, in texts and in the long form."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.metrics.metric import Slice
from pytest_evals.metrics.parse import MetricError, parse_metric
from pytest_evals.metrics.spec import MetricSpec
from pytest_evals.verdict.gate.error import GateError
from pytest_evals.verdict.gate.grammar import parse_gate
from pytest_evals.verdict.gate.spec import GateSpec
from pytest_evals.verdict.gate.write import threshold_text, write_gate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pass@1 >= 0.9", {"metric": "pass@1", "min": 0.9}),
        ("  pass^3>=60%  ", {"metric": "pass^3", "min": 0.6}),
        ("pass_rate > .5", {"metric": "pass@1", "min": 0.5, "strict": True}),
        ("mean(helpful) >= 0.75 per tag", {"metric": "mean(helpful)", "min": 0.75, "per": "tag"}),
        ("p95(latency_s) <= 5 on gpt", {"metric": "p95(latency_s)", "max": 5.0, "on": ("gpt",)}),
        ("mean(latency_s) < 2", {"metric": "latency_s", "max": 2.0, "strict": True}),
        ("cost_usd \u2264 0.50", {"metric": "cost_usd", "max": 0.5}),
        ("error_rate == 0", {"metric": "error_rate", "min": 0.0, "max": 0.0}),
        ("error_rate <= 0.02 as guardrail", {"metric": "error_rate", "max": 0.02,
                                             "role": "guardrail"}),
        ("pass@1 >= 0.9 with confidence 0.95 min n 30",
         {"metric": "pass@1", "min": 0.9, "confidence": 0.95, "min_n": 30}),
        ("pass@1 of contains >= 0.9 where tag = refunds",
         {"metric": "pass@1 of contains", "min": 0.9, "where": Slice(key="tag", value="refunds")}),
        ("pass@1 >= 0.9 of contains", {"metric": "pass@1 of contains", "min": 0.9}),
        ("no regressions", {"metric": "regressions"}),
        ("No regressions within 2% of helpful per region on openai:gpt-4.1, b as primary",
         {"metric": "regressions", "margin": 0.02, "of": "helpful", "per": "region",
          "on": ("openai:gpt-4.1", "b"), "role": "primary"}),
        ("mean('my score') >= 0.5", {"metric": 'mean("my score")', "min": 0.5}),
        ("f1(tone, rude) >= 0.5", {"metric": "f1(tone, rude)", "min": 0.5}),
    ],
)  # fmt: skip
def test_a_text_is_read(text, expected):
    """Every form of the grammar gives its gate, and the text stays its name."""
    spec = parse_gate(text)
    assert spec.model_dump(exclude_unset=True) == {
        **GateSpec(text=" ".join(text.split()), **expected).model_dump(exclude_unset=True),
        **({} if expected["metric"] == "regressions" else {"strict": spec.strict}),
    }


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("pas@1 >= 0.9", 1, "no metric is called 'pas@1'. Did you mean 'pass@1'?"),
        ("pass@1 => 0.9", 8, "found `=>`. Did you mean `>=`?"),
        ("pass@1", 7, "the gate ends here. For example `pass@1 >= 0.9`."),
        ("pass@1 >= high", 11, "expected a number, found `high`"),
        ("latency_s <= 5s", 14, "without their unit: 5"),
        ("pass@1 >= 0.9 pr tag", 15, "`pr` is not part of a gate. Did you mean 'per'?"),
        ("pass@1 >= 0.9 per tag per case", 23, "duplicate `per`"),
        ("mean(helpful >= 1", 14, "expected `)`"),
        ("mean >= 1", 1, "in brackets: `mean(helpful)`"),
        ("consistency(helpful) >= 1", 1, "takes no argument in brackets"),
        ("pass@1(helpful) >= 1", 1, "write `pass@1 of helpful`"),
        ("pass@k >= 0.5", 1, "k is a number"),
        ("pass@0 >= 0.5", 1, "k must be 1 or more"),
        ("no regresions", 4, "Did you mean 'regressions'?"),
        ("no regressions >= 0.9", 16, "takes no required value"),
        ("no regressions within 0", 23, "above 0"),
        ("pass@1 >= 0.9 with confidence 95", 31, "above 0.5 and below 1"),
        ("pass@1 >= 0.9 min n 2.5", 21, "whole and 1 or more"),
        ("pass@1 >= 0.9 as primry", 18, "Did you mean 'primary'?"),
        ('mean("helpful) >= 0.9', 6, "not closed"),
        ("pass@1 >= 0.9 where tag refunds", 25, "expected `where tag = VALUE`"),
    ],
)
def test_a_mistake_is_shown_where_it_stands(text, column, said):
    """An error has the column of what is wrong, and says what was expected."""
    with pytest.raises(GateError) as caught:
        parse_gate(text)
    assert said in str(caught.value)
    assert column == caught.value.column


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "an empty gate requires nothing"),
        ("pass@1 >= 0", "can never fail"),
        ("cost_usd >= 0", "can never fail"),
        ("error_rate <= 1", "can never fail"),
        ("pass@1 > 1", "can never pass"),
        ("pass@1 >= 90", "write 0.9 or 90%"),
        ("pass@1 >= -0.1", "is 0..1"),
        ("cost_usd <= 1 with confidence 0.9", "has no interval"),
        ("pass@1 >= 0.9 within 0.05", "only `no regressions` takes a tolerated drop"),
        ("no regressions min n 3", "takes no `min_n`"),
        (3, "a gate is a text"),
        ({"metric": "pass@1"}, "needs a required value"),
        ({"metrc": "pass@1"}, "Did you mean 'metric'?"),
        ({"min": 0.5}, "needs `metric`"),
        ({"metric": "pass@1", "min": 0.9, "max": 0.5}, "is above `max`"),
        ({"metric": "pass@1", "min": 0.9, "min_n": 0}, "`min_n`"),
        ({"metric": "pass@1", "min": 0.9, "role": "primry"}, "`role`"),
        ({"metric": "pass@1", "min": 0.9, "where": "refunds"}, "one key with its value"),
        ({"metric": "mean(a)", "of": "b", "min": 0.5}, "remove `of b`"),
        ({"metric": "no regressions", "margin": -1}, "above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(written, said):
    """A gate that cannot fail, cannot pass, or asks for the impossible is an error."""
    with pytest.raises(GateError, match=re.escape(said)):
        parse_gate(written)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("mean(helpful) >= 0.75 per tag",
         {"metric": "mean", "of": "helpful", "min": 0.75, "per": "tag"}),
        ("pass^3 of tone >= 0.6 on gpt", {"metric": "pass^3", "of": "tone", "min": 0.6,
                                          "on": "gpt"}),
        ("pass@1 >= 0.9 where region = eu with confidence 0.9 min n 30 as primary",
         {"metric": "pass@1", "min": 0.9, "where": {"region": "eu"}, "confidence": 0.9,
          "min_n": 30, "role": "primary"}),
        ("no regressions of helpful within 0.02",
         {"metric": "no regressions", "of": "helpful", "margin": 0.02}),
        ("cost_usd <= 0.5", {"metric": "cost_usd", "max": 0.5}),
    ],
)  # fmt: skip
def test_the_long_form_says_the_same(text, data):
    """A mapping gives the gate that the text gives, and is called by that text."""
    assert parse_gate(text) == parse_gate(data)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\"'\n\r\t ", exclude_categories=["C", "Z"]), min_size=1, max_size=4)  # fmt: skip
SPACED = st.builds("{} {}".format, NAMES, NAMES)


@given(
    metric=st.sampled_from(["pass@1", "pass^3", "consistency", "error_rate"])
    | st.builds(lambda name: str(MetricSpec(kind="mean", of=name)), NAMES | SPACED)
    | st.builds(lambda name: str(MetricSpec(kind="pass@", k=2, of=name)), NAMES | SPACED),
    bar=st.integers(1, 99).map(lambda n: n / 100),
    least=st.booleans(),
    per=st.none() | st.just("tag") | NAMES,
    on=st.lists(NAMES, max_size=2, unique=True),
    where=st.none() | st.builds(lambda k, v: Slice(key=k, value=v), NAMES, NAMES | SPACED),
    min_n=st.none() | st.integers(1, 1000),
    role=st.sampled_from([None, "primary", "guardrail"]),
)
def test_what_is_written_is_read_back(metric, bar, least, per, on, where, min_n, role):
    """write_gate and parse_gate are each other's inverse, whatever names are in it."""
    sides = {"min": bar} if least else {"max": bar}
    spec = GateSpec(
        text="-", metric=metric, per=per, on=tuple(on), where=where, min_n=min_n, role=role, **sides
    )
    read = parse_gate(write_gate(spec))
    assert spec == read.model_copy(update={"text": "-"})


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text):
    """Any text gives a gate or a GateError with a column inside it, never another error."""
    columns = range(1)
    try:
        parse_gate(text)
        column = 0
    except GateError as error:
        column, columns = error.column, range(len(error.text) + 2)
    assert column in columns


@given(st.text(max_size=40))
def test_no_text_breaks_the_measures(text):
    """Any text gives a measure whose name reads back the same, or a MetricError."""
    try:
        found = parse_metric(text)
    except MetricError:
        return
    assert found == parse_metric(str(found))


def test_a_bar_in_short():
    """A bar is shown as it is asked for."""
    assert [
        threshold_text(GateSpec(text="-", metric="pass@1", **bar))
        for bar in (
            {"min": 0.5, "max": 0.5},
            {"min": 0.2, "max": 0.4},
            {"min": 0.1, "strict": True},
            {"max": 2},
            {},
        )
    ] == ["== 0.5", "in 0.2..0.4", "> 0.1", "<= 2", ""]
