"""Diff: what changed between a baseline and a run, and the tests of the comparison. Pure."""

from pytest_evals.verdict.diff.compare import behind_row, compare, diff_runs
from pytest_evals.verdict.diff.entries import entries_of
from pytest_evals.verdict.diff.nouns import Change, Class, Diff, DiffEntry, RowTest
from pytest_evals.verdict.diff.rows import (
    Confirmation,
    Declared,
    RunSide,
    comparable,
    confirmed_of,
    independent,
    plan_confirmation,
    row_of,
    rows_of,
)

__all__ = [
    "Change",
    "Class",
    "Confirmation",
    "Declared",
    "Diff",
    "DiffEntry",
    "RowTest",
    "RunSide",
    "behind_row",
    "comparable",
    "compare",
    "confirmed_of",
    "diff_runs",
    "entries_of",
    "independent",
    "plan_confirmation",
    "row_of",
    "rows_of",
]
