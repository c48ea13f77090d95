"""When an answer goes back to the model, and with which request."""

from types import SimpleNamespace

import pytest

from pytest_evals.engine.revision import next_request, without_revised
from pytest_evals.message import Message
from pytest_evals.score import Score, ScoreError
from tests.engine._fakes import dataset_of, exchange_of, request_of

DATASET = dataset_of()


def bound(text="again", *, limit=2, cheap=False):
    """Make a scorer that wants a better answer with these words; None wants none."""
    message = None if text is None else Message(role="user", content=text)
    scorer = SimpleNamespace(revision=lambda score: message, revisions=lambda dataset: limit)
    return SimpleNamespace(cheap=cheap, scorer=scorer)


SCORE = Score(name="s", type="s", version="1", passed=False)
BROKEN = ScoreError(name="s", type="s", version="1", message="broke")
LAST = exchange_of(request_of("hi", turn=1, turns=2), "bad")


def ask(*bounds, scores=None, last=LAST, done=0):
    """Return the next request."""
    return next_request(bounds, scores or [SCORE] * len(bounds), [last], DATASET, done=done)


def test_the_thread_goes_on_with_the_answer_and_the_judges_words():
    """It is one more turn."""
    request = ask(bound())
    assert [m.text for m in request.messages] == ["hi", "bad", "again"]
    assert (request.turn, request.turns, request.input) == (2, 3, "again")


def test_the_first_scorer_that_wants_a_better_answer_speaks():
    """Others have their turn after it."""
    assert ask(bound(None), bound("first"), bound("second")).input == "first"


@pytest.mark.parametrize(
    ("bounds", "scores", "last", "done"),
    [
        ((bound(None),), None, LAST, 0),
        ((bound(),), None, LAST, 2),
        ((bound(limit=0),), None, LAST, 0),
        ((bound(cheap=True),), None, LAST, 0),
        ((bound(),), [BROKEN], LAST, 0),
        ((bound(),), None, exchange_of(request_of(), None), 0),
    ],
    ids=["content", "used up", "not allowed", "no judge", "a broken scorer", "no answer"],
)
def test_otherwise_the_last_answer_stands(bounds, scores, last, done):
    """No request is made."""
    assert ask(*bounds, scores=scores, last=last, done=done) is None


def test_answers_that_were_sent_back_do_not_count():
    """The turns before them do, and the last one."""
    exchanges = [exchange_of(request_of(turn=n), str(n)) for n in range(5)]
    assert without_revised(exchanges, 0) == tuple(exchanges)
    assert without_revised(exchanges, 2) == (*exchanges[:2], exchanges[4])
