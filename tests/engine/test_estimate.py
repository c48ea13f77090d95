"""Estimates: by earlier runs, else by the length of the prompts; unknown is never zero."""

import pytest

from pytest_evals.engine.estimate import (
    estimate_lines,
    estimate_models,
    format_estimate,
    read_history,
)
from pytest_evals.engine.model_estimate import History, ModelEstimate
from pytest_evals.model import Model, Price
from tests.engine._fakes import BUILTIN, dataset_of, trials_of

PRICE = Price(input=1.0, output=2.0)
MODEL = Model(id="m", provider="openai", price=PRICE)
CAPPED = Model(id="m", provider="openai", price=PRICE, params={"max_tokens": 50})
SCRIPTED = Model(id="s", provider="script")
JUDGE = {"type": "judge", "options": {"model": "openai:j", "rubric": "r", "min_score": 0.5}}


def estimate_of(model=MODEL, *, history=None, scorers=None, count=10, **case):
    """Return the estimate of a dataset with equal cases of 40 characters."""
    cases = ({"input": "x" * 40, **case} for _ in range(count))
    dataset = dataset_of(*cases, **({"scorers": scorers} if scorers else {}))
    past = {} if history is None else {("d", model.id): history}
    (estimate,) = estimate_models(trials_of(dataset, model), past, BUILTIN.scorers_of)
    return estimate


def test_prompts_are_counted_by_length():
    """Four characters a token; without an output limit the total is unknown."""
    estimate = estimate_of()
    assert (estimate.trials, estimate.calls, estimate.prompt_tokens) == (10, 10, 100)
    assert (estimate.tokens, estimate.cost_usd) == (None, None)
    assert estimate.model_usd == pytest.approx(100e-6)
    assert format_estimate(estimate) == (
        "m: 10 calls, about 100 tokens of prompts, at least $0.00010 (by the prompts' length; no "
        "stored run tells)"
    )


def test_an_output_limit_bounds_the_cost():
    """At most so many tokens are answered."""
    estimate = estimate_of(CAPPED)
    assert estimate.tokens == 600
    assert estimate.cost_usd == pytest.approx(1100e-6)
    assert "and at most 500 of answers, at most $0.0011" in format_estimate(estimate)


def test_an_earlier_run_knows_best():
    """Judges included."""
    estimate = estimate_of(CAPPED, history=History("r7", 30.0, 0.5), scorers=[JUDGE])
    assert (estimate.tokens, estimate.cost_usd, estimate.judge_calls) == (300, 5.0, 10)
    assert format_estimate(estimate) == "m: 10 calls, about 300 tokens, $5.00 (by run r7)"


def test_a_run_with_an_unknown_cost_gives_none():
    """Its tokens still count."""
    estimate = estimate_of(CAPPED, history=History("r7", 30.0, None))
    assert (estimate.tokens, estimate.cost_usd) == (300, None)
    assert "cost unknown" in format_estimate(estimate)


def test_judges_make_the_total_unknown():
    """What they read is not known before the answers are."""
    estimate = estimate_of(CAPPED, scorers=[JUDGE, {"type": "contains"}])
    assert (estimate.judge_calls, estimate.tokens, estimate.cost_usd) == (10, None, None)
    assert "; and 10 calls of judges or more, not counted" in format_estimate(estimate)


def test_recorded_answers_are_no_calls():
    """They cost nothing, unless a judge reads them."""
    estimate = estimate_of(SCRIPTED)
    assert (estimate.calls, estimate.tokens, estimate.cost_usd) == (0, 0, 0.0)
    assert format_estimate(estimate) == "s: no calls, its answers are recorded"
    judged = estimate_of(SCRIPTED, scorers=[JUDGE])
    assert (judged.tokens, judged.cost_usd) == (None, None)
    assert format_estimate(judged) == (
        "s: no calls, its answers are recorded; and 10 calls of judges or more, not counted (no "
        "stored run tells)"
    )


def test_each_turn_sends_the_thread_again():
    """Two turns of 40 characters are 40, then 80."""
    estimate = estimate_of(count=1, input=None, turns=["x" * 40, "y" * 40])
    assert (estimate.calls, estimate.prompt_characters) == (2, 120)


def test_datasets_and_models_have_an_estimate_each():
    """In the order of the trials, a line each."""
    dataset = dataset_of({"input": "x" * 40})
    other = dataset_of({"input": "x" * 40}, name="e", path="e.yaml")
    trials = [*trials_of(dataset), *trials_of(dataset, SCRIPTED), *trials_of(other)]
    estimates = estimate_models(trials, {}, BUILTIN.scorers_of)
    assert [(e.dataset, e.model.id) for e in estimates] == [("d", "m"), ("d", "s"), ("e", "m")]
    lines = estimate_lines(trials, {}, BUILTIN.scorers_of)
    assert [line.split()[2] for line in lines] == ["m:", "s:", "m:"]


def test_a_store_that_is_absent_or_damaged_has_no_history(tmp_path):
    """An estimate never fails for want of one."""
    assert read_history(tmp_path / "none.sqlite", ["d"]) == {}
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database" * 100)
    assert read_history(damaged, ["d"]) == {}


def test_an_estimate_without_trials_is_nothing():
    """Its sums are zero, not unknown."""
    estimate = ModelEstimate("d", CAPPED)
    assert (estimate.tokens, estimate.cost_usd) == (0, 0.0)
