"""Laws of baselines: adding runs, whatever the order; and their text."""

import json
from functools import reduce
from itertools import permutations
from random import Random
from statistics import fmean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.errors import StoreError
from pytest_evals.model import Model, Price
from pytest_evals.verdict.baseline import (
    Baseline,
    build_baseline,
    join_baselines,
    model_digest,
    read_baseline,
    update_baseline,
    write_baseline,
)
from tests.gates.makers import drawn, extend, info, table, trial


def run(seed, rates=(0.2, 0.6, 1.0), samples=3, **more):
    """Return the baseline of one drawn run."""
    made = drawn(rates, samples, seed, **more)
    return build_baseline(made, info(made))


SEEDS = st.integers(0, 2**32)
RUNS = st.lists(
    st.tuples(SEEDS, st.integers(1, 4)), min_size=1, max_size=4, unique_by=lambda one: one[0]
).map(lambda given: [run(seed, samples=n) for seed, n in given])


@given(RUNS)
def test_the_order_of_adding_does_not_matter(runs):
    """Any order of adding runs gives the same bytes."""
    texts = {write_baseline(reduce(update_baseline, order)) for order in permutations(runs[:3])}
    assert len(texts) == 1


@given(RUNS, RUNS, RUNS)
def test_joining_is_a_union(one, two, three):
    """Joining is commutative, associative and idempotent, and equals adding all the runs."""
    a, b, c = (reduce(update_baseline, runs) for runs in (one, two, three))
    left = join_baselines(join_baselines(a, b), c)
    assert write_baseline(left) == write_baseline(join_baselines(a, join_baselines(b, c)))
    assert write_baseline(join_baselines(a, b)) == write_baseline(join_baselines(b, a))
    assert write_baseline(a) == write_baseline(join_baselines(a, a))
    assert write_baseline(left) == write_baseline(reduce(update_baseline, [*one, *two, *three]))


@given(RUNS)
def test_counts_add_up(runs):
    """Passes and samples of a line are those of all runs together."""
    whole = reduce(update_baseline, runs)
    for line in whole.lines:
        mine = [r.cells[line.key] for r in runs]
        assert (sum(m.passes for m in mine), sum(m.n for m in mine)) == (line.passes, line.n)


def test_the_same_run_twice_changes_nothing():
    """A run that was added, or only reused stored answers, is not added again."""
    made = drawn([0.5, 1.0], 5, 1)
    again = drawn([0.5, 1.0], 5, 1, origin="stored")
    first = build_baseline(made, info(made))
    assert first == update_baseline(first, build_baseline(again, info(again)))


def test_a_longer_run_takes_the_place_of_its_beginning():
    """A run that was finished later counts its draws once."""
    short, whole = table({"a": "++"}, seed="s"), table({"a": "+++-+"}, seed="s")
    one, two = (build_baseline(made, info(made)) for made in (short, whole))
    for joined in (update_baseline(one, two), update_baseline(two, one)):
        [line] = joined.lines
        assert (line.passes, line.n) == (4, 5)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.text("+-", min_size=1, max_size=3),
                       min_size=2), SEEDS)  # fmt: skip
