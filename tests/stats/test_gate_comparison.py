"""The regression procedure: its verdicts, and the laws it must obey."""

from dataclasses import replace
from math import sqrt
from random import Random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.stats.paired import evaluate_rows, explore_rows, plan_confirmations
from pytest_evals.stats.rows import (
    Dropped,
    PairedCase,
    PairedScore,
    Row,
    Rules,
    pair_counts,
    pair_scores,
)

pytestmark = pytest.mark.heavy

scipy_stats = pytest.importorskip("scipy.stats")


def row(*groups, name="gpt", **options):
    """Make a row of (how many cases, base_pass, base_n, now_pass, now_n)."""
    cells = [cell for times, *cell in groups for _ in range(times)]
    return Row(name, tuple(PairedCase(f"c{i}", *cell) for i, cell in enumerate(cells)), **options)


def verdict(row, **options):
    """Judge one row, its flagged cases confirmed by fails only."""
    plan = plan_confirmations([row])[0]
    confirmed = {row.name: {case: [False] * plan.n for case in plan.cases}}
    return evaluate_rows([row], confirmed=confirmed, **options)[0]


counts = st.integers(1, 6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
rows = st.lists(st.tuples(counts, counts), min_size=1, max_size=15).map(
    lambda cells: row(*[(1, *base, *now) for base, now in cells])
)


def test_three_breaks_of_sixty_are_regressed_and_named():
    """The walk-through: 5 samples, 3 of 60 cases broken."""
    found = verdict(row((3, 5, 5, 0, 5), (57, 5, 5, 5, 5)))
    assert (found.verdict, found.rule, found.blocking) == ("regressed", "break", True)
    assert found.breaks.confirmed == ("c0", "c1", "c2")


def test_the_same_change_with_one_sample_is_inconclusive_and_says_why():
    """One sample cannot tell; the flipped cases are listed."""
    found = verdict(row((3, 1, 1, 0, 1), (57, 1, 1, 1, 1)))
    assert (found.verdict, found.blocking) == ("inconclusive", False)
    assert found.breaks.flipped == ("c0", "c1", "c2")
    assert found.breaks.flagged == ()
    assert any("Not enough changed cases" in note for note in found.notes)


def test_a_flaky_case_with_one_sample_never_blocks():
    """A case at p = 0.9 among steady ones, whatever it does."""
    for base, now in ((1, 0), (0, 1), (1, 1), (0, 0)):
        found = verdict(row((1, base, 1, now, 1), (59, 1, 1, 1, 1)))
        assert not found.blocking


@given(
    cases=st.integers(1, 200),
    flipped=st.integers(1, 4),
    base_n=st.integers(1, 2),
)
def test_up_to_four_flips_with_one_sample_never_block(cases, flipped, base_n):
    """Whatever the size of the suite; the fifth would be significant."""
    flipped = min(flipped, cases)
    found = verdict(row((flipped, base_n, base_n, 0, 1), (cases - flipped, base_n, base_n, 1, 1)))
    assert not found.blocking


def test_a_case_at_nine_tenths_never_blocks_though_its_baseline_grew():
    """Ten runs of one sample were added; now it fails, and passes soon when asked again."""
    steady = row((1, 10, 10, 0, 1), (59, 10, 10, 1, 1))
    plan = plan_confirmations([steady])[0]
    assert plan.n >= 1
    rng, blocked = Random(2), 0
    for _ in range(300):
        answers = [rng.random() < 0.9 for _ in range(plan.n)]
        blocked += evaluate_rows([steady], confirmed={"gpt": {"c0": answers}})[0].blocking
    assert blocked == 0


def test_three_breaks_beside_five_fixes_are_regressed():
    """Fixes do not pay for breaks."""
    found = verdict(row((3, 5, 5, 0, 5), (5, 0, 5, 5, 5), (52, 5, 5, 5, 5)))
    assert (found.verdict, found.rule) == ("regressed", "break")
    assert found.mean.change > 0
    assert any("did not fall" in note for note in found.notes)


def test_no_flips_at_twenty_cases_are_inconclusive_at_sixty_passed():
    """One sample a side: silence of 20 cases proves little."""
    assert verdict(row((20, 1, 1, 1, 1))).verdict == "inconclusive"
    assert verdict(row((60, 1, 1, 1, 1))).verdict == "passed"


def test_temperature_0_counts_as_one_sample():
    """Five copies of one answer are one answer."""
    repeated = row((20, 5, 5, 5, 5), independent=False)
    assert verdict(repeated).verdict == "inconclusive"
    broken = verdict(row((3, 5, 5, 0, 5), (57, 5, 5, 5, 5), independent=False))
    assert (
        broken.verdict,
        broken.breaks.flagged,
        broken.breaks.flipped,
    ) == ("inconclusive", (), ("c0", "c1", "c2"))


def test_moody_samples_take_the_edge_off_a_break():
    """The same break beside cases whose runs disagree: confirmed, and yet not significant."""
    steady = row((1, 5, 5, 0, 5), (20, 4, 5, 4, 5), (10, 5, 5, 4, 5), (10, 4, 5, 5, 5))
    moody = row((1, 5, 5, 0, 5), (20, 4, 5, 1, 5), (20, 1, 5, 4, 5))
    assert (verdict(steady).verdict, verdict(steady).rule) == ("regressed", "break")
    assert "would not be significant" in plan_confirmations([moody])[0].reason
    found = evaluate_rows([moody], confirmed={"gpt": {"c0": [False] * 15}})[0]
    assert (found.verdict, found.breaks.confirmed) == ("inconclusive", ("c0",))
    assert found.breaks.correlation > 0.2


def test_a_mood_of_one_model_is_held_against_all():
    """Rows of one run share it; a row of its own keeps what it shows itself."""
    quiet = row((1, 5, 5, 0, 5), (39, 5, 5, 5, 5), name="quiet")
    moody = row((20, 4, 5, 1, 5), (20, 1, 5, 4, 5), name="moody")
    calm = row((20, 4, 5, 3, 5), (20, 3, 5, 4, 5), name="calm")
    alone, beside_calm, beside_moody = (
        evaluate_rows(rows)[0].breaks for rows in ([quiet], [quiet, calm], [quiet, moody])
    )
    assert alone.correlation == beside_calm.correlation
    assert beside_moody.correlation > 0.2
    assert beside_moody.p > alone.p


def test_one_case():
    """No interval, no mean verdict; but a break of one case can be proved."""
    alone = verdict(row((1, 5, 5, 4, 5)))
    assert (alone.verdict, alone.mean.low, alone.mean.high) == ("inconclusive", None, None)
    assert verdict(row((1, 5, 5, 0, 5))).verdict == "regressed"


def test_all_cases_flip():
    """Even with one sample a side."""
    found = verdict(row((20, 1, 1, 0, 1)))
    assert (found.verdict, found.rule, found.mean.p) == ("regressed", "mean", 0.5**20)


def test_all_cases_improve():
    """Passed, with p near 1."""
    found = verdict(row((20, 1, 3, 3, 3)))
    assert (found.verdict, found.mean.p, found.improved) == ("passed", 1.0, True)


def test_a_small_real_drop_inside_the_margin_is_passed_and_said():
    """U < 0 with L > -margin."""
    found = verdict(row((14, 5, 5, 4, 5), (186, 5, 5, 5, 5)))
    assert found.mean.high < 0
    assert found.mean.low > -0.05
    assert found.mean.p_adjusted < 0.04
    assert found.verdict == "passed"
    assert "a small drop, under 5 points" in found.sentence


def test_the_interval_is_the_formula():
    """D ∓ t(0.95, C-1)·sqrt((C·var(d) + 2/min(n)²)/C²), unequal sample numbers."""
    found = verdict(row((10, 4, 5, 2, 3), (20, 5, 5, 3, 3)))
    changes = [2 / 3 - 4 / 5] * 10 + [0.0] * 20
    mean = sum(changes) / 30
    spread = sum((d - mean) ** 2 for d in changes) / 29
    half = scipy_stats.t.ppf(0.95, 29) * sqrt((30 * spread + 2 / 9) / 900)
    assert pytest.approx((mean, mean - half, mean + half)) == (
        found.mean.change,
        found.mean.low,
        found.mean.high,
    )


@given(rows)
def test_confirmation_enters_the_break_rule_alone(row):
    """Change, interval and p of the mean are the same, confirmed or not."""
    flagged = evaluate_rows([row])[0].breaks.flagged
    asked = [
        evaluate_rows([row], confirmed={row.name: {case: [answer] * 10 for case in flagged}})[0]
        for answer in (False, True)
    ]
    assert {evaluate_rows([row])[0].mean} == {found.mean for found in asked}


@given(rows)
def test_one_sample_a_side_is_mcnemar(row):
    """The mean rule of a row is the exact test of the pairs that differ."""
    first = replace(
        row,
        cases=tuple(
            PairedCase(c.case, min(c.base_pass, 1), 1, min(c.now_pass, 1), 1) for c in row.cases
        ),
    )
    mean = evaluate_rows([first])[0].mean
    both = mean.worse + mean.better
    expected = scipy_stats.binom.cdf(mean.better, both, 0.5) if both else 1.0
    assert pytest.approx(expected) == mean.p


@given(rows)
def test_unequal_sample_numbers_weigh_a_case_once(row):
    """D is the mean of the changes of the cases, however often each was asked."""
    changes = [c.now_pass / c.now_n - c.base_pass / c.base_n for c in row.cases]
    mean = evaluate_rows([row])[0].mean
    assert pytest.approx(sum(changes) / len(changes), abs=1e-12) == mean.change


@given(rows)
def test_a_run_compared_with_itself_never_regresses(row):
    """No change, no break, no fall."""
    same = replace(
        row, cases=tuple(PairedCase(c.case, *(c.base_pass, c.base_n) * 2) for c in row.cases)
    )
    found = verdict(same)
    assert found.verdict != "regressed"
    assert (found.mean.change, found.mean.p, found.worse, found.better) == (0.0, 1.0, (), ())


@given(rows)
def test_the_mirror_has_the_mirrored_interval(row):
    """Swapping baseline and run turns D and its interval round."""
    swapped = replace(
        row,
        cases=tuple(
            PairedCase(c.case, c.now_pass, c.now_n, c.base_pass, c.base_n) for c in row.cases
        ),
    )
    ours, theirs = evaluate_rows([row])[0], evaluate_rows([swapped])[0]
    assert pytest.approx(-ours.mean.change) == theirs.mean.change
    assert (ours.worse, ours.better) == (theirs.better, theirs.worse)
    if len(row.cases) > 1:
        assert pytest.approx((-ours.mean.high, -ours.mean.low)) == (
            theirs.mean.low,
            theirs.mean.high,
        )


@given(rows, st.randoms())
def test_the_order_of_cases_says_nothing(row, random):
    """Shuffled cases give the same verdict and the same numbers."""
    cases = list(row.cases)
    random.shuffle(cases)
    assert evaluate_rows([row]) == evaluate_rows([replace(row, cases=tuple(cases))])


@given(rows)
def test_a_regression_by_the_mean_has_test_and_interval_agree(row):
    """No verdict without both."""
    found = evaluate_rows([row])[0]
    if found.rule == "mean":
        assert found.mean.p_adjusted <= 0.04
        assert found.mean.high < 0
        assert found.mean.low <= -0.05


def test_looking_at_slices_changes_no_verdict():
    """Exploratory rows have a correction of their own and never block."""
    declared = row((3, 5, 5, 0, 5), (57, 5, 5, 5, 5))
    slices = explore_rows([row((20, 1, 1, 0, 1), name=f"tag {i}") for i in range(5)])
    assert {(False, True, "regressed")} == {
        (found.blocking, found.exploratory, found.verdict) for found in slices
    }
    assert all("exploratory, not blocking" in found.sentence for found in slices)
    assert verdict(declared).verdict == "regressed"


def test_rows_are_one_family_inside_each_alpha():
    """Holm over five rows: a p that would do alone does not do."""
    weak = row((5, 1, 1, 0, 1), (20, 1, 1, 1, 1), name="weak")
    still = [row((40, 1, 1, 1, 1), name=f"still {i}") for i in range(4)]
    alone, among = evaluate_rows([weak])[0], evaluate_rows([weak, *still])[0]
    assert (alone.verdict, among.verdict) == ("regressed", "inconclusive")
    assert pytest.approx(5 * alone.mean.p) == among.mean.p_adjusted
    uncorrected = evaluate_rows([weak, *still], rules=Rules(correction="none"))[0]
    assert uncorrected.verdict == "regressed"


def test_more_rows_ask_for_more_confirmation():
    """R keeps 0.01 over all rows."""
    pair = [row((1, 5, 5, 0, 5), (59, 5, 5, 5, 5), name=name) for name in "ab"]
    assert [plan_confirmations(pair[:1])[0].n, plan_confirmations(pair)[0].n] == [4, 6]


def test_a_flagged_case_that_passes_again_is_no_break():
    """One pass is enough, and fewer answers than asked are no confirmation."""
    single = row((2, 5, 5, 0, 5), (58, 5, 5, 5, 5))
    found = evaluate_rows([single], confirmed={"gpt": {"c0": [False, True], "c1": [False]}})[0]
    assert (
        found.breaks.recovered,
        found.breaks.unanswered,
        found.breaks.confirmed,
    ) == (("c0",), ("c1",), ())
    assert found.breaks.p == 1.0
    assert any("passed on confirmation" in note for note in found.notes)


def test_without_confirmation_the_samples_of_the_run_decide():
    """R is 0: three flips of 60 suffice, one does not."""
    assert evaluate_rows([row((3, 5, 5, 0, 5), (57, 5, 5, 5, 5))])[0].verdict == "regressed"
    one = evaluate_rows([row((1, 5, 5, 0, 5), (59, 5, 5, 5, 5))])[0]
    assert (one.breaks.more, one.breaks.confirmed) == (0, ("c0",))
    assert one.rule != "break"


def test_asking_is_spared_where_it_cannot_block():
    """200 cases with 3 samples: one break would never be proved."""
    plan = plan_confirmations([row((1, 3, 3, 0, 3), (199, 3, 3, 3, 3))])[0]
    assert (plan.cases, plan.n) == ((), 15)
    assert "would not be significant" in plan.reason


def test_the_user_may_fix_the_confirmations():
    """--evals-confirm 2 asks two more, whatever the number of cases."""
    broken = row((3, 5, 5, 0, 5), (57, 5, 5, 5, 5))
    assert plan_confirmations([broken], rules=Rules(confirm=2))[0].n == 2
    none = plan_confirmations([broken], rules=Rules(confirm=0))[0]
    assert (none.cases, none.reason) == ((), "the samples of the run suffice")


def test_recorded_answers_have_no_noise():
    """Every pass that becomes a fail is a regression, whatever the rest does."""
    found = verdict(row((1, 1, 1, 0, 1), (9, 0, 1, 1, 1), noise_free=True))
    assert (found.verdict, found.rule, found.worse) == ("regressed", "noise-free", ("c0",))
    assert verdict(row((2, 1, 1, 1, 1), noise_free=True)).verdict == "passed"
    assert verdict(row((3, 5, 5, 4, 5), noise_free=True)).verdict == "regressed"


def test_a_noise_free_row_costs_the_others_nothing():
    """It has no p-value, so it is not in the family."""
    weak = row((5, 1, 1, 0, 1), (20, 1, 1, 1, 1), name="weak")
    recorded = row((5, 1, 1, 1, 1), name="recorded", noise_free=True)
    assert evaluate_rows([weak])[0].mean == evaluate_rows([weak, recorded])[0].mean


def test_strict_rules_block_what_is_inconclusive():
    """And only then."""
    quiet = row((20, 1, 1, 1, 1))
    assert evaluate_rows([quiet], rules=Rules(strict=True))[0].blocking
    assert evaluate_rows([quiet], rules=Rules(strict=True))[0].sentence.startswith("INCONCLUSIVE: ")
    assert not evaluate_rows([quiet])[0].blocking


def test_nothing_to_compare_is_inconclusive():
    """Never a pass."""
    for noise_free in (False, True):
        found = evaluate_rows([Row("gpt", (), noise_free=noise_free)])[0]
        assert (found.verdict, found.mean, found.cases) == ("inconclusive", None, 0)
        assert "no case is in both" in found.sentence


def test_scores_are_compared_by_the_mean_rule_alone():
    """A fall of every score by 0.2 is regressed; noise is not."""
    rng = Random(3)

    def scored(shift):
        return Row(
            "helpful",
            tuple(
                PairedScore.of(
                    f"c{i}",
                    [rng.uniform(0.6, 0.8) for _ in range(3)],
                    [rng.uniform(0.6, 0.8) + shift for _ in range(3)],
                )
                for i in range(60)
            ),
        )

    fell, same = evaluate_rows([scored(-0.2)])[0], evaluate_rows([scored(0.0)])[0]
    assert (fell.verdict, fell.rule, fell.unit, fell.breaks) == ("regressed", "mean", "score", None)
    assert same.verdict == "passed"


def test_noise_free_scores_are_held_against_the_margin():
    """Without noise D itself decides."""
    cases = tuple(PairedScore(f"c{i}", 0.8, 1, 0.7, 1) for i in range(4))
    wide = evaluate_rows([Row("s", cases, noise_free=True, margin=0.2)])[0]
    narrow = evaluate_rows([Row("s", cases, noise_free=True)])[0]
    assert (wide.verdict, narrow.verdict) == ("passed", "regressed")


def test_pairs_missing_on_one_side_are_dropped_and_named():
    """Each with what is missing."""
    pairs, dropped = pair_counts(
        {"a": (1, 2), "b": (1, 1), "c": (0, 0)}, {"a": (2, 3), "c": (1, 1), "d": (1, 1)}
    )
    assert (PairedCase("a", 1, 2, 2, 3),) == pairs
    assert (
        Dropped("b", "not in this run"),
        Dropped("c", "no scored sample in the baseline"),
        Dropped("d", "not in the baseline"),
    ) == dropped
    found = evaluate_rows([Row("gpt", pairs, dropped=dropped)])[0]
    assert any("b (not in this run)" in note for note in found.notes)


def test_scores_are_paired_the_same_way():
    """Means, numbers and variances of both sides."""
    pairs, dropped = pair_scores({"a": [0.2, 0.4], "b": []}, {"a": [0.5], "b": [0.1]})
    assert [("a", pytest.approx(0.3), 2, 0.5, 1, pytest.approx(0.02), None)] == [
        (p.case, p.base_mean, p.base_n, p.now_mean, p.now_n, p.base_variance, p.now_variance)
        for p in pairs
    ]
    assert (Dropped("b", "no scored sample in the baseline"),) == dropped


def test_what_would_settle_does_settle_most_of_the_time():
    """Rerun inconclusive suites with the samples they asked for."""
    rng = Random(8)
    settled = asked = 0
    while asked < 60:
        rates = [rng.choice((0.97, 0.9, 0.6)) for _ in range(40)]

        def draw(n, rates=rates):
            cells = [
                (1, *(x for _ in "ab" for x in (sum(rng.random() < p for _ in range(n)), n)))
                for p in rates
            ]
            return evaluate_rows([row(*cells)])[0]

        first = draw(3)
        if first.verdict == "inconclusive" and first.outlook.samples:
            asked += 1
            settled += draw(first.outlook.samples).verdict != "inconclusive"
    assert settled / asked > 0.6


def test_more_cases_are_asked_for_where_samples_do_not_tell():
    """One sample a side cannot be split into noise and change."""
    found = verdict(row((3, 1, 1, 0, 1), (57, 1, 1, 1, 1)))
    assert found.outlook.samples is None
    assert found.outlook.cases > 0


def test_the_smallest_drop_shrinks_with_cases():
    """And is absent if no drop is detectable."""
    few, many = verdict(row((20, 1, 1, 1, 1))), verdict(row((500, 1, 1, 1, 1)))
    assert few.outlook.smallest_drop > many.outlook.smallest_drop
    assert verdict(row((4, 1, 1, 1, 1))).outlook.smallest_drop is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: PairedCase("a", 2, 1, 0, 1),
        lambda: PairedCase("a", 0, 0, 0, 1),
        lambda: PairedScore("a", float("nan"), 1, 0.1, 1),
        lambda: PairedScore("a", 0.1, 0, 0.1, 1),
        lambda: PairedScore.of("a", [], [0.1]),
        lambda: Row("r", (PairedCase("a", 1, 1, 1, 1),) * 2),
        lambda: Row("r", (PairedCase("a", 1, 1, 1, 1), PairedScore("b", 1, 1, 1, 1))),
        lambda: Row("r", (), margin=0),
        lambda: Rules(margin=-1),
        lambda: Rules(alpha_mean=0.6),
        lambda: Rules(confirm=-1),
        lambda: evaluate_rows([Row("r", ()), Row("r", ())]),
        lambda: evaluate_rows([Row("r", ())], confirmed={"x": {}}),
        lambda: evaluate_rows([row((2, 5, 5, 5, 5))], confirmed={"gpt": {"c0": [True]}}),
    ],
)
def test_contradictions_are_refused(call):
    """Impossible counts, doubles, mixtures, answers that belong nowhere."""
    with pytest.raises(ValueError, match=r"\w+"):
        call()


def test_a_diff_of_ten_thousand_cases_takes_under_two_seconds():
    """Plan, test, interval and words."""
    rng = Random(9)
    cells = [(1, rng.randint(3, 5), 5, rng.randint(2, 5), 5) for _ in range(10_000)]
    large = row(*cells)
    started = process_time()
    verdict(large)
    assert process_time() - started < 2
