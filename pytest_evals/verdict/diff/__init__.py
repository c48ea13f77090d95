"""Diff: the changes between a baseline and a run, and the tests of their comparison. Pure."""

from pytest_evals.verdict.diff.compare import diff_runs, diff_with_baseline, failing_cases
from pytest_evals.verdict.diff.confirmation import (
    confirmed_answers,
    plan_confirmation,
    plan_shard_confirmation,
)
from pytest_evals.verdict.diff.entries import diff_entries
from pytest_evals.verdict.diff.nouns import (
    Change,
    ChangeClass,
    ComparisonSpec,
    ConfirmationPlan,
    Diff,
    DiffEntry,
    RowTest,
    class_words,
)
from pytest_evals.verdict.diff.rows import build_row, build_rows, edited_parts
from pytest_evals.verdict.diff.run_side import RunSide, is_independent

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
    "class_words",
    "confirmed_answers",
    "diff_entries",
    "diff_runs",
    "diff_with_baseline",
    "edited_parts",
    "failing_cases",
    "is_independent",
    "plan_confirmation",
    "plan_shard_confirmation",
]
