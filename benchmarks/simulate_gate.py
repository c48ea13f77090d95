"""Simulate pull requests through the regression gate and print how often it is right.

Every simulated pull request goes through the same `plan_confirm` and `judge` that the gate calls.
`python benchmarks/simulate_gate.py` prints the tables; `--write FILE` puts them into the page.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from random import Random

from pytest_evals.stats.paired import judge, plan_confirm
from pytest_evals.stats.rows import PairedCase, Row

SIZES = (20, 50, 100, 200, 500)
SAMPLES = (1, 3, 5)
PAGE = """# What the regression gate can and cannot see

Every number on this page was produced by `benchmarks/simulate_gate.py`, which draws pull requests
from known pass rates and sends each through the functions that the gate itself calls.

A suite is drawn anew for each pull request, from one of three kinds. *Steady*: nine cases in ten
pass 99 % of the time, the others 70 % or 2 %. *Mixed*: half of the cases pass 97 % of the time,
a third 80 %, the rest 40 %. *Flaky*: pass rates are spread evenly between 30 % and 95 %. A cell
shows the least and the greatest share over the three kinds, in per cent.
"""

NULL_SETTINGS = (
    ("independent", 0.0, 1),
    ("correlated 0.2 within a run", 0.2, 1),
    ("the same every time, and declared so", 1.0, 1),
    ("independent, 5 baseline runs added", 0.0, 5),
)
"""(what, the correlation within a run, how many baseline runs)"""

Rates = list[float]
Change = Callable[[Rates, Random], Rates]


def steady(cases: int, rng: Random) -> Rates:
    """Draw a suite that is nearly deterministic."""
    return [0.99 if rng.random() < 0.9 else rng.choice((0.7, 0.02)) for _ in range(cases)]


def mixed(cases: int, rng: Random) -> Rates:
    """Draw a suite of easy, middling and hard cases."""
    return [rng.choice((0.97, 0.97, 0.97, 0.8, 0.8, 0.4)) for _ in range(cases)]


def flaky(cases: int, rng: Random) -> Rates:
    """Draw a suite in which most cases flicker."""
    return [rng.uniform(0.3, 0.95) for _ in range(cases)]


KINDS = (steady, mixed, flaky)


def nothing(rates: Rates, _: Random) -> Rates:
    """Change nothing."""
    return rates


def drop(points: float) -> Change:
    """Lower every case in proportion, so that the suite's mean falls by these points."""

    def apply(rates: Rates, _: Random) -> Rates:
        kept = max(0.0, 1 - points / 100 / (sum(rates) / len(rates)))
        return [rate * kept for rate in rates]

    return apply


DROP_5 = drop(5)


def breaks(number: int) -> Change:
    """Make the steadiest cases fail always."""

    def apply(rates: Rates, _: Random) -> Rates:
        steadiest = sorted(range(len(rates)), key=lambda i: -rates[i])[:number]
        return [0.0 if i in steadiest else rate for i, rate in enumerate(rates)]

    return apply


def both_ways(rates: Rates, rng: Random) -> Rates:
    """Break two cases, lower a tenth of the others by 30 points and raise a tenth by 10."""
    moved = [
        min(1.0, max(0.0, rate + rng.choice((-0.3, 0.1, 0, 0, 0, 0, 0, 0, 0, 0)))) for rate in rates
    ]
    return breaks(2)(moved, rng)


@dataclass(frozen=True)
class Scene:
    """One kind of pull request."""

    cases: int
    samples: int
    change: Change = nothing
    models: int = 1
    correlation: float = 0.0
    baseline: int = 0


def draw(rate: float, n: int, rng: Random) -> int:
    """Draw n samples; return the passes."""
    return sum(rng.random() < rate for _ in range(n))


def of_run(rate: float, correlation: float, rng: Random) -> float:
    """Draw a case's rate in one run, so that samples within the run have this correlation."""
    if not correlation or rate in {0, 1}:
        return rate
    if correlation == 1:
        return float(rng.random() < rate)
    weight = (1 - correlation) / correlation
    return rng.betavariate(rate * weight, (1 - rate) * weight)


def row_of(name: str, before: Rates, after: Rates, scene: Scene, rng: Random) -> Row:
    """Draw a baseline and a run of one model."""
    pairs = []
    base_n = scene.baseline or scene.samples
    for i, (base, now) in enumerate(zip(before, after, strict=True)):
        base_pass = draw(of_run(base, scene.correlation, rng), base_n, rng)
        pairs.append(PairedCase(f"{i:03}", base_pass, base_n, draw(now, scene.samples, rng),
                                scene.samples))  # fmt: skip
    return Row(name, tuple(pairs), independent=scene.correlation < 1)


