"""The angle between two vectors, and the example of the documentation."""

import asyncio
import base64
import struct

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.exchange import Exchange, Request, Response
from pytest_evals.scorers.base import ScoringError
from pytest_evals.scorers.embedding import EmbeddingSimilarity, cosine

NUMBERS = st.floats(-100, 100, width=32).map(lambda x: 0.0 if abs(x) < 1e-3 else x)
PAIRS = st.integers(1, 20).flatmap(
    lambda n: st.tuples(*[st.lists(NUMBERS, min_size=n, max_size=n).filter(any)] * 2)
)


@given(PAIRS)
def test_the_cosine_is_numpys(pair):
    """And of a vector with itself 1."""
    a, b = map(np.array, pair)
    expected = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    assert pytest.approx(expected, abs=1e-9) == cosine(*map(tuple, pair))
    assert pytest.approx(1.0) == cosine(tuple(pair[0]), tuple(pair[0]))


@pytest.mark.parametrize(
    ("a", "b", "words"), [((1.0,), (1.0, 2.0), "1 and 2"), ((0.0,), (1.0,), "no direction")]
)
def test_vectors_that_cannot_be_compared_are_an_error(a, b, words):
    """Of another length, or without a direction."""
    with pytest.raises(ScoringError, match=words):
        cosine(a, b)


async def ask(messages, *, model, role, response_format=None, params=None, sample=0):
    """Be the engine's `ask`: a text's vector is what it says of days and of colours."""
    text = messages[0].text
    numbers = [text.count("day"), text.count("30"), text.count("blue")]
    packed = base64.b64encode(struct.pack("<3f", *numbers)).decode()
    return Exchange(request=Request(messages=()), response=Response(data={"embedding": packed}))


def test_the_example_passes_a_right_answer_and_fails_a_wrong_one(bench):
    """As its documentation shows it."""
    bound = bench.bind(yaml.safe_load(EmbeddingSimilarity.example))

    def passed(answer):
        from dataclasses import replace

        ctx = replace(bench.context(answer), ask=ask)
        return asyncio.run(bound.evaluate(ctx, None)).passed

    assert [True, False] == [passed("30 days it is."), passed("The sky is blue.")]
