"""Equal questions that share their answers count once, in metrics, gates and comparisons."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.metrics.compute import compute_metric
from pytest_evals.metrics.shared_draws import distinct_cells, repeated_cases, sharing_sentences
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.result import Outcome


def trial(case, sample, key, *, model="m", latency=1.0, scorers="s", passed=True, origin="stored"):
    """Make a trial."""
    return TrialStats(
        id=f"{case}[{model}-{sample}]",
        case=case,
        model=model,
        sample=sample,
        outcome=Outcome.PASSED if passed else Outcome.FAILED,
        score=float(passed),
        latency_s=latency,
        answered=True,
        scorers_digest=scorers,
        key=key,
        origin=origin,
    )


def table(*trials):
    """Make a table."""
    made = TrialTable("d")
    for one in trials:
        made.add(one)
    return made


TRIALS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.integers(0, 3),
        st.sampled_from(["", "k0", "k1", "k2"]),
        st.sampled_from([None, 0.5, 1.5]),
        st.sampled_from(["s", "t"]),
    ),
    min_size=1,
    max_size=14,
)


@given(TRIALS)
def test_n_is_never_more_than_the_draws(drawn):
    """Each draw with its checks counts once; what has no Key can share nothing."""
    made = table(*(trial(c, s, k, latency=x, scorers=d) for c, s, k, x, d in drawn))
    draws = {t.shared_draw for t in made if t.key}
    single = sum(not t.key for t in made)
    for name in ("pass@1", "score", "p95(latency_s)"):
        metric = compute_metric(made, name, model="m")
        assert metric.n <= len(draws) + single
        assert metric.cases <= len(distinct_cells(made.cases("m")))
    assert compute_metric(made, "completeness", model="m").n == len(made)
    distinct = distinct_cells(made.cases("m"))
    assert {t.shared_draw for cell in distinct.values() for t in cell if t.key} == draws
    assert set(repeated_cases(made.cases("m"))) == set(made.cases("m")) - set(distinct)
    assert set(repeated_cases(made.cases("m")).values()) <= set(distinct)


def test_other_checks_or_another_draw_are_no_repetition():
    """The same question with other checks, and a request that was asked twice."""
    for other in (trial("b", 0, "k", scorers="t"), trial("b", 0, "k", latency=2.0)):
        assert not repeated_cases(table(trial("a", 0, "k"), other).cases("m"))
    assert repeated_cases(table(trial("a", 0, "k"), trial("b", 0, "k")).cases("m")) == {"b": "a"}


def test_what_is_said():
    """Repeated cases and the model that was not asked."""
    made = table(
        trial("a", 0, "k", origin="asked"),
        trial("b", 0, "k"),
        trial("a", 0, "k", model="n"),
        trial("b", 0, "k", model="n"),
        trial("a", 0, "other", model="o", origin="asked"),
    )
    assert list(sharing_sentences(made)) == [
        "m: 1 case with the question and the checks of another one (b of a): 2 trials are 1 draw",
        "n: 1 case with the question and the checks of another one (b of a): 2 trials are 1 draw",
        "n was not asked: its requests and answers are those of m",
    ]
    assert not list(sharing_sentences(table(trial("a", 0, "k"), trial("b", 0, "l"))))
