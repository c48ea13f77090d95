"""The script that prints circles of imports."""

import pytest

from tests.docs._scripts import load_script

pytest.importorskip("grimp", reason="comes with import-linter")

script = load_script("_circles")


def test_circles_are_found_at_any_length():
    """A chain is none; two circles that meet are one."""
    assert script.circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert script.circles({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"e"}, "e": {"c"}}) == [
        ["c", "d", "e"],
        ["a", "b"],
    ]
    assert script.circles({"a": {"b"}, "b": {"a", "c"}, "c": {"b"}}) == [["a", "b", "c"]]


def test_lazy_and_typing_imports_count():
    """The root's public names are imported for typing alone."""
    assert "pytest_evals.case" in script.import_graph()["pytest_evals"]
