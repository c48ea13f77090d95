"""Embedding similarity: how near the meaning of an answer is to that of a reference.

The vectors are asked for through `ctx.ask`, so they are stored, limited, counted and priced like
any call: a reference is asked for once, however many answers are compared with it.
"""

import base64
import math
import struct
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, field_validator

from pytest_evals.case import Case
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import AnswerError
from pytest_evals.message import Message
from pytest_evals.model import Model
from pytest_evals.scorers.base import Ask, ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.quoting import quoted
from pytest_evals.scorers.references import (
    References,
    as_references,
    reference_problems,
    references_for,
)


class EmbeddingSimilarity(Scorer):
    """How near the answer's meaning is to a reference's, by their embeddings; wants a `threshold`.

    The value is the cosine of the angle between the two vectors; what points the other way has 0.
    Of several references the nearest counts. What a good threshold is depends on the model: look at
    right and wrong answers first.
    """

    type: ClassVar[str] = "embedding_similarity"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.REFERENCE
    cheap: ClassVar[bool] = False
    graded: ClassVar[bool | None] = True
    votes: ClassVar[bool] = False
    verbatim: ClassVar[frozenset[str]] = frozenset({"model", "params"})
    example: ClassVar[str] = (
        "{type: embedding_similarity, model: 'embeddings:text-embedding-3-small', "
        "reference: You have 30 days., threshold: 0.6}"
    )

    model: str | dict[str, Any]
    """Who makes the vectors: ``embeddings:NAME``, or a model written out (`provider: embeddings`,
    `base_url`, `model`, `price`)."""
    reference: Annotated[References, BeforeValidator(as_references)] = None
    """One text or several; without it, the case's `expected`."""
    params: dict[str, Any] = Field(default_factory=dict)
    """What is sent besides (``dimensions``)."""

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> str | dict[str, Any]:
        """Refuse what is no model."""
        from pytest_evals.scorers.judge.models import check_model

        return check_model(value)

    async def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the vectors."""
        if ctx.ask is None:
            raise ScoringError("the vectors are asked of a model, and no call may be made here")
        references = [text for text in references_for(self.reference, ctx) if text.strip()]
        if not references:
            raise ScoringError("every reference is empty")
        if not ctx.answer.strip():
            return Verdict(value=0.0, reason="the answer is empty")
        answer = await self._vector(ctx.ask, ctx.answer)
        similarities = [
            (cosine(answer, await self._vector(ctx.ask, text)), text) for text in references
        ]
        best, nearest = max(similarities)
        return Verdict(
            value=min(1.0, max(0.0, best)),
            reason=f"{best:.3f} from {quoted(nearest)}",
            metadata={"cosine": best, "dimensions": len(answer)},
        )

    async def _vector(self, ask: Ask, text: str) -> tuple[float, ...]:
        """Ask for the vector of a text.

        Raises:
            ScoringError: there is none.
        """
        from pytest_evals.scorers.judge.models import model_of

        model = model_of(self.model)
        try:
            exchange = await ask(
                [Message(role="user", content=text)],
                model=model,
                role=f"judge:{self.type}",
                params=self.params,
            )
        except AnswerError as error:
            raise ScoringError(f"no embedding: {error.message}", detail=error.detail) from None
        data = exchange.response.data if exchange.response is not None else None
        try:
            packed = base64.b64decode(data["embedding"])  # type: ignore[index] # caught below
            return struct.unpack(f"<{len(packed) // 4}f", packed)
        except (TypeError, KeyError, ValueError, struct.error):
            name = model.id if isinstance(model, Model) else model
            raise ScoringError(
                f"{name} gave no embedding; name a model of `provider: embeddings` "
                "(`embeddings:text-embedding-3-small`)"
            ) from None

    def models(self, dataset: Dataset) -> tuple[str | Model, ...]:
        """Return the model it asks."""
        from pytest_evals.scorers.judge.models import model_of

        return (model_of(self.model),)

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """A reference is needed."""
        yield from reference_problems(self.type, self.reference, case)


def cosine(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return the cosine of the angle between two vectors, -1..1.

    Raises:
        ScoringError: they are of different lengths, or one has no direction.
    """
    if len(a) != len(b):
        raise ScoringError(f"the embeddings have {len(a)} and {len(b)} dimensions")
    norms = math.hypot(*a) * math.hypot(*b)
    if norms == 0 or not math.isfinite(norms):
        raise ScoringError("an embedding is all noughts, so it has no direction")
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / norms
