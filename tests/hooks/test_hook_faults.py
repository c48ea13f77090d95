"""What plugins do wrong: told with the plugin's name, and nothing is lost by it."""

import json
import re

import pytest

ECHO = """
from pytest_evals import Response
from pytest_evals.ground.canonical import Frozen

class Echo:
    name = "echo"
    Options = Frozen
    opaque = recorded = local = False
    def __init__(self, model, context): pass
    @classmethod
    def required_env(cls, model): return ()
    def host(self): return None
    def prepare(self): pass
    def identity(self, request): return request.messages[-1].content
    async def complete(self, request): return Response(text="fine")
    async def aclose(self): pass

"""

ASKED = """
models: [{id: m, provider: echo}]
scorers: [{contains: fine}]
cases: [{id: a, input: hi}]
"""


def refused(project):
    """Run, and return the usage error that it must end with, on one line."""
    result = project.run()
    assert pytest.ExitCode.USAGE_ERROR == result.ret, result.outlines
    return " ".join("\n".join(result.errlines).split())


def test_two_plugins_with_one_name_are_both_named(project):
    """Neither wins by chance."""
    project.write("conftest.py", "def pytest_evals_providers(): return {'x_y': 'first:X'}")
    project.write("second.py", "def pytest_evals_providers(): return {'x_y': 'second:X'}")
    project.pytester.syspathinsert()
    result = project.run("-p", "second")
    told = " ".join(result.errlines)
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    assert "two plugins bring the provider 'x_y': second and conftest.py" in told


def test_a_built_in_cannot_be_replaced_by_chance(project):
    """A plugin that brings `openai` is refused."""
    project.write("conftest.py", "def pytest_evals_providers(): return {'openai': 'mine:X'}")
    assert (
        "two plugins bring the provider 'openai': pytest-evals-matrix itself and conftest.py"
        in refused(project)
    )


@pytest.mark.parametrize(
    ("hook", "code", "told"),
    [
        ("providers", "['x']", "returned ['x'], expected a mapping"),
        ("providers", "None", "returned None, expected a mapping"),
        ("providers", "{'A b': 'm:X'}", "'A b' is no name here"),
        (
            "providers",
            "{'x': 'nonsense'}",
            "is registered as 'nonsense'; write 'package.module:Class'",
        ),
        ("providers", "{'x': 3}", "is 3, expected a class or 'module:Class'"),
        ("providers", "{'x': dict}", "(builtins.dict) has no `required_env`, `host`"),
        ("scorers", "{'x': dict}", "is no subclass of pytest_evals.Scorer"),
        ("scorers", "{'weight': 'm:X'}", "none of the keys that every scorer has"),
        ("loaders", "{'toml': 'm:X'}", "a file name's ending with its dot"),
        ("reporters", "{'x': dict}", "has no `write`"),
        ("stores", "{'x1': dict}", "has no `put`, `nearest`, `close`"),
        ("redact", "'secret'", "expected a list of texts and patterns"),
        ("redact", "['short']", "secret number 1 has 5 characters"),
        ("redact", "[b'bytes!!']", "entry number 1 is of type bytes"),
        ("redact", "[__import__('re').compile('x*')]", "matches nothing at all"),
        ("redact", "1 / 0", "raised ZeroDivisionError: division by zero"),
        ("scorers", "1 / 0", "raised ZeroDivisionError: division by zero"),
    ],
)
def test_what_a_plugin_must_not_bring(project, hook, code, told):
    """It is refused as the session begins, with the hook, the plugin and what was expected."""
    project.write("conftest.py", f"def pytest_evals_{hook}(): return {code}")
    text = refused(project)
    assert told in text
    assert "conftest.py" in text
    assert "secret'" not in text or hook == "redact"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("name = ", "nome = "), "has the `name` None; give it name = 'echo'"),
        (("Options = Frozen", "Options = dict"), "has no `Options` that is a subclass"),
        (("opaque = ", ""), "does not say `opaque`"),
        (("async def complete", "def complete"), "has a `complete` that is not `async def`"),
    ],
)
def test_a_provider_that_lacks_something(project, change, told):
    """Before a dataset uses it."""
    code = ECHO.replace(*change) + "def pytest_evals_providers(): return {'echo': Echo}"
    project.write("conftest.py", code)
    assert told in refused(project)


def test_a_scorer_that_lacks_something(project):
    """Its name, or what it does."""
    project.write(
        "conftest.py",
        """
        from pytest_evals import Scorer
        class Shouts(Scorer):
            type = "shout"
        def pytest_evals_scorers(): return {'shouts': Shouts}
        """,
    )
    text = refused(project)
    assert "has the `type` 'shout'; give it type = 'shouts'; has no `score`" in text


