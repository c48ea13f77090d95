"""Fences: untrusted text in the prompt of a judge, between marks that it cannot contain.

Marks are deterministic: equal material gives equal prompts, so that stored responses are reused.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHORTEST = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of untrusted material: its name and its text."""

    name: str
    """A lower-case word: question, answer, reference."""
    text: str


@dataclass(frozen=True, slots=True)
class Fenced:
    """Material between marks."""

    text: str
    mark: str
    """The end of every mark; no piece contains it."""
    cut: dict[str, int]
    """The number of characters removed from each piece that was too long."""


def fence(pieces: Sequence[Piece], *, max_chars: int) -> Fenced:
    """Put pieces between tags that no piece can close.

    Args:
        pieces: the material, in order.
        max_chars: the length limit of a piece; the middle of a longer one is replaced by a note.
    """
    whole = [Piece(piece.name, _encodable(piece.text)) for piece in pieces]
    mark = mark_for(piece.text for piece in whole)
    shown: list[str] = []
    cut: dict[str, int] = {}
    for piece in whole:
        text, left_out = _cut(piece.text, max_chars, mark)
        if left_out:
            cut[piece.name] = left_out
        shown.append(f"<{piece.name}-{mark}>\n{text}\n</{piece.name}-{mark}>")
    return Fenced("\n\n".join(shown), mark, cut)


def mark_for(texts: Iterable[str]) -> str:
    """Return hexadecimal digits that occur in none of the texts.

    They are a hash of the texts. If a text contains them, in any case or in look-alike characters,
    they get longer; if the whole hash occurs, it is hashed again.
    """
    folded = [_folded(text) for text in texts]
    seed = hashlib.sha256("\0".join(folded).encode()).hexdigest()
    while True:
        for length in range(_SHORTEST, len(seed) + 1, 4):
            if not any(seed[:length] in text for text in folded):
                return seed[:length]
        seed = hashlib.sha256(seed.encode()).hexdigest()


def _folded(text: str) -> str:
    """Normalize a text so that look-alike texts are equal."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in plain if c.isalnum()) if not plain.isascii() else plain


def _encodable(text: str) -> str:
    """Escape lone surrogates: no request can encode them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _cut(text: str, max_chars: int, mark: str) -> tuple[str, int]:
    """Cut the middle of a long text; return the text and the number of removed characters."""
    if len(text) <= max_chars:
        return text, 0
    head = max_chars * 2 // 3
    tail = max_chars - head
    left_out = len(text) - max_chars
    note = f"\n[cut-{mark}: {left_out:,} characters are left out here]\n"
    return text[:head] + note + text[len(text) - tail :], left_out
