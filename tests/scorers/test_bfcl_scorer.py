"""BFCL-style answers, against the leaderboard's own data and its own checker."""

import copy
import json
import random
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pytest_evals.message import ToolCall
from pytest_evals.scorers.bfcl import plain_text

SPEC = find_spec("bfcl_eval")
needs_bfcl = pytest.mark.skipif(SPEC is None, reason="the package bfcl-eval is not installed")
CATEGORIES = [
    "simple_python", "multiple", "parallel", "parallel_multiple",
    "live_simple", "live_multiple", "live_parallel", "live_parallel_multiple",
]  # fmt: skip
UNANSWERABLE = {
    "parallel_multiple_12", "parallel_multiple_26", "live_simple_106-63-0", "live_simple_112-68-0",
    "live_multiple_862-181-3", "live_multiple_964-207-0",
}  # fmt: skip
"""Cases whose recorded answer names undeclared parameters, or allows no value for a required one."""


def _rows(*parts):
    """Return the rows of one of the leaderboard's files."""
    text = Path(SPEC.submodule_search_locations[0], "data", *parts).read_text("utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def _cases(category):
    """Yield id, functions and possible answers of a category."""
    name = f"BFCL_v4_{category}.json"
    truth = {row["id"]: row["ground_truth"] for row in _rows("possible_answer", name)}
    for row in _rows(name):
        yield row["id"], row["function"], truth[row["id"]]


def _answer(value):
    """Return a value that a possible answer allows: of an object, one of each key's values."""
    if isinstance(value, dict):
        given = {k: v[0] if isinstance(v, list) and v else v for k, v in value.items()}
        return {key: item for key, item in given.items() if item != ""}
    if isinstance(value, list):
        return [_answer(item) for item in value]
    return value


def _calls(truth, draw, functions):
    """Return calls that follow the possible answers, optional arguments sometimes left out."""
    required = {f["name"]: f["parameters"].get("required", []) for f in functions}
    calls = []
    for possible in truth:
        ((name, parameters),) = possible.items()
        arguments = {}
        for key, options in parameters.items():
            given = [option for option in options if option != ""]
            optional = "" in options and key not in required.get(name, [])
            if given and not (optional and draw.random() < 0.5):
                arguments[key] = _answer(draw.choice(given))
            elif not optional:
                arguments[key] = "" if not given else _answer(given[0])
        calls.append((name, arguments))
    return calls


def _other(value, kind):
    """Return a value that is another one, or the same one written in another way."""
    if kind == "type":
        return [value]
    if kind == "text":
        return str(value)
    again = kind == "case"
    if isinstance(value, str):
        return f" {value.upper()}-" if again else f"{value} wrong"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if again else value + 1
    if isinstance(value, list):
        return [_other(item, kind) for item in value] if again else [*value, *value[:1], "more"]
    return {**value, "more": 1} if isinstance(value, dict) else not value


def _mutated(calls, draw):
    """Return the calls with one thing changed, and what."""
    changed = copy.deepcopy(calls)
    i = draw.randrange(len(changed))
    name, arguments = changed[i]
    kind = draw.choice(
        ["name", "drop", "extra", "value", "twice", "none", "case", "order", "type", "text"]
    )
    if kind == "name":
        changed[i] = (f"{name}x", arguments)
    elif kind == "extra":
        arguments["surely_not_declared"] = 1
    elif kind == "twice":
        changed.append(changed[i])
    elif kind == "none":
        changed.pop(i)
    elif kind == "order":
        draw.shuffle(changed)
    elif arguments:
        key = draw.choice(list(arguments))
        value = arguments.pop(key)
        if kind != "drop":
            arguments[key] = _other(value, kind)
    return kind, changed


@pytest.fixture(scope="module")
def their_verdict():
    """The leaderboard's AST check; its table of model handlers, which needs them all, left out."""
    names = ("bfcl_eval.constants.model_config",)
    stub = ModuleType(names[0])
    stub.MODEL_CONFIG_MAPPING = {"any": SimpleNamespace(underscore_to_dot=False)}
    kept = {name: sys.modules.get(name) for name in names}
    sys.modules[names[0]] = stub
    try:
        from bfcl_eval.constants.enums import Language
        from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker
    except ImportError as error:
        pytest.skip(f"the checker cannot be imported: {error}")
    finally:
        for name, module in kept.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module

    def verdict(category, functions, calls, truth):
        """Return whether their check finds the calls valid."""
        output = [{name: arguments} for name, arguments in calls]
        found = ast_checker(functions, output, truth, Language.PYTHON, category, "any")
        return found["valid"]

    return verdict


@needs_bfcl
@pytest.mark.parametrize("category", CATEGORIES)
def test_recorded_and_mutated_answers_agree_with_the_leaderboards_checker(
    bench, their_verdict, category
):
    """The recorded ground truth passes; every mutated answer gets the checker's own verdict."""
    draw = random.Random(category)
    bound = bench.bind("bfcl_calls")
    disagreed, refused, failed, seen = [], set(), 0, 0
    for case, functions, truth in _cases(category):
        right = _calls(truth, draw, functions)
        tries = [("right", right), *(_mutated(right, draw) for _ in range(3))]
        for kind, calls in tries:
            made = [ToolCall(name=name, arguments=arguments) for name, arguments in calls]
            ctx = bench.context(expected=truth, tools=tuple(functions), calls=made)
            scored = bound.evaluate_now(ctx)
            assert scored.kind == "score", scored.message
            theirs = their_verdict(category, functions, calls, truth)
            if scored.passed is not theirs:
                disagreed.append((case, kind, theirs, scored.reason))
            refused |= {case} if kind == "right" and not theirs else set()
            failed += not theirs
            seen += kind == "right"
    assert disagreed == []
    assert refused <= UNANSWERABLE
    assert failed > seen > 10


WEATHER = [{"get_weather": {"city": ["Paris", "Paris, FR"], "unit": ["celsius", ""], "days": [1]}}]


@pytest.mark.parametrize(
    ("calls", "passed"),
    [
        ([("get_weather", {"city": "Paris", "days": 1})], True),
        ([("get_weather", {"city": "paris fr", "days": 1, "unit": "Celsius"})], True),
        ([("get_weather", {"city": "Rome", "days": 1})], False),
        ([("get_weather", {"city": "Paris", "days": "1"})], False),
        ([("get_weather", {"city": "Paris", "days": True})], False),
        ([("get_weather", {"city": "Paris", "days": 2})], False),
        ([("get_weather", {"city": "Paris"})], False),
        ([("get_weather", {"city": "Paris", "days": 1, "more": 1})], False),
        ([ToolCall(name="get_weather", arguments="Paris")], False),
        ([("weather", {"city": "Paris", "days": 1})], False),
        ([], False),
        ([("get_weather", {"city": "Paris", "days": 1})] * 2, False),
    ],
)
def test_without_declared_tools_the_allowed_values_say_the_types(bench, calls, passed):
    """And a dot in a name is the underscore that servers make of it."""
    assert passed is bench.passes({"bfcl_calls": WEATHER}, calls=calls)
    assert passed is bench.passes("bfcl_calls", expected=WEATHER, calls=calls)


def test_a_dot_in_a_name_is_an_underscore(bench):
    """As servers allow no dot."""
    assert bench.passes({"bfcl_calls": [{"math.gcd": {"a": [2]}}]}, calls=[("math_gcd", {"a": 2})])


@pytest.mark.parametrize("answers", [[{"a": {}, "b": {}}], [{"f": {"x": 1}}], "f", [[]]])
def test_answers_of_another_shape_are_refused(bench, answers):
    """When the dataset is collected."""
    assert bench.problems("bfcl_calls", expected=answers)
    assert bench.problems({"type": "bfcl_calls", "answers": answers})


def test_texts_are_compared_without_their_marks():
    """Case, spaces and the listed punctuation do not count."""
    assert plain_text("April 1, 2024") == plain_text("april_1/2024")
    assert plain_text("it's") == 'it"s'
