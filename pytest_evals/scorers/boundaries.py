"""Where words begin and end, in scripts with and without spaces. Pure.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without spaces, and Korean attaches
particles to words. A character of these scripts is never part of the word or number beside it.
"""

import re
import unicodedata

_WITHOUT_SPACES = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029"
    r"\u3031-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_KOREAN = r"\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"

SPACELESS = f"[{_WITHOUT_SPACES}{_KOREAN}]"
"""A pattern for one character that is no part of its neighbours' word."""
LETTER = rf"[^\W{_WITHOUT_SPACES}{_KOREAN}]"
r"""A pattern like ``\w``, without those characters."""

_MARKS = (
    r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0980-\u0983"
    r"\u09bc-\u09cd"
)
_TOKEN = re.compile(
    rf"[{_WITHOUT_SPACES}]|(?:[^\W_{_WITHOUT_SPACES}]|[{_MARKS}\u0a01-\u0d4d\u200c\u200d])+"
)
_SPLIT = re.compile(
    rf"([{_WITHOUT_SPACES}])|[\u3000-\u3004\u3008-\u3020\uff01-\uff0f\uff1a-\uff20]"
)


def composed(text: str) -> str:
    """Return a text in NFC form: one accented letter is one character."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def mentions(text: str, word: str) -> bool:
    """Whether a word or phrase is in a text, and not inside a longer word."""
    return without(text, word) != text


def without(text: str, word: str) -> str:
    """Replace a word or phrase in a text, except inside longer words, by a NUL."""
    return re.sub(rf"(?<!{LETTER}){re.escape(word)}(?!{LETTER})", "\0", text)


def words_of(text: str) -> list[str]:
    """Return the words between spaces; in scripts without spaces, each character is a word."""
    return text.split() if text.isascii() else _SPLIT.sub(r" \1 ", text).split()


def tokens_of(text: str) -> list[str]:
    """Return the runs of letters and digits; in scripts without spaces, each character."""
    return _TOKEN.findall(text)
