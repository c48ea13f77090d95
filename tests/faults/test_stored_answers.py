"""``--evals-responses``: when a stored answer is used, and when a question is asked again."""

import json

import pytest


def edit(pytester, name: str, change) -> None:
    """Change a dataset."""
    path = pytester.path / name
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_auto_asks_once_and_then_never_again(server, ask, evals):
    """The second session makes no call."""
    name = ask(5)
    evals(name).assert_outcomes(passed=5)
    assert server.asked() == {f"q{i}": 1 for i in range(5)}
    server.forget()
    result = evals(name)
    result.assert_outcomes(passed=5)
    assert server.total() == 0
    result.stdout.fnmatch_lines(["5 stored responses; run saved: *"])


def test_what_cannot_change_the_answer_asks_nothing(server, ask, evals, pytester):
    """Names, tags and scorers are not part of a question."""
    name = ask(3)
    evals(name).assert_outcomes(passed=3)
    server.forget()

    def change(data):
        for case in data["cases"]:
            case["id"] = f"renamed-{case['id']}"
            case["tags"] = ["new"]
        data["scorers"] = [{"icontains": "SAID"}, {"contains": "q"}]
        data["models"][0]["id"] = "other"
        data["name"] = "renamed"

    edit(pytester, name, change)
    evals(name).assert_outcomes(passed=3)
    assert server.total() == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["models"][0].update(params={"temperature": 0.5}),
        lambda data: data["models"][0].update(model="newer"),
        lambda data: data["models"][0].update(version="2"),
        lambda data: data.update(prompt="Answer: {{ input }}"),
    ],
    ids=["params", "model", "version", "prompt"],
)
def test_what_can_change_the_answer_asks_again(change, server, ask, evals, pytester):
    """Each of these makes it another question."""
    name = ask(2)
    evals(name).assert_outcomes(passed=2)
    server.forget()
    edit(pytester, name, change)
    evals(name).assert_outcomes(passed=2)
    assert server.total() == 2


def test_more_samples_ask_only_those_that_are_new(server, ask, evals):
    """From one sample to five: four more calls a case."""
    name = ask(2)
    evals(name).assert_outcomes(passed=2)
    server.forget()
    evals("--evals-samples=5", name).assert_outcomes(passed=10)
    assert server.asked() == {"q0": 4, "q1": 4}


def test_equal_questions_of_one_session_are_asked_once(server, ask, evals, records):
    """Twelve cases with one question, at once: one call, and one that is paid for."""
    server.script({"*": [{"delay_s": 0.2}]})
    price = {"price": {"input": 1000, "output": 1000}}
    name = ask(questions=["same"] * 12, model=price)
    result = evals("--evals-concurrency=12", name)
    result.assert_outcomes(passed=12)
    assert server.asked() == {"same": 1}
    sources = [record["exchanges"][0].get("source") for record in records().values()]
    assert sources.count("stored") == 11
    result.stdout.fnmatch_lines(["1 call ($0.01*), 11 stored responses; run *"])


def test_equal_questions_that_fail_are_asked_once_too(server, ask, evals):
    """A refusal is the same for all who wait for it."""
    server.script({"same": [{"delay_s": 0.5, "status": 400}]})
    evals("--evals-concurrency=4", ask(questions=["same"] * 4)).assert_outcomes(errors=4)
    assert server.asked() == {"same": 1}


def test_refresh_asks_again_and_overwrites(server, ask, evals, records):
    """Each trial makes its call, equal questions too; the next session gets the new answers."""
    name = ask(questions=["q0", "q1", "q0"])
    evals(name).assert_outcomes(passed=3)
    server.forget()
    server.script({"*": [{"text": "newly said", "forever": True}]})
    evals("--evals-responses=refresh", "--evals-concurrency=1", name).assert_outcomes(passed=3)
    assert server.asked() == {"q0": 2, "q1": 1}
    server.forget()
    evals(name).assert_outcomes(passed=3)
    assert server.total() == 0
    answers = {r["exchanges"][0]["response"]["text"] for r in records().values()}
    assert answers == {"newly said"}


