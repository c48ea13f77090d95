"""embeddings: texts as vectors, from any server with OpenAI's embeddings endpoint."""

import base64
import math
import struct
from collections.abc import Mapping
from typing import Any, ClassVar

from pytest_evals.exchange import Request, Response
from pytest_evals.providers.openai import OpenAIProvider
from pytest_evals.providers.usage import openai_usage


class EmbeddingsProvider(OpenAIProvider):
    """Embeds a text as a vector, for `embedding_similarity`; it does not generate text.

    OpenAI, vLLM, llama.cpp, Ollama, text-embeddings-inference and others have the endpoint. The
    vector is stored as 32-bit floats in base64. Keys, addresses and headers are as for `openai`.
    """

    name: ClassVar[str] = "embeddings"
    path: ClassVar[str] = "embeddings"
    reserved: ClassVar[frozenset[str]] = frozenset({"input", "model", "encoding_format"})
    example: ClassVar[str] = (
        "{provider: embeddings, base_url: http://127.0.0.1:8000/v1, model: bge-small, "
        "price: {input: 0.02, output: 0}}"
    )

    def body(self, request: Request) -> dict[str, Any]:
        """Return the body that embeds the text of the last message."""
        body: dict[str, Any] = {} if self.model.model is None else {"model": self.model.model}
        text = request.messages[-1].text if request.messages else ""
        return {**body, "input": text, "encoding_format": "float", **request.params}

    def parse(self, data: Mapping[str, Any]) -> Response:
        """Return the vector.

        Raises:
            ValueError: the body has no vector of numbers.
        """
        rows = data.get("data")
        row = rows[0] if isinstance(rows, list) and rows else None
        vector = row.get("embedding") if isinstance(row, dict) else None
        if not isinstance(vector, list) or not vector:
            raise ValueError("without `data[0].embedding`")
        return Response(
            data={"embedding": _pack(vector), "dimensions": len(vector)},
            usage=openai_usage(data.get("usage")),
        )


def _pack(vector: list[Any]) -> str:
    """Encode a vector as base64 of 32-bit floats, a fifth of its length as JSON.

    Raises:
        ValueError: an element is not a finite number.
    """
    numbers = [x for x in vector if isinstance(x, int | float) and not isinstance(x, bool)]
    try:
        packed = struct.pack(f"<{len(vector)}f", *numbers)
    except (struct.error, OverflowError):
        packed = b""
    if not packed or not all(map(math.isfinite, numbers)):
        raise ValueError("with an embedding that is not made of numbers")
    return base64.b64encode(packed).decode("ascii")
