"""The clock of a trial: what is left of its time and of the session's."""

from time import monotonic

from pytest_evals.engine.trial_clock import TrialClock


def test_only_used_time_counts():
    """Waiting does not."""
    clock = TrialClock(5.0)
    clock.used_s += 2.0
    assert clock.remaining() == 3.0
    assert (clock.session_left(), clock.session_over()) == (None, False)


def test_the_sessions_end_shortens_it():
    """Whichever comes first."""
    clock = TrialClock(5.0, session_end=monotonic() + 1)
    assert 0.5 < clock.remaining() <= 1
    assert 0.5 < clock.session_left() <= 1
    clock.used_s = 4.9
    assert abs(clock.remaining() - 0.1) < 1e-6


def test_after_the_sessions_end_nothing_is_left():
    """Less than nothing is never waited for."""
    clock = TrialClock(5.0, session_end=monotonic() - 1)
    assert clock.session_over()
    assert clock.session_left() == 0.0
    assert clock.remaining() < 0


def test_the_limit_that_ends_a_call_has_a_name():
    """The trial's own, unless the session ends before it."""
    clock = TrialClock(30.0, used_s=10.0)
    assert clock.limit_name() == "the trial's 30 s (evals_trial_timeout)"
    clock.session_end = monotonic() + 5
    assert clock.limit_name() == "the session's time (--evals-timeout)"
    clock.session_end = monotonic() + 25
    assert clock.limit_name() == "the trial's 30 s (evals_trial_timeout)"
