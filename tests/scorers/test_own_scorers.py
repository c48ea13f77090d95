"""A user's own function, program or service as an assertion."""

import json
import os
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pytest_evals.score import ScoreError

pytestmark = pytest.mark.heavy

FUNCTIONS = """
import asyncio
from dataclasses import dataclass
from pytest_evals import Score, ScoreContext, ScoringError, Verdict

def yes(answer): return True
def no(answer): return False
def number(answer): return 0.75
def whole(answer): return 1
def label(answer): return "polite"
def mapping(answer): return {"passed": False, "score": 0.25, "reason": "so", "metadata": {"a": 1}}
def verdict(answer): return Verdict(passed=True, reason="mine")
def score(answer): return Score(name="x", type="y", value=0.5, passed=True)
async def later(answer):
    await asyncio.sleep(0)
    return answer == "hello"

def two(text, the_case): return f"{text}|{the_case.id}"
def by_name(expected, input, answer): return f"{answer}|{input}|{expected}"
def context(ctx): return f"{ctx.answer}|{ctx.sample}|{ctx.case.id}"
def annotated(c: ScoreContext): return f"{c.answer}|{c.model.id}"
def extra(answer, *, words, most=3): return f"{words}|{most}"
def any_word(answer, **words): return str(sorted(words))
def default(answer, strict=False): return str(strict)
class Polite:
    @staticmethod
    def check(answer): return "please" in answer
@dataclass
class Callable_:
    def __call__(self, answer): return answer == "hello"
instance = Callable_()

def nothing(answer): pass
def odd(answer): return object()
def nan(answer): return float("nan")
def typo(answer): return {"pased": True}
def wordy(answer): return {"passed": "yes"}
def valueless(answer): return {"value": "high"}
def both(answer): return {"value": 1, "score": 1}
def three(a, b, c): return True
def boom(answer):
    return _inner(answer)
def _inner(answer):
    raise KeyError("the missing key")
def gives_up(answer): raise ScoringError("cannot say")
def leaves(answer): raise SystemExit(3)
"""


@pytest.fixture
def own(bench, tmp_path):
    """Score by a function of a file in the rootdir."""
    (tmp_path / "my_scorers.py").write_text(FUNCTIONS)

    def score(name, answer="hello", *, args=None, **given):
        written = {"type": "python", "target": f"my_scorers.py:{name}", "args": args or {}}
        threshold = given.pop("threshold", None)
        if threshold is not None:
            written["threshold"] = threshold
        return bench.score(written, answer, **given)

    return score


@pytest.mark.parametrize(
    ("name", "passed", "value", "label"),
    [
        ("yes", True, None, None),
        ("no", False, None, None),
        ("number", None, 0.75, None),
        ("whole", None, 1.0, None),
        ("label", None, None, "polite"),
        ("mapping", False, 0.25, None),
        ("verdict", True, None, None),
        ("score", True, 0.5, None),
        ("later", True, None, None),
        ("Polite.check", False, None, None),
        ("instance", True, None, None),
    ],
)
def test_the_return_type_is_the_meaning(own, name, passed, value, label):
    """A bool is the verdict, a number the value, a text the label; or all of it in a mapping."""
    scored = own(name)
    assert scored.kind == "score", scored.message
    assert (passed, value, label) == (scored.passed, scored.value, scored.label)


def test_a_number_votes_by_its_threshold(own):
    """As any value."""
    assert own("number", threshold=0.7).passed
    assert own("number", threshold=0.8).passed is False
    assert own("yes", threshold=0.8).kind == "error"


