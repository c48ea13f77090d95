"""Skips: whether the marks of a test may skip it."""

import pytest


def may_be_skipped(item: pytest.Item) -> bool:
    """Whether marks may skip a test, so that its answer is not requested ahead of it."""
    if item.get_closest_marker("skip") is not None:
        return True
    if any(not xfail.kwargs.get("run", True) for xfail in item.iter_markers("xfail")):
        return True
    return any(
        isinstance(condition, str) or condition
        for skipif in item.iter_markers("skipif")
        for condition in (skipif.kwargs.get("condition"), *skipif.args)
        if condition is not None
    )
