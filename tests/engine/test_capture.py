"""Output of user code, kept apart for each trial."""

import asyncio
import io
import sys
from contextlib import contextmanager

from pytest_evals.engine import capture
from pytest_evals.engine.capture import MAX_CHARACTERS, Tee, captured, current_buffer, text_of


@contextmanager
def replaced_streams():
    """Replace stdout and stderr by texts, and install the capture.

    No fixture: pytest sets its own streams between setup and call.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err = io.StringIO(), io.StringIO()
    capture.install()
    try:
        yield out, err
    finally:
        sys.stdout, sys.stderr = before


def test_output_outside_of_a_trial_goes_to_the_stream():
    """As if nothing were installed."""
    with replaced_streams() as streams:
        print("a")
        print("b", file=sys.stderr, flush=True)
        assert [stream.getvalue() for stream in streams] == ["a\n", "b\n"]
        assert current_buffer() is None


def test_output_of_a_trial_goes_to_its_buffer():
    """Both streams in their order; the stream has none of it."""
    with replaced_streams() as streams:
        with captured() as buffer:
            print("a")
            print("b", file=sys.stderr, flush=True)
            assert current_buffer() is buffer
        print("c")
        assert buffer.getvalue() == "a\nb\n"
        assert streams[0].getvalue() == "c\n"


def test_trials_at_once_do_not_mix():
    """Each task has a context of its own, its threads too."""
    with replaced_streams() as streams:

        async def trial(name):
            with captured() as buffer:
                for _ in range(3):
                    print(name)
                    await asyncio.sleep(0)
                await asyncio.to_thread(print, f"{name} in a thread")
            return buffer.getvalue()

        async def scenario():
            return await asyncio.gather(*map(trial, "ab"))

        assert asyncio.run(scenario()) == [f"{n}\n{n}\n{n}\n{n} in a thread\n" for n in "ab"]
        assert streams[0].getvalue() == ""


def test_installing_twice_changes_nothing():
    """There is one `Tee`, and removing it restores the stream."""
    with replaced_streams() as streams:
        capture.install()
        assert isinstance(sys.stdout, Tee)
        assert sys.stdout.stream is streams[0]
        capture.remove()
        assert sys.stdout is streams[0]
        capture.remove()
        assert sys.stdout is streams[0]


def test_a_process_without_streams_is_left_alone(monkeypatch):
    """A service on Windows has none."""
    monkeypatch.setattr(sys, "stdout", None)
    capture.install()
    assert sys.stdout is None
    capture.remove()


def test_a_tee_is_like_its_stream():
    """Everything else is the stream's."""
    stream = io.StringIO()
    assert Tee(stream).getvalue() == ""
    assert Tee(stream).writable()


def test_long_output_is_truncated_and_counted():
    """A loop that prints does not fill the store."""
    with captured() as buffer:
        buffer.write("x" * MAX_CHARACTERS)
    assert text_of(buffer) == "x" * MAX_CHARACTERS
    buffer.write("yyy")
    assert text_of(buffer).startswith("x" * MAX_CHARACTERS + "\n... 3 more characters")
