"""Laws and tables of right answers: scripts, references, schemas, SQL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.scorers.boundaries import composed, mentions, tokens_of, words_of
from pytest_evals.scorers.extract import numbers_in
from pytest_evals.scorers.pii import find_pii

SPACELESS = st.text(
    st.sampled_from("答案是的一条投诉カタがไทยမြန်ខ្មែ이다는"), min_size=1, max_size=6
)
PII = [
    ("card", "4111111111111111"),
    ("card", "4111 1111 1111 1111"),
    ("email", "eva@example.com"),
    ("iban", "DE89370400440532013000"),
    ("us_ssn", "078-05-1120"),
    ("phone", "+14155550123"),
    ("phone", "(415) 555-0123"),
    ("ip", "8.8.8.8"),
]


@pytest.mark.parametrize(("category", "value"), PII)
@given(before=SPACELESS, after=SPACELESS)
def test_pii_between_characters_of_scripts_without_spaces(category, value, before, after):
    """Personal data is found whatever character of such a script is beside it."""
    assert (category, value) in find_pii(f"{before}{value}{after}")


@given(before=SPACELESS, after=SPACELESS, number=st.integers(0, 10**9))
def test_number_between_characters_of_scripts_without_spaces(before, after, number):
    """A number is found whatever character of such a script is beside it."""
    assert numbers_in(f"{before}{number}{after}") == [str(number)]


@given(before=SPACELESS, after=SPACELESS, word=st.sampled_from(["退款", "spam", "환불", "คืน"]))
def test_word_between_characters_of_scripts_without_spaces(before, after, word):
    """A word is found whatever character of such a script is beside it."""
    assert mentions(f"{before}{word}{after}", word)


def test_word_inside_a_longer_word_is_no_mention():
    """In scripts with spaces, a part of a word is not the word."""
    assert not mentions("spammer", "spam")
    assert not mentions("нетто", "нет")
    assert numbers_in("GPT4 и версия4") == []  # noqa: RUF001


@given(st.text())
def test_ascii_and_composed_texts_have_the_same_words(text):
    """Words are those between spaces, and characters of scripts without spaces; none is lost."""
    assert words_of(composed(text)) == words_of(composed(composed(text)))
    assert all(not any(c.isspace() for c in token) for token in tokens_of(text))


@pytest.mark.parametrize(
    "text", ["Столица Париж", "今天天气很好", "हिन्दी में", "café au lait", "오늘 날씨", "ภาษาไทย"]
)
@pytest.mark.parametrize("name", ["rouge_1", "rouge_l", "token_f1", "meteor", "chrf", "bleu"])
def test_identical_texts_have_the_best_value(bench, name, text):
    """A text is like itself in every script."""
    if name == "bleu" and " " not in text:
        return
    scored = bench.score({"type": name, "reference": text, "threshold": 0.85}, text)
    assert scored.passed, scored.reason


def test_token_f1_of_a_partly_equal_chinese_text(bench):
    """In scripts without spaces each character is a word."""
    score = bench.score({"type": "token_f1", "reference": "北京大学", "threshold": 0.5}, "北京")
    assert score.value == pytest.approx(2 / 3)


@pytest.mark.parametrize("scorer", ["exact_match", {"type": "token_f1", "threshold": 0.5}])
@pytest.mark.parametrize("expected", ["A", "the", "...", ["Paris", "An"], "?!"])
def test_reference_from_expected_meets_the_check_of_the_option(bench, scorer, expected):
    """A reference that is empty after normalization is refused, wherever it is written."""
    assert any("only punctuation" in line for line in bench.problems(scorer, expected=expected))
    assert bench.problems(scorer, expected="Paris") == []


@pytest.mark.parametrize("reference", ["caf\u00e9", "cafe\u0301"])
@pytest.mark.parametrize("answer", ["caf\u00e9", "cafe\u0301"])
@pytest.mark.parametrize(
    "name", ["exact_match", "equals", "contains", "icontains", "starts_with", "ends_with"]
)
def test_accents_are_composed(bench, name, reference, answer):
    """An accented letter is the same letter in both forms of Unicode."""
    assert bench.passes({name: reference}, answer)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        (
            "email",
            ["eva@example.com", "a.b+c@x.example"],
            ["not an address", "a@", "@b.c", "a b@c.d"],
        ),
        ("date", ["2026-02-28"], ["2026-02-30", "20260228", "28.2.2026"]),
        ("time", ["12:00:00Z", "12:00:00.5+02:00"], ["25:00:00Z", "12:00", "noon"]),
        ("date-time", ["2026-01-02T03:04:05Z"], ["2026-01-02", "2026-01-02 03:04", "yesterday"]),
        ("duration", ["P1D", "PT5M", "P2W"], ["P", "PT", "1 day"]),
        ("ipv4", ["127.0.0.1"], ["256.1.1.1", "1.2.3"]),
        ("ipv6", ["::1"], ["12345::", "1.2.3.4"]),
        ("uri", ["https://example.com/a?b#c", "mailto:a@b.c"], ["example", "http://a b", "/x"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567", "not-a-uuid"]),
        ("hostname", ["example.com"], ["-a.com", "a..b", "a b"]),
        ("regex", ["^a+$"], ["(", "["]),
        ("json-pointer", ["", "/a/0"], ["a", "/~2"]),
    ],
)
def test_formats_are_asserted(bench, name, right, wrong):
    """`format` of JSON Schema constrains a text."""
    scorer = {"json_schema": {"type": "string", "format": name}}
    assert [text for text in right if not bench.passes(scorer, f'"{text}"')] == []
    assert [text for text in wrong if bench.passes(scorer, f'"{text}"')] == []
    assert bench.passes({"json_schema": {"type": ["string", "number"], "format": name}}, "1")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "requird": ["zzz"]},
        {"type": "object", "propertes": {"a": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"type": "string", "minlength": 1}}},
        {"type": "array", "items": {"type": "integer", "maximun": 3}},
        {"anyOf": [{"type": "object", "additionalproperties": False}]},
        {"type": "string", "format": "emial"},
        {"type": "string", "max_length": 3},
        {"$defs": {"a": {"typ": "string"}}, "$ref": "#/$defs/a"},
    ],
)
@pytest.mark.parametrize("name", ["json_schema", "is_json", "contains_json"])
def test_misspelt_words_of_a_schema_are_refused(bench, name, schema):
    """A keyword that constrains nothing, as it is misspelt, is an error at collection."""
    problems = bench.problems({"type": name, "schema": schema})
    assert any("unknown keyword" in line or "unknown format" in line for line in problems)


def test_names_of_properties_and_other_vocabularies_are_no_misspelt_keywords(bench):
    """Only keywords are checked, and those of OpenAPI are allowed."""
    schema = {
        "type": "object",
        "properties": {"requird": {"type": "string", "nullable": True, "x-order": 1}},
        "default": {"typ": 1},
    }
    assert bench.problems({"json_schema": schema}) == []


@pytest.mark.parametrize(
    ("value", "by", "passed"),
    [("19.99", 0.01, True), ("0.3", 0.1, True), ("19.995", 0.01, False), ("1e3", 0.1, True),
     ("7", 2, False), ("-4.2", 0.7, True), ("1e300", 0.01, True)],
)  # fmt: skip
def test_multiple_of_is_decimal(bench, value, by, passed):
    """`multipleOf` compares the written decimals."""
    assert bench.passes({"json_schema": {"type": "number", "multipleOf": by}}, value) is passed


@pytest.mark.parametrize(
    "text",
    ["not sql", "yes or no", "hello world", "Select a book", "Use the force", "delete everything",
     "insert it", "copy that", "Show me the way", "sql", "5", "a is null", "drop it", "Begin now"],
)  # fmt: skip
def test_prose_is_no_sql(bench, text):
    """A text that sqlglot parses as an expression or a command is no statement."""
    assert not bench.passes("is_sql", text)


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", "SELECT now()", "SELECT (SELECT a FROM b)", "SELECT a FROM b", "(SELECT 1)",
     "WITH a AS (SELECT 1) SELECT * FROM a", "INSERT INTO a VALUES (1)", "DELETE FROM a WHERE x = 1",
     "INSERT INTO a SELECT 1", "UPDATE a SET b = 1", "CREATE TABLE a (b INT)", "DROP TABLE a",
     "BEGIN; UPDATE a SET b = 1; COMMIT", "USE db", "SELECT a FROM b UNION SELECT c FROM d",
     "SELECT 'a' AS b", "VALUES (1)", "COPY a FROM 'x'", "TRUNCATE TABLE a"],
)  # fmt: skip
def test_statements_are_sql(bench, text):
    """Statements pass."""
    assert bench.passes("is_sql", text)
