"""The private names we use of other packages: each test fails clearly when one is gone."""

import asyncio
import sys
import threading
from importlib.metadata import version
from types import SimpleNamespace

import pytest

from pytest_evals.plugin import compat
from pytest_evals.plugin.exceptions import NoAnswer


@pytest.fixture
def reporter(pytester):
    """Return a terminal reporter as pytest makes it."""
    config = pytester.parseconfigure()
    made = compat.terminal_reporter(config)
    assert made is not None, "pytest's reporter is no longer the plugin 'terminalreporter'"
    return made


def test_the_group_of_an_option():
    """Pytest's parser keeps its groups, and a group its options."""
    parser = pytest.Parser(_ispytest=True)
    theirs, ours = parser.getgroup("theirs"), parser.getgroup("ours")
    theirs.addoption("--shared", action="store_true")
    assert "theirs" == compat.option_group_with(parser, "--shared", other_than=ours)
    assert compat.option_group_with(parser, "--shared", other_than=theirs) is None
    assert compat.option_group_with(parser, "--free", other_than=ours) is None


def test_the_width_of_the_terminal(reporter, monkeypatch):
    """The reporter has a writer that counts columns."""
    assert compat.terminal_width(reporter) > 0
    reporter.write("abc")
    assert 3 == compat.used_width(reporter)
    compat.start_line(reporter)
    assert 0 == compat.used_width(reporter)


def test_the_stream_of_the_terminal(reporter):
    """Writing to it does not count columns."""
    stream = compat.terminal_stream(reporter)
    assert stream is reporter._tw._file
    before = compat.used_width(reporter)
    stream.write("")
    assert before == compat.used_width(reporter)


def test_streams_of_the_capture(pytestconfig):
    """Pytest's capture holds a stream for the output and one for errors."""
    streams = list(compat.captured_streams(pytestconfig))
    if pytestconfig.option.capture == "no":
        assert streams == []
    else:
        assert len(streams) >= 2
        assert all(callable(stream.write) for stream in streams)


def test_the_capture_is_suspended(pytestconfig):
    """Inside the block, sys.stdout is not pytest's capture."""
    captured = sys.stdout
    with compat.capture_suspended(pytestconfig):
        assert pytestconfig.option.capture == "no" or sys.stdout is not captured
    assert sys.stdout is captured or sys.stdout.fileno() >= 0


def test_the_junit_report(pytester):
    """It is on the config's stash, and takes properties of the whole suite."""
    pytester.makepyfile("def test_one(): pass")
    assert compat.junit_report(pytester.parseconfigure()) is None
    config = pytester.parseconfigure("--junitxml=x.xml")
    report = compat.junit_report(config)
    assert report is not None, "pytest's JUnit report is no longer on the stash"
    report.add_global_property("name", "value")


def test_the_cache_of_the_last_failures(pytester):
    """It takes reports."""
    cache = compat.last_failed_cache(pytester.parseconfigure())
    assert cache is not None, "pytest's plugin of --lf is no longer 'lfplugin'"
    report = pytest.TestReport("a.py::test", ("a.py", 0, "test"), {}, "failed", "", "call")
    cache.pytest_runtest_logreport(report)
    assert ["a.py::test"] == list(map(str, cache.lastfailed))


def test_an_item_runs(pytester):
    """By pytest's own runner, whatever other plugins do."""
    item = pytester.getitem("def test_func(): pass")
    assert compat.run_item(item, None) is True


@pytest.mark.parametrize(
    ("reruns", "ini", "requested"),
    [
        ("absent", "0", False),
        (None, "0", False),
        (None, "2", True),
        (1, "0", True),
        (0, "2", False),
    ],
)
def test_reruns_of_failed_tests(reruns, ini, requested):
    """pytest-rerunfailures has the option and the ini option `reruns`."""
    option = SimpleNamespace() if reruns == "absent" else SimpleNamespace(reruns=reruns)
    config = SimpleNamespace(option=option, getini=lambda _: ini)
    assert requested is compat.reruns_requested(config)