@pytest.mark.parametrize(
    ("name", "args", "label"),
    [
        ("two", {}, "hello|c"),
        ("by_name", {}, "hello|What is it?|42"),
        ("context", {}, "hello|0|c"),
        ("annotated", {}, "hello|m"),
        ("extra", {"words": "a"}, "a|3"),
        ("extra", {"words": "a", "most": 5}, "a|5"),
        ("any_word", {"x": 1, "y": 2}, "['x', 'y']"),
        ("default", {}, "False"),
        ("default", {"strict": True}, "True"),
    ],
)
def test_parameters_are_filled_by_their_names(own, name, args, label):
    """Else the first gets the answer and the second the case."""
    scored = own(name, args=args, expected="42")
    assert scored.kind == "score", scored.message
    assert label == scored.label


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "returned nothing (None)"),
        ("odd", "returned object; expected a bool"),
        ("nan", "expected a finite number"),
        ("typo", "'pased'; allowed keys are"),
        ("wordy", "expected true or false"),
        ("valueless", "expected a number"),
        ("both", "both `value` and `score`"),
        ("three", "no value for parameter 'c'"),
        ("gives_up", "cannot say"),
        ("leaves", "raised SystemExit: 3"),
        ("ys", "Did you mean 'yes'"),
        ("FUNCTIONS", "has no 'FUNCTIONS'"),
    ],
)
def test_what_is_no_verdict_is_an_error(own, name, words):
    """Never 0, and never a failed answer."""
    scored = own(name)
    assert scored.kind == "error"
    assert words in scored.message


def test_an_unknown_argument_is_an_error(own):
    """A misspelt one must not be lost."""
    assert "has no parameter 'wrods'" in own("yes", args={"wrods": 1}).message


def test_an_exception_shows_the_users_code_only(own):
    """Its own two frames and nothing of ours."""
    scored = own("boom")
    assert "KeyError: 'the missing key'" in scored.message
    assert scored.detail.count('File "') == 2
    assert "in boom" in scored.detail
    assert "in _inner" in scored.detail


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("no_colon", "names no callable"),
        ("a b:c", "neither the name of a module"),
        ("a:b-c", "names no callable"),
        (":f", "names no callable"),
    ],
)
def test_a_target_that_names_nothing_is_refused(bench, written, words):
    """When the dataset is collected."""
    assert words in bench.problems({"python": written})[0]


def test_what_cannot_be_imported_names_the_places_searched(bench, tmp_path):
    """The file, the module, and a module whose import fails."""
    scored = bench.score({"python": "missing.py:f"}, "a")
    assert f"tried {tmp_path / 'missing.py'}" in scored.message
    scored = bench.score({"python": "missing_module.inner:f"}, "a")
    assert "no module 'missing_module'" in scored.message
    assert str(tmp_path) in scored.message
    (tmp_path / "broken_mod.py").write_text("def f(a): pass\nimport nowhere_to_be_found\n")
    for target in ("broken_mod:f", "broken_mod.py:f"):
        scored = bench.score({"python": target}, "a")
        assert "ModuleNotFoundError: No module named 'nowhere_to_be_found'" in scored.message
        assert "broken_mod.py" in scored.detail


def test_a_module_is_imported_once_and_finds_its_neighbours(bench, tmp_path):
    """By name and by file it is the same module; the search path is left as it was."""
    (tmp_path / "neighbour_of_mine.py").write_text("calls = []\n")
    (tmp_path / "counting_mod.py").write_text(
        "import neighbour_of_mine\n"
        "def count(answer):\n    neighbour_of_mine.calls.append(answer)\n"
        "    return float(len(neighbour_of_mine.calls))\n"
    )
    before = sys.path[:1]
    values = [
        bench.score({"python": target}, "a").value
        for target in ("counting_mod:count", "counting_mod.py:count", "counting_mod:count")
    ]
    assert values == [1.0, 2.0, 3.0]
    assert before == sys.path[:1]


# --- a program -----------------------------------------------------------------------------


@pytest.fixture
def program(bench, tmp_path):
    """Score by a program of these Python lines."""

    def score(lines, answer="hello", **options):
        (tmp_path / "check.py").write_text(f"import json, sys, time, os\n{lines}\n")
        common = {k: options.pop(k) for k in ("threshold",) if k in options}
        written = {"type": "command", "run": [sys.executable, "check.py"], **options, **common}
        return bench.score(written, answer, expected="42")

    return score


