"""YAML files: what scalars mean, what is refused, and where everything stands."""

import json
import math
import re
import string

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.ground.errors import DatasetError
from pytest_evals.loaders import yaml as module
from pytest_evals.loaders.base import Document
from pytest_evals.loaders.yaml import YamlLoader


@pytest.fixture(params=["libyaml", "python"], autouse=True)
def _parser(request, monkeypatch):
    """Every test runs with the fast parser and with the one in Python."""
    if request.param == "python":
        monkeypatch.setattr(module, "_FastParser", None)
    elif module._FastParser is None:
        pytest.skip("PyYAML was built without libyaml")


def parse(text: str | bytes) -> Document:
    """Parse a text."""
    return YamlLoader().parse(text.encode() if isinstance(text, str) else text, "f.yaml")


def problems(text: str) -> list[str]:
    """Return what is wrong, whether the data could be read or not."""
    try:
        return [str(problem) for problem in parse(text).problems]
    except DatasetError as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("Yes", "Yes"),
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("012", "012"),
        ("-007", "-007"),
        ("00.5", "00.5"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("=", "="),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("Null", None),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("-3", -3),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0x1F", "-0x1F"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        ("1.2.3", "1.2.3"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("! 5", "5"),
        ("!!str 5", "5"),
        ("!!int 5", 5),
        ("!!float 5", 5.0),
        ("!!null ~", None),
        ("!!bool true", True),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(written, value):
    """A scalar is resolved by the core schema, and leading zeros make a text."""
    found = parse(f"a: {written}\n").data["a"]
    assert isinstance(found, type(value))
    assert repr(value) == repr(found)


@pytest.mark.parametrize("written", [".inf", "-.Inf", ".nan", "1e999"])
def test_numbers_that_json_cannot_hold_are_refused(written):
    """Infinities and NaN are refused where they stand."""
    assert [
        f"f.yaml:2:6: found {written!r}, expected a finite number; quote it if it is a text"
    ] == problems(f"x: 1\na:   {written}\n")


def test_a_number_of_thousands_of_digits_is_refused():
    """Python's limit on digits becomes a problem, not a traceback."""
    assert problems("a: " + "9" * 5000) == [
        "f.yaml:1:4: found a number of 5000 digits; quote it if it is a text"
    ]


def test_a_key_that_stands_twice_names_both_lines():
    """Both at the top and deep inside, the first line is named."""
    text = "a: 1\nb: 2\na: 3\nc:\n  - d:\n      x: 1\n      y: 2\n      x: 3\n"
    assert problems(text) == [
        "f.yaml:3:1: duplicate key 'a' in this mapping, first in line 1",
        "f.yaml:8:7: duplicate key 'x' in this mapping, first in line 6",
    ]


def test_keys_that_are_no_texts_are_refused():
    """Numbers, truth values, null, lists and nothing at all are no keys."""
    assert problems("1: a\ntrue: b\n~: c\n? [d]\n: e\n") == [
        'f.yaml:1:1: a key must be a text, found a number; write "1"',
        'f.yaml:2:1: a key must be a text, found a truth value; write "true"',
        'f.yaml:3:1: a key must be a text, found nothing (null); write "~"',
        "f.yaml:4:3: a key must be a text, found a list",
    ]


def test_merge_keys_bring_what_is_not_there_yet():
    """The mapping's own keys win, then those of the first merged mapping."""
    text = (
        "one: &one {a: 1, b: 1}\n"
        "two: &two {b: 2, c: 2}\n"
        "three:\n"
        "  <<: [*one, *two]\n"
        "  a: 3\n"
        "four: {<<: *two, '<<': plain}\n"
    )
    document = parse(text)
    assert document.data["three"] == {"a": 3, "b": 1, "c": 2}
    assert document.data["four"] == {"b": 2, "c": 2, "<<": "plain"}
    assert str(document.where(("three", "c"), key=True)) == "f.yaml:2:18"
    assert str(document.where(("three", "a"))) == "f.yaml:5:6"


def test_only_mappings_can_be_merged():
    """A merged text is refused at its place."""
    assert problems("<<: x\na: 1\n") == [
        "f.yaml:1:5: `<<` needs a mapping or a list of mappings, found a text",
    ]


def test_aliases_stand_for_their_anchor():
    """An alias is the same value; its place is its own, places inside are the anchor's."""
    document = parse("a: &x\n  k: [1, 2]\nb: *x\n&key c: *x\n*key : 5\n")
    assert document.data["b"] == {"k": [1, 2]}
    assert document.data["c"] == 5
    assert str(document.where(("b",))) == "f.yaml:3:4"
    assert str(document.where(("b", "k", 1))) == "f.yaml:2:10"


def test_aliases_without_anchor_or_end_are_refused():
    """An unknown alias and one inside its own anchor are problems."""
    assert problems("a: *b\nc: &c [*c]\n") == [
        "f.yaml:1:4: found `*b`, but there is no `&b` before it",
        "f.yaml:2:8: `*c` is inside of `&c`: it has no end",
    ]


def test_aliases_that_explode_are_stopped():
    """Nine levels of nine aliases stand for 387 million values; it is refused at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    (problem,) = problems("\n".join(lines))
    assert re.fullmatch(
        r"f\.yaml:7:10: the aliases up to `\*a5` expand to more than 1,000,000 values; "
        "use fewer aliases",
        problem,
    )


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 50_000, "- " * 50_000 + "x"], ids=["lists", "maps", "dashes"]
)
def test_deep_nesting_ends_in_an_error(text):
    """What would end the process in libyaml's composer is refused at level 101."""
    (problem,) = problems(text)
    assert problem.endswith(
        "found more than 100 lists and mappings in one another; flatten the data"
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[" * 2_000, "1:101"),
        ("- " * 2_000 + "x", "1:201"),
        ("{a: " * 2_000, "1:401"),
        ("\u00e9\U0001f600: x\r\nk: " + "[" * 2_000, "2:103"),
        ("- x: 1\n  y:\n    " + "- " * 1_500, "3:201"),
    ],
    ids=["lists", "dashes", "maps", "after-wide-characters", "inside-a-list"],
)
def test_nesting_that_libyaml_rejects_has_its_place(text, place):
    """Newer versions of libyaml reject level 1,001 while scanning ahead of level 101."""
    too_deep = "found more than 100 lists and mappings in one another; flatten the data"
    assert [f"f.yaml:{place}: {too_deep}"] == problems(text)


def test_problems_before_nesting_that_libyaml_rejects_are_kept():
    """They come first, each once."""
    first, second = problems("a: {b: 1, b: 2}\nc: " + "[" * 2_000)
    assert first == "f.yaml:1:11: duplicate key 'b' in this mapping, first in line 1"
    assert second.startswith("f.yaml:2:103: found more than 100 lists and mappings")


def test_a_hundred_levels_are_not_too_deep():
    """The limit itself is allowed."""
    data = parse("[" * 100 + "]" * 100).data
    for _ in range(99):
        (data,) = data
    assert data == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: !foo b", "f.yaml:1:4: found the tag '!foo'; tags are not supported"),
        ("a: !!set {b}", "f.yaml:1:4: found the tag '!!set'; tags are not supported"),
        (
            "a: !!python/object:os.system x",
            "f.yaml:1:4: found the tag '!!python/object:os.system'; tags are not supported",
        ),
        ("a: !!int x", "f.yaml:1:4: found 'x', which is not a valid !!int"),
        ("--- a\n--- b", "f.yaml:2:1: found a second document, expected one; delete the `---`"),
    ],
)
def test_tags_and_second_documents_are_refused(text, expected):
    """What YAML allows and a dataset has no use for is refused where it stands."""
    assert [expected] == problems(text)


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("a: 1\nb: c: d\n", "f.yaml:2:5: not YAML: ", "quote a text that contains `: `"),
        ("a:\n\tb: 1\n", "f.yaml:2:1: not YAML: ", "indent with spaces"),
        ("a: 'x\n", "f.yaml:2:1: not YAML: ", "a quote or bracket is not closed"),
        ("a: @x\n", "f.yaml:1:4: not YAML: ", "quote a text that begins with this character"),
        ("a: *\n", "f.yaml:1:5: not YAML: ", "while scanning an alias"),
    ],
)
def test_syntax_errors_say_where_and_what_to_do(text, place, hint):
    """The parser's words come with a place and a hint."""
    (problem,) = problems(text)
    assert problem.startswith(place)
    assert hint in problem


