"""Whether an answer is JSON, YAML, XML, HTML, SQL, Python, or what a model of the user's takes."""

import json
from importlib.metadata import distribution

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.scorers.jsonfind import NotJsonError, find_json, read_json
from pytest_evals.scorers.jsonschemas import Schema
from pytest_evals.scorers.subset import difference

ORDER = '{"order": {"id": 7, "tags": ["a", "b"], "paid": true}, "note": "hi"}'
RIGHT = [
    ("is_json", ORDER),
    ("is_json", ' [1, 2.5e3, null, "\\u00e9"] \n'),
    ("is_json", "0"),
    ({"is_json": {"subset": {"order": {"id": 7}}}}, ORDER),
    ({"is_json": {"paths": {"order.id": 7, "order.tags[0]": "a", "nothing": None}}}, ORDER),
    ({"is_json": {"schema": {"required": ["note"]}}}, ORDER),
    ("contains_json", f"Here you are:\n```json\n{ORDER}\n```\nBye."),
    ("contains_json", f"It is {ORDER}, so {{sic}}."),
    ("contains_json", "[x] and then [1]"),
    ({"contains_json": {"paths": {"order.paid": True}}}, f"x {ORDER}"),
    ({"json_schema": {"type": "object", "required": ["order"]}}, ORDER),
    ({"type": "json_schema", "schema": {"type": "array"}, "inside": True}, "so: [1, 2]"),
    ({"json_schema": {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}}, "3"),
    ({"json_schema": {"properties": {"a": {"pattern": "^x"}}}}, '{"a": "xy"}'),
    ({"json_equals": {"b": [1, 2], "a": 1.0}}, '{"a": 1, "b": [1, 2.0]}'),
    ({"json_equals": [1]}, "```\n[1]\n```"),
    ("is_yaml", "a: 1\nb: [x, y]"),
    ("is_yaml", "- a\n- &x b\n- *x"),
    ({"is_yaml": {"kind": "mapping", "inside": True}}, "Sure:\n```yaml\na: 1\n```"),
    ("is_xml", "<?xml version='1.0'?><a><b x='1'/>t</a>"),
    ({"is_xml": "a"}, " <a/>\n"),
    ({"is_xml": {"root": "a", "has": ["b"]}}, "<a><b/></a>"),
    ("is_html", "<p>one<p>two<br><b>x</b>"),
    ("is_html", "<ul><li>a<li>b</ul>"),
    ("is_html", '<!DOCTYPE html><html><head><title>a < b</title></head><body><x-y a="1>2"></x-y>'),
    ("is_html", "<div><svg><path d='m'/></svg></div><script>if (a<b) {}</script>"),
    ({"is_html": ["table", "td"]}, "<table><tr><td>1</table>"),
    ("is_sql", "SELECT a, COUNT(*) FROM t WHERE b = 'x' GROUP BY a;"),
    ({"is_sql": {"dialect": "postgres", "only": ["select"]}}, "```sql\nSELECT a::int FROM t\n```"),
    ("is_python", "def f(x):\n    return x + 1\n"),
    ("is_python", "Here:\n```python\nprint('\\d')\n```"),
]
WRONG = [
    ("is_json", f"```json\n{ORDER}\n```"),
    ("is_json", "{'a': 1}"),
    ("is_json", '{"a": 1,}'),
    ("is_json", '{"a": NaN}'),
    ("is_json", "-Infinity"),
    ("is_json", ""),
    ("is_json", "[" * 100_000),
    ("is_json", "1" * 5_000),
    ({"is_json": {"subset": {"order": {"id": 8}}}}, ORDER),
    ({"is_json": {"subset": {"order": {"tags": ["a"]}}}}, ORDER),
    ({"is_json": {"paths": {"order.paid": 1}}}, ORDER),
    ({"is_json": {"paths": {"order.id": "7"}}}, ORDER),
    ({"is_json": {"schema": {"required": ["x"]}}}, ORDER),
    ("contains_json", "no json, 42 is not enough"),
    ({"json_schema": {"type": "object", "required": ["x"]}}, ORDER),
    ({"json_schema": {"type": "integer"}}, "3.5"),
    ({"json_schema": {"properties": {"a": {"pattern": "^x"}}}}, '{"a": "y"}'),
    ({"json_schema": {"patternProperties": {"^n": {"type": "null"}}}}, '{"no": 1}'),
    ({"json_equals": {"a": 1}}, '{"a": 1, "b": 2}'),
    ({"json_equals": {"a": True}}, '{"a": 1}'),
    ({"json_equals": [1, 2]}, "[2, 1]"),
    ("is_yaml", "just prose"),
    ("is_yaml", "a: [1"),
    ("is_yaml", "- *nowhere"),
    ("is_yaml", "a: 1\n---\nb: 2"),
    ({"is_yaml": {"kind": "sequence"}}, "a: 1"),
    ("is_xml", "<a><b></a>"),
    ("is_xml", "text"),
    ("is_xml", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'),
    ({"is_xml": "b"}, "<a/>"),
    ({"is_xml": {"has": ["c"]}}, "<a><b/></a>"),
    ("is_html", "plain text"),
    ("is_html", "a < b and c > d"),
    ("is_html", "<div><b>x</div></b>"),
    ("is_html", "<div>x"),
    ("is_html", "x</p>"),
    ("is_html", "<order>7</order>"),
    ("is_html", "<div <!-- "),
    ({"is_html": ["table"]}, "<p>x</p>"),
    ("is_sql", "SELECT FROM WHERE"),
    ("is_sql", "The table has two rows."),
    ("is_sql", ""),
    ({"is_sql": {"only": ["select"]}}, "DROP TABLE users"),
    ({"is_sql": {"only": ["select"]}}, "SELECT 1; DELETE FROM users"),
    ("is_python", "def f(:"),
    ("is_python", "(" * 5_000),
    ("is_python", "x = 1\n  y = 2"),
]


@pytest.mark.parametrize(("written", "answer"), RIGHT)
def test_a_well_formed_answer_passes(bench, written, answer):
    """The assertion holds."""
    assert bench.passes(written, answer), bench.score(written, answer).reason


@pytest.mark.parametrize(("written", "answer"), WRONG, ids=lambda value: str(value)[:30])
def test_an_ill_formed_answer_fails_with_a_reason(bench, written, answer):
    """The assertion does not hold, and says where."""
    scored = bench.score(written, answer)
    assert scored.passed is False
    assert 0 < len(scored.reason) < 1_000


@pytest.mark.parametrize("depth", [501, 2_000, 100_000])
@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ("- ", "")])
def test_nested_yaml_is_rejected_in_the_same_words_at_any_depth(bench, opened, closed, depth):
    """Newer versions of libyaml reject level 1,001 by themselves, in other words."""
    scored = bench.score("is_yaml", opened * depth + "x" + closed * depth)
    assert "it is nested more than 500 deep" in scored.reason


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
))  # fmt: skip
def test_json_is_read_back_bare_and_fenced(value):
    """What json writes is read as it was, and equals itself, and is a subset of itself."""
    text = json.dumps(value)
    assert value == read_json(text)
    assert value == find_json(f"Sure!\n```json\n{text}\n```\n")
    assert difference(value, value, exact=True) == []
    assert difference(value, value) == []


