"""The stopping rule of a case: no remaining sample can change the verdict. Pure.

Curtailed sampling: the samples left out cannot change the verdict on the case, so that verdict is
the verdict of all samples (`stats.sequential.settled`).
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
"""From the number of passes in all samples of a case to the verdict on it."""


def case_verdict(
    gates: Sequence[GateSpec], model: str, case: Case, *, least: int, limit: int
) -> CaseVerdict | None:
    """Return the verdict that a case's passes decide, or None if every sample is needed.

    Without gates, the verdict is whether all samples pass. With gates, it is the verdicts of gates
    on single cases (``pass@1 >= 0.9 per case``); without such gates nothing depends on the passes.

    Args:
        gates: the dataset's.
        model: the model's id.
        case: the case.
        least: samples that are run in any case.
        limit: samples of the full cell.
    """
    if not gates:
        return lambda passes: passes == limit
    case_gates = [gate for gate in _alone(gates, model, case) if gate.sprt is None]
    if any(not _by_rate(gate, least) for gate in case_gates):
        return None
    return lambda passes: tuple(_clears(gate, passes / limit) for gate in case_gates)


def sequential_tests(gates: Sequence[GateSpec], model: str, case: Case) -> tuple[Sprt, ...]:
    """Return the sequential tests of a case; sampling continues until each has decided."""
    return tuple(gate.sprt for gate in _alone(gates, model, case) if gate.sprt is not None)


def _alone(gates: Sequence[GateSpec], model: str, case: Case) -> list[GateSpec]:
    return [gate for gate in gates if is_per_case(gate) and _covers(gate, model, case)]


def is_per_case(gate: GateSpec) -> bool:
    """Whether a gate evaluates single cases."""
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
    """Whether the gate requires one limit of the pass rate.

    Then a settled pass rate lies on the same side of the limit as the rate of all samples. That
    need not hold for intervals, for two limits, or for other metrics.
    """
    what = parse_metric(gate.metric)
    one_limit = (gate.min is None) != (gate.max is None)
    small = gate.min_n is None or gate.min_n <= least
    return what.kind == "pass@" and what.k == 1 and what.of is None and one_limit and small and (
        gate.confidence is None
    )  # fmt: skip


def _clears(gate: GateSpec, share: float) -> bool:
    step = -_CLOSE if gate.strict else _CLOSE
    return (gate.min is None or share >= gate.min - step) and (
        gate.max is None or share <= gate.max + step
    )


def samples_needed(passes: int, n: int, *, limit: int, verdict: CaseVerdict) -> int:
    """Return the least number of further samples that can settle the verdict; 0 if it is settled.

    That many samples can run at once without one too many.

    Args:
        passes: passes so far, 0..n.
        n: samples so far, 0..most.
        limit: samples of the full cell, >= 1.
        verdict: from the passes of the full cell to the verdict.

    Raises:
        ValueError: impossible counts.
    """
    for more in range(limit - n + 1):
        for further in {0, more}:
            if settled(passes + further, n + more, limit=limit, verdict=verdict) is not None:
                return more
    return limit - n
