"""Markdown that stays what it is, whatever stands in it: texts of models shown as code. Pure.

What a model wrote must not become a link, a picture, an element, a mention, the end of a comment or
another cell. Escapes do not see to that: GitHub looks for addresses, mentions and issues in the
text that is left when escapes are gone. In code it looks for nothing, so that is where such texts
stand: in a code span, or in a fence that is longer than any in the text.
"""

import html
import re

from pytest_evals.ground.plain_text import neutral

_RUNS = re.compile("`+")
_WORD = re.compile(r"(?!GH-)(?:[^\W_]|[.,;:()%+−–—…→'\"=/-])+")  # noqa: RUF001 - signs in sentences
_NEVER = re.compile(r"www\.|://|:[^\W_]+:|xmpp:|mailto:|^[-+=.:,;)/]*$|^\d+[.)]$", re.IGNORECASE)
_SIGNS = frozenset({">=", "<=", ">", "<", "=="})
_HASH = re.compile(r"(?=.*\d)[0-9a-f]{7,}", re.IGNORECASE)


def code(text: str, limit: int = 200) -> str:
    """Return a text as one code span, on one line; it can also stand in a table's cell.

    Args:
        text: anything.
        limit: characters; what is longer is cut and ends in three dots.
    """
    line = " ".join(neutral(cut(text, limit)).split())
    if not line:
        return "(empty)"
    ticks = "`" * (max(map(len, _RUNS.findall(line)), default=0) + 1)
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}".replace("|", "\\|")


def prose(text: str, limit: int = 600) -> str:
    """Return a sentence of ours with texts of others in it: what could act stands in code spans.

    It can also stand in a table's cell.

    Args:
        text: the sentence; new lines become spaces.
        limit: characters; what is longer is cut and ends in three dots.
    """
    parts: list[str] = []
    held: list[str] = []
    for word in neutral(cut(text, limit)).split():
        if _is_plain(word):
            if held:
                parts.append(code(" ".join(held), limit))
                held = []
            parts.append(word)
        else:
            held.append(word)
    if held:
        parts.append(code(" ".join(held), limit))
    return " ".join(parts)


def _is_plain(word: str) -> bool:
    """Whether a word is a word to every reader of Markdown."""
    if word in _SIGNS:
        return True
    return bool(_WORD.fullmatch(word)) and not _NEVER.search(word) and not _HASH.search(word)


def fence(text: str, language: str = "text") -> str:
    """Return a text as a block of code.

    Args:
        text: anything; control characters become visible escapes.
        language: how it is coloured: text or diff.
    """
    shown = neutral(text)
    ticks = "`" * max(3, max(map(len, _RUNS.findall(shown)), default=0) + 1)
    return f"{ticks}{language}\n{shown}\n{ticks}"


def labelled(label: str, text: str, limit: int = 800) -> str:
    """Return a text behind a label, its further lines below its first, for a block of code.

    Args:
        label: stands before the first line.
        text: anything.
        limit: characters; what is longer is cut, and says how much.
    """
    more = len(text) - limit
    shown = text if more <= 0 else f"{text[:limit]}\n... {more} more characters"
    return label + f"\n{' ' * len(label)}".join(neutral(shown).split("\n"))


def prefixed(mark: str, text: str, limit: int = 800) -> str:
    """Return a text with a mark before each of its lines, as in a diff."""
    return mark + labelled("", text, limit).replace("\n", f"\n{mark}")


def in_html(text: str, limit: int = 200) -> str:
    """Return a text for an HTML element of ours, on one line."""
    return html.escape(" ".join(neutral(cut(text, limit)).split()))


def cut(text: str, limit: int) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