def test_a_subset_touches_only_its_lines(outcomes, seed):
    """Updating with some of the cases leaves all other lines byte-identical."""
    old = table(outcomes, seed="old")
    text = write_baseline(build_baseline(old, info(old)))
    some = Random(seed).sample(sorted(outcomes), len(outcomes) // 2)
    new = table(dict.fromkeys(some, "-"), seed="new")
    updated = update_baseline(read_baseline(text, "b"), build_baseline(new, info(new)))
    before, after = text.splitlines(), write_baseline(updated).splitlines()
    assert len(before) == len(after)
    changed = {json.loads(b)["case"] for b, a in zip(before, after, strict=True) if a != b}
    assert set(some) == changed


def test_a_changed_definition_replaces_the_line():
    """An edited case, prompt, model or scorer begins its line anew; others are added to."""
    old = table({"a": "+++", "b": "+++"})
    new = extend(table({"a": "--"}, case_digest="edited"), {"b": "--"}, seed="2")
    found = update_baseline(build_baseline(old, info(old)), build_baseline(new, info(new)))
    assert {line.case: (line.passes, line.n) for line in found.lines} == {"a": (0, 2), "b": (3, 5)}
    base = build_baseline(old, info(old))
    again = table({"a": "-"}, seed="3")
    for more in ({"prompt_digest": "other"}, {"models": ("m", "x")}):
        facts = info(again, **more)
        if "models" in more:
            facts = facts.model_copy(update={"models": (Model(id="m", provider="other"),)})
        assert update_baseline(base, build_baseline(again, facts)).cells["a", "m"].n == 1


def test_a_good_and_a_bad_run_are_both_added():
    """A baseline is never the best run: bad ones count too."""
    good, bad = table({"a": "+++"}, seed="1"), table({"a": "---"}, seed="2")
    for one, two in ((good, bad), (bad, good)):
        found = update_baseline(build_baseline(one, info(one)), build_baseline(two, info(two)))
        assert (found.lines[0].passes, found.lines[0].n) == (3, 6)


def test_recorded_answers_are_replaced():
    """Scripted answers are what they are: a new run takes the place of the old one."""
    old = table({"a": "+", "b": "+"}, origin="scripted")
    new = table({"a": "-"}, origin="scripted", seed="2")
    found = update_baseline(build_baseline(old, info(old)), build_baseline(new, info(new)))
    assert {line.case: (line.passes, line.n) for line in found.lines} == {"a": (0, 1), "b": (1, 1)}
    assert all(line.recorded for line in found.lines)


def test_stored_answers_count_as_recorded_in_a_replay():
    """Only under replay are answers from the store what nothing can change."""
    made = table({"a": "+"}, origin="stored")
    assert [
        build_baseline(made, info(made), replayed=replayed).lines[0].recorded
        for replayed in (False, True)
    ] == [False, True]


def test_pruning_needs_the_whole_collection():
    """Cases that are gone leave the baseline only where all cases are given."""
    old = extend(table({"a": "+", "gone": "+"}), {"gone": "+"}, model="other")
    new = table({"a": "+"}, seed="2")
    base, update = build_baseline(old, info(old)), build_baseline(new, info(new))
    assert len(update_baseline(base, update).lines) == 3
    kept = update_baseline(base, update, cases={"a"})
    assert [line.key for line in kept.lines] == [("a", "m"), ("gone", "other")]


def test_nothing_scored_no_line():
    """A case whose trials all errored keeps the line it had."""
    made = table({"a": "!!", "b": "+!"})
    assert [(line.case, line.n) for line in build_baseline(made, info(made)).lines] == [("b", 1)]


def test_scores_are_pooled_exactly():
    """Mean and variance of a scorer over several runs are those of all its samples."""
    values = [[0.1, 0.5, 0.7], [0.9, 0.2]]
    whole = None
    for k, some in enumerate(values):
        made = table({})
        for i, value in enumerate(some):
            made.add(trial("a", i, seed=str(k), names=("helpful",), values=(value,),
                           verdicts=(value > 0.4,)))  # fmt: skip
        whole = update_baseline(whole, build_baseline(made, info(made)))
    flat = [x for some in values for x in some]
    expected = (pytest.approx(fmean(flat)), 5, pytest.approx(variance(flat), abs=1e-5))
    assert expected == whole.lines[0].values("helpful")
    assert whole.lines[0].counts("helpful") == (3, 5)


def test_limits_are_no_part_of_a_model():
    """Concurrency, price and time limits change no answer, parameters do."""
    plain = Model(id="m", provider="openai", model="x")
    limited = plain.model_copy(update={"concurrency": 3, "price": Price(input=1, output=2)})
    hot = plain.model_copy(update={"params": {"temperature": 1}})
    assert model_digest(plain) == model_digest(limited) != model_digest(hot)


def test_two_datasets_do_not_mix():
    """Baselines of two datasets cannot be added."""
    other = Baseline(dataset="other")
    for join in (update_baseline, join_baselines):
        with pytest.raises(StoreError, match="have nothing in common"):
            join(run(1), other)


def test_two_definitions_do_not_join():
    """A union of two definitions of a case is refused: nothing says which one holds."""
    one, two = table({"a": "+"}), table({"a": "+"}, case_digest="edited")
    with pytest.raises(StoreError, match=r"case 'a', model 'm' has two different definitions"):
        join_baselines(build_baseline(one, info(one)), build_baseline(two, info(two)))