def test_a_lazy_name_that_cannot_be_imported(project):
    """The dataset that first needs it says which plugin promised it."""
    project.write("shop.evals.yaml", ASKED)
    project.write("conftest.py", "def pytest_evals_providers(): return {'echo': 'nowhere:Echo'}")
    told = project.told()
    assert "the provider 'echo' of the plugin conftest.py cannot be imported" in told
    assert "No module named 'nowhere'" in told


def test_wrappers_and_coroutines_are_refused(project):
    """Each plugin is asked by itself, by a plain call."""
    project.write("conftest.py", "async def pytest_evals_scorers(): return {}")
    assert "is a coroutine function" in refused(project)
    project.write(
        "conftest.py",
        """
        import pytest
        @pytest.hookimpl(wrapper=True)
        def pytest_evals_scorers():
            return (yield)
        """,
    )
    assert "is a wrapper" in refused(project)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('Response(text="fine")', '"fine"'), "TypeError: it returned str, expected a Response"),
        (('Response(text="fine")', "1 / 0"), "provider 'echo' failed: ZeroDivisionError"),
        (("return request.messages[-1].content", "return 1 / 0"), "'echo' failed: ZeroDivision"),
        (("return request.messages[-1].content", "return {1: 2}"), "'echo' failed: TypeError"),
    ],
)
def test_a_provider_that_fails_is_named(project, change, told):
    """It is an error of the provider, and not a fault of ours."""
    project.write("shop.evals.yaml", ASKED)
    code = ECHO.replace(*change) + "def pytest_evals_providers(): return {'echo': Echo}"
    project.write("conftest.py", code)
    text = project.told()
    assert told in text
    assert "1 error" in text
    assert "fault of pytest_evals itself" not in text


def test_a_hook_after_a_trial_that_raises_loses_nothing(project):
    """The verdicts stand, and one note at the end names the plugin."""
    project.write("conftest.py", "def pytest_evals_after_trial(result): raise KeyError('gone')")
    result = project.run("--evals-json", "run.json")
    result.assert_outcomes(passed=1, failed=1)
    note = (
        "after a trial, pytest_evals_after_trial of the plugin conftest.py raised KeyError: "
        "'gone'; its result does not change"
    )
    assert [note] == json.loads(project.read("run.json"))["run"]["notes"]


def test_a_hook_after_a_trial_cannot_change_its_verdict(project):
    """What it returns is told as the mistake that it is."""
    project.write(
        "conftest.py",
        """
        def pytest_evals_after_trial(result):
            return result.model_copy(update={"outcome": "passed"})
        """,
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    assert "but it is told, not asked: nothing comes of it" in " ".join(result.outlines)


@pytest.mark.parametrize("call", ["pytest.skip('no')", "sys.exit(3)", "pytest.fail('no')"])
def test_a_hook_before_a_trial_cannot_skip_it(project, call):
    """A trial that is left out is no green one: it is an error that says what was tried."""
    project.write(
        "conftest.py",
        f"""
        import sys, pytest
        def pytest_evals_before_trial(trial): {call}
        """,
    )
    result = project.run()
    result.assert_outcomes(errors=2)
    assert re.search("conftest.py raised (Skipped|SystemExit|Failed)", "".join(result.outlines))


def test_a_hook_before_a_trial_that_hangs_is_named(project):
    """It takes the time of that trial and no more; nobody is asked."""
    project.write(
        "conftest.py",
        """
        import threading
        def pytest_evals_before_trial(trial):
            if trial.case.id == "a":
                threading.Event().wait(30)
        """,
    )
    result = project.run("-o", "evals_trial_timeout=0.3")
    result.assert_outcomes(failed=1, errors=1)
    told = " ".join(result.outlines)
    assert "pytest_evals_before_trial of the plugin conftest.py took longer than a" in told


def test_what_is_given_after_a_trial_has_no_secret(project, monkeypatch):
    """A plugin that sends results elsewhere sends none."""
    monkeypatch.setenv("SHOP_TOKEN", "bad0123456789")
    text = project.read("shop.evals.yaml").replace("content: bad", "content: bad0123456789")
    project.write("shop.evals.yaml", text)
    project.write(
        "conftest.py",
        """
        def pytest_evals_after_trial(trial, result):
            with open("sent.txt", "a") as file:
                file.write(result.model_dump_json())
        """,
    )
    project.run().assert_outcomes(passed=1, failed=1)
    assert "[redacted]" in project.read("sent.txt")
    assert "bad0123456789" not in project.read("sent.txt")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1 / 0", "raised ZeroDivisionError"),
        ("3", "returned 3, expected a sentence"),
        ("[1]", "returned [1], expected a sentence"),
        ("{'a': 1}", "expected a sentence"),
    ],
)
def test_a_hook_of_verdicts_that_fails_changes_none(project, code, told):
    """The verdict stands without notes."""
    project.write("shop.evals.yaml", project.read("shop.evals.yaml") + "gates: [pass@1 >= 0.9]\n")
    project.write("conftest.py", f"def pytest_evals_gate_verdict(verdict): return {code}")
    result = project.run("--evals-json", "run.json")
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    run = json.loads(project.read("run.json"))
    assert [[], True] == [run["gates"][0]["notes"], run["gates"][0]["blocking"]]
    assert told in " ".join(run["run"]["notes"])


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1 / 0", "raised ZeroDivisionError"),
        ("'text'", "returned 'text', expected a mapping"),
        ("{3: 'x'}", "3 is no title"),
        ("{'a': [1]}", "'a' is [1], expected a text or a mapping"),
        ("{'a': {'b': [1]}}", "'a' holds 'b': [1]"),
        ("{'a': {'b': float('nan')}}", "'a' holds 'b': nan"),
    ],
)
def test_sections_that_are_none_leave_reports_whole(project, code, told):
    """The reports are written without them, and the note says why."""
    project.write("conftest.py", f"def pytest_evals_report_context(report): return {code}")
    text = " ".join(project.told("--evals-json", "run.json", "--evals-md", "run.md").split())
    assert told in text
    assert "the reports lack its sections" in text
    assert {} == json.loads(project.read("run.json"))["context"]
    assert "1 of 2 scored trials passed" in project.read("run.md")


