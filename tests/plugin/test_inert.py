"""Without ``--evals`` the plugin does nothing."""

import sys

import pytest

HEAVY = {
    "asyncio.base_events",
    "httpx",
    "jinja2",
    "pydantic",
    "pytest_evals.engine",
    "pytest_evals.plugin.composition",
    "scipy",
    "sqlite3",
    "yaml",
}


def test_no_dataset_is_collected(support, pytester):
    """Datasets cost money: they are opt in."""
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert not pytester.path.joinpath(".evals").exists()


def test_a_dataset_that_is_named_gives_a_hint(support, pytester):
    """The user is told which option is missing."""
    result = pytester.runpytest_inprocess(support)
    result.stdout.fnmatch_lines(["*support.evals.yaml looks like an eval dataset*--evals*"])


def test_marked_evals_are_skipped_with_one_hint(pytester):
    """Python evals wait for ``--evals`` too."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.evals
        def test_one(): raise AssertionError

        @pytest.mark.evals
        def test_two(): raise AssertionError
        """
    )
    result = pytester.runpytest_inprocess("--strict-markers")
    result.assert_outcomes(skipped=2)
    assert result.stdout.str().count("run them with --evals") == 1


def test_nothing_heavy_is_imported(pytester):
    """A plain pytest start pays for no client, template engine or database."""
    pytester.makepyfile("def test_plain(): pass")
    pytester.makeconftest(
        f"""
        import sys

        def pytest_unconfigure(config):
            print("LOADED", sorted(set(sys.modules) & {HEAVY!r}))
        """
    )
    result = pytester.runpytest_subprocess(
        *("-p", "no:randomly", "-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:xdist"),
        *("-p", "no:xdist.looponfail", "-p", "no:html"),
    )
    result.stdout.fnmatch_lines(["LOADED []"])


def test_no_thread_is_started(pytester):
    """Only the main thread runs."""
    pytester.makepyfile(
        """
        import threading

        def test_threads():
            assert [t.name for t in threading.enumerate() if "evals" in t.name] == []
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_plugin_can_be_turned_off(pytester):
    """Its options are then unknown, as for any plugin."""
    pytester.makepyfile("def test_plain(): pass")
    pytester.runpytest_subprocess("-p", "no:evals-matrix").assert_outcomes(passed=1)


def test_an_option_that_another_plugin_has_taken_is_named(pytester):
    """One clear line says whose it is."""
    pytester.makepyfile(
        first="""
        def pytest_addoption(parser):
            parser.getgroup("pyeval").addoption("--evals", action="store_true")
        """,
        test_plain="def test_plain(): pass",
    )
    pytester.syspathinsert()
    result = pytester.run(sys.executable, "-m", "pytest", "-p", "first")
    assert result.ret != 0
    assert "'pyeval'" in result.stderr.str() + result.stdout.str()


def test_a_dataset_without_gates_loads_no_statistics(pytester):
    """With ``--evals``, comparisons are imported only for datasets that need them."""
    pytester.path.joinpath("one.evals.yaml").write_text(
        "cases: [{id: a, input: x, scorers: [{contains: x}], "
        "script: [{kind: chat_response, content: x}]}]"
    )
    pytester.makeconftest(
        """
        import sys

        def pytest_unconfigure(config):
            parts = ("stats", "verdict.diff", "verdict.gate", "providers.transport")
            print("LOADED", [m for m in parts if f"pytest_evals.{m}" in sys.modules])
        """
    )
    result = pytester.runpytest_subprocess("--evals", "-q", "-p", "no:randomly")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["LOADED []"])
