"""Redactor: removes secrets from every text before it is written.

It removes

- the values of known secrets, also as escaped in JSON or a URL, in hexadecimal and in base64, alone
  or as part of a longer base64 text such as HTTP Basic credentials. Values under
  `MIN_SECRET_LENGTH` characters are ignored: they would match by chance (a password "on");
- texts in the form of a credential: API keys of well-known providers, bearer tokens, private keys,
  passwords in URLs, the values of ``Authorization``, ``x-api-key`` and similar headers;
- the matches of the user's patterns.

Each becomes ``[redacted]``. In JSON only strings and numbers equal to a secret change, so the text
stays valid. A single word ("authorization", "sk-") is not a credential. This module knows texts
and the way options name their secrets. It does not know where texts are written.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote_plus

from pytest_evals.ground.errors import SettingsError

MARK = "[redacted]"
"""The replacement for a secret."""

MIN_SECRET_LENGTH = 6
"""Minimum length of a secret in characters; shorter values are ignored."""

_SECRET_NAME_PARTS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
"""A variable is secret if its name contains one of these."""

_SECRET_ITEM_PARTS = (*_SECRET_NAME_PARTS, "AUTH", "COOKIE")
"""A header, query parameter or program variable is secret if its name contains one of these."""

_SECRET_TABLES = frozenset({"headers", "query", "env"})
"""Options that are tables of values, some of which are secrets."""

_BODY_SECRET = re.compile(
    r"(?i)^(?!stop|eos|bos|pad).*(?:(?:api|access|secret|private)[_-]?key|token|secret|password|"
    r"passwd|credentials?|authorization)$"
)
"""Names in the body of a request whose values are secrets."""

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
"""Headers whose values are always credentials."""

_HEADER_MARKS = ("authorization", "api-key", "auth-token", "set-cookie")
"""Substrings of these headers, in lower case; a text without them has no such header."""

_WORD = r"[A-Za-z0-9._~+/=-]"
_DIGIT_IN = rf"(?={_WORD}*[0-9])"
_MIXED_IN = rf"(?={_WORD}*(?:[0-9]|[a-z][A-Z]))"

_CREDENTIAL_PATTERNS: tuple[tuple[tuple[str, ...], str], ...] = (
    # (markers, pattern): the pattern is tried only if the lower-case text contains a marker.
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
    """Return the values of the environment variables whose names mark them as secret."""
    return [
        value
        for name, value in environ.items()
        if any(part in name.upper() for part in _SECRET_NAME_PARTS)
    ]


def declared_secrets(options: object, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets that options declare.

    Options name an environment variable by a key that ends in ``_env`` or by ``{env: NAME}``. A
    literal value is a secret if it is in a table `headers`, `query` or `env` under a name such as
    ``authorization`` or ``x-api-key``, in the query of a URL under such a name, or anywhere in a
    `body` under a name that ends in a word such as ``api_key`` or ``token``.

    Args:
        options: options of a model, judge or scorer, as JSON.
        environ: the environment.
    """
    if isinstance(options, list | tuple):
        for item in options:
            yield from declared_secrets(item, environ)
    if isinstance(options, str):
        yield from _url_secrets(options)
    if not isinstance(options, dict):
        return
    for key, value in options.items():
        if isinstance(value, str):
            if key == "env" or str(key).endswith("_env"):
                yield environ.get(value, "")
        elif key in _SECRET_TABLES and isinstance(value, dict):
            yield from _literal_secrets(value)
        elif key == "body":
            yield from _body_secrets(value)
        yield from declared_secrets(value, environ)


def _url_secrets(text: str) -> Iterator[str]:
    """Return the secrets in the query of a URL, as written and decoded."""
    if "://" not in text or "?" not in text:
        return
    for pair in text.partition("?")[2].partition("#")[0].split("&"):
        name, _, value = pair.partition("=")
        for form in (value, unquote_plus(value)):
            yield from _literal_secrets({unquote_plus(name): form})


