"""The place of an answer: whose question it was, whatever was asked."""

from pytest_evals.responses.base import StoredAnswer

Place = tuple[str, str, str, int, int]
"""Case, model, role, sample and turn."""


def place_of(answer: StoredAnswer) -> Place:
    """Return the place of an answer."""
    return (answer.case, answer.model, answer.role, answer.sample, answer.turn)
