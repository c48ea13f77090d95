"""An HTTP service of the user as an assertion.

It uses the HTTP client of the standard library: only providers use the client for models.
"""

import json
import os
import re
from typing import Any, ClassVar

from pydantic import Field, field_validator

from pytest_evals.scorers.base import ScoreContext, Scorer, ScorerGroup, ScoringError, Verdict
from pytest_evals.scorers.command import trial_payload
from pytest_evals.scorers.jsonfind import NotJsonError, read_json
from pytest_evals.scorers.python_function import read_verdict
from pytest_evals.scorers.quoting import quoted

_MAX_BYTES = 1_000_000
"""The maximum size of a reply."""


class Webhook(Scorer):
    """An HTTP service decides whether the output is right.

    It gets a POST request with the JSON object that a `command` reads. It replies with status 200
    and true or false, a number, a label, or an object with `passed`, `value`, `label`, `reason`,
    `metadata`. Redirects are not followed. Any other status or body is an error, never a failed
    answer.
    """

    type: ClassVar[str] = "webhook"
    docs_group: ClassVar[ScorerGroup | None] = ScorerGroup.CODE
    shorthand: ClassVar[str | None] = "url"
    cheap: ClassVar[bool] = False
    example: ClassVar[str] = 'webhook: "http://127.0.0.1:8000/score"'

    url: str
    """The http or https URL of the service."""
    token_env: str | None = None
    """The environment variable with the bearer token."""
    timeout_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    """Timeout in seconds."""

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        """Reject an invalid URL, and a URL with a password."""
        if "{{" not in value and not re.fullmatch(r"https?://[^\s/?#]+\S*", value):
            raise ValueError(f"expected an http or https URL, found {value!r}")
        if re.match(r"https?://[^/?#]*@", value):
            raise ValueError(
                "the URL contains a password; put a token in an environment variable, `token_env`"
            )
        return value

    @property
    def _address(self) -> str:
        """The URL for messages: its query may hold a token."""
        return self.url.partition("?")[0]

    def score(self, ctx: ScoreContext) -> Verdict:
        """Send the trial and parse the reply."""
        status, body = self._reply(json.dumps(trial_payload(ctx), default=repr).encode())
        text = body.decode("utf-8", "replace")
        if status != 200:
            raise ScoringError(f"{self._address} replied with status {status}: {quoted(text)}")
        try:
            given = read_json(text)
        except NotJsonError as error:
            raise ScoringError(
                f"{self._address} did not reply with JSON ({error}): {quoted(text)}"
            ) from None
        return read_verdict(given, self._address)

    def _reply(self, question: bytes) -> tuple[int, bytes]:
        """Send a POST request; return the status and the body of the reply."""
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import HTTPRedirectHandler, Request, build_opener

        class Stay(HTTPRedirectHandler):
            """Follows no redirects: the token and the output are for this URL only."""

            def redirect_request(self, *_: Any, **__: Any) -> None:
                """Return the redirect as the reply."""

        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token_env is not None:
            token = os.environ.get(self.token_env)
            if not token:
                raise ScoringError(f"the environment variable {self.token_env} is not set")
            headers["Authorization"] = f"Bearer {token}"
        request = Request(self.url, question, headers, method="POST")  # noqa: S310 - checked above
        try:
            with build_opener(Stay).open(request, timeout=self.timeout_s) as reply:
                return int(reply.status), reply.read(_MAX_BYTES)
        except HTTPError as error:
            with error:
                return error.code, error.read(400)
        except (OSError, HTTPException) as error:
            why = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise ScoringError(f"{self._address} did not reply: {why}") from None
