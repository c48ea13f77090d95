"""user_process: a pool of processes; results, output, errors, timeouts and cancellation."""

import os
import threading
import time

import pytest

from pytest_evals.ground.user_process import MAX_OUTPUT, Job, ProcessError, ProcessPool


@pytest.fixture
def pool():
    """A pool of one process, closed at the end."""
    made = ProcessPool(1)
    yield made
    made.close()


def test_a_result_and_its_output(pool):
    """The value comes back as an object, what was printed as a text."""
    assert pool.call(Job(divmod, (7, 2))) == ((3, 1), "")
    assert pool.call(Job(print, ("zwölf",))) == (None, "zwölf\n")


def test_a_process_is_reused_after_an_error(pool):
    """An exception ends the call, not the process; its traceback has no frame of this package."""
    first, _ = pool.call(Job(os.getpid, ()))
    with pytest.raises(ProcessError, match="ZeroDivisionError: ") as caught:
        pool.call(Job(divmod, (1, 0)))
    assert caught.value.detail is None
    assert pool.call(Job(os.getpid, ())) == (first, "")
    assert first != os.getpid()


def test_a_dead_process_is_replaced(pool):
    """Its exit status is in the message, and the next call gets a new process."""
    first, _ = pool.call(Job(os.getpid, ()))
    with pytest.raises(ProcessError, match="its process ended with exit status 7"):
        pool.call(Job(os._exit, (7,)))
    second, _ = pool.call(Job(os.getpid, ()))
    assert second != first


def test_the_log_of_a_dead_process_is_the_detail(pool):
    """The end of what it wrote to standard error is shown."""
    with pytest.raises(ProcessError) as caught:
        pool.call(Job(os.system, ("echo out of memory >&2; kill -9 $PPID",)))
    assert caught.value.message == "its process ended by SIGKILL"
    assert caught.value.detail == "out of memory"


def test_a_timeout_kills_the_process(pool):
    """The next call is not affected."""
    with pytest.raises(ProcessError, match=r"it took over 0\.2 s and was stopped"):
        pool.call(Job(time.sleep, (60,), timeout_s=0.2))
    assert pool.call(Job(abs, (-1,), timeout_s=60)) == (1, "")


def test_stop_cancels_a_running_job(pool):
    """The call raises within a moment, from another thread's `stop`."""
    job = Job(time.sleep, (60,))
    timer = threading.Timer(0.3, job.stop)
    timer.start()
    began = time.monotonic()
    with pytest.raises(ProcessError, match="its process ended"):
        pool.call(job)
    timer.join()
    assert time.monotonic() - began < 30


def test_stop_prevents_a_job_that_has_not_started(pool):
    """It never runs, and the process stays usable."""
    job = Job(os._exit, (1,))
    job.stop()
    with pytest.raises(ProcessError, match="it was stopped before it began"):
        pool.call(job)
    assert pool.call(Job(abs, (-1,))) == (1, "")


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (Job(len, (threading.Lock(),)), "its arguments cannot be sent to a process: TypeError"),
        (Job(threading.Lock, ()), "its result cannot be sent back: TypeError"),
    ],
)
def test_values_that_cannot_be_pickled(pool, job, message):
    """The message says in which direction."""
    with pytest.raises(ProcessError, match=message):
        pool.call(job)


def test_long_output_is_cut(pool):
    """At most `MAX_OUTPUT` characters are kept, and the number of the others is stated."""
    _, output = pool.call(Job(print, ("x" * (MAX_OUTPUT + 9),)))
    assert output == "x" * MAX_OUTPUT + "\n... 10 more characters\n"


def test_user_code_has_an_empty_standard_input(pool):
    """It cannot read the calls of the pool."""
    assert pool.call(Job(os.read, (0, 10))) == (b"", "")


def test_a_closed_pool_runs_nothing(pool):
    """Calls are rejected, and closing twice is harmless."""
    pool.close()
    with pytest.raises(ProcessError, match="the process pool is closed"):
        pool.call(Job(abs, (-1,)))


def test_no_more_processes_than_the_size_run_at_once(tmp_path):
    """Four threads share two processes."""
    pool = ProcessPool(2)
    processes: set[int] = set()

    def call() -> None:
        pool.call(Job(time.sleep, (0.2,)))
        processes.add(pool.call(Job(os.getpid, ()))[0])

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()
    assert 1 <= len(processes) <= 2
