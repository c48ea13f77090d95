"""A trial is a pytest item: selection, outcomes, ids and options behave as for any test."""

import pytest

ALL = {"passed": 4, "failed": 1, "errors": 1}


def test_each_case_and_model_is_one_item(support, evals):
    """Ids are stable: ``file::case[model]``."""
    result = evals("--collect-only", "-q", support)
    assert result.outlines[:6] == [
        f"{support}::{case}[{model}]"
        for case in ("window", "card", "down")
        for model in ("good", "bad")
    ]


def test_a_wrong_answer_fails_and_no_answer_errs(support, evals):
    """An error of the infrastructure is not a wrong answer."""
    result = evals(support)
    result.assert_outcomes(**ALL)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_datasets_are_found_by_name_below_the_roots(support, evals, write):
    """``pytest --evals`` alone collects what matches ``evals_files`` beside Python tests."""
    write("test_plain.py", "def test_plain(): pass")
    write("other.yaml", "not: a dataset")
    evals().assert_outcomes(passed=5, failed=1, errors=1)


def test_evals_files_can_be_set(support, evals, write, pytester):
    """Other patterns, other datasets."""
    pytester.makeini("[pytest]\nevals_files = *.cases.yaml")
    result = evals()
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize(
    ("args", "outcomes"),
    [
        (["-k", "good"], {"passed": 3}),
        (["-k", "window and bad"], {"failed": 1}),
        (["-m", "refunds"], {"passed": 1, "failed": 1}),
        (["-m", "evals and not cards"], {"passed": 2, "failed": 1, "errors": 1}),
        (["-x"], {"passed": 1, "failed": 1}),
        (["--maxfail=2"], {"passed": 4, "failed": 1, "errors": 1}),
        (["--deselect", "support.evals.yaml::window[bad]"], {"passed": 4, "errors": 1}),
        (["-p", "no:cacheprovider"], ALL),
        (["-p", "no:terminal"], None),
        (["--strict-markers"], ALL),
    ],
)
def test_options_of_pytest_do_what_they_do(support, evals, args, outcomes):
    """Selection and stopping are pytest's own."""
    result = evals(*args, support)
    if outcomes is None:
        assert result.ret == pytest.ExitCode.TESTS_FAILED
    else:
        deselected = result.parseoutcomes().get("deselected", 0)
        result.assert_outcomes(**outcomes, deselected=deselected)


@pytest.mark.parametrize("chosen", ["window[bad]", "window"])
def test_an_explicit_node_id_selects(support, evals, chosen):
    """A trial by its full id, all trials of a case by the case's."""
    result = evals(f"{support}::{chosen}")
    assert result.parseoutcomes()["failed"] == 1


def test_an_unknown_node_id_is_a_usage_error(support, evals):
    """A misspelt id does not run nothing in silence."""
    assert evals(f"{support}::nope").ret == pytest.ExitCode.USAGE_ERROR


def test_last_failed_runs_only_what_failed(support, evals):
    """``--lf`` reruns the wrong answer and the missing one."""
    evals(support)
    evals("--lf", support).assert_outcomes(failed=1, errors=1)


def test_failed_first_puts_failures_first(support, evals):
    """``--ff`` runs everything, failures before the rest."""
    evals(support)
    result = evals("--ff", "-v", support)
    result.assert_outcomes(**ALL)
    ran = [line for line in result.outlines if "::" in line and "%" in line]
    assert "window[bad]" in ran[0]
    assert "down[bad]" in ran[1]


def test_stepwise_stops_and_goes_on(support, evals):
    """``--sw`` stops at the first failure and starts there the next time."""
    evals("--sw", support).assert_outcomes(passed=1, failed=1)
    evals("--sw", support).assert_outcomes(failed=1, deselected=1)


def test_new_first_accepts_trials(support, evals):
    """``--nf`` sorts by the file's age and loses nothing."""
    evals("--nf", support).assert_outcomes(**ALL)


def test_durations_show_how_long_trials_took(write, evals):
    """The time of a trial is its own, not the time pytest waited for it."""
    write("slow.py", "import time\ndef answer(text):\n    time.sleep(0.3)\n    return text")
    name = write(
        "slow.evals.yaml",
        """
        models: [{id: app, provider: python, target: "slow.py:answer"}]
        scorers: [{contains: a}]
        cases: [{id: one, input: a1}, {id: two, input: a2}]
        """,
    )
    result = evals("--durations=2", "-vv", name)
    result.stdout.re_match_lines([r"0\.3\ds call .*::(one|two)\[app\]"] * 2)


