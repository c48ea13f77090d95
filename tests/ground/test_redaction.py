"""Redactor: no secret is left, nothing else is touched, JSON stays JSON."""

import base64
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_evals.ground.errors import SettingsError
from pytest_evals.ground.redaction import MARK, Redactor, declared_secrets

SECRET = 'p"ä/ss+w&rd\\ 1'
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").replace("%C3%A4", "%c3%a4").replace("%2F", "%2f"),
    ],
)
def test_every_form_of_a_secret_is_taken_out(form: str) -> None:
    """As it is, inside JSON, in a URL."""
    redactor = Redactor([SECRET], ())
    if "%2f" in form:
        form = quote(SECRET, safe="")
        form = "".join(p.lower() if p.startswith("%") else p for p in _escapes(form))
    assert redactor.redact(f"before {form} after") == f"before {MARK} after"


def _escapes(text: str) -> list[str]:
    """Split a URL-encoded text into its escapes and the rest."""
    import re

    return re.split("(%[0-9A-F]{2})", text)


@given(before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_base64_at_every_alignment(before: bytes, after: bytes) -> None:
    """A secret inside a longer base64 text cannot be decoded any more."""
    secret = b"correct-horse-battery"
    redactor = Redactor([secret.decode()], ())
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = redactor.redact(f"token={encode(before + secret + after).decode()}")
        assert MARK in shown
        left = shown.partition("=")[2].split(MARK)
        assert all(len(part) <= 16 for part in left)


def test_short_base64_alone() -> None:
    """A short secret is found in base64 where it stands alone."""
    redactor = Redactor(["abcdef"], ())
    assert redactor.redact(base64.b64encode(b"abcdef").decode()) == MARK


def test_short_secrets_are_left() -> None:
    """A value that stands everywhere by chance is not taken for the secret it is elsewhere."""
    text = "switch it on: 12345"
    assert Redactor(["on", "12345"], ()).redact(text) is text


LOOKS = [
    "sk-abcdefghijklmnop1234",
    "sk-ant-api03-AbCdEf1234567890_-xyz",
    "sk-proj-AbCdEf1234567890",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "github_pat_11ABCDEFG0abcdefghijkl_mnop",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "glpat-abcdefghij1234567890",
    "xoxb-123456789012-abcdef",
    "hf_abcdefghijklmnopqrstuvwx1234",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("look", LOOKS)
def test_what_looks_like_a_key_is_taken_out(look: str) -> None:
    """Keys of well-known forms go, in text and inside JSON, also as JSON inside JSON."""
    redactor = Redactor((), ())
    assert redactor.redact(f"use {look} now") == f"use {MARK} now"
    once = json.dumps({"a": [f"use {look} now"]})
    assert json.loads(redactor.redact_json(once)) == {"a": [f"use {MARK} now"]}
    twice = json.dumps({"body": once})
    assert look.split("\n", maxsplit=1)[0] not in redactor.redact_json(twice)
    json.loads(json.loads(redactor.redact_json(twice))["body"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abcdef1234567890", f"Authorization: {MARK}"),
        ("Authorization: Basic dXNlcjpwYXNzMTIz", f"Authorization: {MARK}"),
        ("x-api-key: 0123abcd4567", f"x-api-key:{MARK}"),
        ("authorization=abcdef1234567890abcdef", f"authorization={MARK}"),
        ("https://user:pa55@host/x", f"https://{MARK}@host/x"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow", MARK),
    ],
)
def test_headers_and_urls(text: str, expected: str) -> None:
    """Credentials in header lines and URLs go; what names them stays."""
    assert Redactor((), ()).redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: the act of allowing something",
        "the bearer of responsibilities, a risk-assessment-framework-for-all, sk-learn-compatible",
        "task-force 0123456789 at mail@example.org, see https://example.org/a:b",
        "A basic understanding, Basic Understanding, of cookies and of api-key rotation",
        "-----BEGIN CERTIFICATE-----\nMIIEow\n-----END CERTIFICATE-----",
    ],
)
def test_prose_is_left(text: str) -> None:
    """Words alone are no credentials: a changed answer could change a score."""
    redactor = Redactor([], ())
    assert redactor.redact(text) == text
    assert json.loads(redactor.redact_json(json.dumps([text]))) == [text]


@pytest.mark.parametrize("name", ["X-Auth-Token", "x-api-key", "Set-Cookie", "api-key"])
def test_header_values_in_json(name: str) -> None:
    """A header's value goes whatever it looks like: in an object, a list, a list of pairs."""
    redactor = Redactor((), ())
    value = {
        "headers": {name: "plain", "accept": "*/*"},
        "lists": {name: ["one", "two"], "accept": "x"},
        "pairs": [[name, "plain"], ["accept", "*/*"]],
        "none": {name: None, "empty": ""},
    }
    assert json.loads(redactor.redact_json(json.dumps(value))) == {
        "headers": {name: MARK, "accept": "*/*"},
        "lists": {name: [MARK, MARK], "accept": "x"},
        "pairs": [[name, MARK], ["accept", "*/*"]],
        "none": {name: None, "empty": ""},
    }


def test_the_authorization_header_in_json() -> None:
    """A scheme or a token goes; a word that is an answer stays, and so does what comes after."""
    value = [{"authorization": "Bearer abc"}, "after", {"Authorization": "abc12345"}, ["x", "y"]]
    value += [{"authorization": "granted"}, ["authorization", "Basic x", "after"]]
    expected = [{"authorization": MARK}, "after", {"Authorization": MARK}, ["x", "y"]]
    expected += [{"authorization": "granted"}, ["authorization", MARK, "after"]]
    assert json.loads(Redactor((), ()).redact_json(json.dumps(value))) == expected


def test_a_secret_that_is_short_without_its_whitespace_matches_with_it() -> None:
    """Five characters and a line end are six; blanks alone are no secret."""
    assert (
        Redactor(["00000\r", " " * 8], ()).redact("a 00000\r b         c")
        == f"a {MARK} b         c"
    )


@given(value=JSON, secret=st.text(min_size=6, max_size=12), where=st.integers(0, 3))
def test_json_stays_json_and_holds_no_secret(value: object, secret: str, where: int) -> None:
    """Whatever the value and the secret: valid JSON, no string with the secret, no other change."""
    assume(not set(secret) <= set(MARK) and secret.strip())
    redactor = Redactor([secret], ())
    placed = [{secret: value}, [value, f"a{secret}b"], {"k": [secret]}, json.dumps({secret: 1})]
    for whole in (json.dumps(placed[where]), json.dumps(placed[where], ensure_ascii=False)):
        shown = json.loads(redactor.redact_json(whole))
        assert json.loads(redactor.redact(whole)) == shown
        assert secret not in "\0".join(_strings(shown)).replace(MARK, "")
        assert type(shown) is type(placed[where])


def _strings(value: object) -> list[str]:
    """Return every string in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [s for item in value.items() for part in item for s in _strings(part)]
    return [s for part in value for s in _strings(part)] if isinstance(value, list) else []


@given(JSON)
def test_what_holds_no_secret_is_left(value: object) -> None:
    """A text without secrets comes back as the very same object, or equal."""
    whole = json.dumps(value)
    redactor = Redactor(["correct-horse-battery"], ["zebra-[0-9]+"])
    assert redactor.redact_json(whole) == whole
    assert Redactor(["correct-horse-battery"], ()).redact_json(whole) is whole


def test_numbers_are_left_unless_they_are_the_secret() -> None:
    """A secret of digits does not break the numbers that happen to hold it."""
    redactor = Redactor(["123456"], ())
    assert redactor.redact_json('{"a": 1234567, "b": 123456}') == f'{{"a": 1234567, "b": "{MARK}"}}'


def test_a_secret_of_json_signs_does_not_break_json() -> None:
    """A secret that looks like JSON's own signs is only taken out of strings."""
    redactor = Redactor(['","b":"'], ())
    whole = json.dumps({"a": "x", "b": "y"}, separators=(",", ":"))
    assert redactor.redact_json(whole) == whole


def test_the_users_patterns() -> None:
    """What a pattern matches goes, anchors meaning the string it stands in."""
    redactor = Redactor((), [r"ACME-\d+", "^only$"])
    assert redactor.redact("see ACME-1234") == f"see {MARK}"
    assert redactor.redact_json('{"a": "only", "b": "not only"}') == (
        f'{{"a": "{MARK}", "b": "not only"}}'
    )


@pytest.mark.parametrize("pattern", ["(", "a*", "x?|y"])
def test_a_bad_pattern_is_an_error(pattern: str) -> None:
    """A pattern that does not compile, or that matches everywhere, is named."""
    with pytest.raises(SettingsError) as caught:
        Redactor((), [pattern])
    assert f"evals_redact: {pattern!r}" in str(caught.value)


@given(st.text())
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """The mark itself is no secret."""
    redactor = Redactor(["correct-horse-battery"], ())
    whole = f"{text} correct-horse-battery Bearer abcdef1234567890 {text}"
    assert redactor.redact(redactor.redact(whole)) == redactor.redact(whole)


def test_the_longest_secret_goes_first() -> None:
    """Of two secrets, one of which holds the other, nothing is left."""
    assert Redactor(["abcdef", "abcdefghijkl"], ()).redact("abcdefghijkl") == MARK


def test_it_is_quick_where_there_is_nothing() -> None:
    """Two kilobytes without a secret take a few tens of microseconds."""
    redactor = Redactor([f"s3cret-value-{i}-abcdef" for i in range(6)], ())
    text = "the refund policy says that you may return any item within thirty days " * 29
    took = []
    for _ in range(200):
        begun = time.perf_counter()
        redactor.redact(text)
        took.append(time.perf_counter() - begun)
    assert sorted(took)[20] < 0.0002


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"api_key_env": "A"}, {"aaaaaa"}),
        ({"token_env": "A", "url": "x"}, {"aaaaaa"}),
        ({"headers": {"x-team": {"env": "A", "prefix": "Bearer "}}}, {"aaaaaa"}),
        ([{"model": {"options": {"query": {"who": {"env": "A"}}}}}], {"aaaaaa"}),
        ({"headers": {"Authorization": "Bearer literal"}}, {"Bearer literal", "literal"}),
        ({"headers": {"cookie": "c=1"}, "env": {"MY_TOKEN": "t1"}}, {"c=1", "t1"}),
        ({"headers": {"x-api-key": "{{ key }}", "accept": "text/html"}}, set()),
        ({"record_env": {"BASE_URL": "http://x"}, "max_tokens": 3, "api_key_env": "UNSET"}, set()),
        ({"url": "https://h/ask?api_key=abc%2Fdef&page=2#token=x"}, {"abc%2Fdef", "abc/def"}),
        ("https://h/judge?token=t-1&q=text", {"t-1"}),
        ({"body": {"auth": {"api_key": "k-1"}, "more": [{"clientSecret": "s-1"}]}}, {"k-1", "s-1"}),
        ({"body": {"stop_token": "<end>", "keywords": "refund", "token": "{{ t }}"}}, set()),
        ({"body": {"max_tokens": 300, "password": "two words"}}, set()),
        ("text", set()),
        (None, set()),
    ],
)
def test_secrets_that_options_declare(options, expected):
    """Variables named by an option, and literal values of secret headers; nothing else."""
    assert set(declared_secrets(options, {"A": "aaaaaa"})) - {""} == expected


@pytest.mark.parametrize("secret", ["abc/def+47", 'p"ä/ss+w&rd\\ 1'])
def test_hexadecimal_and_escaped_slashes(secret):
    """Forms in which servers and programs print a value."""
    redactor = Redactor([f"  {secret}\n"], ())
    escaped = json.dumps(secret)[1:-1].replace("/", "\\/")
    for form in (secret.encode().hex(), secret.encode().hex().upper(), escaped):
        assert redactor.redact(f"it is {form}.") == f"it is {MARK}."
