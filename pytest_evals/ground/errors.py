"""Every error this package raises on purpose, and the words they share.

The tree::

    EvalsError
    |-- DatasetError     a dataset file is not right; holds every problem found in it
    |-- PluginError      a plugin cannot be imported, fails, or brings something wrong
    |-- SettingsError    options contradict each other or cannot be met
    |-- ReportError      a report cannot be written
    |-- StoreError       the store, a cassette or a baseline cannot be read or written
    |-- TemplateError    a prompt or body template cannot be compiled or rendered
    `-- AnswerError      a model gave no answer (an error of the infrastructure, not a wrong answer)

This module may import nothing of the package.
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
"""Why there is no answer.

The first group is what a server can say (``provider`` when it says nothing finer), ``malformed`` a
reply that cannot be read, ``target`` an exception of the user's own code, ``template`` a prompt
that did not render, ``script_*`` a recording that does not fit the conversation, ``deadline`` the
trial's own time limit, ``stale`` a replay with no stored answer, ``not_run`` a trial that was never
asked, ``not_needed`` one that nothing depended on any more, ``internal`` a fault of this package.
"""

TRANSIENT: frozenset[ErrorType] = frozenset({"rate_limit", "overloaded", "timeout", "connection"})
"""Error types after which the same question may well be answered."""


class EvalsError(Exception):
    """The base of all errors of this package."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where something stands in a file."""

    path: str
    """The file, as the user named it."""
    line: int = 0
    """1-based; 0 when the whole file is meant."""
    column: int = 0
    """1-based; 0 when the whole line is meant."""

    def __str__(self) -> str:
        parts = [self.path]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a file: where, what was found, what was expected."""

    where: Position
    message: str
    """What was found, what was expected and what to do, in the user's own words."""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class DatasetError(EvalsError):
    """A dataset that cannot be used, with every problem found in it.

    Args:
        problems: at least one; they are shown in the order of the file.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @classmethod
    def at(cls, where: Position, message: str) -> Self:
        """Make the error for a single problem."""
        return cls([Problem(where, message)])


class SettingsError(EvalsError):
    """Options, environment or ini settings that contradict each other or cannot be met."""


class PluginError(EvalsError):
    """A plugin that cannot be imported, fails, or brings what it must not; named in the message.

    Args:
        message: which plugin, what was found, what was expected.
        detail: the traceback of its own code, where there is one.
    """

    def __init__(self, message: str, *, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class ReportError(EvalsError):
    """A report cannot be written."""


class StoreError(EvalsError):
    """A store, cassette, baseline or report file that cannot be read or written."""


class TemplateError(EvalsError):
    """A template that does not compile, names an unknown variable or reaches for internals."""


class AnswerError(EvalsError):
    """A model gave no answer.

    Args:
        type: why, see `ErrorType`.
        message: what happened and what to do, for a person; holds no secret.
        status: the HTTP status, where there was one.
        retry_after_s: how long the server asked us to wait, in seconds, where it did.
        transient: whether asking again may help; by default decided by the type.
        detail: more for the report: a body, a traceback of the user's code.
    """

    def __init__(
        self,
        type: ErrorType,  # noqa: A002 - the field's own word, and the attribute's name
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
        """Cross to another process whole."""
        made = partial(
            AnswerError,
            self.type,
            self.message,
            status=self.status,
            retry_after_s=self.retry_after_s,
            transient=self.transient,
            detail=self.detail,
        )
        return made, ()


def suggest(word: str, known: Iterable[str], *, most: int = 12) -> str:
    """Say what the user may have meant: `` Did you mean 'contains'?`` or the list of what there is.

    Args:
        word: what was found.
        known: what would have been right.
        most: how many of the known words are listed when none is close.

    Returns:
        A sentence that starts with a space, to stand behind the message; empty if nothing is known.
    """
    import difflib

    names = sorted(set(known))
    if not names:
        return ""
    folded = {name.casefold().replace("-", "_"): name for name in names}
    close = difflib.get_close_matches(word.casefold().replace("-", "_"), folded, n=2, cutoff=0.6)
    if close:
        return f" Did you mean {' or '.join(repr(folded[name]) for name in close)}?"
    listed = ", ".join(names[:most])
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f" Known: {listed}{more}."
