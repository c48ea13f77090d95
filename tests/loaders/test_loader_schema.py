"""The JSON Schema of a dataset says of its structure what the loader says."""

import jsonschema
import pytest

from pytest_evals.ground.errors import DatasetError
from pytest_evals.loaders.base import LoadContext
from pytest_evals.loaders.build import DATASET_KEYS, load
from pytest_evals.loaders.cases import CASE_KEYS
from pytest_evals.loaders.schema import dataset_schema
from pytest_evals.loaders.yaml import YamlLoader
from pytest_evals.model import MODEL_FIELDS
from pytest_evals.registry import Registry

pytestmark = pytest.mark.heavy

CASES = "cases: [{id: a, input: x, expected: y, scorers: [equals]}]"


@pytest.fixture(scope="module")
def schema():
    """Return the schema of what is built in."""
    registry = Registry.builtin()
    scorers, providers = registry.names()
    return dataset_schema(
        {name: registry.scorer(name) for name in scorers},
        {name: registry.provider(name) for name in providers},
    )


@pytest.fixture
def judged(schema, tmp_path):
    """Return whether the schema and the loader accept a text."""

    def judge(text: str) -> tuple[bool, bool]:
        path = tmp_path / "d.yaml"
        path.write_text(text)
        data = YamlLoader().parse(text.encode(), "d.yaml").data
        by_schema = jsonschema.Draft202012Validator(schema).is_valid(data)
        try:
            load(path, LoadContext(tmp_path, Registry.builtin()))
        except DatasetError:
            return by_schema, False
        return by_schema, True

    return judge


def test_it_is_a_schema_of_its_dialect(schema):
    """It is valid by the dialect it names, and every reference leads somewhere."""
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    for ref in _refs(schema):
        target = schema
        for step in ref.removeprefix("#/").split("/"):
            target = target[step]


