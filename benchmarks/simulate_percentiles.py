"""Simulate suites whose true p95 is just over a gate's bar, and print how often the gate passes.

`python benchmarks/simulate_percentiles.py` prints a table: the share of suites that pass
`p95(latency_s) <= B with confidence 0.95` though their p95 is B, which must be at most 5 %, with
its standard error, and the share without a bound, where the gate is incomplete. The bounds are
those of the gate: `estimate_percentile` at `two_sided(0.95)`. Each cell has a seed of its own.

Rare cases that are slow as a whole pass more often in suites of some 20 to 40 cases with several
samples: a suite that has drawn none of them does not show that there are any.
"""

import argparse
from collections.abc import Callable
from math import sqrt
from random import Random
from statistics import NormalDist
from typing import NamedTuple
from zlib import crc32

from pytest_evals.stats.estimate import two_sided
from pytest_evals.stats.percentiles import estimate_percentile

Q = 0.95
CONFIDENCE = two_sided(0.95)
SIZES = ((5, 3), (10, 1), (10, 3), (20, 5), (30, 10), (50, 3), (59, 1), (100, 1), (200, 1))


class Shares(NamedTuple):
    """What became of the suites of a cell, each 0..1."""

    passed: float
    """Suites whose upper end is below the true percentile."""

    unbounded: float
    """Suites without a bound."""


Draw = Callable[[Random, int], list[float]]


def alike(correlation: float) -> Draw:
    """Return a draw of one case's samples on a normal scale, alike within the case."""

    def draw(rng: Random, samples: int) -> list[float]:
        own = sqrt(correlation) * rng.gauss(0, 1)
        return [own + sqrt(1 - correlation) * rng.gauss(0, 1) for _ in range(samples)]

    return draw


def slow_cases(rng: Random, samples: int) -> list[float]:
    """Draw a case that, once in twelve, is slow as a whole."""
    shift = 8.0 if rng.random() < 1 / 12 else 0.0
    return [shift + rng.gauss(0, 1) for _ in range(samples)]


_NORMAL = NormalDist()
SCENES: dict[str, tuple[Draw, float]] = {
    "independent samples": (alike(0.0), _NORMAL.inv_cdf(Q)),
    "correlation 0.3 in a case": (alike(0.3), _NORMAL.inv_cdf(Q)),
    "correlation 0.7 in a case": (alike(0.7), _NORMAL.inv_cdf(Q)),
    "1 of 12 cases slow": (slow_cases, 8 + _NORMAL.inv_cdf(1 - (1 - Q) * 12)),
}
"""Each scene: how a case is drawn, and the true p95. Bounds are the same on every scale."""


def shares(scene: str, cases: int, samples: int, draws: int) -> Shares:
    """Return how often suites of a scene pass at their true p95, and have no bound."""
    draw, truth = SCENES[scene]
    rng = Random(crc32(f"{scene}/{cases}/{samples}".encode()))
    passed = unbounded = 0
    for _ in range(draws):
        suite = [draw(rng, samples) for _ in range(cases)]
        high = estimate_percentile(suite, Q, confidence=CONFIDENCE).high
        unbounded += high is None
        passed += high is not None and high < truth
    return Shares(passed / draws, unbounded / draws)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000, help="suites a cell")
    draws = parser.parse_args().draws
    print("| scene | cases x samples | passed % (se) | no bound % |")
    print("|---|---|---|---|")
    for scene in SCENES:
        for cases, samples in SIZES:
            found = shares(scene, cases, samples, draws)
            error = sqrt(found.passed * (1 - found.passed) / draws)
            numbers = f"{100 * found.passed:.1f} ({100 * error:.1f}) | {100 * found.unbounded:.0f}"
            print(f"| {scene} | {cases} x {samples} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