def test_two_plugins_that_add_one_section_are_both_named(project):
    """The first stands."""
    project.write("conftest.py", "def pytest_evals_report_context(): return {'Owner': 'a'}")
    project.write("second.py", "def pytest_evals_report_context(): return {'Owner': 'b'}")
    project.pytester.syspathinsert()
    text = project.told("-p", "second", "--evals-json", "run.json")
    assert "adds 'Owner', as the plugin second does" in " ".join(text.split())
    assert {"Owner": "b"} == json.loads(project.read("run.json"))["context"]


def test_sections_are_escaped_and_redacted(project, monkeypatch):
    """A plugin's texts are like any others."""
    monkeypatch.setenv("SHOP_TOKEN", "sesame0123456789")
    project.write(
        "conftest.py",
        """
        def pytest_evals_report_context():
            return {"<b>T</b>": {"<i>k</i>": "<script>x</script> sesame0123456789 | @you"}}
        """,
    )
    project.run("--evals-html", "r.html", "--evals-md", "r.md", "--evals-json", "r.json")
    written = [project.read(f"r.{kind}") for kind in ("html", "md", "json")]
    assert not [text for text in written if "sesame0123456789" in text]
    assert "&lt;script&gt;x&lt;/script&gt; [redacted]" in written[0]
    assert "<script>x" not in written[0]
    assert "`<script>x</script> [redacted] \\| @you`" in written[1]


def test_a_reporter_that_fails_is_named_and_fails_the_session(project):
    """The other reports are written."""
    project.write(
        "conftest.py",
        """
        class Broken:
            name = "broken"
            def write(self, report, path): raise KeyError("oh")
        def pytest_evals_reporters(): return {"broken": Broken}
        """,
    )
    text = project.read("shop.evals.yaml").replace("content: bad", "content: fine")
    project.write("shop.evals.yaml", text)
    result = project.run("--evals-report", "broken=x.txt", "--evals-json", "run.json")
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    told = " ".join(" ".join(result.outlines).split())
    assert "the broken report was not written" in told
    assert "the plugin conftest.py failed: KeyError: 'oh'" in told
    assert 2 == len(json.loads(project.read("run.json"))["trials"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--evals-report", "jsn=x"), "no reporter is called 'jsn'. Did you mean 'json'"),
        (("--evals-report", "json"), "expected NAME=PATH, found 'json'"),
        (("--evals-report", "json=a", "--evals-json", "b"), "duplicate report 'json'"),
        (("--evals-shared", "nosuch:x"), "there is no store 'nosuch'"),
        (("--evals-shared", "file.sqlite"), "expected SCHEME:ADDRESS"),
        (("--evals-shared", "sqlite:x", "--evals-responses", "off"), "drop one of the two"),
    ],
)
def test_options_that_name_nothing(project, given, told):
    """They are usage errors, before anything is asked."""
    result = project.run(*given)
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    assert told in " ".join(result.errlines)


