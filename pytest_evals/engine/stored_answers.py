"""StoredAnswers: looks a call up in the response store, and saves its response.

Knows the store's modes; makes no call.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pytest_evals.engine.route import ModelRoute, Route
from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Json, digest
from pytest_evals.ground.errors import StoreError
from pytest_evals.ground.notes import Notes
from pytest_evals.providers.base import CONTEXT
from pytest_evals.responses.base import ResponseStore, StoredAnswer
from pytest_evals.responses.stale import explain


@dataclass(frozen=True, slots=True)
class CallIdentity:
    """What identifies a call: two calls with one key have one response."""

    key: str
    """The cache key."""
    content: Json
    """Everything in the request that can change the response."""
    role: str
    case_id: str = ""
    """The case that the call is for."""
    older_key: str | None = None
    """The cache key that version 1 gave the call, if it is another one: it lacked the context."""

    @classmethod
    def of(cls, route: Route, request: Request, role: str) -> "CallIdentity":
        """Make the identity of a call.

        Raises:
            AnswerError: the provider rejects the request.
        """
        content = route.identity(request)
        parts = {
            "provider": route.model.provider,
            "version": route.model.version,
            "asked": content,
            "sample": request.sample,
            "judge": role != "answer",
        }
        older_key = None
        if isinstance(content, dict) and CONTEXT in content:
            asked = {name: value for name, value in content.items() if name != CONTEXT}
            older_key = digest({**parts, "asked": asked})
        return cls(digest(parts), content, role, request.case_id, older_key)

    def parts(self, route: Route, sample: int) -> dict[str, str]:
        """Return a digest of each part, to say later which one changed."""
        parts = {"provider": route.model.provider, "sample": str(sample)}
        if route.model.version is not None:
            parts["version"] = route.model.version
        for name, value in self.content.items() if isinstance(self.content, dict) else ():
            if name in {"body", CONTEXT} and isinstance(value, dict):
                parts.update({key: digest(item, length=12) for key, item in value.items()})
            else:
                parts[name] = digest(value, length=12)
        return parts


@dataclass(slots=True)
class StoredAnswers:
    """Reads and writes the response store as the mode allows."""

    store: ResponseStore | None
    mode: str
    """auto, replay, refresh or off."""
    write: Callable[[StoredAnswer], Awaitable[None]]
    """Writes to the store off the event loop; returns when the response is stored."""
    notes: Notes

    @property
    def replays(self) -> bool:
        """Whether no call may be made."""
        return self.mode == "replay"

    @property
    def shares(self) -> bool:
        """Whether equal calls share one response; else each trial makes its own call."""
        return self.mode in {"auto", "replay"}

    def find(self, route: Route, identity: CallIdentity) -> StoredAnswer | None:
        """Return the stored response that may be used; None if there is none."""
        if self.store is None or not self.shares or not isinstance(route, ModelRoute):
            return None
        try:
            answer = self.store.get(identity.key)
            if answer is None and identity.older_key is not None:
                answer = self._of_version_1(self.store, identity.older_key, route, identity)
        except StoreError as error:
            self.notes.add(f"stored answers could not be read: {error}")
            return None
        if answer is None or route.chain is None or self.replays or answer.chain == route.chain:
            return answer
        return None

    @staticmethod
    def _of_version_1(
        store: ResponseStore, key: str, route: Route, identity: CallIdentity
    ) -> StoredAnswer | None:
        """Return a response under the key of version 1, if it was made for this case and model."""
        answer = store.get(key)
        if answer is None or (answer.case, answer.model) != (identity.case_id, route.model.id):
            return None
        return answer

    def explain_missing(self, route: Route, request: Request, identity: CallIdentity) -> str:
        """Say why no stored response fits."""
        try:
            answer = self.store and self.store.nearest(
                request.case_id, route.model.id, identity.role, request.sample, request.turn
            )
        except StoreError as error:
            return f"STALE: stored answers could not be read: {error}"
        if not answer:
            return (
                f"STALE: no answer of {route.model.id!r} is stored for this case and sample; "
                "record one with --evals-responses=auto"
            )
        changed = explain(answer.parts, identity.parts(route, request.sample))
        return (
            f"STALE: {changed} since the answer was stored; "
            "record it again with --evals-responses=auto"
        )

    async def save(
        self,
        route: Route,
        request: Request,
        identity: CallIdentity,
        response: Response,
        cost_usd: float | None,
    ) -> None:
        """Store a response before it is used; a failing store is a note, never a lost response."""
        if self.store is None or self.mode == "off" or not isinstance(route, ModelRoute):
            return
        answer = StoredAnswer(
            key=identity.key,
            case=request.case_id,
            model=route.model.id,
            role=identity.role,
            sample=request.sample,
            turn=request.turn,
            parts=identity.parts(route, request.sample),
            response=response,
            cost_usd=cost_usd,
            chain=route.chain or "",
        )
        try:
            await self.write(answer)
        except StoreError as error:
            self.notes.add(f"responses are not stored: {error}")
            return
