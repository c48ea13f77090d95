"""Redactor: the one point that everything written passes, so that no secret is ever stored.

It takes out

- the values of known secrets, also as they look inside JSON, in a URL and in base64 (alone, or as
  part of a longer base64 text such as HTTP Basic credentials). Values under `LEAST` characters are
  left alone: they would match by chance all over (a password "on", a key "1234");
- credentials by their look: API keys of well-known forms, bearer tokens, private keys, passwords
  in URLs, the values of ``Authorization``, ``x-api-key`` and similar headers;
- what the user's own patterns match.

Each becomes ``[redacted]``. In a JSON text only strings (and numbers that are a secret) change, so
it stays valid JSON. A word alone ("authorization", "sk-") is never taken for a credential.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from pytest_evals.ground.errors import SettingsError

MARK = "[redacted]"
"""What stands where a secret stood."""

LEAST = 6
"""The least length of a known secret that is looked for."""

_SECRET_MARKS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
"""What the name of a variable with a secret holds."""

_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-auth-token",
        "set-cookie",
    }
)
"""Headers whose values are credentials, whatever they look like."""

_HEADER_MARKS = ("authorization", "api-key", "auth-token", "set-cookie")
"""In lower case, what a text with one of these headers holds."""

_WORD = r"[A-Za-z0-9._~+/=-]"
_DIGIT_IN = rf"(?={_WORD}*[0-9])"
_MIXED_IN = rf"(?={_WORD}*(?:[0-9]|[a-z][A-Z]))"

_LOOKS: tuple[tuple[tuple[str, ...], str], ...] = (
    # A text holds one of the markers (in lower case), or the pattern need not be tried.
    (("sk-",), r"\bsk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}"),
    (("ghp_", "gho_", "ghs_"), r"\bgh[pos]_[A-Za-z0-9]{20,}"),
    (("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
    (("glpat-",), r"\bglpat-[A-Za-z0-9_-]{16,}"),
    (("akia", "asia"), r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    (("aiza",), r"\bAIza[0-9A-Za-z_-]{30,}"),
    (("xox",), r"\bxox[abeprs]-(?=[A-Za-z-]*[0-9])[0-9A-Za-z-]{10,}"),
    (("hf_", "gsk_"), r"\b(?:hf|gsk)_[A-Za-z0-9]{24,}"),
    (
        ("private key-----",),
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
    ),
    (("bearer", "basic"), rf"(?i:\b(?:Bearer|Basic)\s+){_MIXED_IN}{_WORD}{{12,}}"),
    (
        ("authorization",),
        rf"(?i:(?<=authorization:)|(?<=authorization=))[ \t]*{_DIGIT_IN}{_WORD}{{16,}}",
    ),
    (
        ("api-key",),
        rf"(?i:(?<=api-key:)|(?<=api-key=))[ \t]*{_DIGIT_IN}{_WORD}{{8,}}",
    ),
    (("@",), r"(?<=://)[^\s/:@\"'<>]*:[^\s/@\"'<>]+(?=@)"),
)

_LITERAL = re.compile(
    r'"(?:[^"\\]|\\.)*"(?P<key>\s*:)?|[\[\]{}]|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?', re.DOTALL
)
_SCHEME = re.compile(r"(?i:Bearer|Basic|Digest|Token|Negotiate)\s")


def secrets_in(environ: Mapping[str, str]) -> list[str]:
    """Return the values of the variables whose names say that they are secrets."""
    return [
        value
        for name, value in environ.items()
        if any(mark in name.upper() for mark in _SECRET_MARKS)
    ]


class Redactor:
    """Takes secrets out of texts.

    Args:
        secrets: the values themselves, such as those of environment variables.
        patterns: regular expressions; all that they match is taken out.

    Raises:
        SettingsError: a pattern that does not compile, or that matches the empty text.
    """

    def __init__(self, secrets: Iterable[str], patterns: Iterable[str]) -> None:
        self._values: frozenset[str] = frozenset()
        self._own: tuple[re.Pattern[str], ...] = ()
        self.learn(secrets, map(_compiled, patterns))
        self._looks = tuple((marks, re.compile(p, re.DOTALL)) for marks, p in _LOOKS)
        self._marks = _gated(mark for marks, _ in _LOOKS for mark in marks)

    def learn(self, secrets: Iterable[str], patterns: Iterable[re.Pattern[str]]) -> None:
        """Take out further secrets and patterns from now on.

        Args:
            secrets: values; those under `LEAST` characters are left alone.
            patterns: compiled; none that matches the empty text.
        """
        self._values |= {s for s in secrets if len(s) >= LEAST}
        forms = sorted({f for s in self._values for f in _forms(s)}, key=lambda f: (-len(f), f))
        self._forms = tuple(forms)
        self._known = re.compile("|".join(map(re.escape, forms))) if forms else None
        self._own += tuple(patterns)

    def text(self, text: str) -> str:
        """Return a text without secrets; the very same object where there is nothing to take out.

        A text that is JSON as a whole stays valid JSON, see `json_text`.
        """
        if not self._suspect(text):
            return text
        if text.lstrip()[:1] in {"{", "[", '"'} and _is_json(text):
            return self.json_text(text)
        clean = self._in_text(text, self._patterns(text))
        return text if clean == text else clean

    def json_text(self, text: str) -> str:
        """Return a JSON text without secrets; the very same object where there are none.

        They are looked for in its strings, decoded.

        Header names decide over the strings that follow them, as a key's value or as the next
        item of a list. Numbers change only where a known secret is just that number.

        Args:
            text: valid JSON; of anything else only what looks like a JSON string is seen to.
        """
        if not self._suspect(text):
            return text
        clean = _LITERAL.sub(self._walker(self._patterns(text)), text)
        return text if clean == text else clean

    def _suspect(self, text: str) -> bool:
        """Whether anything could have to be taken out: quick, and never wrongly False."""
        if self._own:
            return True
        for form in self._forms:  # plain loops: this runs on everything that is written
            if form in text:
                return True
        lowered = text.lower()
        for gate, marks in self._marks:
            if gate in text:
                for mark in marks:
                    if mark in lowered:
                        return True
        return "@" in text and "://" in text

    def _patterns(self, text: str) -> tuple[re.Pattern[str], ...]:
        """Return the patterns that can match anywhere in a text."""
        lowered = text.lower()
        looks = [look for marks, look in self._looks if any(mark in lowered for mark in marks)]
        return (*looks, *self._own)

    def _in_text(self, text: str, patterns: Iterable[re.Pattern[str]]) -> str:
        """Take secrets out of a text that is not JSON."""
        if self._known is not None:
            text = self._known.sub(MARK, text)
        for pattern in patterns:
            text = pattern.sub(MARK, text)
        return text

    def _walker(self, patterns: tuple[re.Pattern[str], ...]) -> Callable[[re.Match[str]], str]:
        """Return what replaces each literal of a JSON text, from its beginning to its end."""
        header = ""  # the header whose values come next
        once = False  # whether it is one of a pair, so that only the next string is its value

        def replaced(match: re.Match[str]) -> str:
            nonlocal header, once
            literal, colon = match.group(), match.group("key") or ""
            if literal in _SIGNS:
                if literal != "[":
                    header = ""
                return literal
            if not literal.startswith('"'):
                return f'"{MARK}"' if literal in self._values else literal
            literal = literal[: len(literal) - len(colon)]
            try:
                value = json.loads(literal) if "\\" in literal else literal[1:-1]
            except ValueError:
                return match.group()
            if header and not colon:
                secret = _is_credential(header, value)
                if once:
                    header = ""
                return f'"{MARK}"' if secret else self._literal(match.group(), value, "", patterns)
            named = value.lower() if len(value) < 32 else ""
            header, once = (named, not colon) if named in _HEADERS else ("", False)
            return self._literal(match.group(), value, colon, patterns)

        return replaced

    def _literal(
        self, literal: str, value: str, colon: str, patterns: tuple[re.Pattern[str], ...]
    ) -> str:
        """Return a string of a JSON text without secrets, as it was where it holds none."""
        clean = self._in_text(value, patterns)
        return literal if clean == value else json.dumps(clean) + colon


_SIGNS = frozenset("[]{}")


def _is_credential(header: str, value: str) -> bool:
    """Whether the value of a header is to go: all, but a word like "granted" is an answer."""
    if not header.endswith("authorization"):
        return bool(value)
    return bool(_SCHEME.match(value)) or (len(value) >= 8 and any(map(str.isdigit, value)))


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret's value as it may be written."""
    yield secret
    for escaped in (json.dumps(secret), json.dumps(secret, ensure_ascii=False)):
        yield escaped[1:-1]
        yield json.dumps(escaped)[3:-3]
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), quoted)
    raw = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        # The characters of base64 that the neighbouring bytes have no part in.
        whole = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first = (8 * before + 5) // 6
        last = (8 * (before + len(raw))) // 6
        core = whole[first:last]
        if len(core) >= 2 * LEAST:  # shorter ones stand by chance in pictures and hashes
            yield core
            yield core.replace("+", "-").replace("/", "_")
    if len(raw) * 8 // 6 < 2 * LEAST:
        yield base64.b64encode(raw).decode()


def _gated(marks: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Group what to look for by a character that all of a group have: to find that is far quicker.

    The at sign of URLs has a rule of its own.
    """
    groups: dict[str, list[str]] = {"_": [], "-": [], "": []}
    for mark in dict.fromkeys((*marks, *_HEADER_MARKS)):
        if mark != "@":
            groups[next(gate for gate in groups if gate in mark)].append(mark)
    return tuple((gate, tuple(members)) for gate, members in groups.items())


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a user's pattern."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SettingsError(
            f"evals_redact: {pattern!r} is no regular expression: {error}"
        ) from None
    if compiled.match(""):
        raise SettingsError(
            f"evals_redact: {pattern!r} matches nothing at all, so it would match everywhere; "
            "write what has to be there (`+` rather than `*`)"
        )
    return compiled


def _is_json(text: str) -> bool:
    """Whether a text is one JSON value."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
