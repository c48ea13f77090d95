"""What is wrong with a dataset: every kind of problem, in plain words, at its exact place."""

import json

import pytest


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nme: x", "1:1: unknown key 'nme'. Did you mean 'name'?"),
        ("name: a/b", "1:7: a dataset's name is a file name without folders, found 'a/b'"),
        ("name: ''", "1:7: `name`: expected a text that is not empty, found the text ''"),
        ("description: 5", '1:14: `description`: expected a text, found the number 5; write "5"'),
        ("samples: 0", "1:10: `samples`: expected a number >= 1 or a mapping, found the number 0"),
        (
            "samples: 1.5",
            "1:10: `samples`: expected a whole number or a mapping, found the number 1.5",
        ),
        (
            "max_error_rate: 2",
            "1:17: `max_error_rate`: expected a number <= 1, found the number 2",
        ),
        ("gates: no", "1:8: `gates`: expected a list, found the text 'no'; put it in a list"),
        ("judges: [a]", "1:9: `judges`: expected a mapping, found a list of 1"),
        ("judges: {a: 1}", "1:13: `a`: expected a mapping, found the number 1"),
        ("tools: {a: 1}", "1:8: `tools`: expected a list, found a mapping with 'a'; put it in"),
        ("response_format: x", "1:18: `response_format`: expected a mapping, found the text 'x'"),
        ("defaults: {tag: x}", "1:12: unknown key 'tag'. Did you mean 'tags'?"),
        ("defaults: 5", "1:11: expected a mapping, found the number 5"),
        (
            "defaults: {samples: 0}",
            "1:21: `samples`: expected a number >= 1 or a mapping, found the number 0",
        ),
        ("models: script", "1:9: `models`: expected a list of models, found the text 'script'"),
        ("models:", "1:8: `models`: expected a list of models, found nothing (null)"),
        (
            "models: [5]",
            (
                "1:10: expected a model (`provider:model`, or a mapping with `provider`), found the "
                "number 5"
            ),
        ),
        (
            "models: [{model: openai:x}]",
            "1:10: `provider` is missing here; write `provider: openai` and `model: x`",
        ),
        (
            "models: [{openai: x}]",
            "1:10: `provider` is missing here; write `provider: openai`",
        ),
        ("models: [{id: x}]", "1:10: `provider` is missing here. Known: openai, script."),
        (
            "models: [{provider: openai, price: {input: 1, output: 2, outptu: 2}}]",
            "1:58: unknown key 'outptu'. Did you mean 'output'?",
        ),
        (
            "models: [{provider: openai, id: 'a[b]'}]",
            (
                "1:33: the id of a model is part of test names: it must not be empty or contain "
                "[ ] or `::`, found 'a[b]'; set another `id`"
            ),
        ),
        (
            "models: [{provider: openai, concurrency: many}]",
            "1:42: `concurrency`: expected a whole number, found the text 'many'",
        ),
        ("prompt: 5", "1:9: expected a prompt (a text, a list of messages with `role` and"),
        ("prompt: [{role: usr, content: x}]", "1:17: `role`: unknown 'usr'. Did you mean 'user'?"),
        ("prompt: [{content: x}]", "1:10: `role` is missing here"),
        (
            "prompt: [{role: user, contnt: x}]",
            "1:23: unknown key 'contnt'. Did you mean 'content'?",
        ),
        (
            "prompt: [{role: user, content: 5}]",
            '1:32: `content`: expected a text or a list, found the number 5; write "5"',
        ),
        (
            "prompt: [{role: user, content: [5]}]",
            "1:33: expected a mapping, found the number 5",
        ),
        (
            "prompt: file://p.md",
            (
                "1:9: file 'p.md' does not exist (named 'file://p.md' relative to this file). Known: "
                "d.yaml."
            ),
        ),
        ("prompt: file:///etc/passwd", "1:9: 'file:///etc/passwd' is outside of the rootdir; "),
        ("prompt: file://../x.md", "1:9: 'file://../x.md' is outside of the rootdir; "),
        ("prompt: file://", "1:9: 'file://' is not the name of a file"),
        ("prompt: file://d.yaml", "1:1: expected a prompt (a text, a list of messages"),
        ("scorers: {a: 1}", "1:10: `scorers`: expected a list of scorers, found a mapping with"),
        (
            "scorers: [{contains: x, icontains: y}]",
            (
                "1:11: a scorer is one name with its argument (`contains: x`) or has a `type`; found "
                "2 names: contains, icontains"
            ),
        ),
        (
            "scorers: [5]",
            (
                "1:11: expected a scorer (a name, `contains: x`, or a mapping with `type`), found the "
                "number 5"
            ),
        ),
        (
            "scorers: [{contains: x, weight: 0}]",
            "1:33: `weight`: expected a number > 0, found the number 0",
        ),
        (
            "scorers: [{type: 5}]",
            '1:18: `type`: expected a text, found the number 5; write "5"',
        ),
    ],
)
def test_problems_of_the_dataset_itself(folder, line, expected):
    """One wrong line, one problem, at its line and column."""
    (problem,) = folder.problems("d.yaml", f"{line}\ncases: [{{id: a, input: x}}]\n")
    assert problem.startswith(f"d.yaml:{expected}")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("{input: x, expcted: 5}", "2:14: unknown key 'expcted'. Did you mean 'expected' or"),
        ("{input: x, source: y}", "2:14: unknown key 'source'. Known: expect, expected, id, "),
        ("{id: a b, input: x}", "2:8: an id is letters, digits and . _ - + / @ = : without"),
        ("{id: 7, input: x}", '2:8: `id`: expected a text, found the number 7; write "7"'),
        ("{id: true, input: x}", '2:8: `id`: expected a text, found true; write "true"'),
        ("{id: , input: x}", "2:8: `id`: expected a text, found nothing (null)"),
        ("text", "2:3: expected a case (a mapping with `id`, `input`), found the text 'text'"),
        ("[1]", "2:3: expected a case (a mapping with `id`, `input`), found a list of 1"),
        ("{}", None),
        ("{input: a, turns: [b]}", "2:3: give `input` or `turns`, not both"),
        ("{turns: [1, b]}", '2:12: expected a text, found the number 1; write "1"'),
        ("{turns: b}", "2:11: `turns`: expected a list, found the text 'b'; put it in a list"),
        (
            "{input: [{role: user, content: a}, {role: usr, content: b}]}",
            "2:45: `role`: unknown 'usr'. Did you mean 'user'?",
        ),
        ("{input: [{role: user, contnt: a}]}", "2:25: unknown key 'contnt'. Did you mean 'con"),
        (
            "{input: x, tags: [two words]}",
            "2:20: a tag is one word of letters, digits and . _ - + /, found 'two words'",
        ),
        ("{input: x, tags: [5]}", '2:21: expected a text, found the number 5; write "5"'),
        (
            "{input: x, samples: 0}",
            "2:23: `samples`: expected a number >= 1 or a mapping, found the number 0",
        ),
        ("{input: x, metadata: 5}", "2:24: `metadata`: expected a mapping, found the number 5"),
        ("{input: x, variables: [1]}", "2:25: `variables`: expected a mapping, found a list of"),
        ("{input: x, tools: [5]}", "2:22: expected a mapping, found the number 5"),
        ("{input: x, expect: 5}", "2:22: `expect`: expected a mapping, found the number 5"),
        ("{input: x, scorers: 5}", "2:23: `scorers`: expected a list, found the number 5"),
        (
            "{input: x, scorers: [is_json, {weight: 1}]}",
            (
                "2:33: a scorer is one name with its argument (`contains: x`) or has a `type`; found "
                "0 names: none"
            ),
        ),
        ("{input: x, scorers: ['']}", "2:24: expected a scorer (a name, `contains: x`, or a "),
        ("{input: x, script: 5}", "2:22: `script`: expected a mapping, found the number 5"),
        (
            "{input: x, script: [{kind: chat}]}",
            "2:23: unknown kind 'chat'. Known: chat_response, error",
        ),
        (
            "{input: x, script: [{content: a}]}",
            "2:23: `kind` is missing in a mapping with 'content'",
        ),
        (
            "{input: x, script: [{kind: error}, {kind: chat_response}]}",
            "2:38: `content` is missing here",
        ),
        (
            "{input: x, script: {v1: [[{kind: error}], [{kind: tool_call, nme: a, name: b}]]}}",
            "2:64: unknown key 'nme'. Did you mean 'name'?",
        ),
        (
            "{input: x, script: {events: [{kind: error}, {kind: error, error_type: rate_limt}]}}",
            "2:73: `error_type`: unknown 'rate_limt'. Did you mean 'rate_limit'?",
        ),
        (
            "{input: x, script: {models: {v1: [{kind: chat_response, content: 5}]}}}",
            '2:68: `content`: expected a text, found the number 5; write "5"',
        ),
        (
            "{input: x, script: [{kind: chat_response, content: a, tokens: {promt_tokens: 1}}]}",
            "2:66: unknown key 'promt_tokens'. Did you mean 'prompt_tokens' or",
        ),
        (
            "{input: x, script: {events: [], samples: []}}",
            "2:22: give `events` (every sample) or `samples` (one list for each sample)",
        ),
        (
            "{$include: a, id: b}",
            "2:3: `$include` must be the only key, with the path of a file of cases",
        ),
        ("{$include: 5}", "2:3: `$include` must be the only key, with the path of a file of cases"),
        (
            "{$include: no.csv}",
            "2:14: file 'no.csv' does not exist (named 'no.csv' relative to thi",
        ),
        ("{$include: ../no.csv}", "2:14: '../no.csv' is outside of the rootdir; move the file b"),
        ("{$include: d.yaml}", "2:14: 'd.yaml' includes itself: d.yaml -> d.yaml"),
        ("{$dataset: {}}", "2:3: `$dataset` is only allowed in the first row of a dataset"),
    ],
)
def test_problems_of_a_case(folder, case, expected):
    """One wrong case, one problem, at its line and column; the case beside it is no matter."""
    text = f"cases:\n- {case}\n- {{id: good, input: x}}\n"
    if expected is None:
        assert len(folder.load("d.yaml", text).cases) == 2
        return
    (problem,) = folder.problems("d.yaml", text)
    assert problem.startswith(f"d.yaml:{expected}")


