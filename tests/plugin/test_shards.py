"""Shards: each session runs its part, and merge judges all of them as one run."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.errors import SettingsError
from pytest_evals.shard import Shard, divide_cases, expected_seconds, parse_shard

WEIGHTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4), st.floats(0.01, 100), min_size=1, max_size=30
)


@given(WEIGHTS, st.integers(1, 8), st.randoms())
def test_every_case_is_in_one_part_whatever_the_order(weights, parts, random):
    """The order of the file does not matter, and no part is empty."""
    if parts > len(weights):
        return
    found = divide_cases(weights, parts)
    shuffled = list(weights)
    random.shuffle(shuffled)
    assert divide_cases({case: weights[case] for case in shuffled}, parts) == found
    assert found.keys() == weights.keys()
    assert set(found.values()) == set(range(1, parts + 1))


@given(WEIGHTS, st.integers(1, 5))
def test_parts_weigh_about_the_same(weights, parts):
    """No two parts differ by more than the heaviest case."""
    if parts > len(weights):
        return
    loads = [0.0] * parts
    for case, part in divide_cases(weights, parts).items():
        loads[part - 1] += weights[case]
    assert max(loads) - min(loads) <= max(weights.values()) + 1e-9


def test_more_parts_than_cases_is_an_error():
    """A shard of nothing would be green."""
    with pytest.raises(SettingsError, match="2 cases cannot be divided into 3 shards"):
        divide_cases({"a": 1.0, "b": 1.0}, 3)


def test_unknown_cases_take_the_median():
    """Seconds a sample times samples."""
    known = {"a": 1.0, "b": 2.0, "c": 9.0}
    found = expected_seconds(known, {"a": 2, "b": 1, "c": 1, "new": 3})
    assert found == {"a": 2.0, "b": 2.0, "c": 9.0, "new": 6.0}


@pytest.mark.parametrize("text", ["0/4", "5/4", "2", "2/", "a/b", "-1/2", "1/0"])
def test_what_is_no_shard(text):
    """A part of several is two numbers, the first 1 to the second."""
    with pytest.raises(ValueError, match="such as 2/4"):
        parse_shard(text)
    assert parse_shard("2/4") == Shard(2, 4)


@pytest.fixture
def shop(write, pytester):
    """Write a dataset of 60 cases in which the first `wrong` are answered wrongly."""

    def shop(wrong: int, **extra) -> str:
        write(
            "bot.py",
            f"""
            def answer(text):  # another size each time: {"." * wrong}
                return "wrong" if int(text.split()[-1]) < {wrong} else "right"
            """,
        )
        data = {
            "name": "shop",
            "samples": 5,
            "models": [{"id": "bot", "provider": "python", "target": "bot.py:answer"}],
            "scorers": [{"contains": "right"}],
            "gates": ["no regressions", "pass@1 >= 0.9"],
            "cases": [{"id": f"c{i:02}", "input": f"question {i}"} for i in range(60)],
            **extra,
        }
        return write("shop.yaml", json.dumps(data))

    return shop


@pytest.fixture
def merge(pytester):
    """Run ``pytest-evals merge``; return its status, and what it printed."""

    def merge(*args: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "pytest_evals.cli", "merge", *args]
        done = subprocess.run(
            command, cwd=pytester.path, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return merge


@pytest.fixture
def shards(evals):
    """Run the shards of a dataset into stores of their own; return their names."""

    def shards(name: str, of: int = 3, *options: str) -> list[str]:
        found = []
        for number in range(1, of + 1):
            found.append(f"s{number}.sqlite")
            result = evals(
                f"--evals-shard={number}/{of}", f"--evals-store={found[-1]}", *options, name
            )
            assert result.ret == 0, result.stdout.str()
        return found

    return shards


def test_the_union_is_judged_as_one_run(shop, evals, shards, merge):
    """Wrong answers are tolerated in a shard; together they are the regression of a whole run."""
    evals("--evals-update-baseline", shop(0))
    name = shop(3)
    whole = evals(name)
    regressed = next(line for line in whole.outlines if line.startswith("REGRESSED: "))
    status, said = merge(*shards(name))
    assert status == whole.ret == 1
    assert regressed in " ".join(said.split())
    assert "decision: reject" in said
    assert "300 trials" in said
    status, said = merge(*shards(shop(0)), "--json")
    told = json.loads(said)
    assert (status, told["failed"], told["run"]["decision"]["decision"]) == (0, False, "accept")
    assert told["run"]["counts"]["passed"] == 300


def test_a_merged_run_is_a_run(shop, shards, merge, pytester):
    """It is kept, and can be shown."""
    _, said = merge(*shards(shop(0, gates=["pass@1 >= 0.9"])), "--store=all.sqlite")
    run = said.split("pytest-evals show ")[1].split()[0]
    command = [sys.executable, "-m", "pytest_evals.cli", "show", run, "--store=all.sqlite"]
    shown = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=True)
    assert "300 passed, 0 failed, 0 errors of 300" in shown.stdout


def test_without_gates_every_trial_counts(shop, evals, merge):
    """A shard that fails fails the union too."""
    name = shop(1, gates=[])
    ended = [evals(f"--evals-shard={n}/2", f"--evals-store={n}.sqlite", name).ret for n in (1, 2)]
    assert sorted(map(int, ended)) == [0, 1]
    status, said = merge("1.sqlite", "2.sqlite")
    assert status == 1
    assert "295 passed, 5 failed" in said


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (["s1.sqlite", "s3.sqlite"], "shard 2/3 missing"),
        (["s1.sqlite", "s2.sqlite", "s2.sqlite", "s3.sqlite"], "duplicate shard 2/3"),
        (["whole.sqlite"], "is no shard"),
        (["s1.sqlite", "s2.sqlite", "other.sqlite"], "dataset 'shop' differs"),
        (["s1.sqlite", "half.sqlite"], "divided into 3, the other into 2"),
        (["s1.sqlite", "nowhere.sqlite"], "nowhere.sqlite"),
    ],
    ids=["missing", "doubled", "whole", "foreign", "other division", "no such"],
)
def test_what_cannot_be_merged(chosen, said, shop, evals, shards, merge):
    """A missing, doubled or foreign shard fails, with its name."""
    name = shop(0)
    gateless = ("--evals-confirm=0",)
    evals("--evals-update-baseline", name)
    shards(name, 3, *gateless)
    if "whole.sqlite" in chosen:
        evals("--evals-store=whole.sqlite", name)
    if "half.sqlite" in chosen:
        evals("--evals-store=half.sqlite", "--evals-shard=2/2", name)
    if "other.sqlite" in chosen:
        evals(
            "--evals-store=other.sqlite", "--evals-shard=3/3", shop(0, description="x", samples=4)
        )
    status, told = merge(*chosen)
    assert status == 1
    assert said in told


def test_what_a_shard_did_not_run_is_not_green(shop, evals, merge):
    """A shard that was narrowed leaves the union incomplete."""
    name = shop(0)
    evals("--evals-update-baseline", name)
    evals("--evals-shard=1/2", "--evals-store=1.sqlite", "-k", "not c1", name)
    evals("--evals-shard=2/2", "--evals-store=2.sqlite", name)
    status, said = merge("1.sqlite", "2.sqlite")
    assert status == 1
    assert "INCOMPLETE" in said


@pytest.mark.slow
def test_workers_run_the_same_shard(shop, evals_process, merge):
    """A shard under xdist is the shard without."""
    pytest.importorskip("xdist")
    name = shop(0, gates=["pass@1 >= 0.9"])
    evals_process("-n", "2", "--evals-shard=1/2", "--evals-store=1.sqlite", name)
    evals_process("--evals-shard=2/2", "--evals-store=2.sqlite", name)
    status, said = merge("1.sqlite", "2.sqlite")
    assert (status, "300 passed" in said) == (0, True)
