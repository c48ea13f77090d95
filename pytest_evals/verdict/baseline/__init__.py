"""Baseline: selected runs of a dataset as a small text for git. Pure: text in, text out."""

from pytest_evals.verdict.baseline.build import build_baseline, model_digest
from pytest_evals.verdict.baseline.lines import (
    Baseline,
    BaselineLine,
    Digests,
    RunCounts,
    ScoreCounts,
    ShownAnswer,
)
from pytest_evals.verdict.baseline.merge import join_baselines, update_baseline
from pytest_evals.verdict.baseline.text import FORMAT, read_baseline, write_baseline

__all__ = [
    "FORMAT",
    "Baseline",
    "BaselineLine",
    "Digests",
    "RunCounts",
    "ScoreCounts",
    "ShownAnswer",
    "build_baseline",
    "join_baselines",
    "model_digest",
    "read_baseline",
    "update_baseline",
    "write_baseline",
]
