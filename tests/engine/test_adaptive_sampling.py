"""Optional samples: they wait, run or are skipped as the verdict on their case demands."""

import asyncio

import pytest

from pytest_evals.engine.adaptive_sampling import AdaptiveSampling
from pytest_evals.matrix import Trial
from pytest_evals.result import FirstTry, Outcome
from tests.engine._fakes import MODEL, dataset_of, result_of, run

P, F, E, S = Outcome.PASSED, Outcome.FAILED, Outcome.ERRORED, Outcome.SKIPPED


def samples(count, minimum=2, **fields):
    """Return the samples of one case: `minimum` always run, the others are optional."""
    dataset = dataset_of(**fields)
    return [Trial(dataset, dataset.cases[0], MODEL, n, count, minimum) for n in range(count)]


class Sampling(AdaptiveSampling):
    """Adaptive sampling whose other trials all run here, unless told otherwise."""

    def __init__(self, *, elsewhere=()):
        self.hastened, self.released = [], []

        def hasten(trial_id):
            self.hastened.append(trial_id)
            return trial_id not in elsewhere

        super().__init__(hasten, self.released.append)


def decide(trials, outcomes, number, *, sampling=None):
    """Return the result of a sample if it is skipped, once earlier ones have these outcomes."""
    sampling = sampling or Sampling()
    for trial, outcome in zip(trials, outcomes, strict=False):
        sampling.record(trial, result_of(trial, outcome))
    return run(sampling.skip_result(trials[number]), 5)


@pytest.mark.parametrize("number", [0, 1])
def test_the_minimum_always_runs(number):
    """No other sample is looked at."""
    sampling = Sampling()
    assert decide(samples(5), [], number, sampling=sampling) is None
    assert sampling.hastened == []


def test_a_failure_decides_a_case_without_gates():
    """All samples must pass, so the rest cannot change the verdict."""
    skipped = decide(samples(5), [P, F], 2)
    assert (skipped.outcome, skipped.error.type, skipped.beyond) == (S, "not_needed", True)
    assert skipped.error.message == (
        "not needed: 1 of 2 samples passed, and no other of the 5 can change the verdict on this "
        "case"
    )


def test_while_all_pass_the_next_sample_runs():
    """The verdict is undecided."""
    assert decide(samples(5), [P, P], 2) is None


def test_a_sample_after_a_skipped_one_is_skipped():
    """The message counts the scored ones only."""
    trials, sampling = samples(5), Sampling()
    for trial, outcome in zip(trials, [P, F], strict=False):
        sampling.record(trial, result_of(trial, outcome))
    sampling.record(trials[2], run(sampling.skip_result(trials[2])))
    skipped = run(sampling.skip_result(trials[3]))
    assert skipped.error.message.startswith("not needed: 1 of 2 samples passed")


@pytest.mark.parametrize("outcome", [E, S])
def test_an_error_decides_nothing(outcome):
    """What the sample would have said is unknown, so all samples run."""
    assert decide(samples(5), [F, outcome], 2) is None


def test_a_sample_waits_for_the_ones_before_it():
    """It frees its place in the window, and goes on when they are decided."""

    async def scenario():
        trials, sampling = samples(5), Sampling()
        waiting = asyncio.ensure_future(sampling.skip_result(trials[4]))
        for trial in trials[:3]:
            await asyncio.sleep(0)
            assert not waiting.done()
            sampling.record(trial, result_of(trial, P))
        await asyncio.sleep(0)
        assert not waiting.done()
        sampling.record(trials[3], result_of(trials[3], F))
        return await waiting, sampling

    skipped, sampling = run(scenario(), 5)
    assert skipped is not None
    assert set(sampling.released) == {samples(5)[4].id}
    assert sampling.hastened == [trial.id for trial in samples(5)[:4]]


def test_nothing_is_decided_if_an_earlier_sample_runs_elsewhere():
    """Another worker has it; waiting for it would last forever."""
    trials = samples(5)
    sampling = Sampling(elsewhere={trials[1].id})
    assert decide(trials, [F], 4, sampling=sampling) is None


def test_samples_whose_results_were_taken_need_not_run_again():
    """The engine does not know them any more; their outcomes are here."""
    trials = samples(5)
    sampling = Sampling(elsewhere={trial.id for trial in trials})
    assert decide(trials, [P, F], 2, sampling=sampling) is not None


def test_gates_on_single_cases_decide_by_their_rate():
    """Gates on single cases decide when their rate can no longer be reached, or missed."""
    trials = samples(5, gates=("pass@1 >= 0.5 per case",))
    assert decide(trials, [F, F], 2) is None
    assert decide(trials, [F, F, F], 3) is not None
    assert decide(trials, [P, P, P], 3) is not None


def test_cells_are_apart():
    """Another case or model decides nothing here."""
    dataset = dataset_of({}, {})
    a, b = ([Trial(dataset, case, MODEL, n, 5, 2) for n in range(5)] for case in dataset.cases)
    sampling = Sampling()
    for trial in a[:2]:
        sampling.record(trial, result_of(trial, F))
    for trial in b[:2]:
        sampling.record(trial, result_of(trial, P))
    assert run(sampling.skip_result(a[2])) is not None
    assert run(sampling.skip_result(b[2])) is None


def test_a_revised_sample_counts_as_its_first_try():
    """What a judge made of it afterwards says nothing about the model."""
    trials, sampling = samples(5), Sampling()
    first = FirstTry(outcome=F, scores=(), score=None)
    sampling.record(trials[0], result_of(trials[0], P, revisions=1, first=first))
    sampling.record(trials[1], result_of(trials[1], P))
    assert run(sampling.skip_result(trials[2])) is not None


def test_trials_without_a_minimum_are_not_recorded():
    """Fixed numbers of samples keep no state."""
    sampling = Sampling()
    (trial, *_) = samples(5, minimum=0)
    sampling.record(trial, result_of(trial, F))
    assert sampling._cells == {}
    assert run(sampling.skip_result(trial)) is None
