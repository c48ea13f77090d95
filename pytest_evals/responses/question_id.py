"""Question id: the case, model, role, sample and turn that a response belongs to.

Unlike the Key it stays the same when the prompt or the parameters change.
"""

from pytest_evals.responses.base import StoredAnswer

QuestionId = tuple[str, str, str, int, int]
"""Case, model, role, sample and turn."""


def question_id(answer: StoredAnswer) -> QuestionId:
    """Return the question id of a response."""
    return (answer.case, answer.model, answer.role, answer.sample, answer.turn)
