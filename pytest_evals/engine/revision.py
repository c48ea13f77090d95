"""Revision: an answer below a judge's bar goes back to the model, on the same thread. Pure.

What is said to the model is the judge's; when it is said, and as what question, stands here.
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
    """Return the question that asks for a better answer; None where the last one stands.

    Args:
        bounds: the trial's scorers.
        scores: theirs of the last answer, in the same order.
        exchanges: the conversation so far.
        dataset: the trial's.
        done: how often the answer was revised already.
    """
    last = exchanges[-1]
    if last.response is None:
        return None
    said = _message(bounds, scores, dataset, done)
    if said is None:
        return None
    thread = following(last.request.messages, last.response, said.text)
    turn = last.request.turn + 1
    return last.request.model_copy(
        update={"messages": thread, "input": said.text, "turn": turn, "turns": turn + 1}
    )


def _message(
    bounds: Sequence[Bound], scores: Sequence[AnyScore], dataset: Dataset, done: int
) -> Message | None:
    """Return what the first scorer that wants another answer says; None where none does."""
    for bound, score in zip(bounds, scores, strict=True):
        if isinstance(score, Score) and not bound.cheap:
            wanted = bound.scorer.revision(score)
            if wanted is not None and done < bound.scorer.revisions(dataset):
                return wanted
    return None


def standing(exchanges: Sequence[Exchange], revisions: int) -> tuple[Exchange, ...]:
    """Return the conversation without the answers that were sent back."""
    if not revisions:
        return tuple(exchanges)
    return (*exchanges[: -1 - revisions], exchanges[-1])