def test_all_problems_come_at_once_in_the_order_of_the_file(folder):
    """Syntax-like problems, wrong values and what the checker says, together."""
    folder.checker.says = lambda dataset: [
        (("cases", i, "scorers", 0, "contans"), "no scorer is called 'contans'")
        for i, case in enumerate(dataset.cases)
        if case.scorers
    ]
    assert folder.problems(
        "d.yaml",
        "samples: 1\nsamples: 0\ncases:\n- {id: a,      inptu: x}\n"
        "- {scorers: [contans: x], id: b}\n- {id: b}\n",
    ) == [
        "d.yaml:2:1: duplicate key 'samples' in this mapping, first in line 1",
        "d.yaml:2:10: `samples`: expected a number >= 1 or a mapping, found the number 0",
        "d.yaml:4:16: unknown key 'inptu'. Did you mean 'input'?",
        "d.yaml:5:14: no scorer is called 'contans'",
        "d.yaml:6:8: duplicate id 'b', first in d.yaml:5; ids must be unique",
    ]


def test_what_the_checker_says_is_placed_in_its_file(folder):
    """Cases from several files, with invalid ones between them, keep their places."""
    folder.write("more.jsonl", '{"id": "b", "expcted": 1}\n{"id": "c", "scorers": ["x", "y"]}\n')
    folder.write("t.csv", "id,input,expected\nd,x,y\n")
    folder.checker.says = lambda dataset: [
        (("cases", [c.id for c in dataset.cases].index("c"), "scorers", 1), "on c"),
        (("cases", [c.id for c in dataset.cases].index("d"), "expected"), "on d"),
        (("cases", [c.id for c in dataset.cases].index("e")), "on e"),
        (("cases", [c.id for c in dataset.cases].index("e"), "no", "such", "way"), "on e too"),
    ]
    text = "cases:\n- text\n- $include: more.jsonl\n- $include: t.csv\n- id: e\n  input: x\n"
    assert folder.problems("d.yaml", text) == [
        "d.yaml:2:3: expected a case (a mapping with `id`, `input`), found the text 'text'",
        "d.yaml:5:3: on e",
        "d.yaml:5:3: on e too",
        "more.jsonl:1:13: unknown key 'expcted'. Did you mean 'expected' or 'expect'?",
        "more.jsonl:2:30: on c",
        "t.csv:2:5: on d",
    ]


