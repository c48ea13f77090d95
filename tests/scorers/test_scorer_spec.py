"""How a scorer is written, and what is said where it is written wrong."""

import pytest

from pytest_evals.scorers.catalogue import SCORERS


@pytest.mark.parametrize(
    "written",
    [
        {"contains": "30 days"},
        {"contains": {"value": "30 days"}},
        {"type": "contains", "value": "30 days"},
        {"type": "contains", "value": "30 days", "weight": 1.0},
    ],
)
def test_shorthand_and_long_form_are_the_same(bench, written):
    """Every way of writing an assertion makes the same scorer."""
    assert bench.bind({"contains": "30 days"}).scorer == bench.bind(written).scorer


def test_common_keys_stand_beside_the_shorthand(bench):
    """Weight, threshold and metric go to the bound scorer."""
    bound = bench.bind(
        {"contains_all": ["a", "b"], "weight": 2, "threshold": 0.5, "metric": "tone"}
    )
    assert (bound.name, bound.weight, bound.threshold) == ("tone", 2.0, 0.5)


def test_a_bare_name_is_a_scorer_without_options(bench):
    """``is_json`` and ``is_json: true`` are the same."""
    assert bench.bind("is_json").scorer == bench.bind({"is_json": True}).scorer


def test_every_scorer_is_found_under_its_own_name(bench):
    """The catalogue's names are the classes' own."""
    assert {name: name for name in SCORERS} == {n: bench.find(n).type for n in SCORERS}


@pytest.mark.parametrize(
    ("written", "loc", "words"),
    [
        (
            {"contians": "x"},
            ("contians",),
            "no scorer is called 'contians'. Did you mean 'contains'",
        ),
        ({"type": "contians", "value": "x"}, ("type",), "Did you mean 'contains'"),
        (
            {"type": "contains", "valu": "x"},
            ("valu",),
            "unknown option 'valu' of scorer `contains`",
        ),
        ({"contains": {"valu": "x"}}, ("contains", "valu"), "Did you mean 'value'?"),
        ({"contains": ["x"]}, ("contains",), 'expected a text (or a number), found ["x"]'),
        (
            {"contains": {"value": "x", "weight": 2}},
            ("contains", "weight"),
            "belongs beside the name",
        ),
        ({"is_json": False}, ("is_json",), "`is_json` takes no single value"),
        ({"at_least": {"of": ["is_json"]}}, (), "needs the option `n`"),
        ({"tool_args": {"subset": {"a": 1}}}, (), "needs the option `tool`"),
        ({"regex": "(a"}, ("regex",), "'(a' is invalid at character 3"),
        ({"max_latency_s": 0}, ("max_latency_s",), "input should be greater than 0, found 0"),
        ({"max_latency_s": "soon"}, ("max_latency_s",), "found 'soon'"),
        ({"json_schema": {"type": "objekt"}}, ("json_schema",), "invalid JSON Schema at `type`"),
        ({"not": {"regexx": "a"}}, ("not", "regexx"), "Did you mean 'regex'?"),
        ({"all_of": ["is_json", {"contains": [1]}]}, ("all_of", 1, "contains"), "a text"),
        ({"all_of": [{"a": 1, "b": 2}]}, ("all_of", 0), "found 2 names: a, b"),
        ({"at_least": {"n": 2, "of": ["is_json"]}}, ("n",), "2 of 1 assertions can never hold"),
        ({"all_of": []}, ("all_of",), "at least 1 item"),
        ({"not": {"contains": "a", "weight": 2}}, (), "belongs beside `not`"),
        (
            {"expect": {"final_answer_contain": ["a"]}},
            ("expect", "final_answer_contain"),
            "Did you",
        ),
    ],
)
def test_what_is_written_wrong_is_said_with_its_place(bench, written, loc, words):
    """The place leads to what is written, and the message says what would be right."""
    ((found, message),) = bench.refused(written)
    assert loc == found
    assert words in message


def test_all_problems_of_a_scorer_are_said_at_once(bench):
    """Two wrong options and a wrong transform are three problems."""
    written = {"type": "regex", "pattern": "(a", "ful": True, "transform": "stripp"}
    assert {("pattern",), ("ful",), ("transform",)} == {loc for loc, _ in bench.refused(written)}


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"contains": "a", "threshold": 0.5}, "passes or fails and has no value"),
        ({"contains_all": ["a"], "threshold": 0}, "cannot fail"),
        ({"contains_all": ["a"], "threshold": -1}, "cannot fail"),
        ({"contains_all": ["a"], "threshold": 1.5}, "cannot be reached"),
        ({"contains_all": ["a"], "threshold": float("nan")}, "a finite number"),
    ],
)
def test_a_threshold_that_decides_nothing_is_refused(bench, written, words):
    """A threshold needs values, inside their range."""
    assert words in bench.problems(written)[0]


