"""The engine: trials ahead of a host, in order, whatever ends how."""

import asyncio
import threading
import time

import pytest

from pytest_evals.config import Settings
from pytest_evals.engine import Engine, EngineDeps, Progress
from pytest_evals.exchange import Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.model import Model
from pytest_evals.providers.transport import HttpClientPool
from pytest_evals.responses.memory import MemoryResponseStore
from pytest_evals.result import Outcome
from tests.engine._fakes import (
    BUILTIN,
    dataset_of,
    engine_with,
    provider_class,
    trial_of,
    trials_of,
)


def many(count, **fields):
    """Return the trials of a dataset with so many cases, each with an input of its own."""
    return trials_of(
        dataset_of(*({"input": f"q{n}", "id": f"c{n}"} for n in range(count)), **fields)
    )


def test_results_come_in_the_hosts_order(tmp_path):
    """Whatever order they end in."""

    def answer(request):
        number = int(request.messages[-1].text[1:])
        return asyncio.sleep(0.02 * (number % 3), Response(text=f"yes {number}"))

    trials = many(12)
    with engine_with(provider_class(answer), tmp_path) as engine:
        engine.expect(trials)
        results = [engine.result(trial) for trial in trials]
    assert [r.id for r in results] == [t.id for t in trials]
    assert [r.exchanges[0].response.text for r in results] == [f"yes {n}" for n in range(12)]


def test_trials_run_beside_each_other(tmp_path):
    """All ten calls are under way before the first one ends."""
    arrived, all_arrived = [], asyncio.Event()

    async def answer(request):
        arrived.append(request)
        if len(arrived) == 10:
            all_arrived.set()
        async with asyncio.timeout(10):
            await all_arrived.wait()
        return Response(text="yes")

    trials = many(10)
    with engine_with(provider_class(answer), tmp_path) as engine:
        engine.expect(trials)
        assert {engine.result(trial).outcome for trial in trials} == {Outcome.PASSED}


def test_no_more_than_the_window_runs_ahead(tmp_path):
    """A host that stops early has wasted that much at the most."""
    provider = provider_class()
    trials = many(20)
    with engine_with(provider, tmp_path, window=3) as engine:
        engine.expect(trials)
        engine.result(trials[0])
        time.sleep(0.2)
        assert len(provider.calls) <= 4


def test_places_that_become_free_are_filled_while_the_host_is_busy(tmp_path):
    """It has taken two results and waits for none: two more trials start."""
    provider = provider_class()
    trials = many(12)
    with engine_with(provider, tmp_path, window=4) as engine:
        engine.expect(trials)
        for trial in trials[:2]:
            engine.result(trial)
        deadline = time.monotonic() + 10
        while len(provider.calls) < 6 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(provider.calls) == 6


def test_a_host_that_leaves_trials_out_gets_the_one_it_wants(tmp_path):
    """Also one far behind the window, and one that nobody expected."""
    trials = many(20)
    with engine_with(provider_class(), tmp_path, window=2) as engine:
        engine.expect(trials)
        assert engine.result(trials[15]).outcome is Outcome.PASSED
        assert engine.result(trial_of(id="unexpected")).outcome is Outcome.PASSED


def test_a_rerun_runs_again(tmp_path):
    """Its first result was taken, so there is none to hand over twice."""
    provider = provider_class()
    with engine_with(provider, tmp_path) as engine:
        (trial,) = many(1)
        engine.expect([trial])
        engine.result(trial)
        assert engine.result(trial).outcome is Outcome.PASSED
    assert len(provider.calls) == 2


def test_trials_that_are_no_longer_expected_do_not_start(tmp_path):
    """`expect_only` replaces what has not begun."""
    provider = provider_class()
    trials = many(20)
    with engine_with(provider, tmp_path, window=1) as engine:
        engine.expect(trials)
        engine.expect_only([trials[19]])
        engine.result(trials[19])
        time.sleep(0.1)
    asked = {request.messages[-1].text for request in provider.calls}
    assert asked <= {"q0", "q19"}


def test_a_bug_of_ours_is_a_result(tmp_path):
    """No host waits for a trial that raised."""
    (trial,) = many(1)

    class BrokenLookup:
        def scorers_of(self, dataset, case):
            raise ZeroDivisionError("oops")

    with engine_with(provider_class(), tmp_path) as engine:
        engine._runner.scorers = BrokenLookup().scorers_of
        result = engine.result(trial)
    assert (result.outcome, result.error.type) == (Outcome.ERRORED, "internal")
    assert "fault of pytest_evals itself" in result.error.message


def test_a_refusal_makes_no_call(tmp_path):
    """One error, and the rest not run."""
    provider = provider_class()
    trials = many(3)
    with engine_with(provider, tmp_path) as engine:
        engine.refuse("no key")
        engine.expect(trials)
        outcomes = [engine.result(trial).outcome for trial in trials]
    assert sorted(outcomes) == [Outcome.ERRORED, Outcome.SKIPPED, Outcome.SKIPPED]
    assert provider.calls == []


