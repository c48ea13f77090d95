"""The reasoning that some models write into their output, which is not part of the answer. Pure."""

import re

_NAMES = "think|thinking|thought|reasoning"
_CLOSED = re.compile(rf"(?<![`'\"\w])<({_NAMES})>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPEN = re.compile(rf"^[ \t]*<(?:{_NAMES})>", re.MULTILINE | re.IGNORECASE)
_END = re.compile(rf"^.*(?<![`'\"])</(?:{_NAMES})>(?![`'\"])", re.DOTALL | re.IGNORECASE)


def without_reasoning(text: str) -> str:
    """Return an output without its reasoning, such as ``<think>…</think>``.

    Reasoning that does not end leaves no answer. Some servers omit the opening tag; what is before
    a closing tag is then reasoning. Tags in quotes or
    backticks are mentioned, and remain.
    """
    if "<" not in text:
        return text
    rest = _CLOSED.sub("", text)
    begun = _OPEN.search(rest)
    if begun is not None:
        rest = rest[: begun.start()]
    rest = _END.sub("", rest)
    return text if rest == text else rest.strip()
