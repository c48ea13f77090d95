"""All errors that this package raises on purpose, and `suggest`, which their messages share.

The tree::

    EvalsError
    |-- DatasetError     a dataset file is invalid; holds every problem found in it
    |-- PluginError      a plugin cannot be imported, raises, or registers something invalid
    |-- SettingsError    options contradict each other or cannot be satisfied
    |-- ReportError      a report cannot be written
    |-- StoreError       the store, a cassette or a baseline cannot be read or written
    |-- TemplateError    a prompt or body template cannot be compiled or rendered
    `-- AnswerError      a model returned no response (an infrastructure error, not a wrong answer)

This module imports nothing of the package.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

ErrorType = Literal[
    "rate_limit",
    "overloaded",
    "timeout",
    "connection",
    "context_overflow",
    "invalid_request",
    "unauthorized",
    "model_not_found",
    "content_filtered",
    "provider",
    "malformed",
    "target",
    "template",
    "script_exhausted",
    "script_unused",
    "script_mismatch",
    "deadline",
    "stale",
    "not_run",
    "not_needed",
    "internal",
]
"""Why there is no response.

``rate_limit`` to ``provider``: a server's error; ``provider`` if it is none of the others.
``malformed``: a reply that cannot be parsed. ``target``: an exception in user code. ``template``: a
prompt that did not render. ``script_*``: a recording that does not match the conversation.
``deadline``: the trial's time limit. ``stale``: a replay without a stored response. ``not_run``: a
trial that never ran. ``not_needed``: a trial that no verdict depended on. ``internal``: a bug in
this package.
"""

TRANSIENT: frozenset[ErrorType] = frozenset({"rate_limit", "overloaded", "timeout", "connection"})
"""Error types after which a retry of the same request can succeed."""


class EvalsError(Exception):
    """The base class of all errors of this package."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file."""

    path: str
    """The file, as the user wrote its path."""
    line: int = 0
    """1-based; 0 for the whole file."""
    column: int = 0
    """1-based; 0 for the whole line."""

    def __str__(self) -> str:
        parts = [self.path]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One problem in a file: where it is, what was found, what was expected."""

    where: Position
    message: str
    """What was found, what was expected and what to do, in the user's own words."""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class DatasetError(EvalsError):
    """A dataset is invalid. Holds every problem found in it.

    Args:
        problems: at least one, in the order of the file; duplicates are dropped.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @classmethod
    def at(cls, where: Position, message: str) -> Self:
        """Return the error for a single problem."""
        return cls([Problem(where, message)])


class SettingsError(EvalsError):
    """Options, environment or ini settings contradict each other or cannot be satisfied."""


class PluginError(EvalsError):
    """A plugin cannot be imported, raises, or registers something invalid.

    Args:
        message: names the plugin, what was found and what was expected.
        detail: traceback of the plugin's code; None if it did not raise.
    """

    def __init__(self, message: str, *, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class ReportError(EvalsError):
    """A report cannot be written."""


class StoreError(EvalsError):
    """A store, cassette, baseline or report file cannot be read or written."""


class TemplateError(EvalsError):
    """A template does not compile, uses an unknown variable or accesses Python internals."""


class AnswerError(EvalsError):
    """A model returned no response.

    Args:
        type: the cause, see `ErrorType`.
        message: what happened and what to do, for a person; contains no secret.
        status: HTTP status of the reply; None if there was no HTTP reply.
        retry_after_s: seconds the server asked to wait before a retry; None if it did not.
        transient: whether a retry can succeed; None derives it from the type.
        detail: more for the report: a response body, or a traceback of user code.
    """

    def __init__(
        self,
        type: ErrorType,  # noqa: A002 - the public name of the attribute
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        transient: bool | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.type: ErrorType = type
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
        self.transient = type in TRANSIENT if transient is None else transient
        self.detail = detail

    def __reduce__(self) -> "tuple[Callable[..., AnswerError], tuple[()]]":
        """Pickle with all attributes, so that another process gets the same error."""
        rebuild = partial(
            AnswerError,
            self.type,
            self.message,
            status=self.status,
            retry_after_s=self.retry_after_s,
            transient=self.transient,
            detail=self.detail,
        )
        return rebuild, ()


def suggest(word: str, valid: Iterable[str], *, limit: int = 12) -> str:
    """Return a hint for a misspelt name: `` Did you mean 'contains'?`` or a list of valid names.

    Args:
        word: the name that was found.
        valid: the names that are valid in its place.
        limit: maximum number of valid names to list if none is similar.

    Returns:
        A sentence with a leading space, to append to a message; empty if `valid` is empty.
    """
    import difflib

    names = sorted(set(valid))
    if not names:
        return ""
    folded = {name.casefold().replace("-", "_"): name for name in names}
    close = difflib.get_close_matches(word.casefold().replace("-", "_"), folded, n=2, cutoff=0.6)
    if close:
        return f" Did you mean {' or '.join(repr(folded[name]) for name in close)}?"
    listed = ", ".join(names[:limit])
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f" Known: {listed}{more}."