def _body_secrets(body: object) -> Iterator[str]:
    """Return the literal secrets anywhere in the body of a request."""
    for value in (
        body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    ):
        yield from _body_secrets(value)
    for name, value in body.items() if isinstance(body, dict) else ():
        is_text = isinstance(value, str) and "{{" not in value and not any(map(str.isspace, value))
        if is_text and _BODY_SECRET.search(str(name)):
            yield value


def _literal_secrets(table: Mapping[str, object]) -> Iterator[str]:
    """Yield the literal secrets in a table of headers, query parameters or variables."""
    for name, value in table.items():
        upper = str(name).upper()
        is_secret = upper.lower() in _HEADERS or any(part in upper for part in _SECRET_ITEM_PARTS)
        if is_secret and isinstance(value, str) and "{{" not in value:
            yield value
            yield _SCHEME.sub("", value, count=1)


class Redactor:
    """Removes secrets from texts.

    Args:
        secrets: secret values, such as those of environment variables.
        patterns: regular expressions; every match is removed.

    Raises:
        SettingsError: a pattern does not compile, or matches the empty text.
    """

    def __init__(self, secrets: Iterable[str], patterns: Iterable[str]) -> None:
        self._values: frozenset[str] = frozenset()
        self._user_patterns: tuple[re.Pattern[str], ...] = ()
        self.add_secrets(secrets, map(_compile, patterns))
        self._credentials = tuple(
            (marks, re.compile(p, re.DOTALL)) for marks, p in _CREDENTIAL_PATTERNS
        )
        self._markers = _grouped_markers(
            mark for marks, _ in _CREDENTIAL_PATTERNS for mark in marks
        )

    def add_secrets(self, secrets: Iterable[str], patterns: Iterable[re.Pattern[str]]) -> None:
        """Add secrets and patterns; later texts are redacted for these too.

        Args:
            secrets: secret values; those under `MIN_SECRET_LENGTH` characters are ignored.
            patterns: compiled patterns, none of which matches the empty text.
        """
        self._values |= {value for value in map(_core, secrets) if len(value) >= MIN_SECRET_LENGTH}
        forms = sorted({f for s in self._values for f in _encodings(s)}, key=lambda f: (-len(f), f))
        self._forms = tuple(forms)
        self._secret_pattern = re.compile("|".join(map(re.escape, forms))) if forms else None
        self._user_patterns += tuple(patterns)

    def redact(self, text: str) -> str:
        """Return a text without secrets; the same object if it contains none.

        A text that is valid JSON stays valid, see `redact_json`.
        """
        if not self._may_have_secret(text):
            return text
        if text.lstrip()[:1] in {"{", "[", '"'} and _is_json(text):
            return self.redact_json(text)
        clean = self._redact_plain(text, self._patterns(text))
        return text if clean == text else clean

    def redact_json(self, text: str) -> str:
        """Return a JSON text without secrets; the same object if it contains none.

        The search is in the decoded strings. A string after the name of a secret header, as the
        key's value or as the next item of a list, is removed. A number is removed only if it is
        equal to a secret.

        Args:
            text: valid JSON; in other texts only JSON strings are searched.
        """
        if not self._may_have_secret(text):
            return text
        clean = _LITERAL.sub(self._literal_replacer(self._patterns(text)), text)
        return text if clean == text else clean

    def _may_have_secret(self, text: str) -> bool:
        """Whether a text can contain a secret: false positives, no false negatives."""
        if self._user_patterns:
            return True
        for form in self._forms:  # loops, not any(): this runs on every written text
            if form in text:
                return True
        lowered = text.lower()
        for gate, marks in self._markers:
            if gate in text:
                for mark in marks:
                    if mark in lowered:
                        return True
        return "@" in text and "://" in text

    def _patterns(self, text: str) -> tuple[re.Pattern[str], ...]:
        """Return the patterns that can match in a text."""
        lowered = text.lower()
        credentials = [
            pattern
            for marks, pattern in self._credentials
            if any(mark in lowered for mark in marks)
        ]
        return (*credentials, *self._user_patterns)

    def _redact_plain(self, text: str, patterns: Iterable[re.Pattern[str]]) -> str:
        """Remove secrets from a text that is not JSON."""
        if self._secret_pattern is not None:
            text = self._secret_pattern.sub(MARK, text)
        for pattern in patterns:
            text = pattern.sub(MARK, text)
        return text

    def _literal_replacer(
        self, patterns: tuple[re.Pattern[str], ...]
    ) -> Callable[[re.Match[str]], str]:
        """Return the replacement function for the literals of one JSON text, in their order."""
        header = ""  # name of the header whose value comes next; empty for none
        in_list = False  # whether the name is a list item: then only the next string is its value

        def replaced(match: re.Match[str]) -> str:
            nonlocal header, in_list
            literal, colon = match.group(), match.group("key") or ""
            if literal in _BRACKETS:
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
                if in_list:
                    header = ""
                return f'"{MARK}"' if secret else self._literal(match.group(), value, "", patterns)
            named = value.lower() if len(value) < 32 else ""
            header, in_list = (named, not colon) if named in _HEADERS else ("", False)
            return self._literal(match.group(), value, colon, patterns)

        return replaced

    def _literal(
        self, literal: str, value: str, colon: str, patterns: tuple[re.Pattern[str], ...]
    ) -> str:
        """Return a JSON string without secrets; unchanged if it contains none."""
        clean = self._redact_plain(value, patterns)
        return literal if clean == value else json.dumps(clean) + colon