@pytest.mark.parametrize(
    ("printed", "passed", "value", "label"),
    [
        ("true", True, None, None),
        ("false", False, None, None),
        ("0.5", None, 0.5, None),
        ('"polite"', None, None, "polite"),
        ('{"passed": true, "value": 0.9, "reason": "so"}', True, 0.9, None),
    ],
)
def test_a_program_prints_its_verdict(program, printed, passed, value, label):
    """One JSON value."""
    scored = program(f"print('''{printed}''')")
    assert (passed, value, label) == (scored.passed, scored.value, scored.label)


def test_a_program_reads_the_trial(program):
    """Answer, expected value, case and the rest, in the rootdir."""
    scored = program(
        "q = json.load(sys.stdin)\n"
        "print(json.dumps([q['answer'], q['expected'], q['case']['id'], q['model'], q['sample'],"
        " os.path.exists('check.py')].__repr__()))"
    )
    assert scored.label == "['hello', '42', 'c', 'm', 0, True]"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("sys.exit(1)", "exited with status 1"),
        ("raise ValueError('boom')", "exited with status 1"),
        ("print('looks good')", "which is not JSON"),
        ("pass", "which is not JSON"),
        ("print('null')", "returned nothing (None)"),
        ("print('[1]')", "returned list"),
        ("os.kill(os.getpid(), 9)", "exited with status -9"),
    ],
)
def test_a_program_that_fails_is_an_error(program, lines, words):
    """A broken grader is no failed answer."""
    scored = program(lines)
    assert scored.kind == "error"
    assert words in scored.message


def test_a_programs_last_words_are_kept(program):
    """Its standard error is the detail."""
    assert "ValueError: boom" in program("raise ValueError('boom')").detail


@pytest.mark.parametrize(("status", "passed"), [(0, True), (1, False), (2, None)])
def test_an_exit_status_may_be_the_verdict(program, status, passed):
    """0 passes, 1 fails, anything else is an error."""
    scored = program(f"print('as seen'); sys.exit({status})", by_exit_code=True)
    if passed is None:
        assert scored.kind == "error"
    else:
        assert (passed, "'as seen'") == (scored.passed, scored.reason)


def test_a_program_that_does_not_end_is_ended_with_its_children(program, tmp_path):
    """In time, and nothing of it is left."""
    begun = time.monotonic()
    scored = program(
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('pid', 'w').write(str(child.pid)); time.sleep(60)",
        timeout_s=2,
    )
    assert "timed out after 2 s" in scored.message
    assert time.monotonic() - begun < 20
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if _gone(pid):
            return
        time.sleep(0.05)
    pytest.fail("the child is still running")


def _gone(pid):
    """Whether a process has ended (a zombie that nobody waits for has)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - a file of the kernel
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_program_that_prints_much_needs_no_memory(program):
    """And its output is quoted short."""
    scored = program("for _ in range(2000): sys.stdout.write('x' * 10_000)")
    assert scored.kind == "error"
    assert len(scored.message) < 500


def test_a_program_that_does_not_exist_is_an_error(bench):
    """With its name."""
    scored = bench.score({"command": "no-such-program-here"}, "a")
    assert "'no-such-program-here' cannot be started" in scored.message


def test_a_program_that_does_not_read_is_no_error(program):
    """Its verdict counts, however long the answer it leaves unread."""
    assert program("print('true')", answer="x" * 1_000_000).passed


# --- a service -----------------------------------------------------------------------------


@contextmanager
def _service(status=200, body=b"true", headers=(), delay=0.0):
    """Serve one reply on loopback; yields the address and what was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            asked.append((dict(self.headers), json.loads(self.rfile.read(length))))
            time.sleep(delay)
            self.send_response(status)
            for key, value in headers:
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            asked.append(("GET", self.path))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/score", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("body", "passed", "value"),
    [(b"true", True, None), (b"0.25", None, 0.25),
     (b'{"passed": false, "value": 0.1, "reason": "rude"}', False, 0.1)],
)  # fmt: skip
def test_a_service_replies_with_its_verdict(bench, body, passed, value):
    """It is posted what a program reads."""
    with _service(body=body) as (url, asked):
        scored = bench.score({"webhook": url}, "hello")
    assert (passed, value) == (scored.passed, scored.value)
    ((headers, question),) = asked
    assert (question["answer"], headers["Content-Type"]) == ("hello", "application/json")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"status": 500, "body": b"oops"}, "replied with status 500: 'oops'"),
        ({"status": 204, "body": b""}, "replied with status 204"),
        ({"body": b"<html>"}, "did not reply with JSON"),
        ({"body": b"null"}, "returned nothing (None)"),
        ({"body": b"NaN"}, "did not reply with JSON"),
        ({"status": 302, "headers": [("Location", "/elsewhere")]}, "replied with status 302"),
        ({"delay": 3.0}, "did not reply"),
    ],
)
def test_a_service_that_fails_is_an_error(bench, reply, words):
    """Whatever its fault; a redirect is not followed."""
    with _service(**reply) as (url, asked):
        scored = bench.score({"webhook": {"url": url, "timeout_s": 1}}, "hello")
    assert scored.kind == "error"
    assert words in scored.message
    assert len(asked) == 1