def test_the_fixtures_of_a_test(pytester):
    """A test's definition knows the functions of its fixtures."""
    (item,) = pytester.getitems(
        """
        import pytest

        @pytest.fixture
        def mine(): pass

        def test_one(mine): pass
        """
    )
    (function,) = compat.fixture_functions(item, "mine")
    assert "mine" == function.__name__
    assert [] == list(compat.fixture_functions(item, "other"))


def test_a_text_in_place_of_the_traceback(pytester):
    """The representation of a failure has entries with lines, and the place of the crash."""
    item = pytester.getitem("def test_func(): pass")
    try:
        raise NoAnswer("timeout: too slow")
    except NoAnswer:
        shown = compat.failure_text(item, pytest.ExceptionInfo.from_current(), "the whole text")
    assert "the whole text" in str(shown)
    assert "test_compat" not in str(shown)
    assert "timeout: too slow" == shown.reprcrash.message
    assert shown.reprcrash.path.endswith(".py")


def test_errors_of_the_setup_are_displayed_by_the_item(pytester):
    """Pytest asks `_repr_failure_py` for them."""
    pytester.makeconftest(
        """
        import pytest
        from pytest_evals.plugin.compat import SetupFailureItem

        class Item(SetupFailureItem):
            def setup(self): raise RuntimeError("broken")
            def runtest(self): pass
            def describes(self, excinfo): return True
            def repr_failure(self, excinfo, style=None): return "described by the item"

        class File(pytest.File):
            def collect(self):
                yield Item.from_parent(self, name="one")

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".one":
                return File.from_parent(parent, path=file_path)
        """
    )
    pytester.path.joinpath("a.one").write_text("")
    result = pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:hypothesispytest")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*described by the item*"])


def test_the_queue_of_a_worker(pytester):
    """Xdist's worker has a queue that can be locked and read."""
    remote = pytest.importorskip("xdist.remote")
    assert hasattr(remote, "WorkerInteractor"), "xdist has renamed its worker"
    if tuple(map(int, version("pytest-xdist").split(".")[:2])) < (3, 7):
        pytest.skip("the queue of an older xdist cannot be read: workers do not look ahead")
    queue = remote.TestQueue(SimpleNamespace(RLock=threading.RLock, Event=threading.Event))
    queue.put(1)
    queue.put(0)
    worker = type("WorkerInteractor", (), {})()
    worker.torun = queue
    manager = SimpleNamespace(get_plugins=lambda: [object(), worker])
    config = SimpleNamespace(pluginmanager=manager)
    session = SimpleNamespace(config=config, items=["first", "second"])
    assert ["second", "first"] == compat.queued_items(session)
    worker.torun = SimpleNamespace()
    assert [] == compat.queued_items(session)


def test_how_collections_differ():
    """Xdist says it in words."""
    pytest.importorskip("xdist.report")
    text = compat.collection_difference(["a"], ["b"], "gw0", "gw1")
    assert "gw0" in text
    assert "gw1" in text


def test_allure_is_found_by_its_names(pytester):
    """The plugin is `allure_pytest`, its listener `allure_listener`."""
    pytest.importorskip("allure_pytest.plugin")
    config = pytester.parseconfigure("--alluredir=out")
    assert compat.has_allure(config), "Allure has renamed its plugin"
    listener = compat.allure_listener(config)
    assert listener is not None, "Allure has renamed its listener"
    assert callable(listener.allure_logger.schedule_test)
    assert callable(listener.allure_logger.close_test)


def test_the_loop_of_a_thread():
    """One that is set is returned; none is made."""
    before = compat.thread_event_loop()
    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        assert loop is compat.thread_event_loop()
        asyncio.set_event_loop(None)
        assert compat.thread_event_loop() is None
    finally:
        loop.close()
        asyncio.set_event_loop(before)
