"""Gates in a session: tolerated trials, verdicts that are tests, baselines, in pytest's own terms."""

import json
import subprocess

import pytest


def dataset(gates: list, samples: int = 1, cases: int = 60) -> str:
    """Return a dataset that a program answers."""
    return json.dumps(
        {
            "name": "shop",
            "samples": samples,
            "models": [{"id": "bot", "provider": "python", "target": "bot.py:answer"}],
            "scorers": [{"contains": "right"}],
            "gates": gates,
            "cases": [{"id": f"c{i:02}", "input": f"question {i}"} for i in range(cases)],
        }
    )


@pytest.fixture
def shop(write):
    """Write a dataset and the program that answers it."""

    def shop(wrong: int, gates: list, samples: int = 1, cases: int = 60) -> str:
        write(
            "bot.py",
            f"""
            def answer(text):  # another size each time: {"." * wrong}
                return "wrong" if int(text.split()[-1]) < {wrong} else "right"
            """,
        )
        return write("shop.yaml", dataset(gates, samples, cases))

    return shop


def test_a_gate_that_passes_covers_a_wrong_answer(shop, evals, pytester):
    """The wrong answer is counted as tolerated, the gate as a test that passed."""
    result = evals(shop(1, ["pass@1 >= 0.8"], cases=10), "--junitxml=out.xml")
    assert result.ret == 0
    assert {"passed": 10, "tolerated": 1} == result.parseoutcomes()
    xml = (pytester.path / "out.xml").read_text()
    assert 'failures="0" skipped="1" tests="11"' in xml
    result.stdout.fnmatch_lines(["pass@1 >= 0.8 [[]bot[]] *PASSED *", "decision: accept"])


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_a_gate_that_fails_fails_the_session(shop, evals_process, workers):
    """It is a failed test of its own, with and without workers."""
    if workers:
        pytest.importorskip("xdist")
    result = evals_process(shop(4, ["pass@1 >= 0.8"], cases=10), *workers)
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    assert {"passed": 6, "tolerated": 4, "failed": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["FAILED shop.yaml::gate[[]pass@1 >= 0.8[]][[]bot[]]*"])


def test_the_trials_behind_a_failed_gate_are_run_again(shop, evals_process):
    """``--lf`` runs them, not the gate; narrowed, a wrong answer fails and no gate is judged."""
    name = shop(4, ["pass@1 >= 0.8"], cases=10)
    evals_process(name)
    outcomes = evals_process("--lf", name).parseoutcomes()
    outcomes.pop("deselected", None)
    assert outcomes == {"failed": 4, "skipped": 1}


def test_a_misspelt_metric_is_an_error_at_collection(shop, evals):
    """Nothing is asked."""
    result = evals(shop(0, ["pas@1 >= 0.8"], cases=3))
    assert {"errors": 1} == result.parseoutcomes()
    result.stdout.fnmatch_lines(["*gate `pas@1 >= 0.8`, column 1*"])


def test_a_broken_baseline_stops_the_session(shop, evals, write):
    """Before anything is asked."""
    name = shop(0, ["no regressions"], cases=3)
    write("baselines/shop.jsonl", "not a baseline")
    assert pytest.ExitCode.USAGE_ERROR == evals(name).ret
    assert pytest.ExitCode.USAGE_ERROR == evals(name, "--evals-baseline=none.jsonl").ret


@pytest.mark.parametrize(("samples", "word"), [(5, "reject"), (1, "investigate")])
def test_three_broken_cases_of_sixty(shop, evals_process, samples, word):
    """Five samples a case tell, one does not; strictly, what cannot be told fails."""
    first = evals_process(shop(0, ["no regressions"], samples), "--evals-update-baseline", "-q")
    assert 0 == first.ret
    name = shop(3, ["no regressions"], samples)
    result = evals_process(name, "--evals-responses=off")
    result.stdout.fnmatch_lines([f"decision: {word}"])
    assert (1 if word == "reject" else 0) == result.ret
    if word == "reject":
        result.stdout.fnmatch_lines(["failing cases: c00, c01, c02"])
    else:
        assert 1 == result.parseoutcomes()["inconclusive"]
        assert 1 == evals_process(name, "--evals-responses=off", "--evals-strict").ret


