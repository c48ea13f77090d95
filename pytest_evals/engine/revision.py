"""Revision: an answer below a judge's threshold goes back to the model, in the same thread. Pure.

The judge decides what to say to the model; this module decides when, and makes the request.
"""

from collections.abc import Sequence

from pytest_evals.dataset import Dataset
from pytest_evals.engine.conversation import following
from pytest_evals.exchange import Exchange, Request
from pytest_evals.message import Message
from pytest_evals.result import AnyScore
from pytest_evals.score import Score
from pytest_evals.scorers.bound import Bound


def next_request(
    bounds: Sequence[Bound],
    scores: Sequence[AnyScore],
    exchanges: Sequence[Exchange],
    dataset: Dataset,
    *,
    done: int,
) -> Request | None:
    """Return the request for a better answer; None if no scorer wants one.

    Args:
        bounds: the trial's scorers.
        scores: their scores of the last answer, in the same order.
        exchanges: the conversation so far.
        dataset: the trial's.
        done: how often the answer was revised already.
    """
    last = exchanges[-1]
    if last.response is None:
        return None
    message = _message(bounds, scores, dataset, done)
    if message is None:
        return None
    thread = following(last.request.messages, last.response, message.text)
    turn = last.request.turn + 1
    return last.request.model_copy(
        update={"messages": thread, "input": message.text, "turn": turn, "turns": turn + 1}
    )


def _message(
    bounds: Sequence[Bound], scores: Sequence[AnyScore], dataset: Dataset, done: int
) -> Message | None:
    """Return the message of the first scorer that wants another answer; None if none does."""
    for bound, score in zip(bounds, scores, strict=True):
        if isinstance(score, Score) and not bound.cheap:
            message = bound.scorer.revision(score)
            if message is not None and done < bound.scorer.revisions(dataset):
                return message
    return None


def without_revised(exchanges: Sequence[Exchange], revisions: int) -> tuple[Exchange, ...]:
    """Return the conversation without the answers that were sent back."""
    if not revisions:
        return tuple(exchanges)
    return (*exchanges[: -1 - revisions], exchanges[-1])
