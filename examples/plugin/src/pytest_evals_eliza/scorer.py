"""How easy an answer is to read: Flesch's reading ease (1948), from 0 (hard) to about 120."""

import re
from typing import ClassVar

from pytest_evals import ScoreContext, Scorer, ScoringError, Verdict


class ReadingEase(Scorer):
    """The answer is easy to read: Flesch's reading ease is at least `min`."""

    type: ClassVar[str] = "reading_ease"
    shorthand: ClassVar[str | None] = "min"
    graded: ClassVar[bool | None] = True
    bar_option: ClassVar[str | None] = "min"
    example: ClassVar[str] = "reading_ease: 60"

    min: float = 60.0
    """The least that passes: 60 is plain English, 30 is an academic paper."""

    def score(self, ctx: ScoreContext) -> Verdict:
        """Score an answer; one without words cannot be scored."""
        ease = reading_ease(ctx.answer)
        if ease is None:
            raise ScoringError("the answer has no words, so it is neither easy nor hard to read")
        return Verdict(
            passed=ease >= self.min,
            value=min(max(ease / 100, 0.0), 1.0),
            reason=f"reading ease is {ease:.0f}",
            bar=f">= {self.min:g}",
        )


def reading_ease(text: str) -> float | None:
    """Return Flesch's reading ease of an English text; None where it has no words."""
    words = re.findall(r"[A-Za-z']+", text)
    if not words:
        return None
    sentences = max(1, len(re.findall(r"[.!?]+(?:\s|$)", text)))
    return 206.835 - 1.015 * len(words) / sentences - 84.6 * sum(map(syllables, words)) / len(words)


def syllables(word: str) -> int:
    """Count the syllables of an English word, roughly: its groups of vowels, but a silent e."""
    groups = len(re.findall(r"[aeiouy]+", word.lower()))
    silent = groups > 1 and re.search(r"[^aeiouyl]e$", word.lower())
    return max(1, groups - bool(silent))
