"""The gates of a run as lines of text."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.plain_text import display_width
from pytest_evals.reporters.gate_lines import cut_middle, gate_lines
from pytest_evals.verdict.gate.spec import GateVerdict


def gate(verdict="passed", *, blocking=None, name="pass@1 >= 0.5", model="m", **more):
    """Make a verdict as JSON."""
    made = GateVerdict(
        **{
            "gate": name,
            "dataset": "d",
            "model": model,
            "verdict": verdict,
            "blocking": verdict in {"failed", "incomplete"} if blocking is None else blocking,
            "metric": "pass@1",
            "value": 0.5,
            "n": 6,
            "cases": 3,
            "low": 0.1,
            "high": 0.9,
            "confidence": 0.95,
            "sentence": f"{verdict.upper()}: in words of some length, so that they need two lines.",
            **more,
        }
    )
    return made.model_dump(mode="json")


GATES = st.lists(
    st.builds(
        gate,
        st.sampled_from(["passed", "failed", "inconclusive", "skipped", "incomplete"]),
        name=st.text("abc >=@1\n\x1b\N{SNOWMAN}\u4e2d", min_size=1, max_size=90),
        model=st.text("m/-", min_size=1, max_size=60),
        dataset=st.sampled_from(["d", "e"]),
        value=st.none() | st.floats(-1, 1),
        low=st.none() | st.floats(-1, 0),
        metric=st.sampled_from(["pass@1", "regressions"]),
    ),
    max_size=6,
)


@given(GATES, st.integers(60, 140), st.booleans())
def test_each_gate_is_told_once_failures_first(gates, width, with_failed):
    """No line is wider than the terminal, and no name of others acts on it."""
    lines = list(gate_lines(gates, width, with_failed=with_failed))
    assert all("\x1b" not in text and "\n" not in text for text, _ in lines)
    heads = [made for text, made in lines if made is not None and not text.startswith("    ")]
    assert len(heads) == len(gates)
    blocking = [made["blocking"] for made in heads]
    assert blocking == sorted(blocking, reverse=True)
    assert bool(lines) == bool(gates)
    assert max((display_width(text) for text, _ in lines), default=0) <= max(width, 78)


def test_a_table():
    """Value with its n, interval with its level; the reason of what is open below it."""
    gates = [gate(), gate("inconclusive", blocking=False, model="n"), gate("failed", model="f")]
    lines = [text for text, _ in gate_lines(gates, 100, with_failed=False)]
    assert lines == [
        "gate               verdict       value  of                    95 % interval",
        "pass@1 >= 0.5 [f]  FAILED          0.5  6 samples of 3 cases  0.1 to 0.9",
        "pass@1 >= 0.5 [n]  INCONCLUSIVE    0.5  6 samples of 3 cases  0.1 to 0.9",
        "    INCONCLUSIVE: in words of some length, so that they need two lines.",
        "pass@1 >= 0.5 [m]  PASSED          0.5  6 samples of 3 cases  0.1 to 0.9",
    ]
    narrow = [text for text, _ in gate_lines(gates[:1], 60)]
    assert narrow == [
        "gate               verdict  value  of",
        "pass@1 >= 0.5 [m]  PASSED     0.5  6 samples of 3 cases",
    ]


def test_levels_that_differ_are_in_their_cells():
    """A change has 90 %, a rate 95 %; two datasets are named."""
    change = gate(metric="regressions", value=-0.05, low=-0.11, confidence=0.9, dataset="e")
    lines = [text for text, _ in gate_lines([gate(), change], 120)]
    assert lines[0].split() == ["gate", "verdict", "value", "of", "interval"]
    assert "d: pass@1 >= 0.5 [m]" in lines[1]
    assert "0.1 to 0.9 (95 %)" in lines[1]
    assert "\N{MINUS SIGN}5.0 points" in lines[2]
    assert "\N{MINUS SIGN}11.0 to +90.0 (90 %)" in lines[2]


@given(st.text(max_size=40), st.integers(8, 30))
def test_a_name_is_cut_in_the_middle(text, width):
    """It keeps its beginning and its end, which tell names apart."""
    short = cut_middle(text, width)
    assert display_width(short) <= width
    if "…" in short and "…" not in text:
        head, tail = short.split("…")
        assert abs(len(head) - len(tail)) <= width
