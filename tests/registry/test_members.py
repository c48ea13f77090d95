"""Every registered member has a page and a test: a new one that lacks either fails here."""

import re
from pathlib import Path

import pytest

from pytest_evals.registry import Registry

ROOT = Path(__file__).parent.parent.parent
REGISTRY = Registry.builtin()
PAGES = {
    "provider": ("reference/providers.md", r"^## {name}$"),
    "scorer": ("reference/scorers.md", r"^#+ `?{name}`?$"),
    "loader": ("reference/dataset.md", r"`{name}`"),
    "reporter": ("reference/reports.md", r"`--evals-{name}=|PATH\.{name}`"),
    "store of answers": ("reference/options.md", r"\b{name}:"),
}
"""The page of each family, and how a member stands on it."""
TESTS = {
    "provider": ("providers", "pyevals", "plugin"),
    "scorer": ("scorers", "judges"),
    "loader": ("loaders",),
    "reporter": ("reporters",),
    "store of answers": ("responses",),
}
"""The folders with the tests of each family."""

MEMBERS = [(family.spec.noun, name) for family in REGISTRY.families for name in family]


def test_every_family_is_checked():
    """A new family needs its page and its folder of tests here."""
    nouns = {family.spec.noun for family in REGISTRY.families}
    assert nouns == set(PAGES) == set(TESTS)
    assert len(MEMBERS) > 40


@pytest.mark.parametrize(("noun", "name"), MEMBERS)
def test_a_member_has_a_page(noun, name):
    """Users find it in the reference of its family."""
    page, pattern = PAGES[noun]
    text = (ROOT / "docs" / page).read_text("utf-8")
    assert re.search(pattern.format(name=re.escape(name)), text, re.MULTILINE), page


@pytest.mark.parametrize(("noun", "name"), MEMBERS)
def test_a_member_has_a_test(noun, name):
    """A test of its family names it, as users do or by its module."""
    (family,) = (family for family in REGISTRY.families if family.spec.noun == noun)
    module = family.find(name).__module__
    words = rf"(?<![\w.]){re.escape(name)}(?!\w)|{re.escape(module)}\b"
    files = [path for folder in TESTS[noun] for path in (ROOT / "tests" / folder).glob("test_*.py")]
    assert any(re.search(words, path.read_text("utf-8")) for path in files), module


@pytest.mark.parametrize(("noun", "name"), MEMBERS)
def test_a_member_can_be_imported(noun, name):
    """The table's text is right, and the class passes the checks that plugins must pass."""
    (family,) = (family for family in REGISTRY.families if family.spec.noun == noun)
    assert list(family.spec.wrong(name, family.find(name))) == []
