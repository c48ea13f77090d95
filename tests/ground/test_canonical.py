"""One canonical form: equal things have equal digests, however they were written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.canonical import canonical, digest, digest_streamed

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=4)


@given(MAPPINGS)
def test_the_order_of_keys_is_not_seen(mapping):
    """Whoever writes the keys the other way round has written the same."""
    turned = dict(reversed(mapping.items()))
    assert canonical(mapping) == canonical(turned)


@given(MAPPINGS)
def test_the_canonical_form_is_ascii_json(mapping):
    """It reads back as what was written, and every byte of it is plain."""
    text = canonical(mapping)
    assert json.loads(text) == mapping
    assert text.isascii()


@pytest.mark.parametrize("value", [{1: "a"}, {"a": [{None: 1}]}, [({"b": {2.0: 1}},)]])
def test_keys_that_are_no_texts_are_refused(value):
    """``{1: x}`` and ``{"1": x}`` must not have one digest."""
    with pytest.raises(TypeError, match="a mapping key must be a string, found"):
        canonical(value)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")]])
def test_numbers_that_are_not_finite_are_refused(value):
    """JSON has no word for them."""
    with pytest.raises(ValueError, match="Out of range float values"):
        canonical(value)


@given(MAPPINGS, st.text(max_size=3), st.lists(VALUES, max_size=4))
def test_a_long_list_has_the_digest_it_has_in_its_mapping(mapping, key, items):
    """Written item by item, wherever its key stands among the others."""
    assert digest({**mapping, key: items}) == digest_streamed(mapping, key, iter(items))