def test_samples_stand_in_the_id(write, evals):
    """Each sample is an item of its own."""
    name = write(
        "s.evals.yaml",
        """
        samples: 2
        cases:
          - {id: a, input: x, scorers: [is_json], script: [{kind: chat_response, content: "1"}]}
        """,
    )
    result = evals("--collect-only", "-q", name)
    assert result.outlines[:2] == [f"{name}::a[script-0]", f"{name}::a[script-1]"]


def test_samples_can_be_overridden(support, evals):
    """``--evals-samples`` wins over the file."""
    evals("--evals-samples=3", "-k", "card and good", support).assert_outcomes(
        passed=3, deselected=15
    )


def test_a_model_can_be_selected(support, evals):
    """``--evals-model`` leaves the other models out."""
    evals("--evals-model=good", support).assert_outcomes(passed=3)


def test_a_misspelt_model_is_an_error_with_a_suggestion(support, evals):
    """Nothing is run under another name."""
    result = evals("--evals-model=goood", support)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*has no such model*Did you mean 'good'?*"])


def test_verbose_shows_score_latency_and_cost(support, evals):
    """``-v`` has the numbers behind each outcome."""
    result = evals("-v", support)
    result.stdout.fnmatch_lines(["*window?good? PASSED 1.00*", "*window?bad? FAILED 0.00*"])


def test_the_header_says_what_will_run(support, evals):
    """Cases x models x samples = trials, and where answers come from."""
    result = evals(support)
    result.stdout.fnmatch_lines(
        [
            "evals: run *, responses auto, store .evals/evals.sqlite",
            "evals: support: 3 cases x 2 models (good, bad) x 1 sample = 6 trials",
        ]
    )


def test_the_summary_has_a_row_for_each_model(support, evals):
    """Passed of n with its interval, failed, errors, mean score and cost."""
    result = evals(support)
    result.stdout.fnmatch_lines(
        [
            "*model*passed*95 % CI*failed*errors*score*cost*",
            "*good*3/3 100%*0*0*1.00*",
            "*bad*1/2 50%*1*1*0.50*",
        ]
    )


def test_quiet_prints_no_block(support, evals):
    """``-q`` keeps to pytest's own lines."""
    result = evals("-q", support)
    assert "95 % CI" not in result.stdout.str()


def test_a_failure_shows_everything_a_reader_needs(support, evals):
    """Input, output, scores with reasons, the line of the case and the command to rerun."""
    result = evals("-k", "window and bad", support)
    result.stdout.fnmatch_lines(
        [
            "case    window   support.evals.yaml:7",
            "model   bad (script)*sample 0",
            "input",
            "    How long do I have?",
            "output",
            "    No idea.",
            "scores",
            "    FAIL  contains*",
            "rerun   pytest --evals 'support.evals.yaml::window[[]bad[]]'",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert "pytest_evals/" not in result.stdout.str()


def test_a_missing_answer_shows_its_reason(support, evals):
    """The error's type and message stand where the answer would."""
    result = evals("-k", "down and bad", support)
    result.stdout.fnmatch_lines(["*ERROR at setup of down*", "    overloaded: come back later"])


def test_properties_reach_junit(support, evals, pytester):
    """Model, sample, score and tokens are properties of each test case."""
    evals("--junitxml=report.xml", "-k", "window and good", support)
    text = pytester.path.joinpath("report.xml").read_text()
    for name, value in (("model", "good"), ("sample", "0"), ("score", "1"), ("tokens", "13")):
        assert f'<property name="{name}" value="{value}"' in text


def test_properties_can_be_left_out(support, evals, pytester):
    """A strict JUnit reader gets none on test cases, where its schema has none."""
    pytester.makeini("[pytest]\nevals_junit_properties = false")
    evals("--junitxml=report.xml", support)
    text = pytester.path.joinpath("report.xml").read_text()
    assert ('<properties><property name="evals.run"', 1) == (
        text[text.index("<properties>") :][:38],
        text.count("<properties>"),
    )


def test_errors_and_failures_differ_in_junit(support, evals, pytester):
    """A wrong answer is a failure, no answer an error."""
    evals("--junitxml=report.xml", support)
    text = pytester.path.joinpath("report.xml").read_text()
    assert text.count("<failure ") == 1
    assert text.count("<error ") == 1


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_what_another_plugin_skips_is_not_green(workers, support, evals_process, pytester):
    """Trials that no report gives a verdict to fail the session, even if that is all of them."""
    if workers:
        pytest.importorskip("xdist")
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_setup(item):
            pytest.skip("not today")
        """
    )
    result = evals_process(*workers, support)
    result.assert_outcomes(skipped=6)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["evals: 6 of 6 trials have no record, so this session fails: *"])
