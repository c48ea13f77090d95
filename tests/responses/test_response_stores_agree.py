"""One state machine: every store of answers does the same."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pytest_evals.exchange import Response, Usage
from pytest_evals.message import ToolCall
from pytest_evals.responses.base import ResponseStore, StoredAnswer
from pytest_evals.responses.cassette import CassetteStore
from pytest_evals.responses.layered import LayeredResponseStore
from pytest_evals.responses.memory import MemoryResponseStore
from pytest_evals.responses.question_id import QuestionId, question_id
from pytest_evals.responses.sqlite import SqliteResponseStore

pytestmark = pytest.mark.heavy

KEYS = st.sampled_from([f"{i:064x}" for i in range(6)])
PLACES = st.tuples(
    st.sampled_from(["a", "ünï"]),
    st.sampled_from(["m", "n"]),
    st.sampled_from(["answer", "judge:helpful"]),
    st.integers(0, 1),
    st.integers(0, 1),
)
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["x" * 30_000, "\u2028\x1b[31m\u202e\r\n", "<<<<<<< a"]
)


@st.composite
def answers(draw: st.DrawFn) -> StoredAnswer:
    """Return any answer; the same words took the same time, as a cassette keeps the first time."""
    text = draw(TEXTS)
    case, model, role, sample, turn = draw(PLACES)
    calls = (ToolCall(name="find", arguments={"q": text}),) if len(text) % 2 else ()
    return StoredAnswer(
        key=draw(KEYS),
        case=case,
        model=model,
        role=role,
        sample=sample,
        turn=turn,
        parts={"messages": text[:3]},
        response=Response(
            text=text,
            tool_calls=calls,
            usage=Usage(input_tokens=len(text)),
            latency_s=len(text) / 100,
        ),
        cost_usd=len(text) / 10,
    )


class ResponseStores(RuleBasedStateMachine):
    """Does the same to every store and compares with a plain dictionary."""

    @initialize()
    def open(self) -> None:
        """Open every store."""
        self.folder = Path(tempfile.mkdtemp())
        self.known: dict[str, StoredAnswer] = {}
        self.stores: dict[str, ResponseStore] = dict(self.made())

    def made(self) -> Iterator[tuple[str, ResponseStore]]:
        """Yield new stores over the same files."""
        yield "sqlite", SqliteResponseStore(self.folder / "evals.sqlite")
        yield "cassette", CassetteStore(self.folder / "cassettes" / "d.jsonl")
        yield (
            "layered",
            LayeredResponseStore(
                CassetteStore(self.folder / "layered" / "d.jsonl"),
                SqliteResponseStore(self.folder / "layered.sqlite"),
            ),
        )

    def all(self) -> dict[str, ResponseStore]:
        """Return the stores, one in memory among them."""
        if "memory" not in self.stores:
            self.stores["memory"] = MemoryResponseStore()
            for answer in self.known.values():
                self.stores["memory"].put(answer)
        return self.stores

    def teardown(self) -> None:
        """Close what was opened."""
        for store in getattr(self, "stores", {}).values():
            store.close()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def expect(self, key: str) -> None:
        """Compare what the stores know of a key."""
        expected = self.known.get(key)
        for name, store in self.all().items():
            actual = store.get(key)
            assert (name, expected) == (name, actual)

    @rule(answer=answers())
    def put(self, answer: StoredAnswer) -> None:
        """Store an answer, perhaps in the place of another."""
        for store in self.all().values():
            store.put(answer)
        self.known.pop(answer.key, None)
        self.known[answer.key] = answer
        self.expect(answer.key)

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        """Look an answer up, stored or not."""
        self.expect(key)

    @rule(place=PLACES)
    def nearest(self, place: QuestionId) -> None:
        """Find what was stored last for a place."""
        here = [answer for answer in self.known.values() if question_id(answer) == place]
        for name, store in self.all().items():
            assert (name, here[-1] if here else None) == (name, store.nearest(*place))

    @precondition(
        lambda self: len({question_id(a) for a in self.known.values()}) == len(self.known)
    )
    @rule()
    def reopen(self) -> None:
        """Close and open again what has a file; several answers at one place lose their order."""
        for store in self.all().values():
            store.close()
        self.stores = dict(self.made())
        for key in self.known:
            self.expect(key)


ResponseStores.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, derandomize=True
)
TestResponseStoresAgree = ResponseStores.TestCase
