"""Extract numbers, a box, the letter of a choice, or a code fence from a text. Pure."""

import re
import unicodedata

from pytest_evals.scorers.boundaries import LETTER

_WORDY = f"(?:{LETTER}|['\N{RIGHT SINGLE QUOTATION MARK}])"
"""Characters beside which a letter is part of a word."""
_ARTICLE = re.compile(r"I\b|A\s+(?!(?:or|and|is|was|because|since|as|but)\b)[a-z]")


def normalised(text: str) -> str:
    """Return a text in NFKC form, case-folded, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


_NUMBER = re.compile(
    rf"(?<!\.)(?<!{LETTER})[-+\N{{MINUS SIGN}}]?\s?(?:\$|€|£|¥|\uffe5)?"
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:(?<=\d)\.\d+|(?<!\d)\.\d+|(?<=\d))(?:[eE][-+]?\d+)?"
)


def numbers_in(text: str) -> list[str]:
    """Return the numbers in a text as plain decimals, in order.

    Commas may group digits by three. A sign, a currency sign and an exponent are part of the
    number. Digits inside a word (``GPT4``) are ignored.
    """
    numbers = []
    for match in _NUMBER.finditer(text):
        number = re.sub(r"[,\s$€£¥\uffe5]", "", match.group()).replace("\N{MINUS SIGN}", "-")
        if any(c.isdigit() for c in number):
            numbers.append(number)
    return numbers


def boxed(text: str) -> str | None:
    r"""Return the content of the last ``\boxed{…}``, with balanced braces."""
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return None
    begin = text.index("{", start) + 1
    depth = 1
    for i in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if text[i] in "{}" and text[i - 1] == "\\":
            depth -= {"{": 1, "}": -1}[text[i]]
        if depth == 0:
            return text[begin:i].strip()
    return None


def choice_letter(text: str, letters: str) -> str | None:
    r"""Return the letter of the choice in a text, in upper case; None if there is none.

    In this order: the whole text is a letter (``B``, ``(b).``); ``\boxed{B}``, or the last ``answer
    is B`` or ``Answer: B``; a line that begins with the letter (``B) Paris``); the only upper-case
    letter outside of words.
    """
    letter = f"[{letters.upper()}{letters.lower()}]"
    whole = re.fullmatch(rf"\W*({letter})\W*", text)
    if whole:
        return whole.group(1).upper()
    inside = boxed(text)
    if inside is not None:
        inner = re.fullmatch(rf"\W*(?:\\text\w*\{{)?\W*({letter})\W*", inside)
        if inner:
            return inner.group(1).upper()
    stated = re.findall(
        rf"\b(?:answer|choice|option)\b(?:\s+(?:is|would\s+be))?[\s:*_(\[\"'`-]*({letter})(?!{_WORDY})",
        text,
        re.IGNORECASE,
    )
    if stated:
        return str(stated[-1]).upper()
    upper = f"[{letters.upper()}]"
    begins = re.findall(rf"^[^\w\n]*({upper})(?:[).:\]*]|\s*$)", text, re.MULTILINE)
    if len(set(begins)) == 1:
        return str(begins[0])
    sentence = len(text.split()) > 2
    alone = {
        match.group(1)
        for match in re.finditer(rf"(?<!{_WORDY})({upper})(?!{_WORDY})", text)
        # In a sentence "I", and "A" before a noun, are words and not choices.
        if not (sentence and _ARTICLE.match(text, match.start()))
    }
    return alone.pop() if len(alone) == 1 else None


def fenced(text: str) -> str | None:
    """Return the content of the first code fence."""
    match = re.search(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)^[ \t]*\1", text, re.DOTALL | re.MULTILINE)
    return match.group(2) if match else None
