"""Diff: what changed between a baseline and a run, and the tests of the comparison. Pure."""

from pytest_evals.verdict.diff.compare import diff_runs, diff_with_baseline, failing_cases
from pytest_evals.verdict.diff.entries import diff_entries
from pytest_evals.verdict.diff.nouns import Change, ChangeClass, Diff, DiffEntry, RowTest
from pytest_evals.verdict.diff.rows import (
    ComparisonSpec,
    ConfirmationPlan,
    RunSide,
    build_row,
    build_rows,
    confirmed_answers,
    edited_parts,
    is_independent,
    plan_confirmation,
)

__all__ = [
    "Change",
    "ChangeClass",
    "ComparisonSpec",
    "ConfirmationPlan",
    "Diff",
    "DiffEntry",
    "RowTest",
    "RunSide",
    "build_row",
    "build_rows",
    "confirmed_answers",
    "diff_entries",
    "diff_runs",
    "diff_with_baseline",
    "edited_parts",
    "failing_cases",
    "is_independent",
    "plan_confirmation",
]
