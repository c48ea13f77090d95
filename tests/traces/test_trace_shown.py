"""Traces in the HTML page's details and in what `pytest-evals show` prints."""

from pytest_evals.archive.trial_text import describe_trial
from pytest_evals.exchange import Exchange, Request, Response
from pytest_evals.ground.plain_text import neutral
from pytest_evals.reporters.htmlparts.detail import TrialDetail
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import Run
from pytest_evals.span import Span

EVIL = "<script>\x1b[31m\u202e"
SPANS = (
    Span(id="a", name="top", kind="agent_turn", start_s=-1, end_s=4),
    Span(
        id="b", parent="a", name="chat", kind="llm_call", start_s=1, end_s=2,
        attributes={"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 5},
    ),
    Span(id="c", parent="b", name=EVIL, start_s=3, end_s=1, error=f"bad\n{EVIL}"),
    Span(id="d", parent="e", name="circle", start_s=3.5),
    Span(id="e", parent="d", name="circle too", start_s=3.6, end_s=4),
)  # fmt: skip


def trial():
    """Make a trial with a trace."""
    response = Response(text="hi", trace=SPANS, trace_notes=(f"cut {EVIL}",))
    return TrialResult(
        id="d.yaml::c[m]",
        dataset="d",
        case_id="c",
        model_id="m",
        sample=0,
        outcome=Outcome.PASSED,
        exchanges=(Exchange(request=Request(messages=(), input="q"), response=response),),
    )


def test_the_drawer_has_the_tree():
    """Depth, place, length, time, tokens and errors, harmless and within 0..1."""
    told = TrialDetail(Run.model_construct(options={}), 10_000).of(trial())["talk"][0]["answer"]
    rows = told["trace"]
    assert [0, 1, 2, 0, 1] == [row["depth"] for row in rows]
    assert [0.0, 0.25, 0.75, 0.875, 0.9] == [row["start"] for row in rows]
    assert [1.0, 0.25, 0.0, None, 0.1] == [row.get("length") for row in rows]
    assert ["5.0s", "1.0s"] == [row["took"].replace(" ", "") for row in rows[:2]]
    assert "1,200 in, 5 out" == rows[1]["tokens"]
    assert "still open" == rows[3]["took"]
    assert neutral(EVIL) == rows[2]["name"]
    assert "\x1b" not in rows[2]["error"]
    assert [f"cut {neutral(EVIL)}"] == told["trace_notes"]


def test_show_prints_the_tree():
    """A line a span, indented, with the notes behind them, and nothing that acts on a terminal."""
    lines = [neutral(line) for line in describe_trial([trial()], [])]
    begin = lines.index("trace, 5 spans")
    told = "\n".join(lines[begin:])
    assert "    top [agent_turn]  " in lines[begin + 1]
    assert "      chat [llm_call]  " in lines[begin + 2]
    assert ", 1,200 -> 5 tokens" in lines[begin + 2]
    assert lines[begin + 3].startswith("        <script>")
    assert "  ERROR bad <script>" in lines[begin + 3]
    assert "    circle  still open" == lines[begin + 4]
    assert "\x1b" not in told
    assert "\u202e" not in told
