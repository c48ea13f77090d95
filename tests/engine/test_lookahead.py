"""The look-ahead window: its laws, against every order of events."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pytest_evals.engine.lookahead import LookaheadWindow, Wake
from pytest_evals.matrix import Trial
from tests.engine._fakes import MODEL, dataset_of, result_of

DATASET = dataset_of()


def trial(number: int) -> Trial:
    """Return the n-th trial; two calls give equal trials of one id."""
    return Trial(DATASET, DATASET.cases[0], MODEL, number, 99)


class WindowMachine(RuleBasedStateMachine):
    """A host that takes in order, leaves out, and reruns; trials that end in any order."""

    @initialize(size=st.integers(1, 5), count=st.integers(0, 12))
    def begin(self, size, count):
        """Expect some trials."""
        self.window = LookaheadWindow(size)
        self.queued: list[int] = []  # the model: not started, in order
        self.running: set[int] = set()
        self.ready: set[int] = set()
        self.starts: dict[int, int] = {}
        self.dropped: set[int] = set()
        self.takes: dict[int, int] = {}
        self.requeued: dict[int, int] = {}
        self.next = 0
        self.expect(count)

    @rule(count=st.integers(1, 4))
    def expect(self, count):
        """Expect further trials; those that are known already are ignored."""
        numbers = range(self.next, self.next + count)
        self.next += count
        active = [*self.queued, *self.running, *self.ready]
        self.window.expect(trial(n) for n in (*active, *numbers))
        self.queued += numbers

    @rule(keep=st.lists(st.integers(0, 20), unique=True, max_size=4))
    def expect_only(self, keep):
        """Replace the queue by trials that have not begun."""
        numbers = [n for n in keep if n < self.next and n not in self.running | self.ready]
        self.dropped |= set(self.queued) - set(numbers)
        for n in numbers:
            if n not in self.queued:  # dropped or taken before: planned again
                self.requeued[n] = self.requeued.get(n, 0) + 1
                self.dropped.discard(n)
        self.queued = list(numbers)
        self.window.expect_only(trial(n) for n in (*numbers, *self.running, *self.ready))

    def pump(self):
        """Start everything that may start; the order is that of the queue."""
        while (started := self.window.start()) is not None:
            assert started.sample == self.queued.pop(0)
            self._started(started.sample)

    def _started(self, number):
        self.starts[number] = self.starts.get(number, 0) + 1
        self.running.add(number)

    @rule()
    def start_some(self):
        """Start what may start."""
        self.pump()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data):
        """A running trial ends."""
        number = data.draw(st.sampled_from(sorted(self.running)))
        self.window.finish(trial(number).id, result_of(trial(number)))
        self.running.discard(number)
        self.ready.add(number)

    @precondition(lambda self: self.next)
    @rule(data=st.data())
    def host_comes_to_a_trial(self, data):
        """The host wants any trial: it starts at once, and its result is handed over once."""
        number = data.draw(st.integers(0, self.next - 1))
        must_start = self.window.want(trial(number))
        assert must_start == (number not in self.running | self.ready)
        if must_start:
            if number in self.queued:
                self.queued.remove(number)
            else:  # dropped, or taken before: a rerun
                self.dropped.discard(number)
                self.requeued[number] = self.requeued.get(number, 0) + 1
            self.queued.insert(0, number)
            started = self.window.start()
            assert started is not None
            assert started.sample == self.queued.pop(0) == number
            self._started(number)
        if number in self.running:
            assert self.window.take(trial(number).id) is None
            wake = self.window.finish(trial(number).id, result_of(trial(number)))
            assert wake is not Wake.NO
            self.running.discard(number)
        result = self.window.take(trial(number).id)
        assert result is not None
        assert result.id == trial(number).id
        assert self.window.take(trial(number).id) is None
        self.ready.discard(number)
        self.takes[number] = self.takes.get(number, 0) + 1

    @precondition(lambda self: self.queued)
    @rule(data=st.data())
    def hasten(self, data):
        """Another trial depends on a queued one."""
        number = data.draw(st.sampled_from(self.queued))
        started = self.window.hasten(trial(number).id)
        assert started is not None
        assert started.sample == number
        assert self.window.hasten(trial(number).id) is None
        self.queued.remove(number)
        self._started(number)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def wait_for_others(self, data):
        """A running trial frees its place, at most once."""
        number = data.draw(st.sampled_from(sorted(self.running)))
        before = self.window.ahead
        freed = self.window.release_place(trial(number).id)
        assert self.window.ahead == before - freed
        assert not self.window.release_place(trial(number).id)

    @invariant()
    def the_window_is_bounded(self):
        """Never more than `size` trials are ahead of the host."""
        assert self.window.ahead <= self.window.size
        assert self.window.ahead <= len(self.running) + len(self.ready)

    @invariant()
    def counts_agree_with_the_model(self):
        """Waiting and ready are what was queued and has ended."""
        assert self.window.waiting == len(self.queued)
        assert self.window.ready == len(self.ready)
        for number in range(self.next):
            assert self.window.has_begun(trial(number).id) == (number in self.running | self.ready)

    @invariant()
    def each_trial_starts_once_for_each_time_it_is_planned(self):
        """Exactly once, unless it was dropped or has not started yet."""
        for number in range(self.next):
            planned = 1 + self.requeued.get(number, 0)
            starts = self.starts.get(number, 0)
            if number in self.dropped or number in self.queued:
                assert starts < planned + (number in self.dropped)
            assert starts <= planned
            assert self.takes.get(number, 0) <= starts

    def teardown(self):
        """A host that takes everything in order ends with an empty window."""
        if not hasattr(self, "window"):
            return
        self.window.stop_waiting()
        while self.queued or self.running or self.ready:
            self.pump()
            for number in sorted(self.running):
                self.window.finish(trial(number).id, result_of(trial(number)))
            self.ready |= self.running
            self.running.clear()
            assert self.ready, "trials wait, and none may start"
            for number in sorted(self.ready):
                assert self.window.take(trial(number).id) is not None
            self.ready.clear()
        assert (self.window.waiting, self.window.ready) == (0, 0)


TestWindow = WindowMachine.TestCase


def window_of(size: int, count: int) -> LookaheadWindow:
    """Return a window in which every trial that may start has started."""
    window = LookaheadWindow(size)
    window.expect(trial(n) for n in range(count))
    while window.start() is not None:
        pass
    return window


def test_the_host_wakes_at_once_if_nothing_else_runs():
    """No result can come that it should wait for."""
    window = window_of(10, 1)
    window.want(trial(0))
    assert window.finish(trial(0).id, result_of(trial(0))) is Wake.NOW


def test_results_gather_while_others_run():
    """The host wakes soon, or at once when an eighth of the window is ready."""
    window = window_of(16, 4)
    window.want(trial(0))
    assert window.finish(trial(0).id, result_of(trial(0))) is Wake.SOON
    assert window.finish(trial(1).id, result_of(trial(1))) is Wake.NOW


def test_a_result_that_nobody_waits_for_wakes_no_one():
    """The host is at something else."""
    window = window_of(16, 4)
    assert window.finish(trial(2).id, result_of(trial(2))) is Wake.NO


@pytest.mark.parametrize(("taken", "refill"), [(1, False), (2, True)])
def test_a_refill_waits_for_a_quarter_of_the_window(taken, refill):
    """Starting each trial alone costs more than it gains."""
    window = window_of(8, 20)
    for number in range(taken):
        window.finish(trial(number).id, result_of(trial(number)))
        window.take(trial(number).id)
    assert window.needs_refill is refill


def test_an_empty_queue_needs_no_refill():
    """Nothing is left to start."""
    window = window_of(8, 3)
    window.finish(trial(0).id, result_of(trial(0)))
    window.take(trial(0).id)
    assert not window.needs_refill


def test_a_host_that_leaves_trials_out_frees_their_places():
    """It comes to the fifth: the four before it hold no place any more."""
    window = window_of(4, 20)
    window.want(trial(4))
    assert window.start().sample == 4
    window.finish(trial(4).id, result_of(trial(4)))
    window.take(trial(4).id)
    assert window.ahead == 0
    assert [window.start().sample for _ in range(4)] == [5, 6, 7, 8]
    assert window.start() is None


def test_a_full_window_still_starts_the_wanted_trial():
    """A host that jumps ahead never waits for places to become free."""
    window = window_of(2, 10)
    assert window.start() is None
    assert window.want(trial(9))
    assert window.start().sample == 9
    assert window.start() is None
    assert window.ahead == 2
