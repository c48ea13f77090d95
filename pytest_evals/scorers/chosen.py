"""The letter of the choice that an output makes. Pure."""

import re

from pytest_evals.scorers.boundaries import LETTER
from pytest_evals.scorers.extract import boxed

_WORDY = f"(?:{LETTER}|['\N{RIGHT SINGLE QUOTATION MARK}])"
"""Characters beside which a letter is part of a word."""
_ARTICLE = re.compile(r"I\b|A\s+(?!(?:or|and|is|was|because|since|as|but)\b)[a-z]")
_LOWER_ARTICLE = re.compile(r"[ai]\s+[a-z]")
_SUBORDINATE = re.compile(
    r"\b(?:since|because|although|though|while|whereas|whilst|unless|if|even if|despite)\b"
    r"[^.,;!?\n]*",
    re.IGNORECASE,
)
_IS = r"(?:is|was|be|(?:should|would|must|will|could|has\s+to)\s+be)"
_WRONG = r"(?:wrong|incorrect|false|invalid|impossible|excluded|eliminated|ruled\s+out|out|not)"
_OPEN = r"[\s:=*_(\[\"'`-]*"


def choice_letter(text: str, letters: str) -> str | None:
    r"""Return the letter of the choice in a text, in upper case; None if there is none.

    In this order: the whole text is a letter (``B``, ``(b).``); ``\boxed{B}``; the last ``answer
    is B``, ``answer should be B`` or ``Answer: B``; the last ``I choose B`` or ``option B``; a line
    that begins with the letter (``B) Paris``); the only upper-case letter outside of words. A
    letter that is rejected (``option A is wrong``) or in a subordinate clause is no choice.
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
    text = _SUBORDINATE.sub(" ", _without_rejected(text, letters))
    stated = _stated(text, letter)
    if stated:
        return stated
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


def _stated(text: str, letter: str) -> str | None:
    """Return the letter that a cue word names, by the strongest cue; the last one counts."""
    noun = r"(?:(?:option|choice|letter|answer)\s+)?"
    mention = rf"{_OPEN}{noun}{_OPEN}({letter})(?!{_WORDY})"
    cues = (
        rf"\b(?:answer|(?:correct|right|best|final)\s+(?:option|choice|one))\b(?:\s+{_IS}\b|\s*[:=*])"
        + mention,
        rf"\b(?:choose|pick|select|going\s+with|go\s+with)\b{mention}",
        rf"\b(?:answer|choice|option)\b(?:\s+{_IS}\b)?{_OPEN}({letter})(?!{_WORDY})",
    )
    for cue in cues:
        chosen = [
            match.group(1)
            for match in re.finditer(cue, text, re.IGNORECASE)
            if not _is_article(text, match.start(1))
        ]
        if chosen:
            return chosen[-1].upper()
    return None


def _is_article(text: str, at: int) -> bool:
    """Whether a letter after a cue word is an article or a pronoun: "the answer is a bit long"."""
    return bool(_ARTICLE.match(text, at) or _LOWER_ARTICLE.match(text, at))


def _without_rejected(text: str, letters: str) -> str:
    """Remove the letters that a text rejects."""
    upper = f"[{letters.upper()}]"
    noun = r"(?:(?:options?|choices?|answers?)\s+)?"
    mention = rf"[(\[\"'*]*{upper}(?!{_WORDY})[)\]\"'*]*"
    several = rf"{mention}(?:\s*,\s*{mention})*(?:\s*,?\s*(?:and|or)\s+{mention})?"
    verb = r"(?:is|are|was|were|seems?|looks?|appears?|(?:would|can|must|could)\s+be)"
    adverbs = r"(?:\w+ly\s+|also\s+|just\s+|both\s+|all\s+|to\s+be\s+)*"
    denied = r"(?:cannot|can't|can\s+not|isn't|aren't|doesn't|does\s+not|won't)"
    denied = denied.replace("'", "['\N{RIGHT SINGLE QUOTATION MARK}]")
    words = (
        r"not|never|neither|nor|eliminat\w+|rul\w+\s+out|exclud\w+|reject\w*|rather\s+than|"
        r"instead\s+of|unlike"
    )
    stated = rf"(?i:{verb}\s+{adverbs}{_WRONG}|{denied})\b"
    for rejected in (
        rf"(?i:\b{noun})(?<!{_WORDY}){several}\s+{stated}",
        rf"(?i:\b(?:{words})\s+(?:the\s+)?{noun}){several}",
    ):
        text = re.sub(rejected, " ", text)
    return text
