"""What collecting leaves behind in the process."""

import gc

AT_THE_END = """
import atexit, gc
atexit.register(lambda: print("looked through at the end:", len(gc.get_objects())))
"""


def test_the_process_ends_without_a_search_for_garbage(support, pytester, write):
    """The interpreter's own searches at its end find nothing to look through."""
    write("conftest.py", AT_THE_END)
    result = pytester.runpytest_subprocess("--evals", "--collect-only", "-qq", support)
    last = result.outlines[-1]
    assert last.startswith("looked through at the end: ")
    assert int(last.rpartition(" ")[2]) < 1000


UNCLOSED = """
class Log:
    file = open("text.log", "w")
    raw = open("bytes.log", "wb")
    closed = open("closed.log", "w")
Log.file.write("kept")
Log.raw.write(b"kept too")
Log.closed.close()
"""


def test_a_file_that_nobody_closes_is_written_out(support, pytester, write):
    """A class is garbage in a circle: without evals, a search at the end would find its files."""
    write("conftest.py", UNCLOSED)
    pytester.runpytest_subprocess("--evals", "--collect-only", "-qq", support)
    written = [(pytester.path / name).read_text() for name in ("text.log", "bytes.log")]
    assert written == ["kept", "kept too"]


def test_a_session_in_process_leaves_its_objects_to_the_collector(support, evals):
    """Where another session may follow, what one kept can be found as garbage."""
    evals("--collect-only", "-qq", support)
    assert gc.get_freeze_count() == 0


def test_garbage_is_seldom_looked_for_while_trials_run(support, evals, write):
    """And as often as before when they have."""
    write(
        "conftest.py",
        """
        import gc

        seen = []

        def pytest_runtest_setup():
            seen.append(gc.get_threshold()[0])

        def pytest_sessionfinish():
            seen.append(gc.get_threshold()[0])

        def pytest_terminal_summary(terminalreporter):
            terminalreporter.line(f"thresholds: {sorted(set(seen[:-1]))} {seen[-1]}")
        """,
    )
    before = gc.get_threshold()
    gc.set_threshold(600, 7, 7)
    try:
        result = evals(support)
        assert (600, 7, 7) == gc.get_threshold()
    finally:
        gc.set_threshold(*before)
    result.stdout.fnmatch_lines(["thresholds: [[]50000] 600"])
