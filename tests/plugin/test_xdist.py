"""Under pytest-xdist the same trials run once each, with the same outcomes."""

import sqlite3
from contextlib import closing

import pytest

pytest.importorskip("xdist")

ALL = {"passed": 4, "failed": 1, "errors": 1}


def recorded(pytester: pytest.Pytester) -> list[str]:
    """Return the ids of the recorded trials."""
    with closing(sqlite3.connect(pytester.path / ".evals/evals.sqlite")) as db:
        return sorted(row[0] for row in db.execute("select trial from trials"))


@pytest.mark.parametrize(
    "args",
    [["-n", "0"], ["-n", "2"], ["-n", "2", "--dist", "loadscope"],
     *(pytest.param(args.split(), marks=pytest.mark.slow, id=args)
       for args in ("-n 1", "-n 4", "-n 2 --dist loadfile", "-n 2 --dist worksteal"))],
    ids=" ".join,
)  # fmt: skip
def test_the_outcomes_are_the_same(support, evals_process, pytester, args):
    """However the items are distributed."""
    result = evals_process(*args, support)
    result.assert_outcomes(**ALL)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert len(recorded(pytester)) == 6
    assert len(set(recorded(pytester))) == 6


def test_selection_works(support, evals_process):
    """``-k`` and ``-m`` choose on every worker alike; tags are registered there."""
    args = ("-n", "2", "--strict-markers", "-m", "refunds", support)
    evals_process(*args).assert_outcomes(passed=1, failed=1)


def test_a_failure_is_shown_whole(support, evals_process):
    """The question, the answer and the command to rerun cross the processes."""
    result = evals_process("-n", "2", support)
    result.stdout.fnmatch_lines_random(
        [
            "    No idea.",
            "    FAIL  contains*",
            "    overloaded: come back later",
            "FAILED support.evals.yaml::window[[]bad[]] - contains: *",
        ]
    )


def test_the_summary_is_the_same(support, evals_process):
    """One table, from all workers."""
    result = evals_process("-n", "2", support)
    result.stdout.fnmatch_lines(["*good*3/3 100%*0*0*1.00*", "*bad*1/2 50%*1*1*0.50*"])


def test_properties_reach_junit(support, evals_process, pytester):
    """As without xdist."""
    evals_process("-n", "2", "--junitxml=report.xml", support)
    text = pytester.path.joinpath("report.xml").read_text()
    assert text.count('<property name="model" value="good"') == 3


def test_last_failed_works(support, evals_process):
    """What failed on a worker is rerun without one."""
    evals_process("-n", "2", support)
    evals_process("--lf", support).assert_outcomes(failed=1, errors=1)


def test_python_tests_run_beside(support, evals_process, write):
    """Datasets and ordinary tests share the workers."""
    write("test_plain.py", "def test_one(): pass\ndef test_two(): pass")
    evals_process("-n", "2").assert_outcomes(passed=6, failed=1, errors=1)


def test_each_worker_looks_ahead(write, evals_process, pytester):
    """Forty answers of 0.4 s, twenty at once on two workers, take seconds and not sixteen."""
    write(
        "slow.py",
        """
        import asyncio

        async def answer(text):
            await asyncio.sleep(0.4)
            return text
        """,
    )
    case = "  - {id: cN, input: xN, scorers: [{contains: x}]}"
    cases = "\n".join(case.replace("N", str(i)) for i in range(40))
    pytester.path.joinpath("slow.evals.yaml").write_text(
        f'models: [{{id: app, provider: python, target: "slow.py:answer"}}]\ncases:\n{cases}\n'
    )
    result = evals_process("-n", "2", "--evals-concurrency=20", "slow.evals.yaml")
    result.assert_outcomes(passed=40)
    assert result.duration < 14


def test_maxfail_stops(write, evals_process, pytester):
    """What is queued on the workers is taken back."""
    cases = "\n".join(
        f"  - {{id: c{i}, input: x, scorers: [{{contains: y}}], "
        "script: [{kind: chat_response, content: no}]}"
        for i in range(300)
    )
    pytester.path.joinpath("many.evals.yaml").write_text(f"cases:\n{cases}\n")
    result = evals_process("-n", "2", "-x", "many.evals.yaml")
    assert 1 <= result.parseoutcomes()["failed"] < 200
    assert result.ret != 0


def test_without_xdist_installed(support, evals_process):
    """The plugin needs none of it."""
    evals_process("-p", "no:xdist", "-p", "no:xdist.looponfail", support).assert_outcomes(**ALL)
