"""From a file to a Dataset: every form of every key, includes, ids and defaults."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.case import Case, ScorerSpec, Source
from pytest_evals.dataset import Prompt
from pytest_evals.message import Message
from pytest_evals.model import Model, Price

CASES = "cases: [{id: a, input: x}]\n"


def test_everything_a_dataset_can_say(folder):
    """All keys in their long forms become the nouns."""
    folder.checker.says = lambda _dataset: ()
    dataset = folder.load(
        "sub/support.evals.yaml",
        """
name: support-bot
description: Answers.
samples: 5
max_error_rate: 0.1
prompt: "Q: {{ input }}"
tools: [{name: find}]
response_format: {type: json_object}
judges: {helpful: {rubric: Is it?}}
gates: [pass@1 >= 0.9]
x-anchors: {anything: 1}
$schema: ../dataset.schema.json
scorers: [max_latency_s: 5]
models: [openai:gpt]
cases:
  - id: a
    input: Hello
    expected: hi
    variables: {v: 1}
    tags: [t]
    metadata: {m: 1}
    samples: 2
    scorers: [is_json, contains: x, {type: regex, pattern: y, weight: 2}]
    tools: []
    expect: {final_answer_contains: [x]}
""",
    )
    assert (dataset.name, dataset.path) == ("support-bot", "sub/support.evals.yaml")
    assert (dataset.samples, dataset.max_error_rate, dataset.description) == (5, 0.1, "Answers.")
    assert Prompt(messages=(Message(role="user", content="Q: {{ input }}"),)) == dataset.prompt
    assert (
        dataset.tools,
        dataset.response_format,
    ) == (({"name": "find"},), {"type": "json_object"})
    assert (
        dataset.judges,
        dataset.gates,
    ) == ({"helpful": {"rubric": "Is it?"}}, ("pass@1 >= 0.9",))
    assert (ScorerSpec(type="max_latency_s", argument=5),) == dataset.scorers
    assert (Model(id="openai:gpt", provider="openai", model="gpt"),) == dataset.models
    assert (
        Case(
            id="a",
            input="Hello",
            expected="hi",
            variables={"v": 1},
            tags=("t",),
            metadata={"m": 1},
            samples=2,
            scorers=(
                ScorerSpec(type="is_json"),
                ScorerSpec(type="contains", argument="x"),
                ScorerSpec(type="regex", options={"pattern": "y"}, weight=2),
            ),
            tools=(),
            expect={"final_answer_contains": ["x"]},
            source=Source(path="sub/support.evals.yaml", line=16),
        ),
    ) == dataset.cases


@pytest.mark.parametrize(
    ("written", "model"),
    [
        ("openai:gpt-4.1", Model(id="openai:gpt-4.1", provider="openai", model="gpt-4.1")),
        ("script", Model(id="script", provider="script")),
        ("openai:a:b", Model(id="openai:a:b", provider="openai", model="a:b")),
        ("{provider: script}", Model(id="script", provider="script")),
        ("{provider: openai, model: m}", Model(id="openai:m", provider="openai", model="m")),
        (
            (
                "{id: l, provider: openai, base_url: u, params: {seed: 1}, price: {input: 1, "
                "output: 2}, concurrency: 3}"
            ),
            Model(
                id="l",
                provider="openai",
                options={"base_url": "u"},
                params={"seed": 1},
                price=Price(input=1, output=2),
                concurrency=3,
            ),
        ),
    ],
)
def test_models_in_both_forms(folder, written, model):
    """A shorthand's id is the whole text; unknown keys are the provider's options."""
    assert (model,) == folder.load("d.yaml", f"models: [{written}]\n{CASES}").models


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("p.txt", "Hi {{ input }}"),
        ("p.md", "Hi {{ input }}"),
        ("p.j2", "Hi {{ input }}"),
        ("p.yaml", "Hi {{ input }}".join("''")),
        ("p.json", '[{"role": "user", "content": "Hi {{ input }}"}]'),
        ("p.yml", "messages: [{role: user, content: file://p.txt}]"),
    ],
)
def test_prompts_from_files(folder, file, content):
    """A text, or a file of messages, whose contents may be files too."""
    folder.write("prompts/p.txt", "Hi {{ input }}")
    folder.write(f"prompts/{file}", content)
    dataset = folder.load("d.yaml", f"prompt: file://prompts/{file}\n{CASES}")
    assert Prompt.model_validate("Hi {{ input }}") == dataset.prompt


def test_prompts_of_messages(folder):
    """A list of messages, one of them in a file."""
    folder.write("system.md", "Be kind.")
    dataset = folder.load(
        "d.yaml",
        "prompt: [{role: system, content: file://system.md}, {role: user, content: '{{ input }}'}]"
        f"\n{CASES}",
    )
    assert (
        Message(role="system", content="Be kind."),
        Message(role="user", content="{{ input }}"),
    ) == dataset.prompt.messages


def test_cases_of_other_files_stand_in_their_place(folder):
    """Includes in lists, in included lists, and of every format; sources name the file."""
    folder.write("sub/b.jsonl", '{"id": "b1", "input": 1}\n\n{"$include": "c.csv"}\n')
    folder.write("sub/c.csv", 'id,input\n"c1","two\nlines"\nc2,x\n')
    folder.write("sub/d.json", '[\n{"id": "d1", "input": "x"}]')
    folder.write("e.yaml", "# none\n- id: e1\n  input: x\n- $include: sub/d.json\n")
    dataset = folder.load(
        "d.yaml",
        "cases:\n- id: a\n  input: x\n- $include: sub/b.jsonl\n- $include: e.yaml\n"
        "- id: z\n  input: x\n",
    )
    assert [(case.id, str(case.source)) for case in dataset.cases] == [
        ("a", "d.yaml:2"),
        ("b1", "sub/b.jsonl:1"),
        ("c1", "sub/c.csv:2"),
        ("c2", "sub/c.csv:4"),
        ("e1", "e.yaml:2"),
        ("d1", "sub/d.json:2"),
        ("z", "d.yaml:6"),
    ]


@pytest.mark.parametrize("written", ["more.csv", "file://more.csv", "./sub/../more.csv"])
def test_cases_may_be_the_path_of_a_file(folder, written):
    """The whole list in a file of its own."""
    folder.write("sub/x", "")
    folder.write("more.csv", "id,input\na,x\n")
    dataset = folder.load("d.yaml", f"cases: {written}\n")
    assert [(case.id, str(case.source)) for case in dataset.cases] == [("a", "more.csv:2")]


def test_a_file_of_rows_is_a_dataset(folder):
    """A bare CSV or JSON lines file: each row a case, the name the file's."""
    dataset = folder.load("capitals.evals.jsonl", '{"id": "a", "input": "x"}\n')
    assert (
        dataset.name,
        dataset.path,
        len(dataset.cases),
    ) == ("capitals", "capitals.evals.jsonl", 1)
    assert folder.load("rows.csv", "id,input\na,x\n").name == "rows"