def _refs(schema):
    """Yield every reference."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from _refs(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _refs(value)


def test_every_key_is_known_and_described(schema):
    """The keys are those of the loader, each with words for the editor."""
    assert {*DATASET_KEYS, "$schema"} == set(schema["properties"])
    assert set(CASE_KEYS) == set(schema["$defs"]["Case"]["properties"])
    assert set(schema["$defs"]["provider.openai"]["properties"]) >= MODEL_FIELDS
    assert all(d.get("description") for d in schema["$defs"]["Case"]["properties"].values())


def test_every_scorer_and_provider_stands_in_it(schema):
    """As a name to complete, and with its own options."""
    scorers, providers = Registry.builtin().names()
    forms = schema["$defs"]["Scorer"]["anyOf"]
    assert set(scorers) == {form["required"][0] for form in forms[1]["anyOf"]}
    assert set(scorers) == {
        form["$ref"].removeprefix("#/$defs/scorer.") for form in forms[2]["anyOf"]
    }
    mappings = schema["$defs"]["Model"]["anyOf"][1]["anyOf"]
    assert set(providers) == {form["$ref"].removeprefix("#/$defs/provider.") for form in mappings}


@pytest.mark.parametrize(
    "text",
    [
        CASES,
        f"name: x\ndescription: y\nsamples: 3\n{CASES}",
        f"max_error_rate: 0.5\ngates: [pass@1 >= 0.9]\n{CASES}",
        f"$schema: x\nx-mine: {{a: 1}}\n{CASES}",
        f"models: [openai:gpt, {{provider: openai, model: m, params: {{seed: 1}}}}]\n{CASES}",
        (
            f"models: [{{id: p, provider: python, target: 'a:b', price: {{input: 1, output: 2}}}}]\n"
            f"{CASES}"
        ),
        f"prompt: 'Q {{{{ input }}}}'\n{CASES}",
        f"prompt: [{{role: system, content: x}}, {{role: user, content: y}}]\n{CASES}",
        f"scorers: [{{max_latency_s: 5}}, {{not: {{icontains: x}}}}]\n{CASES}",
        f"scorers: [is_json, {{regex: x, weight: 2, metric: m}}]\n{CASES}",
        f"scorers: [{{type: regex, pattern: x, weight: 2}}]\n{CASES}",
        f"scorers: [{{json_schema: {{type: object}}}}]\n{CASES}",
        f"scorers: [{{any_of: [{{contains: x}}, {{equals: y}}]}}]\n{CASES}",
        f"defaults: {{tags: t, samples: 2}}\n{CASES}".replace("tags: t", "tags: [t]"),
        "cases: [{input: x, tags: t, scorers: [is_json]}]",
        "cases: [{turns: [a, b], scorers: [is_json]}]",
        "cases: [{input: [{role: user, content: x}], scorers: [is_json]}]",
        (
            "models: [script]\ncases: [{input: x, scorers: [is_json], script: [{kind: chat_response, "
            "content: x, tokens: {prompt_tokens: 1}}]}]"
        ),
        (
            "models: [script]\ncases: [{input: x, scorers: [is_json], script: {script: [[{kind: "
            "error}]]}}]"
        ),
        (
            "models: [script]\ncases: [{input: x, scorers: [is_json], script: {events: [{kind: "
            "chat_response, content: x}], allow_unused: true}}]"
        ),
    ],
)
def test_what_the_loader_takes_the_schema_takes(judged, text):
    """Every written form of models, prompts, scorers, cases and scripts."""
    assert judged(text) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "name: x",
        "cases: []",
        "cases: 5",
        f"nme: x\n{CASES}",
        f"samples: 0\n{CASES}",
        f"max_error_rate: 2\n{CASES}",
        f"models: script\n{CASES}",
        f"models: [nobody:x]\n{CASES}",
        f"models: [{{model: x}}]\n{CASES}",
        f"models: [{{provider: python}}]\n{CASES}",
        f"models: [{{provider: openai, model: m, base_ulr: x}}]\n{CASES}",
        f"models: [{{provider: openai, model: m, price: {{input: 1}}}}]\n{CASES}",
        f"prompt: []\n{CASES}",
        f"prompt: [{{role: usr, content: x}}]\n{CASES}",
        f"scorers: [contans]\n{CASES}",
        f"scorers: [{{contans: x}}]\n{CASES}",
        f"scorers: [{{contains: x, icontains: y}}]\n{CASES}",
        f"scorers: [{{contains: x, weight: 0}}]\n{CASES}",
        f"scorers: [{{type: contains, valeu: x}}]\n{CASES}",
        f"scorers: [regex]\n{CASES}",
        f"defaults: {{tag: x}}\n{CASES}",
        "cases: [{id: a b, input: x, scorers: [is_json]}]",
        "cases: [{id: 7, input: x, scorers: [is_json]}]",
        "cases: [{inptu: x, scorers: [is_json]}]",
        "cases: [{input: x, turns: [y], scorers: [is_json]}]",
        "cases: [{input: x, tags: [5], scorers: [is_json]}]",
        "cases: [{input: x, source: y, scorers: [is_json]}]",
        "cases: [{$include: a.csv, id: x}]",
        "cases: [{input: x, scorers: [is_json], script: [{kind: chat}]}]",
        "cases: [{input: x, scorers: [is_json], script: [{kind: chat_response}]}]",
        "cases: [{input: x, scorers: [is_json], script: {events: [], samples: []}}]",
    ],
)
def test_what_the_schema_refuses_the_loader_refuses(judged, text):
    """And the other way round, for all that is structure."""
    assert judged(text) == (False, False)


def test_includes_are_structure_too(judged, tmp_path):
    """A list with an included file, and a path alone."""
    (tmp_path / "more.csv").write_text('id,input,scorers\na,x,"[""is_json""]"\n')
    assert judged("cases: [$include: more.csv]") == (True, True)
    assert judged("cases: more.csv") == (True, True)
