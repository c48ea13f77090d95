"""The answers of an earlier run in place of calls."""

import pytest

from pytest_evals.engine.replay_run import ReplayRun
from tests.engine._fakes import dataset_of, exchange_of, request_of, result_of, trial_of, trials_of


def run_of(*exchanges, **fields):
    """Return a run of one trial with these exchanges."""
    return ReplayRun("r1", [result_of(trial_of(**fields), exchanges=exchanges)])


def test_an_equal_request_has_its_recorded_answer():
    """With the new request, and marked as stored."""
    recorded = exchange_of(request_of(), "yes")
    exchange = run_of(recorded).exchange("m", request_of())
    assert (exchange.response, exchange.source) == (recorded.response, "stored")


def test_a_scripted_answer_stays_scripted():
    """It never was a call."""
    recorded = exchange_of(request_of(), "yes").model_copy(update={"source": "scripted"})
    assert run_of(recorded).exchange("m", request_of()).source == "scripted"


def test_a_recorded_error_is_replayed():
    """Only `not_run` is no answer."""
    assert run_of(exchange_of(request_of(), None)).exchange("m", request_of()).error.type == (
        "timeout"
    )
    not_run = run_of(exchange_of(request_of(), None, "not_run")).exchange("m", request_of())
    assert not_run.error.type == "stale"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"text": "ho"}, "prompt"),
        ({"input": "x"}, "input"),
        ({"variables": {"x": 1}}, "set of variables"),
        ({"tools": ({"name": "f"},)}, "set of tools"),
        ({"response_format": {"type": "json"}}, "response format"),
    ],
)
def test_a_changed_request_is_stale_and_names_the_part(change, part):
    """The recorded answer belongs to another request."""
    recorded = exchange_of(request_of(), "yes").model_copy(update={"key": "k"})
    exchange = run_of(recorded).exchange("m", request_of(**change))
    assert exchange.error.type == "stale"
    assert f"run r1 was asked with another {part}: case 'c0' under 'm'" in exchange.error.message
    assert (exchange.response, exchange.key) == (None, "k")


@pytest.mark.parametrize(
    ("model", "fields"),
    [("other", {}), ("m", {"case_id": "c9"}), ("m", {"sample": 3}), ("m", {"turn": 1})],
)
def test_what_was_not_recorded_is_stale(model, fields):
    """Another model, case, sample or turn."""
    exchange = run_of(exchange_of(request_of(), "yes")).exchange(model, request_of(**fields))
    assert exchange.error.message.startswith("STALE: run r1 holds no answer of case")
    assert ("sample 3" in exchange.error.message) == (fields.get("sample") == 3)


def test_turns_have_their_own_answers():
    """By their number, whatever their order."""
    turns = [exchange_of(request_of(turn=n), f"t{n}") for n in (1, 0)]
    assert run_of(*turns).exchange("m", request_of(turn=1)).response.text == "t1"


def test_samples_are_counted_by_case():
    """So that a re-scored run has as many."""
    trials = trials_of(dataset_of({}, {}), samples=3)
    run = ReplayRun("r1", [result_of(trial) for trial in trials if trial.id != trials[-1].id])
    assert run.samples == {"c0": 3, "c1": 2}


def test_a_test_that_called_another_model_is_stale():
    """The trial's model is not always the one that a test calls."""
    recorded = exchange_of(request_of(model_id="m"), "yes")
    run = run_of(recorded)
    assert run.exchange_of_test(trial_of(), request_of(model_id="m")).response.text == "yes"
    other = run.exchange_of_test(trial_of(), request_of(model_id="n"))
    assert "asked another model here, not that of case 'c0' under 'n'" in other.error.message