def test_the_first_row_may_hold_the_other_keys(folder):
    """`$dataset` in JSON lines; problems in it are found in that row."""
    header = json.dumps({"$dataset": {"name": "n", "models": ["script"], "scorers": ["is_json"]}})
    dataset = folder.load("d.jsonl", header + '\n{"id": "a", "input": "x"}\n')
    assert (dataset.name, tuple(model.id for model in dataset.models)) == ("n", ("script",))
    assert [case.id for case in dataset.cases] == ["a"]
    assert folder.problems(
        "d.jsonl", '{"$dataset": {"nme": "n"}}\n{"id": "a", "input": "x"}\n'
    ) == ["d.jsonl:1:15: unknown key 'nme'. Did you mean 'name'?"]


def test_json_and_yaml_are_the_same_dataset(folder):
    """Only the path differs, and where the case stands."""
    raw = {"name": "d", "models": ["script"], "cases": [{"id": "a", "input": [1, {"b": None}]}]}
    one = folder.load("d.json", json.dumps(raw))
    two = folder.load("d.yaml", json.dumps(raw))
    assert one.model_copy(update={"path": "d.yaml"}).digest == two.digest


def test_a_missing_id_is_made_of_the_question(folder):
    """A slug and six digits of the case's digest, whatever stands around it."""
    text = '{"input": "What is Paris?"}\n{"turns": ["Hi there", "x"]}\n{"input": {"a": 1}}\n'
    text += '{"input": [{"role": "system", "content": "s"}, {"role": "user", "content": "Why?"}]}\n'
    ids = [case.id for case in folder.load("d.jsonl", text).cases]
    assert [id_[:-7] for id_ in ids] == ["what-is-paris", "hi-there", "a-1", "why"]
    more = folder.load("d.jsonl", '{"input": "new"}\n' + text)
    assert ids == [case.id for case in more.cases][1:]
    assert folder.load("d.jsonl", '{"input": "What is Rome?"}').cases[0].id[-6:] != ids[0][-6:]


