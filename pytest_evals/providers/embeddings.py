"""embeddings: texts as vectors, from any server with OpenAI's embeddings endpoint."""

import base64
import math
import struct
from typing import Any, ClassVar

from pytest_evals.exchange import Request, Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.providers.http_common import Reply, check_params
from pytest_evals.providers.openai import OpenAIProvider, usage_of

_OURS = frozenset({"input", "model", "encoding_format"})
"""Parts of the body that parameters cannot replace."""


class EmbeddingsProvider(OpenAIProvider):
    """Turns a text into a vector, for `embedding_similarity`; no model to put questions to.

    OpenAI, vLLM, llama.cpp, Ollama, text-embeddings-inference and others have the endpoint. The
    vector is kept as 32-bit floats in base64. Keys, addresses and headers are as for `openai`.
    """

    name: ClassVar[str] = "embeddings"
    path: ClassVar[str] = "embeddings"
    example: ClassVar[str] = (
        "{provider: embeddings, base_url: http://127.0.0.1:8000/v1, model: bge-small, "
        "price: {input: 0.02, output: 0}}"
    )

    def _body(self, request: Request) -> dict[str, Any]:
        """Return what is sent: the last message's text."""
        check_params(request.params, _OURS)
        body: dict[str, Any] = {} if self._model.model is None else {"model": self._model.model}
        text = request.messages[-1].text if request.messages else ""
        return {**body, "input": text, "encoding_format": "float", **request.params}

    def _response(self, reply: Reply) -> Response:
        """Read the vector.

        Raises:
            AnswerError: of type ``malformed``.
        """
        body = reply.json()
        rows = body.get("data") if isinstance(body, dict) else None
        first = rows[0] if isinstance(rows, list) and rows else None
        vector = first.get("embedding") if isinstance(first, dict) else None
        if not isinstance(body, dict) or not isinstance(vector, list) or not vector:
            raise reply.malformed("without `data[0].embedding`")
        return Response(
            data={"embedding": _packed(vector, reply), "dimensions": len(vector)},
            usage=usage_of(body.get("usage")),
            latency_s=reply.latency_s,
            model=body["model"] if isinstance(body.get("model"), str) else None,
        )


def _packed(vector: list[Any], reply: Reply) -> str:
    """Write a vector as base64 of its 32-bit floats, a fifth of its length as JSON.

    Raises:
        AnswerError: of type ``malformed``: it holds something that is no number.
    """
    numbers = [x for x in vector if isinstance(x, int | float) and not isinstance(x, bool)]
    try:
        packed = struct.pack(f"<{len(vector)}f", *numbers)
    except (struct.error, OverflowError):
        packed = b""
    if not packed or not all(map(math.isfinite, numbers)):
        raise _no_numbers(reply)
    return base64.b64encode(packed).decode("ascii")


def _no_numbers(reply: Reply) -> AnswerError:
    """Make the error of a vector that is none."""
    return reply.malformed("with an embedding that is not made of numbers")