@pytest.mark.parametrize("mode", ["off", "refresh"])
def test_equal_questions_at_once_are_calls_of_their_own(mode, server, ask, evals):
    """`off` and `refresh` mean one call for each trial, whatever its question."""
    server.script({"same": [{"delay_s": 0.1, "forever": True}]})
    name = ask(questions=["same"] * 4)
    evals(f"--evals-responses={mode}", "--evals-samples=2", name).assert_outcomes(passed=8)
    assert server.asked() == {"same": 8}


def test_a_model_with_another_key_is_called(server, write, evals, monkeypatch):
    """A second entry with a wrong key does not pass by the answer of the first."""
    monkeypatch.setenv("RIGHT_KEY", "right")
    monkeypatch.setenv("WRONG_KEY", "wrong")
    model = {"provider": "openai", "base_url": server.url, "model": "m"}
    models = [
        {**model, "id": "right", "api_key_env": "RIGHT_KEY"},
        {**model, "id": "wrong", "api_key_env": "WRONG_KEY"},
        {**model, "id": "header", "headers": {"x-key": {"env": "RIGHT_KEY"}}},
    ]
    cases = [{"id": "c", "input": "q", "scorers": [{"contains": "a"}]}]
    write("keys.evals.json", json.dumps({"models": models, "cases": cases}))
    evals("keys.evals.json")
    assert server.asked() == {"q": 3}


def test_a_refresh_that_fails_leaves_the_old_answer(server, ask, evals):
    """What was paid for is not thrown away for an error."""
    name = ask(1)
    evals(name).assert_outcomes(passed=1)
    server.script({"*": [{"status": 400, "forever": True}]})
    evals("--evals-responses=refresh", name).assert_outcomes(errors=1)
    server.forget()
    evals(name).assert_outcomes(passed=1)
    assert server.total() == 0


def test_off_neither_uses_nor_keeps_answers(server, ask, evals, stored):
    """Each session asks everything."""
    name = ask(3)
    evals(name)
    server.forget()
    evals("--evals-responses=off", name).assert_outcomes(passed=3)
    assert server.total() == 3
    assert len(stored("select key from responses")) == 3
    evals("--evals-responses=off", ask(4)).assert_outcomes(passed=4)
    assert len(stored("select key from responses")) == 3


def test_replay_makes_no_call_and_tells_what_is_stale(server, ask, evals, pytester):
    """PASS and FAIL as recorded; STALE names the part that changed."""
    server.script({"q1": [{"text": "no"}]})
    name = ask(3)
    evals(name).assert_outcomes(passed=2, failed=1)
    server.forget()

    def change(data):
        data["cases"][2]["input"] = "another question"
        data["cases"].append({"id": "c3", "input": "never asked"})

    edit(pytester, name, change)
    result = evals("--evals-responses=replay", name)
    assert server.total() == 0
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"], outcomes["errors"]) == (1, 1, 2)
    result.stdout.fnmatch_lines_random(
        ["*c2*stale: STALE: the prompt changed*", "*c3*STALE: no answer of 'm' is stored*"]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda data: data["models"][0].update(params={"temperature": 0.5}), "`temperature`"),
        (lambda data: data["models"][0].update(model="newer"), "the model"),
        (lambda data: data.update(prompt="Answer: {{ input }}"), "the prompt"),
        (lambda data: data["models"][0].update(version="2"), "the model's version"),
    ],
    ids=["params", "model", "prompt", "version"],
)
def test_stale_names_the_changed_part(change, part, server, ask, evals, pytester, records):
    """So that one knows whether the change was meant."""
    name = ask(1)
    evals(name)
    edit(pytester, name, change)
    evals("--evals-responses=replay", name).assert_outcomes(errors=1)
    assert f"STALE: {part} changed" in records()["c0"]["error"]["message"]