def test_what_the_checker_says_of_models_and_scorers_counts_from_the_file(folder):
    """A wrong model before it shifts no place; unknown keys are shown at the key."""
    folder.checker.says = lambda _dataset: [
        (("models", 0, "base_ulr"), "unknown key 'base_ulr' for provider 'openai'."),
        (("models", 0, "base_ulr"), "expected a URL"),
        (("scorers", 0, "regex"), "the pattern is wrong"),
        (("prompt", "messages", 1, "content"), "the template is wrong"),
        (("judges", "j", "rubric"), "no rubric"),
        (("gates", 0), "no gate"),
    ]
    text = (
        "models:\n- 5\n- {provider: openai, base_ulr: x}\n"
        "scorers: [5, regex: (]\n"
        "prompt: [{role: user, content: a}, {role: user, content: b}]\n"
        "judges: {j: {}}\ngates: [x]\ncases: [{id: a}]\n"
    )
    assert folder.problems("d.yaml", text) == [
        (
            "d.yaml:2:3: expected a model (`provider:model`, or a mapping with `provider`), found the "
            "number 5"
        ),
        "d.yaml:3:22: unknown key 'base_ulr' for provider 'openai'.",
        "d.yaml:3:32: expected a URL",
        (
            "d.yaml:4:11: expected a scorer (a name, `contains: x`, or a mapping with `type`), found "
            "the number 5"
        ),
        "d.yaml:4:21: the pattern is wrong",
        "d.yaml:5:58: the template is wrong",
        "d.yaml:6:13: no rubric",
        "d.yaml:7:9: no gate",
    ]