def test_an_engine_that_is_not_running_says_so(tmp_path):
    """Before its start and after its end."""
    (trial,) = many(1)
    with engine_with(provider_class(), tmp_path) as engine:
        pass
    with pytest.raises(RuntimeError, match="not running"):
        engine.result(trial)
    with pytest.raises(RuntimeError, match="not running"):
        engine.submit(lambda runner: runner.run(trial))


def test_stopping_cancels_what_runs(tmp_path):
    """Providers are closed, and no thread is left."""
    ended = threading.Event()

    async def hang():
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    provider = provider_class(lambda request: hang())
    before = threading.active_count()
    with engine_with(provider, tmp_path) as engine:
        engine.expect(many(3))
        deadline = time.monotonic() + 10
        while not provider.calls and time.monotonic() < deadline:
            time.sleep(0.005)
        began = time.monotonic()
    assert ended.is_set()
    assert time.monotonic() - began < 5
    assert provider.closed == 1
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_answers_are_stored_before_a_trial_ends(tmp_path):
    """And used by the next session."""
    store = MemoryResponseStore()
    provider = provider_class()
    trials = many(5)
    for _ in range(2):
        with engine_with(provider, tmp_path, deps={"store": store}) as engine:
            engine.expect(trials)
            for trial in trials:
                result = engine.result(trial)
                assert store.get(result.exchanges[0].key) is not None
    assert len(provider.calls) == 5


def test_progress_counts(tmp_path):
    """What waits, runs, is ready, was called, reused and spent."""
    errors = [AnswerError("overloaded", "x")]

    def answer(request):
        if errors:
            raise errors.pop()
        return Response(text="yes", cost_usd=0.5)

    trials = many(4)
    with engine_with(provider_class(answer), tmp_path, window=1) as engine:
        assert engine.progress == Progress(0, 0, 0, 0, 0, 0, 0.0, 0)
        engine.expect(trials)
        for trial in trials:
            engine.result(trial)
        progress = engine.progress
        assert (progress.calls, progress.retries, progress.waiting, progress.ready) == (5, 1, 0, 0)
        assert (progress.cost_usd, engine.spent_usd) == (2.0, 2.0)


def test_the_tick_is_called_while_the_host_waits(tmp_path):
    """So that it can look at signals."""
    ticks = []
    provider = provider_class(lambda request: asyncio.sleep(0.3, Response(text="yes")))
    with engine_with(provider, tmp_path) as engine:
        engine.result(many(1)[0], lambda: ticks.append(1))
    assert len(ticks) >= 2


def test_work_of_the_host_runs_on_the_event_loop(tmp_path):
    """Its calls are stored and counted like any other."""
    (trial,) = many(1)
    with engine_with(provider_class(), tmp_path) as engine:
        result = engine.submit(lambda runner: runner.run(trial)).result(10)
        assert result.outcome is Outcome.PASSED
        assert engine.progress.calls == 1


def test_a_host_may_hold_the_engine_for_a_moment(tmp_path):
    """`release` lets it run on; a host that forgets only slows it."""
    trials = many(10)
    with engine_with(provider_class(), tmp_path) as engine:
        engine.expect(trials)
        for trial in trials[:5]:
            engine.result(trial, hold=True)
        engine.release()
        for trial in trials[5:]:
            engine.result(trial, hold=True)


def test_secrets_are_redacted_before_they_are_stored(tmp_path):
    """Neither the store nor the result has them."""
    from pytest_evals.ground.redaction import Redactor

    store = MemoryResponseStore()
    deps = {"store": store, "redactor": Redactor(("sesame-open",), ())}
    with engine_with(provider_class("yes sesame-open"), tmp_path, deps=deps) as engine:
        result = engine.result(many(1)[0])
    assert "sesame-open" not in result.model_dump_json()
    assert "sesame-open" not in store.get(result.exchanges[0].key).model_dump_json()


def test_hooks_of_plugins_surround_a_trial(tmp_path):
    """Before its first call, and after its last score."""
    order = []

    class Hooks:
        def __init__(self):
            self.calling = {}

        def before(self, trial):
            order.append("before")

        def after(self, trial, result):
            order.append(f"after {result.outcome}")
            return []

    def answer(request):
        order.append("call")
        return Response(text="yes")

    with engine_with(provider_class(answer), tmp_path, deps={"trial_hooks": Hooks()}) as engine:
        engine.result(many(1)[0])
    assert order == ["before", "call", "after passed"]


def test_the_script_provider_needs_no_fake(tmp_path):
    """The fake that users have runs through the whole engine."""
    script = [{"kind": "chat_response", "content": "yes"}]
    model = Model(id="s", provider="script")
    trials = trials_of(dataset_of(*({"script": script} for _ in range(30))), model)
    engine = Engine(Settings(rootdir=tmp_path), EngineDeps(registry=BUILTIN, http=HttpClientPool))
    engine.prepare(trials)
    engine.start()
    engine.start()  # a second time changes nothing
    try:
        engine.expect(trials)
        assert {engine.result(trial).outcome for trial in trials} == {Outcome.PASSED}
    finally:
        engine.stop()
        engine.stop()