@pytest.mark.parametrize(
    "written",
    [
        {"contains": ""},
        {"icontains": ""},
        {"starts_with": ""},
        {"ends_with": ""},
        {"contains_all": []},
        {"contains_all": ["a", ""]},
        {"contains_any": []},
        {"contains_any": ["a", ""]},
        {"regex": ""},
        {"regex": ".*"},
        {"regex": "x*"},
        {"regex": "(?s)^.*$", "transform": "strip"},
        {"type": "regex", "pattern": r"[\s\S]*", "full": True},
        {"not": {"contains": ""}},
        {"all_of": [{"contains": ""}]},
        {"json_schema": {}},
        {"json_schema": True},
        {"json_schema": False},
        {"json_schema": {"schema": {"type": "object"}}},
        {"json_schema": {"description": "an order"}},
        {"type": "is_json", "schema": {}},
        {"word_count": {"min": 0}},
        {"tool_called": {"name": "a", "min": 0}},
        {"tool_sequence": {"names": [], "mode": "ordered_subseq"}},
        {"tool_sequence": {"names": [], "mode": "superset"}},
        {"required_tool_calls": [{"name": "a", "count": {"at_least": 0}}]},
        {"tool_args": {"tool": "a", "subset": {}}},
        {"no_tool_error": ["*"]},
        {"set_match": []},
        {"no_pii": []},
        {"contains_pii": []},
        {"must_cite": []},
        {"must_cite": {"known": ["a"], "min": 2}},
        {"language": {"code": "en", "among": ["en"]}},
        {"exact_match": "The!"},
        {"expect": {"final_answer_contains": []}},
        {"expect": {"final_answer_contains": [""]}},
        {"expect": {"final_answer_excludes": [""]}},
        {"expect": {"required_tool_calls": [{"name": "a", "count": {"op": "at_least", "n": 0}}]}},
    ],
)
def test_an_assertion_that_cannot_fail_or_cannot_pass_is_a_problem(bench, written):
    """It is found when the dataset is collected, on a case and for every case."""
    assert bench.problems(written)
    assert bench.problems(written, cased=False)


@pytest.mark.parametrize(
    "written",
    [
        {"regex": "^(?!.*error)"},
        {"regex": "^[^<>]*$"},
        {"regex": ".+"},
        {"regex": r"^.{0,5000}$"},
        {"regex": "^[^0-9]*$"},
        {"not": {"contains": "x"}},
        {"tool_sequence": []},
        {"max_tool_calls": 0},
        {"equals": ""},
        {"json_schema": {"type": "object"}},
        {"json_schema": {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}},
    ],
)
def test_an_assertion_that_can_fail_is_no_problem(bench, written):
    """Nothing is refused that excludes something."""
    assert bench.problems(written) == []


@pytest.mark.parametrize(
    "name",
    [
        "equals", "equals_any", "contains", "contains_any", "contains_all", "starts_with",
        "ends_with", "numeric", "exact_match", "token_f1", "bleu", "rouge_l", "levenshtein",
        "similarity", "math_equal", "multiple_choice", "set_match", "json_equals", "bfcl_calls",
    ],
)  # fmt: skip
def test_a_scorer_without_a_reference_needs_the_cases_expected(bench, name):
    """Without it the dataset is refused, and never scored as a wrong answer."""
    assert bench.problems(name)
    assert bench.problems(name, cased=False) == []
    assert bench.score(name, "an answer").kind == "error"


@pytest.mark.parametrize("name", ["contains", "starts_with", "equals", "icontains"])
def test_a_list_as_expected_is_pointed_to_the_scorers_of_lists(bench, name):
    """A list is no text."""
    (problem,) = bench.problems(name, expected=["a", "b"])
    assert "contains_any" in problem


def test_a_template_is_filled_with_the_cases_variables(bench):
    """Variables, `expected` and `input` are known in every option's text."""
    given = {"variables": {"days": 30}, "expected": "soon", "input": "When?"}
    assert bench.passes({"contains": "{{ days }} days"}, "It takes 30 days.", **given)
    assert bench.passes({"contains_all": ["{{ expected | upper }}"]}, "SOON", **given)
    assert bench.passes({"all_of": [{"equals": "{{ input }}"}]}, "When?", **given)
    assert not bench.passes({"contains": "{{ days }} days"}, "It takes 31 days.", **given)


def test_a_template_that_does_not_fit_the_case_is_a_problem(bench):
    """Its unknown name is found before anything is asked."""
    (problem,) = bench.problems({"contains": "{{ dyas }}"}, variables={"days": 30})
    assert "`dyas`" in problem
    assert "Did you mean 'days'?" in problem
    assert bench.problems({"contains": "{{ dyas }}"}, cased=False) == []


def test_a_template_that_renders_to_nothing_is_a_problem(bench):
    """What is checked is what will be compared."""
    (problem,) = bench.problems({"contains": "{{ days }}"}, variables={"days": ""})
    assert "cannot fail" in problem


def test_a_template_that_renders_to_a_wrong_option_is_an_error(bench):
    """A pattern from a variable may be no pattern."""
    scored = bench.score({"regex": "{{ p }}"}, "a", variables={"p": "(a"})
    assert "with the case's variables filled in" in scored.message


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        ("stripp", "Did you mean 'strip'?"),
        ({"regex": "(a"}, "is invalid at character"),
        ({"regex": {"pattern": "a", "group": 2}}, "has no group 2"),
        ({"regex": {"patern": "a"}}, "expected a pattern"),
        ({"regex": {"pattern": "a", "lst": True}}, "unknown option 'lst'"),
        ({"json": "a..b"}, "is not a valid JMESPath"),
        ({"strip": "x"}, "expected no argument"),
        ({"template": "no template"}, "expected a template"),
        ({"template": "{{ answer"}, "syntax"),
        ({"choice_letter": "A"}, "letters of the choices"),
        ([], "without steps"),
        ({"a": 1, "b": 2}, "a transform must be a name"),
        (["strip", "lowr"], "Did you mean 'lower'?"),
    ],
)
def test_a_transform_that_is_written_wrong_is_refused(bench, transform, words):
    """With what would be right."""
    ((loc, message),) = bench.refused({"equals": "a", "transform": transform})
    assert loc[0] == "transform"
    assert words in message