def pull_request(scene: Scene, kind: Callable[[int, Random], Rates], rng: Random) -> str:
    """Draw a pull request, ask flagged cases again, judge it; give the gate's one word."""
    rows, rates = [], {}
    true = kind(scene.cases, rng)
    changed = scene.change(true, rng)
    for model in range(scene.models):
        name = f"model {model}"
        rates[name] = [of_run(rate, scene.correlation, rng) for rate in changed]
        rows.append(row_of(name, true, rates[name], scene, rng))
    confirmed = {
        plan.row: {
            case: [rng.random() < rates[plan.row][int(case)] for _ in range(plan.n)]
            for case in plan.cases
        }
        for plan in plan_confirm(rows)
    }
    found = {verdict.verdict for verdict in judge(rows, confirmed=confirmed)}
    return next(word for word in ("regressed", "inconclusive", "passed") if word in found)


@cache
def shares(scene: Scene, sims: int) -> list[Counter[str]]:
    """Count the verdicts for each kind of suite, with a seed of the scene's own."""
    counts = []
    for kind in KINDS:
        rng = Random(f"{kind.__name__} {scene.cases} {scene.samples} {scene.models}")
        counts.append(Counter(pull_request(scene, kind, rng) for _ in range(sims)))
    return counts


def span(counts: Sequence[Counter[str]], word: str) -> str:
    """Write the least and the greatest share of a verdict, in per cent."""
    found = [100 * count[word] / sum(count.values()) for count in counts]
    low, high = min(found), max(found)
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f}–{high:.0f}"  # noqa: RUF001


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write a table."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def null_tables(sims: int) -> Iterator[str]:
    """Write how often harmless changes are blocked."""
    yield "## Harmless changes that are blocked\n"
    yield (
        f"Nothing changed; {sims:,} pull requests for each kind of suite ({2 * sims // 5:,}\n"
        "with 5 models). The bar is 5 %; a figure may be off by a point or so by chance. The\n"
        "correlation is that of two samples of one case in one run, the confirmation included;\n"
        "few cases with few samples show too little of it, and can end a little above the bar.\n"
        "Samples that repeat each other must be declared (temperature 0, a fixed seed).\n"
    )
    for models, sizes, settings in (
        (1, SIZES, NULL_SETTINGS),
        (5, (20, 50, 200), NULL_SETTINGS[:2]),
    ):
        rows = []
        for (what, correlation, runs), samples in product(settings, SAMPLES):
            scenes = [
                Scene(n, samples, models=models, correlation=correlation, baseline=runs * samples)
                for n in sizes
            ]
            drawn = sims if models == 1 else max(50, 2 * sims // models)
            cells = [span(shares(scene, drawn), "regressed") for scene in scenes]
            rows.append((what, str(samples), *cells))
            print(rows[-1], file=sys.stderr)
        yield f"{'One model' if models == 1 else f'{models} models, any of them blocked'}:\n"
        yield from table(("samples are", "samples", *(f"{n} cases" for n in sizes)), rows)


def power_tables(sims: int) -> Iterator[str]:
    """Write how often real losses are blocked."""
    yield "## Real losses that are blocked\n"
    yield (
        f"{sims:,} pull requests for each kind of suite. First the share blocked, in brackets the\n"
        "share that is inconclusive; the rest passed.\n"
    )
    losses: tuple[tuple[str, Change], ...] = (
        ("5 points lost everywhere", DROP_5),
        ("10 points lost everywhere", drop(10)),
        ("1 case broken", breaks(1)),
        ("3 cases broken", breaks(3)),
        ("2 broken, others better and worse", both_ways),
        ("nothing", nothing),
    )
    rows = []
    for name, change in losses:
        for samples in SAMPLES:
            counts = [shares(Scene(n, samples, change), sims) for n in SIZES]
            cells = [f"{span(c, 'regressed')} ({span(c, 'inconclusive')})" for c in counts]
            rows.append((name, str(samples), *cells))
            print(rows[-1], file=sys.stderr)
    yield from table(("what changed", "samples", *(f"{n} cases" for n in SIZES)), rows)


def margin_table(sims: int) -> Iterator[str]:
    """Write how often a true drop of the margin passes."""
    yield "## True drops of the whole margin that pass\n"
    yield f"A loss of exactly 5 points; {sims:,} pull requests for each kind of suite.\n"
    rows = []
    for samples in SAMPLES:
        counts = [shares(Scene(n, samples, DROP_5), sims) for n in SIZES]
        rows.append((str(samples), *(span(count, "passed") for count in counts)))
        print(rows[-1], file=sys.stderr)
    yield from table(("samples", *(f"{n} cases" for n in SIZES)), rows)


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--null", type=int, default=1000, help="harmless pull requests a cell")
    parser.add_argument("--power", type=int, default=200, help="harmful pull requests a cell")
    parser.add_argument("--write", type=Path, help="the page to write the tables to")
    asked = parser.parse_args()
    started = time.perf_counter()
    parts = (null_tables(asked.null), power_tables(asked.power), margin_table(asked.power))
    page = PAGE + "\n" + "\n".join(line for part in parts for line in part)
    if asked.write:
        asked.write.parent.mkdir(parents=True, exist_ok=True)
        asked.write.write_text(page.rstrip() + "\n", encoding="utf-8")
    print(page)
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