def test_control_characters_are_named():
    """A character that YAML does not allow is shown by its number, at its place."""
    assert problems("a: é\nb: \x07\n") == [
        (
            "f.yaml:2:4: found the character U+0007, which YAML does not allow; "
            "write it as an escape in double quotes"
        )
    ]


def test_line_breaks_of_yaml_1_1_are_characters():
    """U+0085, U+2028 and U+2029 stay in texts, keys included, and end no line."""
    document = parse("a: x\u2028y\u0085z\n'k\u2029': \"q\u2028\"\nb: 1\n")
    assert document.data == {"a": "x\u2028y\u0085z", "k\u2029": "q\u2028", "b": 1}
    assert str(document.where(("b",))) == "f.yaml:3:4"


def test_half_a_character_is_refused():
    """A lone surrogate cannot be stored or sent."""
    assert problems('a: "\\ud83d"')[0].startswith("f.yaml:1:")


def test_a_byte_order_mark_is_passed_over():
    """Columns count from behind it."""
    document = parse(b"\xef\xbb\xbfa: 1\n")
    assert document.data == {"a": 1}
    assert str(document.where(("a",))) == "f.yaml:1:4"


def test_an_inner_mapping_that_was_dropped_lends_its_place_to_none():
    """Values of wrong keys are gone, and their places with them."""
    document = parse("? {a: 1}\n: [x, y]\nb: {c: [1, {d: 2}]}\n")
    assert str(document.where(("b", "c", 1, "d"))) == "f.yaml:3:16"


