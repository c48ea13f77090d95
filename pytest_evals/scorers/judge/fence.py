"""Fences: untrusted text in a judge's prompt, between marks that it cannot contain.

Nothing here is random: equal material gives equal prompts, so that a judgement can be stored and
found again.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHORTEST = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of material: what it is, and its text as somebody else wrote it."""

    name: str
    """One word of lower-case letters: question, answer, reference."""
    text: str


@dataclass(frozen=True, slots=True)
class Fenced:
    """Material between its marks."""

    text: str
    mark: str
    """What every mark ends in, and no piece contains."""
    cut: dict[str, int]
    """How many characters were left out of each piece that was too long."""


def fence(pieces: Sequence[Piece], *, max_chars: int) -> Fenced:
    """Put pieces between tags that none of them can close.

    Args:
        pieces: in the order in which they are shown.
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
    """Return hexadecimal digits that occur in none of the texts, however they are written.

    They are derived from the texts. Where a text contains them (also in capitals, or in characters
    that look alike), they are made longer, then anew, until it does not.
    """
    folded = [_folded(text) for text in texts]
    seed = hashlib.sha256("\0".join(folded).encode()).hexdigest()
    while True:
        for length in range(_SHORTEST, len(seed) + 1, 4):
            if not any(seed[:length] in text for text in folded):
                return seed[:length]
        seed = hashlib.sha256(seed.encode()).hexdigest()


def _folded(text: str) -> str:
    """Make texts equal that a reader may take for the same."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in plain if c.isalnum()) if not plain.isascii() else plain


def _encodable(text: str) -> str:
    """Make half characters visible: no request can carry them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _cut(text: str, max_chars: int, mark: str) -> tuple[str, int]:
    """Leave out the middle of a long text; returns it with the number of characters left out."""
    if len(text) <= max_chars:
        return text, 0
    head = max_chars * 2 // 3
    tail = max_chars - head
    left_out = len(text) - max_chars
    note = f"\n[cut-{mark}: {left_out:,} characters are left out here]\n"
    return text[:head] + note + text[len(text) - tail :], left_out
