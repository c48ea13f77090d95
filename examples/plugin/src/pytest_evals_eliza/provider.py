"""ELIZA: answers by rules, as Weizenbaum's program of 1966 did."""

import re
from typing import Any, ClassVar

from pydantic import Field

from pytest_evals import AnswerError, Model, ProviderContext, Request, Response, Usage
from pytest_evals.ground.canonical import Frozen

VERSION = 1
"""Part of what is asked: a change of the code below is another question."""

REFLECTED = {"i": "you", "me": "you", "my": "your", "am": "are", "you": "I", "your": "my"}


class ElizaOptions(Frozen):
    """What ELIZA is told besides the question."""

    rules: dict[str, str] = Field(min_length=1)
    """What it answers, by a pattern of what was said; ``{0}`` is what the first group matched."""
    otherwise: str = "Please go on."
    """What it answers where no rule fits."""


class Eliza:
    """Answers by rules; free, offline, and the same every time."""

    name: ClassVar[str] = "eliza"
    Options: ClassVar[type[Frozen]] = ElizaOptions
    opaque: ClassVar[bool] = False
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = False

    def __init__(self, model: Model, context: ProviderContext) -> None:
        self._options = ElizaOptions.model_validate(model.options)

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:
        """Need no key."""
        return ()

    def host(self) -> str | None:
        """Ask no server."""
        return None

    def prepare(self) -> None:
        """Refuse rules that are no patterns, before anything is asked."""
        for pattern in self._options.rules:
            try:
                re.compile(pattern)
            except re.error as error:
                raise AnswerError("invalid_request", f"`rules`: {pattern!r}: {error}") from None

    def identity(self, request: Request) -> dict[str, Any]:
        """Return all that the answer depends on: stored answers are found by it."""
        said = [message.model_dump(mode="json") for message in request.messages]
        return {"version": VERSION, **self._options.model_dump(mode="json"), "messages": said}

    async def complete(self, request: Request) -> Response:
        """Answer the last message."""
        said = request.messages[-1].content
        if not said.strip():
            raise AnswerError("invalid_request", "ELIZA was told nothing")
        text = self._answer(said)
        tokens = Usage(input_tokens=len(said.split()), output_tokens=len(text.split()))
        return Response(text=text, finish_reason="stop", usage=tokens, cost_usd=0.0)

    def _answer(self, said: str) -> str:
        for pattern, answer in self._options.rules.items():
            if found := re.search(pattern, said, re.IGNORECASE):
                return answer.format(*(reflected(group or "") for group in found.groups()))
        return self._options.otherwise

    async def aclose(self) -> None:
        """Hold nothing."""


def reflected(text: str) -> str:
    """Say it from the other side: "my dog" becomes "your dog"."""
    words = text.rstrip(".!?").split()
    return " ".join(REFLECTED.get(word.lower(), word) for word in words)