def git(folder, *args: str) -> None:
    """Run git."""
    config = (
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "-c",
        "init.defaultBranch=main",
    )
    subprocess.run(["git", *config, *args], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("source", ["file", "folder", "git", "run", "latest", "latest xdist"])
def test_a_baseline_may_be_kept_anywhere(source, shop, evals, evals_process, pytester):
    """A file, a folder of files, a revision of git, a run, or the latest complete run."""
    source, _, workers = source.partition(" ")
    if workers:
        pytest.importorskip("xdist")
    name = shop(0, ["no regressions"], samples=5, cases=20)
    first = evals(name, "--evals-update-baseline")
    run = next(line for line in first.outlines if line.startswith("evals: run ")).split()[2][:-1]
    named = {
        "file": "kept/shop.jsonl",
        "folder": "kept",
        "git": "main:baselines/shop.jsonl",
        "run": run,
        "latest": "latest",
    }[source]
    if source == "git":
        git(pytester.path, "init")
        git(pytester.path, "add", "baselines")
        git(pytester.path, "commit", "-m", "baseline")
    (pytester.path / "baselines").rename(pytester.path / "kept")
    run_it = evals_process if workers else evals
    options = ["-n", "2"] if workers else []
    result = run_it(*options, shop(3, ["no regressions"], 5, 20), "--evals-baseline", named)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["failing cases: c00, c01, c02"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"passes":1', '"passes":0', 1),
        lambda text: text.replace('"format":1', '"format":99', 1),
        lambda text: text.replace('"baseline":"shop"', '"baseline":"other"', 1),
        lambda text: "",
    ],
    ids=["cut short", "edited", "newer", "of another", "empty"],
)
def test_a_damaged_baseline_is_never_a_pass(damage, shop, evals, pytester):
    """It is an error that says where, before anything is asked."""
    name = shop(0, ["no regressions"], cases=6)
    assert evals(name, "--evals-update-baseline").ret == 0
    path = pytester.path / "baselines/shop.jsonl"
    path.write_text(damage(path.read_text()))
    result = evals(name)
    assert result.ret != 0
    assert "baselines/shop.jsonl" in result.stdout.str() + result.stderr.str()
    assert "passed" not in result.stdout.str()


@pytest.mark.slow
def test_a_damaged_baseline_is_never_a_pass_of_workers(shop, evals, evals_process, pytester):
    """Workers find it damaged too: nothing is asked."""
    pytest.importorskip("xdist")
    name = shop(0, ["no regressions"], cases=6)
    evals(name, "--evals-update-baseline")
    path = pytester.path / "baselines/shop.jsonl"
    path.write_text(path.read_text()[:200])
    result = evals_process("-n", "2", name)
    assert result.ret != 0
    assert "baselines/shop.jsonl" in result.stdout.str() + result.stderr.str()


def test_a_subset_updates_only_what_ran(shop, evals, pytester):
    """Nothing is pruned unless all was collected; running all again prunes what is gone."""
    path = pytester.path / "baselines/shop.jsonl"
    evals(shop(0, ["no regressions"], cases=6), "--evals-update-baseline")
    before = path.read_text().splitlines()
    evals(shop(6, ["no regressions"], cases=6), "--evals-update-baseline", "-k", "c02")
    after = path.read_text().splitlines()
    changed = [line for line in after if line not in before]
    assert ['"case":"c02"' in line for line in changed[:1]] == [True]
    assert len(after) == len(before)
    evals(shop(6, ["no regressions"], cases=4), "--evals-update-baseline", "-k", "c02")
    assert len(path.read_text().splitlines()) == len(before)
    evals(shop(6, ["no regressions"], cases=4), "--evals-update-baseline")
    assert len(path.read_text().splitlines()) == len(before) - 2


def test_the_same_answers_again_change_no_byte(write, evals, pytester):
    """A baseline of recorded answers is the same, whenever and in whatever order it is made."""
    cases = [
        {
            "id": f"c{i}",
            "input": "x",
            "script": [{"kind": "chat_response", "content": f"right {i}"}],
        }
        for i in range(5)
    ]
    data = {"name": "shop", "scorers": [{"contains": "right"}], "gates": ["no regressions"]}
    path = pytester.path / "baselines/shop.jsonl"
    write("shop.yaml", json.dumps({**data, "cases": cases}))
    evals("shop.yaml", "--evals-update-baseline")
    first = path.read_bytes()
    evals("shop.yaml", "--evals-update-baseline")
    write("shop.yaml", json.dumps({**data, "cases": cases[::-1]}))
    evals("shop.yaml", "--evals-update-baseline")
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["-k", "c00 or c01"], "NOT EVALUATED"),
        (["--evals-max-tokens=5"], "INCOMPLETE"),
        (["--evals-timeout=0.001"], "INCOMPLETE"),
    ],
    ids=["narrowed", "budget", "time"],
)
def test_what_was_not_run_is_not_judged(options, word, write, evals):
    """Skipped where the user chose a part, failed as incomplete where the run was cut short."""
    write(
        "bot.py",
        'def answer(text):\n    return {"text": "right", "usage": {"input_tokens": 1, '
        '"output_tokens": 1}}\n',
    )
    name = write("shop.yaml", dataset(["pass@1 >= 0.5"], cases=60))
    result = evals("--evals-concurrency=1", *options, name)
    line = next(line for line in result.outlines if line.startswith("pass@1 >="))
    assert word in line
    assert (result.ret == 0) == (word == "NOT EVALUATED")


def test_a_lost_worker_leaves_its_gates_unjudged(write, evals_process):
    """A trial whose worker died has no verdict, so the set is incomplete."""
    pytest.importorskip("xdist")
    write(
        "bot.py",
        """
        import os, signal

        def answer(text):
            if text == "question 7":
                os.kill(os.getpid(), signal.SIGKILL)
            return "right"
        """,
    )
    name = write("shop.yaml", dataset(["pass@1 >= 0.5"], cases=12))
    result = evals_process("-n", "2", name)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["pass@1 >= 0.5 [[]bot[]] *INCOMPLETE*"])
