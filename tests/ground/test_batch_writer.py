"""BatchWriter: in order, in batches, and a failing writer stops without losing its error."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.batch_writer import BatchWriter


class Sink:
    """Collects batches; it can be held up."""

    def __init__(self):
        self.batches = []
        self.go = threading.Event()
        self.busy = threading.Event()
        self.go.set()

    def write(self, batch):
        """Write a batch."""
        self.busy.set()
        assert self.go.wait(10)
        self.batches.append(batch)


@given(st.lists(st.integers(), max_size=30))
def test_every_item_is_written_once_in_order(items):
    """`close` returns when all are written, whatever the batches."""
    sink = Sink()
    writer = BatchWriter(sink.write, name="test-writer")
    for item in items:
        writer.add(item)
    writer.close()
    assert [item for batch in sink.batches for item in batch] == items
    assert [] not in sink.batches


def test_items_that_come_during_a_write_are_one_batch():
    """The next batch has all of them."""
    sink = Sink()
    sink.go.clear()
    writer = BatchWriter(sink.write, name="test-writer")
    writer.add(0)
    assert sink.busy.wait(10)
    for item in (1, 2, 3):
        writer.add(item)
    sink.go.set()
    writer.close()
    assert sink.batches == [[0], [1, 2, 3]]


def test_items_gather_and_the_end_does_not_wait_for_it():
    """A long gathering time ends with `close`."""
    sink = Sink()
    writer = BatchWriter(sink.write, name="test-writer", gather_s=60)
    writer.add(1)
    writer.add(2)
    writer.close()
    assert sink.batches == [[1, 2]]


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3)])
def test_a_write_that_raises_stops_the_writer(error):
    """The error is kept, later items are dropped, and closing does not hang."""

    def write(batch):
        raise error

    writer = BatchWriter(write, name="test-writer")
    writer.add(1)
    writer.close()
    assert writer.error is error
    writer.add(2)
    writer.close()


def test_ending_does_not_wait_for_a_slow_write():
    """`end` returns at once; the queue is still written."""
    sink = Sink()
    sink.go.clear()
    writer = BatchWriter(sink.write, name="test-writer")
    writer.add(1)
    assert sink.busy.wait(10)
    writer.add(2)
    writer.end()
    assert sink.batches == []
    sink.go.set()
    writer.close()
    assert sink.batches == [[1], [2]]


def test_a_writer_without_items_starts_no_thread():
    """Nothing to write costs nothing."""
    before = threading.active_count()
    writer = BatchWriter(print, name="test-writer")
    writer.close()
    assert threading.active_count() == before