def test_defaults_are_joined_and_yield(folder):
    """Tags are joined, mappings merged with the case's own values on top."""
    dataset = folder.load(
        "d.yaml",
        "defaults: {tags: [en, x], metadata: {a: 1, b: 1}, variables: {v: 1}, samples: 3}\n"
        "cases:\n"
        "- {id: a, input: x, tags: [x, y], metadata: {b: 2}, samples: 1}\n"
        "- {id: b, input: x, tags: z}\n",
    )
    a, b = dataset.cases
    assert (
        a.tags,
        a.metadata,
        a.variables,
        a.samples,
    ) == (("en", "x", "y"), {"a": 1, "b": 2}, {"v": 1}, 1)
    assert (
        b.tags,
        b.metadata,
        b.variables,
        b.samples,
    ) == (("en", "x", "z"), {"a": 1, "b": 1}, {"v": 1}, 3)


def test_equal_scorers_are_one(folder):
    """The same assertion on many cases is one value; 1, 1.0 and true are three."""
    dataset = folder.load(
        "d.jsonl",
        "".join(
            json.dumps({"id": f"c{i}", "input": "x", "scorers": [{"equals": value}]}) + "\n"
            for i, value in enumerate([1, 1, 1.0, True, "1"])
        ),
    )
    specs = [case.scorers[0] for case in dataset.cases]
    assert specs[0] is specs[1]
    assert [spec.argument for spec in specs] == [1, 1, 1.0, True, "1"]
    assert [int, int, float, bool, str] == [type(spec.argument) for spec in specs]


def test_cases_are_small(folder):
    """A case costs under a kilobyte besides its texts; what cases share is not copied into each."""
    import tracemalloc

    rows = "".join(f'{{"id": "c{i}", "input": "x{i}"}}\n' for i in range(2000))
    folder.load("d.jsonl", rows)
    tracemalloc.start()
    try:
        dataset = folder.load("d.jsonl", rows)
        taken = tracemalloc.get_traced_memory()[0] / len(dataset.cases)
    finally:
        tracemalloc.stop()
    assert taken < 1000
    first, other = dataset.cases[:2]
    assert first.model_fields_set is other.model_fields_set
    changed = first.model_copy(update={"tags": ("t",)})
    assert "tags" in changed.model_fields_set
    assert {"id", "input", "source"} == first.model_fields_set == other.model_fields_set


def test_shared_anchors_make_equal_cases(folder):
    """Anchors and merge keys are how YAML users repeat themselves."""
    dataset = folder.load(
        "d.yaml",
        "x-base: &base {tags: [t], scorers: [is_json]}\n"
        "cases:\n- {<<: *base, id: a, input: x}\n- {<<: *base, id: b, input: y, tags: [u]}\n",
    )
    assert [case.tags for case in dataset.cases] == [("t",), ("u",)]
    assert dataset.cases[0].scorers == dataset.cases[1].scorers


def test_the_collector_is_left_as_it_was(folder):
    """Collection is paused while loading, also when it fails."""
    import gc

    folder.load("d.yaml", CASES)
    folder.problems("d.yaml", "x: 1")
    assert gc.isenabled()
    gc.disable()
    try:
        folder.load("d.yaml", CASES)
        assert not gc.isenabled()
    finally:
        gc.enable()


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
).filter(
    lambda value: (
        not (
            isinstance(value, list)
            and value
            and all(isinstance(item, dict) and "role" in item for item in value)
        )
    )
)


@given(st.lists(st.tuples(_json, _json), min_size=1, max_size=4))
def test_any_input_and_expectation_survive(tmp_path_factory, table):
    """Whatever JSON a case holds is in the dataset, from JSON lines and from a JSON file."""
    from pytest_evals.loaders.base import LoadContext
    from pytest_evals.loaders.build import load
    from pytest_evals.registry import Registry

    class Silent(Registry):
        def check(self, dataset):
            return ()

    folder = tmp_path_factory.mktemp("any")
    rows = [{"id": f"c{i}", "input": a, "expected": b} for i, (a, b) in enumerate(table)]
    lines = folder / "d.jsonl"
    lines.write_text("\n".join(json.dumps(row) for row in rows))
    whole = folder / "d.json"
    whole.write_text(json.dumps({"cases": rows}))
    for path in (lines, whole):
        dataset = load(path, LoadContext(folder, Silent.builtin()))
        assert table == [(case.input, case.expected) for case in dataset.cases]
