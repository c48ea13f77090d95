"""The comparisons with the baseline that a dataset's gates declare. Pure."""

from collections.abc import Sequence

from pytest_evals.metrics.parse import parse_metric
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.run_record import DatasetInfo
from pytest_evals.verdict.diff import ComparisonSpec
from pytest_evals.verdict.gate.completeness import gate_slices
from pytest_evals.verdict.gate.grammar import parse_gate
from pytest_evals.verdict.gate.spec import GateSpec


def parse_gates(info: DatasetInfo) -> tuple[GateSpec, ...]:
    """Parse the gates of a dataset.

    Raises:
        GateError: a gate is wrong (`check_gates` reports that at collection).
    """
    return tuple(parse_gate(written) for written in info.gates)


def declared_comparisons(
    gates: Sequence[GateSpec], table: TrialTable, info: DatasetInfo
) -> tuple[ComparisonSpec, ...]:
    """Return the comparisons that gates declare: one per gate, model and slice.

    Together they are the family of the correction, even where trials are missing.
    """
    models = [model.id for model in info.models] or list(table.models)
    return tuple(
        ComparisonSpec(model=model, gate=gate.text, of=gate.of, part=part, margin=gate.margin)
        for gate in gates
        if gate.compares
        for model in models
        if gate.applies(model)
        for part in gate_slices(gate, table)
    )


def exploratory_comparisons(
    gates: Sequence[GateSpec], table: TrialTable, info: DatasetInfo
) -> tuple[ComparisonSpec, ...]:
    """Return the comparisons that measure the change of other gates' metrics; they never block."""
    models = [model.id for model in info.models] or list(table.models)
    specs = (
        ComparisonSpec(model=model, of=parse_metric(gate.metric).scorer, part=part)
        for gate in gates
        if not gate.compares
        and gate.role == "primary"
        and parse_metric(gate.metric).measures_quality
        for model in models
        if gate.applies(model)
        for part in gate_slices(gate, table)
    )
    return tuple(dict.fromkeys(specs))