_BRACKETS = frozenset("[]{}")


def _is_credential(header: str, value: str) -> bool:
    """Whether a header's value is secret. A word such as "granted" is not: it can be prose."""
    if not header.endswith("authorization"):
        return bool(value)
    return bool(_SCHEME.match(value)) or (len(value) >= 8 and any(map(str.isdigit, value)))


def _encodings(secret: str) -> Iterator[str]:
    """Yield the forms in which a secret can be written: raw, JSON, URL, hexadecimal, base64."""
    yield secret
    for escaped in (json.dumps(secret), json.dumps(secret, ensure_ascii=False)):
        for text in (escaped, escaped.replace("/", "\\/")):  # some servers escape slashes too
            yield text[1:-1]
            yield json.dumps(text)[3:-3]
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), quoted)
    raw = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        # The base64 characters that do not depend on the neighbouring bytes.
        whole = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        first = (8 * before + 5) // 6
        last = (8 * (before + len(raw))) // 6
        core = whole[first:last]
        if len(core) >= 2 * MIN_SECRET_LENGTH:  # shorter ones match by chance
            yield core
            yield core.replace("+", "-").replace("/", "_")
    yield raw.hex()
    yield raw.hex().upper()
    if len(raw) * 8 // 6 < 2 * MIN_SECRET_LENGTH:
        yield base64.b64encode(raw).decode()


def _grouped_markers(marks: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Group markers by a character they share. A search for one character is much faster.

    The at sign of URLs is not included: `_may_have_secret` tests it.
    """
    groups: dict[str, list[str]] = {"_": [], "-": [], "": []}
    for mark in dict.fromkeys((*marks, *_HEADER_MARKS)):
        if mark != "@":
            groups[next(gate for gate in groups if gate in mark)].append(mark)
    return tuple((gate, tuple(members)) for gate, members in groups.items())


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of the user."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SettingsError(
            f"evals_redact: {pattern!r} is not a regular expression: {error}"
        ) from None
    if compiled.match(""):
        raise SettingsError(
            f"evals_redact: {pattern!r} matches the empty text, so it would match everywhere; "
            "require at least one character (`+` instead of `*`)"
        )
    return compiled


def _is_json(text: str) -> bool:
    """Whether a text is valid JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _core(secret: str) -> str:
    """Return a secret without surrounding whitespace, unless it is too short without it."""
    core = secret.strip()
    return secret if 0 < len(core) < MIN_SECRET_LENGTH else core
