"""Embedding similarity: the cosine of the embeddings of an output and a reference.

Embeddings are requested with `ctx.ask`, so they are stored, limited, counted and priced like any
call. Each reference is embedded once, for any number of outputs.
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
from pytest_evals.parameters import Params
from pytest_evals.scorers.base import Ask, ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.quoting import quoted
from pytest_evals.scorers.references import (
    References,
    as_references,
    reference_problems,
    references_for,
)


class EmbeddingSimilarity(Scorer):
    """The cosine similarity of the embeddings of the output and a reference; add a `threshold`.

    Negative similarities have the value 0. With several references the most similar one counts. A
    good threshold depends on the model: compare right and wrong outputs first.
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
    """The embedding model: ``embeddings:NAME``, or a model written out (`provider: embeddings`,
    `base_url`, `model`, `price`)."""
    reference: Annotated[References, BeforeValidator(as_references)] = None
    """One or more references; by default the `expected` of the case."""
    params: Params = Field(default_factory=dict)
    """Additional parameters of the request (``dimensions``)."""

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> str | dict[str, Any]:
        """Reject a value that is not a model."""
        from pytest_evals.scorers.judge.models import check_model

        return check_model(value)

    async def score(self, ctx: ScoreContext) -> Verdict:
        """Compare the embeddings."""
        if ctx.ask is None:
            raise ScoringError("embeddings need a call to a model, and no call is allowed here")
        references = [text for text in references_for(self.reference, ctx) if text.strip()]
        if not references:
            raise ScoringError("every reference is empty")
        if not ctx.answer.strip():
            return Verdict(value=0.0, reason="the output is empty")
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
        """Request the embedding of a text.

        Raises:
            ScoringError: the response has no embedding.
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
                f"{name} returned no embedding; use a model of `provider: embeddings` "
                "(`embeddings:text-embedding-3-small`)"
            ) from None

    def models(self, dataset: Dataset) -> tuple[str | Model, ...]:
        """Return the model it calls."""
        from pytest_evals.scorers.judge.models import model_of

        return (model_of(self.model),)

    def check(self, dataset: Dataset, case: Case | None) -> Iterable[str]:
        """Yield a problem if there is no reference."""
        yield from reference_problems(self.type, self.reference, case)


def cosine(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return the cosine of the angle between two vectors, -1..1.

    Raises:
        ScoringError: they have different lengths, or one of them is zero.
    """
    if len(a) != len(b):
        raise ScoringError(f"the embeddings have {len(a)} and {len(b)} dimensions")
    norms = math.hypot(*a) * math.hypot(*b)
    if norms == 0 or not math.isfinite(norms):
        raise ScoringError("an embedding is the zero vector, so it has no direction")
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / norms