def test_replay_needs_no_key(server, ask, evals, monkeypatch):
    """Nothing is called, so nothing is needed to call."""
    monkeypatch.setenv("SOME_KEY", "sk-0123456789")
    name = ask(1, model={"api_key_env": "SOME_KEY"})
    evals(name).assert_outcomes(passed=1)
    monkeypatch.delenv("SOME_KEY")
    evals("--evals-responses=replay", name).assert_outcomes(passed=1)
    result = evals("--evals-responses=refresh", name)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*SOME_KEY (for m)*"])


def counting(pytester) -> list[str]:
    """Return what a target was asked, and forget it."""
    path = pytester.path / "asked.txt"
    asked = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return asked


TARGET = """
    def answer(text):
        with open("asked.txt", "a") as file:
            file.write(text + "\\n")
        return text
    """


def test_answers_of_user_code_are_not_used_again(python_target, evals, pytester):
    """The code may have changed; a replay is what one asked for."""
    name = python_target(TARGET, 3)
    for _ in range(2):
        evals(name).assert_outcomes(passed=3)
        assert sorted(counting(pytester)) == ["q0", "q1", "q2"]
    evals("--evals-responses=replay", name).assert_outcomes(passed=3)
    assert counting(pytester) == []


def test_a_replay_needs_no_user_code(python_target, evals, pytester):
    """Where the application is not installed, its recorded answers can still be judged."""
    name = python_target(TARGET, 2)
    evals(name).assert_outcomes(passed=2)
    pytester.path.joinpath("app.py").unlink()
    evals("--evals-responses=replay", name).assert_outcomes(passed=2)


def test_answers_of_user_code_are_used_again_where_the_model_says_so(
    python_target, evals, pytester
):
    """With ``stored: true``, until its ``version`` changes."""
    name = python_target(TARGET, 3, model={"stored": True})
    evals(name).assert_outcomes(passed=3)
    counting(pytester)
    evals(name).assert_outcomes(passed=3)
    assert counting(pytester) == []
    python_target(TARGET, 3, model={"stored": True, "version": "2"})
    evals(name).assert_outcomes(passed=3)
    assert len(counting(pytester)) == 3


def test_answers_of_a_service_and_of_a_program_are_not_used_again(server, write, evals, pytester):
    """As for python: an address and a command do not say what stands behind them."""
    write(
        "tool.py",
        "import json, sys\nopen('asked.txt', 'a').write('x ')\nprint(json.load(sys.stdin)['input'])",
    )
    url = server.url.removesuffix("/v1") + "/v1/chat/completions"
    body = {"messages": [{"role": "user", "content": "{{ input }}"}]}
    http = {"id": "h", "provider": "http", "url": url, "body": body}
    models = [
        {**http, "answer": "choices[0].message.content"},
        {"id": "c", "provider": "command", "command": ["python", "tool.py"]},
    ]
    cases = [{"id": "c0", "input": "q0"}]
    data = {"models": models, "scorers": [{"contains": "q0"}], "cases": cases}
    write("opaque.evals.yaml", json.dumps(data))
    for number in (1, 2):
        evals("opaque.evals.yaml").assert_outcomes(passed=2)
        assert server.asked() == {"q0": number}
        assert counting(pytester) == ["x"]


def test_judges_answers_are_stored_too_and_apart(server, ask, evals):
    """A second session asks neither the model nor its judge."""
    judge = {"id": "j", "provider": "openai", "base_url": server.url, "model": "judge"}
    model = {"id": "m", "provider": "openai", "base_url": server.url, "model": "fake"}
    name = ask(
        2,
        models=[model],
        judges={"good": {"model": judge, "rubric": "Is it good?"}},
        scorers=[{"judge": {"use": "good"}}],
    )
    evals(name)
    first = server.total()
    assert first >= 4
    server.forget()
    evals(name)
    assert server.total() <= first - 4
