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


def test_a_session_in_process_leaves_its_objects_to_the_collector(support, evals):
    """Where another session may follow, what one kept can be found as garbage."""
    evals("--collect-only", "-qq", support)
    assert gc.get_freeze_count() == 0