def test_a_service_gets_its_token_from_the_environment(bench, monkeypatch):
    """And the token stands nowhere in the score."""
    monkeypatch.setenv("SCORER_TOKEN", "s3cret-token")
    with _service() as (url, asked):
        scored = bench.score({"webhook": {"url": url, "token_env": "SCORER_TOKEN"}}, "hello")
    assert asked[0][0]["Authorization"] == "Bearer s3cret-token"
    assert "s3cret" not in scored.model_dump_json()
    monkeypatch.delenv("SCORER_TOKEN")
    scored = bench.score({"webhook": {"url": url, "token_env": "SCORER_TOKEN"}}, "hello")
    assert "variable SCORER_TOKEN is not set" in scored.message


def test_a_service_that_is_not_there_is_an_error(bench):
    """With its address."""
    with _service() as (url, _):
        pass
    assert f"{url} did not reply" in bench.score({"webhook": url}, "hello").message


@pytest.mark.parametrize("url", ["ftp://a", "file:///etc/passwd", "example.com", "http://u:p@a/b"])
def test_an_address_of_no_service_is_refused(bench, url):
    """Nor one with a password in it."""
    assert bench.problems({"webhook": url})


SLOW = """
import os, time
from pytest_evals import Verdict

def elsewhere(answer, case, expected):
    print("scored", case.id)
    return Verdict(passed=answer == expected, reason=str(os.getpid()))
async def later(answer): return len(answer) / 10
def hangs(answer):
    while True: pass
def raises(answer): return {}[answer]
def context(ctx): return True
def dies(answer): os._exit(4)
"""


def test_in_a_process(bench, capsys):
    """The same answers, from another process; what it prints comes back."""
    (bench.rootdir / "slow.py").write_text(SLOW)
    spec = {"type": "python", "target": "slow.py:elsewhere", "process": True}
    scored = bench.score(spec, "yes", expected="yes")
    assert scored.passed
    assert int(scored.reason) != os.getpid()
    assert "scored" in capsys.readouterr().out
    spec["target"] = "slow.py:later"
    assert bench.score(spec, "yes").value == 0.3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hangs", "it took over 0.5 s and was stopped"),
        ("raises", "KeyError: 'yes'"),
        ("context", "takes the whole context"),
        ("dies", "its process ended with exit status 4"),
    ],
)
def test_in_a_process_without_a_result(bench, name, said):
    """Is an error, never a wrong answer, and a hang ends."""
    (bench.rootdir / "slow.py").write_text(SLOW)
    spec = {"type": "python", "target": f"slow.py:{name}", "process": True}
    if name == "hangs":
        spec["timeout_s"] = 0.5
    scored = bench.score(spec, "yes")
    assert isinstance(scored, ScoreError)
    assert said in scored.message