def test_consequences_of_another_mistake_are_not_told(folder):
    """With a misspelt `scorers`, no case is said to assert nothing; its own mistakes are."""
    folder.checker.says = lambda _dataset: [
        (("cases", 0), "has no assertions"),
        (("cases", 0, "script"), "has no recorded answer"),
        (("cases", 0, "scorers", 0), "cannot fail"),
    ]
    assert folder.problems("d.yaml", "scorer: [x]\ncases: [{id: a, scorers: [  x]}]\n") == [
        "d.yaml:1:1: unknown key 'scorer'. Did you mean 'scorers'?",
        "d.yaml:2:29: cannot fail",
    ]


def test_cases_that_ask_the_same_without_ids_are_named(folder):
    """Their derived ids would be one."""
    assert folder.problems("d.jsonl", '{"input": "a"}\n{"input": "b"}\n{"input": "a"}\n') == [
        "d.jsonl:3:1: this case has the same content as the one in d.jsonl:1; give both an `id`"
    ]


def test_ids_that_stand_twice_name_both_files(folder):
    """Across an include too."""
    folder.write("more.csv", "id,input\na,x\n")
    assert (folder.problems("d.yaml", "cases:\n- {id: a, input: x}\n- $include: more.csv\n")) == [
        "more.csv:2:1: duplicate id 'a', first in d.yaml:2; ids must be unique"
    ]


def test_cycles_of_includes_are_shown_whole(folder):
    """The way round is in the message, at the place that closes it."""
    folder.write("b.yaml", "- $include: sub/c.jsonl\n")
    folder.write("sub/c.jsonl", '{"$include": "../b.yaml"}\n')
    assert folder.problems("a.yaml", "cases: b.yaml\n") == [
        "sub/c.jsonl:1:14: '../b.yaml' includes itself: a.yaml -> b.yaml -> sub/c.jsonl -> b.yaml"
    ]