@given(st.text(max_size=60))
def test_json_is_what_json_says_it_is(text):
    """Strict reading agrees with the standard library, but for what JSON does not know."""
    try:
        expected = json.loads(text, parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(NotJsonError):
            read_json(text)
    else:
        assert expected == read_json(text)


@given(
    st.dictionaries(st.text(max_size=3), st.integers()),
    st.dictionaries(st.text(max_size=3), st.integers()),
)
def test_a_subset_is_what_python_calls_one(wanted, found):
    """For flat objects."""
    assert (wanted.items() <= found.items()) == (difference(wanted, found) == [])
    assert (wanted == found) == (difference(wanted, found, exact=True) == [])


def _suite():
    """The official JSON Schema cases that jsonschema's own validators agree on."""
    schemas = [
        {"type": "object", "properties": {"a": {"type": "integer", "minimum": 2}}},
        {"type": "array", "items": {"enum": [1, "a", None]}, "uniqueItems": True},
        {"anyOf": [{"pattern": "^a+$"}, {"multipleOf": 3}]},
        {"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False},
        {"not": {"required": ["x"]}},
    ]
    values = [1, 3, 9, "a", "aab", None, [], [1, "a"], [1, 1], {"a": 1}, {"a": 2}, {"x": "s"},
              {"x": 1}, {"xy": "t", "b": 1}, True, 2.0]  # fmt: skip
    return [(schema, value) for schema in schemas for value in values]


@pytest.mark.parametrize(("schema", "value"), _suite())
def test_schemas_agree_with_jsonschema(schema, value):
    """The time limit on patterns changes no verdict."""
    from jsonschema import Draft202012Validator

    assert Draft202012Validator(schema).is_valid(value) == (Schema(schema).problems(value) == [])


def test_a_schema_fetches_nothing(bench):
    """A reference to elsewhere is an error of the scorer, not a request."""
    written = {"json_schema": {"$ref": "http://127.0.0.1:9/schema.json"}}
    scored = bench.score(written, "1")
    assert scored.kind == "error"
    assert "schemas are not downloaded" in scored.message


def test_a_schemas_pattern_that_explodes_is_an_error(bench):
    """As any pattern."""
    scored = bench.score({"json_schema": {"pattern": "(a|aa)+$"}}, json.dumps("a" * 60 + "!"))
    assert scored.kind == "error"


def test_python_is_never_run(bench, tmp_path):
    """Only parsed."""
    mark = tmp_path / "mark"
    assert bench.passes("is_python", f"open({str(mark)!r}, 'w').close()")
    assert not mark.exists()


def test_an_unknown_dialect_is_a_problem(bench):
    """With sqlglot's own suggestion."""
    (problem,) = bench.problems({"is_sql": "postgress"})
    assert "postgress" in problem


MODELS = """
from pydantic import BaseModel

class Order(BaseModel):
    id: int
    tags: list[str] = []

nothing = 3
"""


@pytest.mark.parametrize("place", ["", "evals/"])
def test_a_model_of_the_user_validates(bench, tmp_path, place):
    """From the rootdir; the reason names the field."""
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "my_models.py").write_text(MODELS)
    written = {"matches_model": f"{place}my_models.py:Order"}
    assert bench.passes(written, 'So: {"id": 7, "tags": ["a"]}')
    scored = bench.score(written, '{"id": "x", "tags": 3}')
    assert scored.passed is False
    assert "`id`" in scored.reason
    assert "`tags`" in scored.reason
    assert bench.passes(written, "no json") is False


def test_what_is_no_model_is_an_error(bench, tmp_path):
    """Never a wrong answer."""
    (tmp_path / "my_models.py").write_text(MODELS)
    for name in ("nothing", "Ordr", "BaseMode"):
        assert bench.score({"matches_model": f"my_models.py:{name}"}, "{}").kind == "error"
    assert "Did you mean 'Order'?" in bench.score({"matches_model": "my_models.py:Ordr"}).message


def test_the_regex_package_is_there():
    """Patterns rest on it."""
    assert distribution("regex").version
