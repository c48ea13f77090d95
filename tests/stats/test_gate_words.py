"""Verdicts in words."""

from pytest_evals.stats.paired import evaluate_rows, plan_confirmations
from pytest_evals.stats.rows import Dropped, PairedCase, PairedScore, Row

NAMES = ("refund-a", "tax-3", *(f"case-{i}" for i in range(100)))


def evaluated(*groups, **options):
    """Evaluate a row of (how many, counts…), its flagged cases confirmed."""
    cells = [cell for times, *cell in groups for _ in range(times)]
    pairs = tuple(PairedCase(name, *cell) for name, cell in zip(NAMES, cells, strict=False))
    row = Row("gpt", pairs, **options)
    plan = plan_confirmations([row])[0]
    return evaluate_rows([row], confirmed={"gpt": {case: [False] * plan.n for case in plan.cases}})[
        0
    ]


def test_broken_cases_are_named():
    """How often they passed, how often they failed, and how unlikely that is by chance."""
    assert evaluated((2, 5, 5, 0, 5), (58, 5, 5, 5, 5)).sentence == (
        "REGRESSED: refund-a, tax-3 passed all 5 baseline samples and failed all 9 now; "
        "p < 0.0001 (if nothing had changed, such a drop is seen in fewer than 1 of 10,000 runs)."
    )


def test_unequal_samples_are_said_as_a_range():
    """All their 3 to 5 baseline samples."""
    sentence = evaluated((1, 3, 3, 0, 5), (1, 5, 5, 0, 5), (30, 5, 5, 5, 5)).sentence
    assert "passed all their 3 to 5 baseline samples" in sentence


def test_many_names_are_cut_and_counted():
    """Five, and how many more."""
    sentence = evaluated((8, 5, 5, 0, 5), (52, 5, 5, 5, 5)).sentence
    assert "case-0, case-1, case-2, case-3, case-4 and 3 more passed all 5" in sentence


def test_a_fall_of_the_mean():
    """Worse, better, points, interval, odds."""
    assert evaluated((20, 1, 1, 0, 1)).sentence == (
        "REGRESSED: 20 worse, 0 better; the mean fell by 100 points "
        "(90 % interval −100 to −87.8); p < 0.000001 (if nothing had changed, such a drop is seen in fewer than 1 of 1,000,000 runs)."  # noqa: RUF001
    )


def test_inconclusive_says_how_to_settle_it():
    """With samples where they tell, with cases where not."""
    one = evaluated((3, 1, 1, 0, 1), (57, 1, 1, 1, 1))
    assert one.sentence.startswith(
        "INCONCLUSIVE (not blocking): 3 worse, 0 better; "
        "the change is between −11.2 and +1.2 points."  # noqa: RUF001
    )
    assert one.sentence.endswith("more cases would settle it.")
    assert evaluated((1, 3, 3, 2, 3), (1, 2, 3, 3, 3), (18, 3, 3, 3, 3)).sentence.endswith(
        "samples per case would settle it."
    )


def test_inconclusive_says_what_it_could_have_seen():
    """The detectable drop, the changed cases that are needed, and flips that cannot block."""
    notes = evaluated((3, 1, 1, 0, 1), (57, 1, 1, 1, 1)).notes
    assert notes[0] == (
        "Not enough changed cases: 3 changed, at least 5 needed, all for the worse."
    )
    assert notes[1].startswith("With 60 cases the minimum detectable effect is a drop of ")
    assert notes[2].startswith("Newly failing (unconfirmed): case-0, refund-a, tax-3. With fewer")


def test_passed_says_what_is_ruled_out():
    """Any drop under the margin; better; a small real drop."""
    assert (
        evaluated((60, 1, 1, 1, 1)).sentence
        == "PASSED: any drop is under 5 points (90 % interval −3.9 to +3.9)."  # noqa: RUF001
    )
    assert evaluated((30, 0, 3, 3, 3)).sentence.startswith("PASSED: better by 100 points")


def test_rounding_never_hides_the_margin():
    """An end just inside -5 is not written as -5."""
    row = Row("gpt", tuple(PairedCase(f"c{i}", 1, 1, 1, 1) for i in range(47)), margin=0.0506)
    assert "−5.05" in evaluate_rows([row])[0].sentence  # noqa: RUF001


def test_scores_are_written_in_their_own_unit():
    """No points of 100."""
    cases = tuple(PairedScore(f"c{i}", 0.8 + i / 1000, 3, 0.4, 3) for i in range(20))
    sentence = evaluate_rows([Row("helpful", cases)])[0].sentence
    assert "the mean fell by 0.41 (90 % interval" in sentence
    assert "points" not in sentence


def test_recorded_answers():
    """No odds where there is no noise."""
    assert evaluated((1, 1, 1, 1, 1), (1, 1, 1, 0, 1), noise_free=True).sentence == (
        "REGRESSED: tax-3 passes less often than in the baseline; "
        "recorded answers have no sampling noise."
    )
    assert evaluated((2, 1, 1, 1, 1), noise_free=True).sentence.startswith(
        "PASSED: 2 cases compared, none passes less often"
    )
    scores = Row("s", (PairedScore("a", 0.8, 1, 0.7, 1),), noise_free=True)
    assert "1 lower, 0 higher of 1" in evaluate_rows([scores])[0].sentence


def test_breaks_that_prove_nothing_are_still_shown():
    """Among many cases one may flip by chance; unconfirmed and correlated ones are named."""
    many = Row("gpt", tuple(PairedCase(f"c{i}", 3, 3, 3 * (i > 0), 3) for i in range(200)))
    assert any(
        "that is not statistically significant" in note for note in evaluate_rows([many])[0].notes
    )
    assert any(
        "15 confirmation samples of each case are needed" in note
        for note in evaluate_rows([many], confirmed={})[0].notes
    )


def test_alike_samples_are_evaluated():
    """The break counts for less, and the note says why."""
    moody = [PairedCase(f"m{i}", *((4, 5, 1, 5) if i % 2 else (1, 5, 3, 5))) for i in range(40)]
    row = Row("gpt", (PairedCase("broken", 5, 5, 0, 5), *moody))
    notes = evaluate_rows([row])[0].notes
    assert any("Samples of one run look correlated" in note for note in notes)


def test_many_dropped_cases_are_cut_and_counted():
    """Five with their reasons, and how many more."""
    dropped = tuple(Dropped(f"d{i}", "not in this run") for i in range(7))
    notes = evaluated((60, 1, 1, 1, 1), dropped=dropped).notes
    assert notes[-1].startswith("Not compared: d0 (not in this run); ")
    assert notes[-1].endswith("; and 2 more.")


def test_one_case_shows_no_trend():
    """Said, with no interval."""
    assert evaluated((1, 5, 5, 4, 5)).sentence == (
        "INCONCLUSIVE (not blocking): 1 worse, 0 better; "
        "one case does not show how much cases vary."
    )
