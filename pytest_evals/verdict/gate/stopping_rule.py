"""Early: when the samples of one case have said all that a verdict can depend on. Pure.

Curtailed sampling: what is left out could not have changed the verdict on the case, whatever it
would have said, so that verdict is the one of all samples (`stats.sequential.settled`).
"""

from collections.abc import Callable, Sequence

from pytest_evals.case import Case
from pytest_evals.metrics.metric import Slice
from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.trial_stats import slice_texts
from pytest_evals.stats.sequential import Sprt, settled
from pytest_evals.verdict.gate.spec import GateSpec

_CLOSE = 1e-9

CaseVerdict = Callable[[int], object]
"""From the passes of all samples of a case to what is said of it."""


def case_verdict(
    gates: Sequence[GateSpec], model: str, case: Case, *, least: int, limit: int
) -> CaseVerdict | None:
    """Return what a case's passes decide, or None where every sample is needed.

    Without gates that is whether all pass. With gates it is what those on single cases (``pass@1 >=
    0.9 per case``) say; where no gate looks at the case by itself, nothing depends on its passes.

    Args:
        gates: the dataset's.
        model: the model's id.
        case: the case.
        least: samples that are asked in any case.
        limit: samples of the full cell.
    """
    if not gates:
        return lambda passes: passes == limit
    alone = [gate for gate in _alone(gates, model, case) if gate.sprt is None]
    if any(not _by_rate(gate, least) for gate in alone):
        return None
    return lambda passes: tuple(_clears(gate, passes / limit) for gate in alone)


def sequential_tests(gates: Sequence[GateSpec], model: str, case: Case) -> tuple[Sprt, ...]:
    """Return the sequential tests of a case: its samples are asked until each has decided."""
    return tuple(gate.sprt for gate in _alone(gates, model, case) if gate.sprt is not None)


def _alone(gates: Sequence[GateSpec], model: str, case: Case) -> list[GateSpec]:
    return [gate for gate in gates if is_per_case(gate) and _covers(gate, model, case)]


def is_per_case(gate: GateSpec) -> bool:
    """Whether a gate judges single cases."""
    return gate.per == "case" and not gate.compares


def _covers(gate: GateSpec, model: str, case: Case) -> bool:
    return gate.applies(model) and _within(case, gate.where)


def _within(case: Case, part: Slice | None) -> bool:
    if part is None:
        return True
    if part.key == "tag":
        return part.value in case.tags
    if part.key == "case":
        return part.value == case.id
    key = part.key if part.key in case.metadata else part.key.removeprefix("metadata.")
    return key in case.metadata and part.value in slice_texts(case.metadata[key])


def _by_rate(gate: GateSpec, least: int) -> bool:
    """Whether a gate says of some samples what it says of all, once the others cannot change it.

    That holds for one bar on the share of samples that pass: a settled share is on the same side of
    it. It need not for intervals, for several bars at once, or for other metrics.
    """
    what = parse_metric(gate.metric)
    one_bar = (gate.min is None) != (gate.max is None)
    small = gate.min_n is None or gate.min_n <= least
    return what.kind == "pass@" and what.k == 1 and what.of is None and one_bar and small and (
        gate.confidence is None
    )  # fmt: skip


def _clears(gate: GateSpec, share: float) -> bool:
    step = -_CLOSE if gate.strict else _CLOSE
    return (gate.min is None or share >= gate.min - step) and (
        gate.max is None or share <= gate.max + step
    )


def samples_needed(passes: int, n: int, *, limit: int, verdict: CaseVerdict) -> int:
    """Return the least number of further samples that could settle the verdict; 0 where it is.

    So many can be asked at once without asking one too many.

    Args:
        passes: passes so far, 0..n.
        n: samples so far, 0..most.
        limit: samples of the full cell, >= 1.
        verdict: what the passes of the full cell decide.

    Raises:
        ValueError: impossible counts.
    """
    for more in range(limit - n + 1):
        for further in {0, more}:
            if settled(passes + further, n + more, limit=limit, verdict=verdict) is not None:
                return more
    return limit - n
