"""Shard: a part of a dataset's cases that one session runs. Pure functions.

Each session computes the division by itself. The result depends only on inputs that every session
reads: the dataset and the latencies in the committed baseline.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from pytest_evals.ground.errors import SettingsError


class Shard(NamedTuple):
    """One of several parts, such as the second of four."""

    number: int
    """1-based."""
    of: int
    """Number of parts, >= 1."""

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str) -> Shard:
    """Parse ``2/4``.

    Raises:
        ValueError: the text is not ``number/total`` with 1 <= number <= total.
    """
    first, slash, last = text.partition("/")
    if not (slash and first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise ValueError("expected the shard's number and the number of shards, such as 2/4")
    return Shard(int(first), int(last))


def divide_cases(weights: Mapping[str, float], parts: int) -> dict[str, int]:
    """Divide cases into parts of about equal weight.

    Assigns the heaviest case first, each to the lightest part so far. The heaviest part is at most
    4/3 of the optimum (Graham 1969, "Bounds on multiprocessing timing anomalies"). Ties are broken
    by a hash of the case id, so the order of the file does not matter.

    Args:
        weights: case id -> expected duration, > 0, in any unit.
        parts: number of parts, >= 1.

    Returns:
        Case id -> number of its part, 1-based.

    Raises:
        SettingsError: there are more parts than cases.
    """
    if parts > len(weights):
        cases = "1 case" if len(weights) == 1 else f"{len(weights)} cases"
        raise SettingsError(f"--evals-shard: {cases} cannot be divided into {parts} shards")
    order = sorted(weights, key=lambda case: (-weights[case], sha256(case.encode()).digest()))
    loads = [0.0] * parts
    assigned = {}
    for case in order:
        lightest = loads.index(min(loads))
        loads[lightest] += weights[case]
        assigned[case] = lightest + 1
    return assigned


def expected_seconds(
    latencies: Mapping[str, float], samples: Mapping[str, int]
) -> dict[str, float]:
    """Return the expected duration of each case. A case without a latency takes the median.

    Args:
        latencies: case id -> seconds per sample, summed over all models, > 0.
        samples: case id -> number of samples, >= 1. Its keys are the cases to divide.
    """
    measured = sorted(latencies[case] for case in samples if latencies.get(case, 0) > 0)
    median = measured[len(measured) // 2] if measured else 1.0
    return {case: n * (latencies.get(case, 0.0) or median) for case, n in samples.items()}