def test_included_files_hold_a_list_of_cases(folder):
    """A mapping, an empty list and a broken file are each named."""
    folder.write("map.yaml", "cases: []\n")
    folder.write("none.json", "[]")
    folder.write("bad.json", "[,]")
    folder.write("x.toml", "a = 1")
    assert folder.problems(
        "d.yaml",
        "cases:\n- $include: map.yaml\n- $include: none.json\n- $include: bad.json\n"
        "- $include: x.toml\n",
    ) == [
        "d.yaml:3:13: 'none.json' has no cases",
        "bad.json:1:2: not JSON: expecting value, found ','",
        "map.yaml:1:1: an included file must be a list of cases, found a mapping with 'cases'",
        (
            "x.toml: found a file with the suffix '.toml', expected one of .yaml, .yml, .json, "
            ".jsonl, .ndjson, .csv, .tsv"
        ),
    ]


def test_problems_of_a_prompt_file_are_in_that_file(folder):
    """Its lines, not the dataset's."""
    folder.write("p.yaml", "- role: user\n  content: 5\n- role: usr\n  content: file://no.md\n")
    problems = folder.problems("d.yaml", "prompt: file://p.yaml\ncases: [{id: a}]\n")
    assert [problem for problem in problems if "no.md" not in problem] == [
        'p.yaml:2:12: `content`: expected a text or a list, found the number 5; write "5"',
        "p.yaml:3:9: `role`: unknown 'usr'. Did you mean 'user'?",
    ]
    assert [
        problem.startswith("p.yaml:4:12: file 'no.md' does not exist")
        for problem in problems
        if "no.md" in problem
    ] == [True]


def test_links_that_leave_the_rootdir_are_refused(folder, tmp_path_factory):
    """A link is followed before the path is judged."""
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_text("secret")
    (folder.path / "p.txt").symlink_to(outside)
    (problem,) = folder.problems("d.yaml", "prompt: file://p.txt\ncases: [{id: a}]\n")
    assert problem.startswith("d.yaml:1:9: 'file://p.txt' is outside of the rootdir")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("d.yaml", "cases: []", "d.yaml:1:8: there are no cases: there is nothing to test"),
        ("d.yaml", "cases:", "d.yaml:1:7: there are no cases: there is nothing to test"),
        ("d.yaml", "name: x", "d.yaml:1:1: `cases` is missing: there is nothing to test"),
        ("d.yaml", "# x", "d.yaml:1:1: the file has no data: there is nothing to test"),
        ("d.yaml", "- a", "d.yaml:1:1: expected a mapping with `cases`, found a list of 1"),
        ("d.yaml", "just text", "d.yaml:1:1: expected a mapping with `cases`, found the text"),
        ("d.json", "[]", "d.json:1:1: expected a mapping with `cases`, found an empty list"),
        ("d.yaml", "cases: 5", "d.yaml:1:8: expected a list of cases, or the path of a file of "),
        ("d.csv", "id,input\n", "d.csv:1:1: there are no cases: there is nothing to test"),
        ("d.jsonl", '{"$dataset": {}}', "d.jsonl:1:1: there are no cases: there is nothing to"),
        (
            "d.jsonl",
            '{"$dataset": {"cases": []}}\n{"id": "a"}',
            "d.jsonl:1:24: the cases are the rows below this one",
        ),
        (
            "d.jsonl",
            '{"$dataset": {}, "id": "a"}\n{"id": "b"}',
            "d.jsonl:1:1: `$dataset` must be the only key of its row, with a mapping",
        ),
    ],
)
def test_a_dataset_without_cases_is_an_error(folder, name, text, expected):
    """Nothing to test is never a pass."""
    (problem,) = folder.problems(name, text)
    assert problem.startswith(expected)


def test_long_values_are_cut_in_messages(folder):
    """A megabyte of text does not fill the terminal."""
    (problem,) = folder.problems("d.yaml", f"cases: [{{id: a, metadata: {'x' * 1_000_000}}}]\n")
    assert len(problem) < 200


def test_a_problem_in_ten_thousand_cases_is_one_line(folder):
    """The others hide nothing and cost nothing."""
    rows = [{"id": f"c{i}", "input": "x"} for i in range(10_000)]
    rows[7_000]["expcted"] = 1
    text = "\n".join(json.dumps(row) for row in rows)
    assert folder.problems("d.jsonl", text) == [
        "d.jsonl:7001:31: unknown key 'expcted'. Did you mean 'expected' or 'expect'?"
    ]
