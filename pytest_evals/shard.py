"""Shards: whole cases divided among sessions, each on its own machine. Pure.

Every session divides for itself, so the division rests on nothing but what all of them read alike:
the dataset, and the committed baseline's latencies.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from pytest_evals.ground.errors import SettingsError


class Shard(NamedTuple):
    """One part of several."""

    number: int
    """1-based."""
    of: int
    """How many there are."""

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str) -> Shard:
    """Read ``2/4``.

    Raises:
        ValueError: it is not a part of several.
    """
    first, slash, last = text.partition("/")
    if not (slash and first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise ValueError("expected a part and how many there are, such as 2/4")
    return Shard(int(first), int(last))


def divide(weights: Mapping[str, float], parts: int) -> dict[str, int]:
    """Divide cases into parts of about equal weight.

    The heaviest first, each into the lightest part so far (Graham 1969, "Bounds on multiprocessing
    timing anomalies": at most 4/3 of the best). Equal ones in an order that depends on their ids
    alone, so that the order of the file does not matter.

    Args:
        weights: case id -> what it takes, > 0, in any unit.
        parts: how many, >= 1.

    Returns:
        Case id -> its part, 1-based.

    Raises:
        SettingsError: there are more parts than cases.
    """
    if parts > len(weights):
        cases = "1 case" if len(weights) == 1 else f"{len(weights)} cases"
        raise SettingsError(f"--evals-shard: {cases} cannot be divided into {parts} shards")
    order = sorted(weights, key=lambda case: (-weights[case], sha256(case.encode()).digest()))
    loads = [0.0] * parts
    found = {}
    for case in order:
        lightest = loads.index(min(loads))
        loads[lightest] += weights[case]
        found[case] = lightest + 1
    return found


def seconds_of(known: Mapping[str, float], samples: Mapping[str, int]) -> dict[str, float]:
    """Return what each case is expected to take; one that is not known takes the median a sample.

    Args:
        known: case id -> seconds a sample over all models, > 0.
        samples: case id -> samples, >= 1: the cases to divide.
    """
    usual = sorted(known[case] for case in samples if known.get(case, 0) > 0)
    middle = usual[len(usual) // 2] if usual else 1.0
    return {case: n * (known.get(case, 0.0) or middle) for case, n in samples.items()}
