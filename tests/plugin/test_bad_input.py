"""Bad input gets a clear error and a non-zero exit: never our traceback, never a silent pass."""

import pytest

CASE = "{id: a, input: x, scorers: [{contains: x}]}"


def refused(result: pytest.RunResult) -> str:
    """Return what was printed, having seen that it failed without a traceback of ours."""
    text = result.stdout.str() + result.stderr.str()
    assert result.ret in {1, 2, 4}
    assert "Traceback (most recent call last)" not in text
    assert "INTERNALERROR" not in text
    assert result.parseoutcomes().get("passed", 0) == 0
    return text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.yaml", b"", "empty"),
        ("binary.yaml", b"\x00\x01\x02\xff\xfe", "binary.yaml"),
        ("latin.yaml", b"cases: [{id: a, input: caf\xe9}]", "UTF-8"),
        ("list.yaml", b"[1, 2]", "list.yaml:1:1"),
        ("nocases.yaml", b"name: x\ncases: []", "nothing to test"),
        ("double.yaml", b"name: x\nname: y\ncases: []", "double.yaml:2:1"),
        ("bomb.yaml", b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9))
            for i in range(9)
        ), "bomb.yaml"),
        ("long.jsonl", b'{"id": "a", "input": "' + b"x" * 10_000_000, "long.jsonl:1"),
        ("unknown.yaml", b"nmae: x\ncases: [{id: a, input: b, scorers: [is_json]}]", "'name'"),
    ],
)  # fmt: skip
def test_files_that_are_no_dataset(pytester, evals, name, content, words):
    """The message says what was found and where."""
    pytester.path.joinpath(name).write_bytes(content)
    assert words in refused(evals(name))


def test_a_missing_file_is_a_usage_error(evals):
    """Pytest's own message, pytest's own status."""
    assert evals("nowhere.yaml").ret == pytest.ExitCode.USAGE_ERROR


def test_a_bom_is_no_problem(pytester, evals):
    """A file from another editor works."""
    script = "[{kind: chat_response, content: '1'}]"
    text = f"cases: [{{id: a, input: x, scorers: [is_json], script: {script}}}]"
    pytester.path.joinpath("bom.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    evals("bom.yaml").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("{id: a, input: x}", "has no assertions"),
        ("{id: a, input: x, scorers: [{contians: x}]}", "Did you mean 'contains'"),
        ("{id: a, input: x, scorers: [{contains: ''}]}", "cannot fail"),
        ("{id: a, input: x, scorer: [is_json]}", "'scorers'"),
        ("{id: a b, input: x, scorers: [is_json]}", "'a-b'"),
        ("{id: a, scorers: [is_json]}", "has no input"),
        (f"{CASE}, {CASE}", "'a'"),
        ("{id: a, input: x, samples: 0, scorers: [is_json]}", "samples"),
        ("{id: a, input: x, turns: [b], scorers: [is_json]}", "not both"),
    ],
)
def test_cases_that_are_not_right(write, evals, case, words):
    """Every problem has its place and says what to do."""
    name = write("bad.yaml", f"models: [{{id: m, provider: script}}]\ncases: [{case}]")
    text = refused(evals(name))
    assert words in text
    assert "bad.yaml:" in text


def test_all_problems_are_shown_at_once(write, evals):
    """Three mistakes, three messages, one run."""
    name = write(
        "many.yaml",
        """
        models: [{id: m, provider: opnai}]
        cases:
          - {id: a, input: x, scorers: [{contians: x}]}
          - {id: b, inptu: x, scorers: [is_json]}
        """,
    )
    text = refused(evals(name))
    for words in ("'openai'", "'contains'", "'input'"):
        assert words in text


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("{id: m, provider: nobody}", "no provider is called 'nobody'"),
        ("{id: m, provider: python}", "target"),
        ('{id: m, provider: python, target: "no_such_module:f"}', "no_such_module"),
        ("{id: m, provider: command, command: [./no-such-program]}", "no-such-program"),
        ("{id: m, provider: openai, model: gpt, base_ulr: x}", "'base_url'"),
    ],
)
def test_models_that_cannot_be_asked(write, evals, model, words):
    """Known before the first call."""
    name = write("model.yaml", f"models: [{model}]\ncases: [{CASE}]")
    assert words in refused(evals(name))


@pytest.mark.parametrize("values", ["[0, 0.7]", "{grid: [0, 0.7]}"])
def test_a_list_where_a_number_stood(write, evals, values):
    """At its line, with what to write; a list that is one by nature is no problem."""
    name = write(
        "hot.yaml",
        f"""
        models:
          - id: hot
            provider: openai
            model: gpt
            params:
              stop: [a, b]
              temperature: {values}
        cases: [{CASE}]
        """,
    )
    text = refused(evals(name))
    assert "hot.yaml:8:20: `temperature` is one number, found " in text
    assert "to compare values, list a model for each, with an `id` of its own" in text
    assert "stop" not in text