_texts = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffe"
    ),
    max_size=12,
)
_words = st.text(string.ascii_letters + string.digits + "-+.:_~ ", min_size=1, max_size=8)
_data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts
    | _words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts | _words, inner, max_size=4),
    max_leaves=20,
)


@given(_data)
def test_json_is_yaml_with_the_same_meaning(data):
    """Any data written as JSON, a subset of YAML 1.2, is read as what it was."""
    assert data == parse(json.dumps(data, ensure_ascii=False)).data


@given(_data, st.booleans())
def test_block_style_round_trips(data, flow):
    """Any data written by another emitter, its texts quoted where 1.1 needs it, comes back."""
    text = pyyaml.dump(
        data,
        Dumper=_QuotingDumper,
        allow_unicode=True,
        default_flow_style=flow,
        sort_keys=False,
        width=10**6,
    )
    assert data == parse(text).data


class _QuotingDumper(pyyaml.SafeDumper):
    """Quotes every text and writes floats so that both versions read them alike."""

    def ignore_aliases(self, data):
        return True


_QuotingDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)
_QuotingDumper.add_representer(
    float, lambda dumper, number: dumper.represent_scalar("tag:yaml.org,2002:float", repr(number))
)


@given(st.text("+-.0123456789eExXoOabcfnNuUlLtTrRsS~_:", min_size=1, max_size=7))
def test_plain_scalars_follow_the_tables_of_the_specification(word):
    """Section 10.3.2 of YAML 1.2.2, read literally, except that leading zeros make a text."""
    if word.endswith(":") or (word[0] in "-:" and len(word) == 1):
        return
    expected: object = word
    digits = word.lstrip("+-")
    if re.fullmatch("null|Null|NULL|~", word):
        expected = None
    elif re.fullmatch("true|True|TRUE|false|False|FALSE", word):
        expected = word.lower() == "true"
    elif re.match("0[0-9]", digits):
        expected = word
    elif re.fullmatch("[-+]?[0-9]+", word):
        expected = int(word)
    elif re.fullmatch("0o[0-7]+", word):
        expected = int(word, 8)
    elif re.fullmatch("0x[0-9a-fA-F]+", word):
        expected = int(word, 16)
    elif re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", word):
        expected = float(word)
    document = parse(f"- {word}")
    if isinstance(expected, float) and math.isinf(expected):
        assert len(document.problems) == 1
        return
    assert [expected] == document.data
    assert repr(expected) == repr(document.data[0])


@given(_data, st.integers(0, 3))
def test_places_point_at_the_text(data, indent):
    """Wherever a value or a key stands, the text there is how it was written."""
    text = json.dumps({"root": data}, ensure_ascii=False, indent=indent)
    document = parse(text)
    lines = text.split("\n")
    for loc, value in _walk({"root": data}, ()):
        where = document.where(loc)
        rest = "\n".join([lines[where.line - 1][where.column - 1 :], *lines[where.line :]])
        decoded, _ = json.JSONDecoder().raw_decode(rest)
        assert value == decoded
        if isinstance(loc[-1], str):
            key = document.where(loc, key=True)
            written = lines[key.line - 1][key.column - 1 :]
            assert written.startswith(json.dumps(loc[-1], ensure_ascii=False))


def _walk(value, loc):
    """Yield every value with the way to it."""
    if loc:
        yield loc, value
    if isinstance(value, dict | list):
        for step, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _walk(child, (*loc, step))


def test_a_value_without_a_key_is_refused():
    """An empty key is no key, and what stands behind it is dropped."""
    document = parse("a: 1\n? \n: b\n")
    assert document.data == {"a": 1}
    (problem,) = document.problems
    assert problem.message == "found a `:` without a key before it"
    assert problem.where.line == 2