def test_a_shared_store_that_fails_takes_no_answer_away(project):
    """Answers are asked and kept in the session's own file; the note names the plugin."""
    project.write("shop.evals.yaml", ASKED)
    project.write(
        "conftest.py",
        ECHO
        + """
class Down:
    def __init__(self, address, *, write): pass
    def get(self, key): raise OSError("no route")
    def put(self, answer): raise OSError("no route")
    def nearest(self, *place): return None
    def close(self): pass
def pytest_evals_stores(): return {"down": Down}
def pytest_evals_providers(): return {"echo": Echo}
""",
    )
    result = project.run("--evals-shared", "down:x")
    result.assert_outcomes(passed=1)
    told = " ".join(" ".join(result.outlines).split())
    assert "the store 'down' of conftest.py could not be read: OSError: no route" in told
    project.run("--evals-responses", "replay").assert_outcomes(passed=1)


def test_a_shared_sqlite_file(project):
    """The built-in store: what one folder has asked, another replays."""
    project.write("shop.evals.yaml", ASKED)
    project.write("conftest.py", ECHO + "def pytest_evals_providers(): return {'echo': Echo}")
    shared = ("--evals-shared", f"sqlite:{project.path}/team/answers.sqlite")
    project.run(*shared).assert_outcomes(passed=1)
    other = (*shared, "--evals-store", "other.sqlite", "--evals-responses", "replay")
    project.run(*other).assert_outcomes(passed=1)


def test_a_folders_conftest_brings_what_its_datasets_use(project):
    """It is found as its folder is collected; what is wrong in it is told there."""
    (project.path / "shop.evals.yaml").unlink()
    project.write("deep/er/shop.evals.yaml", ASKED)
    code = ECHO + "def pytest_evals_providers(): return {'echo': Echo}\n"
    secret = "def pytest_evals_redact(): return ['sesame street']\n"
    project.write("deep/er/conftest.py", code.replace('"fine"', '"fine sesame street"') + secret)
    result = project.run("--evals-json", "run.json")
    result.assert_outcomes(passed=1)
    assert "fine [redacted]" == json.loads(project.read("run.json"))["trials"][0]["answer"]
    project.write("deep/er/conftest.py", "def pytest_evals_scorers(): return 3")
    assert "pytest_evals_scorers of the plugin deep/er/conftest.py returned 3" in project.told()


def test_plugins_work_alike_with_workers(project, monkeypatch):
    """Hooks around trials are called once a trial, where it runs; sections once, in the end."""
    pytest.importorskip("xdist")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # of the worker this runs on
    project.write("shop.evals.yaml", project.read("shop.evals.yaml") + "gates: [pass@1 >= 0.4]\n")
    project.write(
        "conftest.py",
        """
        import os
        def note(what):
            with open(what, "a") as file:
                file.write(os.environ.get("PYTEST_XDIST_WORKER", "main") + chr(10))
        def pytest_evals_before_trial(trial): note("before")
        def pytest_evals_after_trial(trial): note("after")
        def pytest_evals_gate_verdict(verdict): note("verdict")
        def pytest_evals_report_context(report): note("context")
        """,
    )
    result = project.pytester.runpytest_subprocess(
        *("-p", "evals-matrix", "-p", "xdist", "--evals", "-n", "2", "--evals-json", "run.json")
    )
    assert 0 == result.ret, result.outlines
    assert 2 == len(project.read("before").splitlines()) == len(project.read("after").splitlines())
    assert set(project.read("before").split()) <= {"gw0", "gw1"}
    assert ["main"] == project.read("verdict").split()
    assert ["main"] == project.read("context").split()


def test_order_of_plugins_around_trials(project):
    """The last registered begins first and ends last, as fixtures do."""
    project.write(
        "conftest.py",
        """
        class Named:
            def __init__(self, name): self.name = name
            def pytest_evals_before_trial(self): self.note("before")
            def pytest_evals_after_trial(self): self.note("after")
            def note(self, what):
                with open("order.txt", "a") as file:
                    file.write(f"{what} {self.name}" + chr(10))
        def pytest_configure(config):
            for name in ("one", "two"):
                config.pluginmanager.register(Named(name))
        """,
    )
    project.run("-k", "a[m]").assert_outcomes(passed=1)
    assert ["before two", "before one", "after one", "after two"] == project.read(
        "order.txt"
    ).splitlines()


def test_hooks_do_not_disturb_sessions_without_evals(project):
    """They are known, and nobody calls them."""
    project.write("conftest.py", "def pytest_evals_scorers(): raise SystemExit('called')")
    project.write("test_plain.py", "def test_plain(): pass")
    project.pytester.runpytest_inprocess("-p", "evals-matrix").assert_outcomes(passed=1)


def test_a_hook_that_there_is_not_is_refused(project):
    """A typing mistake is not silence."""
    project.write("conftest.py", "def pytest_evals_scorer(): return {}")
    result = project.pytester.runpytest_subprocess("-p", "evals-matrix", "--evals")
    assert 0 != result.ret
    assert re.search(
        "unknown hook 'pytest_evals_scorer'", result.stdout.str() + result.stderr.str()
    )
