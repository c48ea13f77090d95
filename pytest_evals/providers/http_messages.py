"""Call and Reply: one HTTP call of a provider, and the response to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pytest_evals.ground.canonical import Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.providers.error_mapping import map_error
from pytest_evals.providers.headers import Headers
from pytest_evals.providers.parsing import parse_json, quote


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call, to be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    endpoint: str
    """The model and its address, for messages; holds no secret."""
    timeout_s: float | None = None
    query: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to one HTTP call, read to its end."""

    status: int
    headers: Headers
    body: bytes
    latency_s: float
    """Seconds from sending to the last byte."""
    endpoint: str
    """The model and its address, for messages."""

    def raise_for_status(self, key: str | None = None) -> Self:
        """Return the reply if its status is a success.

        Args:
            key: the environment variable with the API key, if one was sent; for the message.

        Raises:
            AnswerError: of the type that the status and the body mean.
        """
        if 200 <= self.status < 300:
            return self
        raise self.error(key)

    def error(self, key: str | None = None, error: object = None) -> AnswerError:
        """Return the error that the reply describes.

        Args:
            key: the environment variable with the API key, if one was sent; for the message.
            error: the error inside the body, if it is known.
        """
        return map_error(
            self.status, self.headers, self.body, endpoint=self.endpoint, key=key, error=error
        )

    def json(self) -> Json:
        """Parse the body as JSON.

        Raises:
            AnswerError: of type ``malformed``. It is transient: such a reply comes more often from
                a server in trouble than from a wrong configuration.
        """
        try:
            return parse_json(self.body)
        except ValueError as error:
            raise self.malformed(f"with what is not JSON ({error})") from None

    def malformed(self, problem: str, *, transient: bool = True) -> AnswerError:
        """Return the error for a reply that cannot be parsed.

        Args:
            problem: what is wrong with it; follows "answered 200" in the message.
            transient: whether a retry may help.
        """
        text = self.body[:2000].decode("utf-8", "replace")
        content_type = self.headers.get("content-type", "no content type")
        return AnswerError(
            "malformed",
            f"{self.endpoint} answered {self.status} {problem}: {content_type}, {quote(text)}",
            status=self.status,
            transient=transient,
            detail=text,
        )