def test_missing_keys_are_named_all_at_once(write, evals):
    """One clear error, before anything is asked."""
    name = write(
        "keys.yaml",
        f"""
        models:
          - openai:gpt-4.1
          - anthropic:claude
          - {{id: c, provider: openai, model: x, api_key_env: MY_KEY}}
        cases: [{CASE}]
        """,
    )
    result = evals(name)
    text = refused(result)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MY_KEY"):
        assert variable in text


def test_an_unreachable_server_errs(write, evals, pytester):
    """No answer is an error with the address, not a wrong answer."""
    pytester.makeini("[pytest]\nevals_max_retries = 0")
    name = write(
        "down.yaml",
        f"""
        models: [{{id: m, provider: openai, model: x, base_url: "http://127.0.0.1:9/v1"}}]
        cases: [{CASE}]
        """,
    )
    result = evals(name)
    result.assert_outcomes(errors=1)
    assert "127.0.0.1:9" in refused(result)


def test_a_target_that_raises_shows_the_users_traceback_only(write, evals):
    """The user sees the line of their own code."""
    write("app.py", "def answer(text):\n    return 1 / 0\n")
    model = '{id: m, provider: python, target: "app.py:answer"}'
    name = write("app.yaml", f"models: [{model}]\ncases: [{CASE}]")
    result = evals(name)
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "ZeroDivisionError" in text
    assert "return 1 / 0" in text
    assert "pytest_evals/" not in text


def test_a_command_that_fails_shows_its_last_words(write, evals):
    """Exit status and the end of stderr."""
    name = write(
        "cmd.yaml",
        f"""
        models: [{{id: m, provider: command, command: [sh, -c, "echo no luck >&2; exit 3"]}}]
        cases: [{CASE}]
        """,
    )
    text = refused(evals(name))
    assert "no luck" in text
    assert "3" in text


def test_a_command_that_prints_without_end_is_stopped(write, evals):
    """A hundred megabytes are nobody's answer."""
    name = write(
        "cmd.yaml",
        f"""
        models: [{{id: m, provider: command, command: [sh, -c, "yes | head -c 100000000"]}}]
        cases: [{CASE}]
        """,
    )
    assert "10" in refused(evals(name))


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Say {{ inptu }}", "'input'"),
        ("Say {{ input", "syntax"),
        ("{{ input.__class__.__mro__ }}", "unsafe"),
        ("{{ ''.__class__.__base__.__subclasses__() }}", "unsafe"),
    ],
)
def test_templates_that_cannot_be_rendered(write, evals, prompt, words):
    """Undefined names and attempts to reach Python internals are errors."""
    write("app.py", "def answer(text):\n    return text\n")
    name = write(
        "prompt.yaml",
        f"""
        models: [{{id: m, provider: python, target: "app.py:answer"}}]
        prompt: "{prompt}"
        cases: [{CASE}]
        """,
    )
    assert words in refused(evals(name))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--evals-samples=0", "at least 1"),
        ("--evals-concurrency=many", "whole number"),
        ("--evals-responses=sometimes", "auto, replay, refresh, off"),
        ("--evals-timeout=soon", "seconds"),
        ("--evals-max-cost=-1", "at least 0"),
    ],
)
def test_options_that_are_not_right(support, evals, option, words):
    """A usage error that names the option and what was expected."""
    result = evals(option, support)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert words in text
    assert option.partition("=")[0] in text


def test_an_environment_variable_and_an_ini_value_are_named_too(support, evals, monkeypatch):
    """The message says where the value came from."""
    monkeypatch.setenv("PYTEST_EVALS_SAMPLES", "none")
    result = evals(support)
    assert "PYTEST_EVALS_SAMPLES" in result.stdout.str() + result.stderr.str()


def test_the_command_line_wins_over_the_environment_over_the_ini_file(
    support, evals, pytester, monkeypatch
):
    """Precedence: command line, environment, ini."""
    pytester.makeini("[pytest]\nevals_samples = 2")
    evals("--collect-only", "-q", support).assert_outcomes()
    count = lambda r: len([line for line in r.outlines if "::" in line])  # noqa: E731
    assert count(evals("--collect-only", "-q", support)) == 12
    monkeypatch.setenv("PYTEST_EVALS_SAMPLES", "3")
    assert count(evals("--collect-only", "-q", support)) == 18
    assert count(evals("--collect-only", "-q", "--evals-samples=1", support)) == 6
