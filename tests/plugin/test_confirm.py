"""Cases that look broken are asked again before the verdict, and these answers decide that alone."""

import json
from collections import Counter

import pytest

BOT = """
    from pathlib import Path

    def answer(text):
        number = int(text.split()[-1])
        with open("calls.txt", "a") as file:
            file.write(f"{number}\\n")
        plan = Path("plan.txt").read_text().split()
        said = Path("calls.txt").read_text().split().count(str(number))
        wrong = int(plan[0]) > number and (len(plan) == 1 or said <= int(plan[1]))
        return {"text": "wrong" if wrong else "right", "cost_usd": 1.0}
    """


@pytest.fixture
def shop(write, pytester):
    """Write a dataset of 60 cases and its program; return what sets which cases are wrong.

    The first `wrong` cases are; with `first`, only the first so many times they are asked.
    """
    write("bot.py", BOT)

    def shop(wrong: int, first: int | None = None, samples: int = 3, **extra) -> str:
        plan = f"{wrong}" if first is None else f"{wrong} {first}"
        (pytester.path / "plan.txt").write_text(plan)
        (pytester.path / "calls.txt").unlink(missing_ok=True)
        model = {"id": "bot", "provider": "python", "target": "bot.py:answer", "concurrency": 1}
        data = {
            "name": "shop",
            "samples": samples,
            "models": [{**model, **extra.pop("model", {})}],
            "scorers": [{"contains": "right"}],
            "gates": ["no regressions"],
            "cases": [{"id": f"c{i:02}", "input": f"question {i}"} for i in range(60)],
            **extra,
        }
        return write("shop.yaml", json.dumps(data))

    return shop


@pytest.fixture
def asked(pytester):
    """Return how often each case was asked, by its number."""
    return lambda: Counter(map(int, (pytester.path / "calls.txt").read_text().split()))


@pytest.fixture
def with_baseline(shop, evals):
    """Write a baseline in which every case passes every time."""
    evals("--evals-update-baseline", shop(0)).assert_outcomes(passed=180, skipped=1)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_broken_cases_are_confirmed(workers, with_baseline, shop, evals_process, asked):
    """Only they are asked again, all equally often, and the gate names them."""
    if workers:
        pytest.importorskip("xdist")
    result = evals_process(*workers, shop(3))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    calls = asked()
    again = calls[0] - 3
    assert again > 0
    assert calls == {i: 3 + again if i < 3 else 3 for i in range(60)}
    result.stdout.fnmatch_lines(
        [
            f"evals: confirming 3 cases with {3 * again} more trials, before the verdict",
            f"REGRESSED: c00, c01, c02 passed all 3 baseline samples and failed all {3 + again} *",
        ]
    )


def test_cases_that_flicker_are_cleared(with_baseline, shop, evals, asked):
    """They failed three times, then pass when asked again: no break, and nothing is blocked."""
    result = evals(shop(3, first=3))
    assert result.ret == 0
    assert asked()[0] > 3
    line = next(li for li in result.outlines if li.startswith("no regressions"))
    assert "INCONCLUSIVE (not blocking)" in line


def test_they_enter_nothing_else(with_baseline, shop, evals, pytester):
    """Numbers of the run and lines of the baseline are the same with and without them."""
    before = (pytester.path / "baselines/shop.jsonl").read_bytes()
    told = []
    for confirm in ("0", "6"):
        (pytester.path / "baselines/shop.jsonl").write_bytes(before)
        name = shop(3)
        result = evals(
            "--evals-update-baseline",
            f"--evals-confirm={confirm}",
            f"--evals-json={confirm}.json",
            name,
        )
        assert any("confirming 3 cases with 18" in line for line in result.outlines) == (
            confirm == "6"
        )
        found = json.loads((pytester.path / f"{confirm}.json").read_text())
        rates = [m for m in found["metrics"] if not m["metric"].startswith(("latency", "p"))]
        gate = found["gates"][0]
        told.append(
            (
                lines_of(pytester.path / "baselines/shop.jsonl"),
                len(found["trials"]),
                [(m["metric"], m["value"], m["n"]) for m in rates if "latency" not in m["metric"]],
                (gate["value"], gate["low"], gate["high"], gate["n"]),
            )
        )
    assert told[0] == told[1]


def lines_of(path):
    """Return a baseline's lines without what tells one draw from another."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop("check", None)
        runs = [{**run, "draws": "", "latency_s": 0} for run in line.get("runs", ())]
        line["runs"] = sorted(runs, key=json.dumps)
    return lines


@pytest.mark.parametrize(
    ("options", "again"),
    [(["--evals-confirm=0"], 0), (["--evals-confirm=7"], 7), (["-k", "c00 or c01"], 0)],
    ids=["never", "seven times", "narrowed"],
)
def test_when_it_is_asked_again(with_baseline, shop, evals, asked, options, again):
    """As often as asked; never where the user chose a part, of which no gate is judged."""
    evals(*options, shop(3))
    assert asked()[0] == 3 + again


def test_a_budget_covers_them_too(with_baseline, shop, evals, asked):
    """What the trials have left of it is all there is, and what is left unconfirmed blocks less."""
    result = evals(
        "--evals-max-cost=184",
        "--evals-confirm=5",
        "--evals-concurrency=1",
        shop(3, model={"price": {"input": 0, "output": 0}}),
    )
    assert 180 < asked().total() <= 185
    result.stdout.fnmatch_lines(
        ["evals: confirming 3 cases with 15 more trials, before the verdict"]
    )
