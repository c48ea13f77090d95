"""Safe Markdown: texts of models and plugins as code. Pure.

A model's text must not become a link, an image, an element, a mention, the end of a comment or
another table cell. Escapes do not prevent that: GitHub looks for addresses, mentions and issues
after it has removed escapes. In code it looks for none. So such texts are code spans, or fenced
blocks with a fence longer than any in the text.
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
    """Return a text as one code span on one line; `mdtables.table_row` makes it valid in a cell.

    Args:
        text: any text.
        limit: characters; a longer text is truncated and ends in three dots.
    """
    line = " ".join(neutral(cut(text, limit)).split())
    if not line:
        return "(empty)"
    ticks = "`" * (max(map(len, _RUNS.findall(line)), default=0) + 1)
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def prose(text: str, limit: int = 600) -> str:
    """Return a sentence with every word that Markdown could act on in a code span.

    `mdtables.table_row` makes it valid in a cell of a table.

    Args:
        text: the sentence; new lines become spaces.
        limit: characters; a longer text is truncated and ends in three dots.
    """
    parts: list[str] = []
    held: list[str] = []
    for word in neutral(cut(text, limit)).split():
        begins = not parts and not held
        if _is_plain(word) and not (begins and word in _SIGNS):  # `>` begins a quotation
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
    """Whether no Markdown renderer acts on a word."""
    if word in _SIGNS:
        return True
    return bool(_WORD.fullmatch(word)) and not _NEVER.search(word) and not _HASH.search(word)


def fence(text: str, language: str = "text") -> str:
    """Return a text as a fenced block of code.

    Args:
        text: any text; control characters become visible escapes.
        language: the language for highlighting: text or diff.
    """
    shown = neutral(text)
    ticks = "`" * max(3, max(map(len, _RUNS.findall(shown)), default=0) + 1)
    return f"{ticks}{language}\n{shown}\n{ticks}"


def labelled(label: str, text: str, limit: int = 800) -> str:
    """Return a text after a label, with further lines indented, for a block of code.

    Args:
        label: the label before the first line.
        text: any text.
        limit: characters; a longer text is truncated, and says by how much.
    """
    more = len(text) - limit
    shown = text if more <= 0 else f"{text[:limit]}\n... {more} more characters"
    return label + f"\n{' ' * len(label)}".join(neutral(shown).split("\n"))


def prefixed(mark: str, text: str, limit: int = 800) -> str:
    """Return a text with a mark before each line, as in a diff."""
    return mark + labelled("", text, limit).replace("\n", f"\n{mark}")


def in_html(text: str, limit: int = 200) -> str:
    """Return a text for an HTML element, on one line."""
    return html.escape(" ".join(neutral(cut(text, limit)).split()))


def cut(text: str, limit: int) -> str:
    """Truncate a text."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
