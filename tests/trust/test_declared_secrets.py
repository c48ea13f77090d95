"""Secrets that options declare, under names that do not look like keys, are in no written byte."""

import base64
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from pytest_evals.config import Settings
from pytest_evals.ground.redaction import MARK
from pytest_evals.registry import Registry
from pytest_evals.session.redaction import make_redactor

pytestmark = pytest.mark.heavy

VARIABLES = {
    name: f"canary/{name.lower()}+47&=11"
    for name in ("DEPLOY_ONE", "HEADER_ONE", "QUERY_ONE", "PROGRAM_ONE", "JUDGE_ONE", "HOOK_ONE")
}
LITERAL = "canary/literal+47&=11"
SECRETS = {**VARIABLES, "literal": LITERAL}


def forms(secret: str) -> list[str]:
    """Return the forms in which a server can return a secret."""
    raw = secret.encode()
    return [
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        base64.b64encode(b"user:" + raw).decode(),
        raw.hex(),
        raw.hex().upper(),
    ]


class Echo(BaseHTTPRequestHandler):
    """Returns every credential that it receives, in all forms, in the body of its reply."""

    def do_POST(self) -> None:
        """Reply to a chat request, a webhook and an HTTP model alike."""
        self.rfile.read(int(self.headers["content-length"]))
        received = [
            self.headers.get("authorization", "").removeprefix("Bearer "),
            self.headers.get("x-team", ""),
            self.headers.get("x-api-key", ""),
            *parse_qs(urlsplit(self.path).query).get("who", []),
        ]
        text = " ".join(form for secret in received if secret for form in forms(secret))
        chat = {"choices": [{"message": {"role": "assistant", "content": text}}], "answer": text}
        hook = {"passed": False, "reason": text}
        body = hook if self.path == "/hook" else chat
        content = json.dumps(body).encode()
        self.send_response(400 if "broken" in self.path else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """Return the address of an echo server."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()
    thread.join()


PROGRAM = "import os; print('the key is', os.environ['REGION'])"

DATASET = """
name: declared
models:
  - {{id: chat, provider: openai, model: m, base_url: "{server}/v1", api_key_env: DEPLOY_ONE}}
  - id: header
    provider: openai
    model: m
    base_url: "{server}/v1"
    headers: {{x-team: {{env: HEADER_ONE}}}}
  - id: literal
    provider: openai
    model: m
    base_url: "{server}/v1"
    headers: {{x-api-key: "{literal}"}}
  - id: query
    provider: http
    url: "{server}/ask"
    query: {{who: {{env: QUERY_ONE}}}}
    answer: answer
  - {{id: broken, provider: openai, model: m, base_url: "{server}/broken", api_key_env: DEPLOY_ONE}}
  - id: program
    provider: command
    command: ["{python}", "-c", "{program}"]
    env: {{REGION: {{env: PROGRAM_ONE}}}}
judges:
  strict:
    model:
      {{id: judge, provider: openai, model: m, base_url: "{server}/v1", api_key_env: JUDGE_ONE}}
    rubric: Is it right?
cases:
  - id: echo
    input: What is your key?
    scorers:
      - contains: no such text
      - webhook: {{url: "{server}/hook", token_env: HOOK_ONE}}
      - judge: {{use: strict}}
gates: [no regressions]
max_error_rate: 0
"""


FUNCTION = """
import pytest

@pytest.mark.evals("declared.evals.yaml")
def test_answers(case, response, trial):
    print("printed", response.text)
    trial.record("note", response.text)
    assert response.text == "no such text"

@pytest.mark.evals("declared.evals.yaml")
def test_raises(case, response):
    raise RuntimeError(response.text)
"""


def written(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder, but for the dataset and pytest's caches."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "declared.evals.yaml" and "__pycache__" not in path.parts
    }


def leaks(contents: dict[str, bytes]) -> list[tuple[str, str, str]]:
    """Return where a secret is, as (file, secret, form)."""
    return [
        (name, secret, form)
        for secret, value in SECRETS.items()
        for form in forms(value)
        for name, content in contents.items()
        if form.encode() in content
    ]


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "workers"])
def test_declared_secrets_are_in_no_written_byte(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    server: str,
    workers: tuple[str, ...],
) -> None:
    """Store, baseline, cassette, reports, terminal, bundle and the output of every command."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    text = DATASET.format(server=server, literal=LITERAL, python=sys.executable, program=PROGRAM)
    pytester.path.joinpath("declared.evals.yaml").write_text(text, encoding="utf-8")
    ran = pytester.runpytest_subprocess(
        *("-p", "evals-matrix", *workers, "--evals", "-vv", "--junitxml=junit.xml"),
        *("--evals-json=r.json", "--evals-html=r.html", "--evals-md=r.md", "--evals-csv=r.csv"),
        *("--evals-cassette=cassettes", "--evals-update-baseline"),
    )
    outputs = {"terminal": "\n".join(ran.outlines + ran.errlines).encode()}
    assert outputs["terminal"].count(b"[redacted]") > 5, ran.stdout.str()
    for command in (
        ("show", "latest"),
        ("show", "latest", "--failed"),
        ("show", "latest", "echo[chat]"),
        ("show", "latest", "echo[broken]", "--json"),
        ("export", "latest", "--answers", "-o", "run.jsonl"),
        ("export", "latest", "--format", "html", "-o", "stored.html"),
        ("import", "run.jsonl", "--store", "other.sqlite"),
        ("rescore", "latest"),
        ("diff", "latest", "latest", "--json"),
        ("leaderboard", "declared"),
    ):
        done = pytester.run(sys.executable, "-m", "pytest_evals.cli", *command)
        outputs[" ".join(command)] = "\n".join(done.outlines + done.errlines).encode()
    files = written(pytester.path)
    assert {"r.json", "r.html", "r.md", "r.csv", "junit.xml", "run.jsonl"} <= files.keys()
    assert leaks({**files, **outputs}) == []


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "workers"])
def test_evals_in_python_show_no_declared_secret(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    server: str,
    workers: tuple[str, ...],
) -> None:
    """Not in a failed assertion, an exception, captured output, a local variable or a report."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    text = DATASET.format(server=server, literal=LITERAL, python=sys.executable, program=PROGRAM)
    pytester.path.joinpath("declared.evals.yaml").write_text(text, encoding="utf-8")
    pytester.makepyfile(test_declared=FUNCTION)
    ran = pytester.runpytest_subprocess(
        *("-p", "evals-matrix", *workers, "--evals", "-vv", "--showlocals", "--junitxml=junit.xml"),
        *("--evals-json=r.json", "--evals-html=r.html", "test_declared.py"),
    )
    terminal = "\n".join(ran.outlines + ran.errlines).encode()
    assert terminal.count(b"[redacted]") > 5, ran.stdout.str()
    assert leaks({**written(pytester.path), "terminal": terminal}) == []


STALE = """
name: stored
models:
  - {id: chat, provider: openai, model: m, base_url: "http://127.0.0.1:9/v1", api_key_env: DEPLOY_ONE}
cases:
  - {id: leak, input: "CANARY", scorers: [{contains: x}]}
"""


def test_commands_redact_what_was_stored_before_its_variable_was_known(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store, or a bundle of another machine, can contain the value in plain text."""
    secret = VARIABLES["DEPLOY_ONE"]
    monkeypatch.delenv("DEPLOY_ONE", raising=False)
    pytester.path.joinpath("stored.evals.yaml").write_text(STALE.replace("CANARY", secret))

    def command(*words: str) -> bytes:
        done = pytester.run(sys.executable, "-m", "pytest_evals.cli", *words)
        return "\n".join(done.outlines + done.errlines).encode()

    pytester.runpytest_subprocess("--evals", "--evals-responses=replay")
    command("export", "latest", "-o", "raw.jsonl")
    assert secret.encode() in pytester.path.joinpath("raw.jsonl").read_bytes()
    monkeypatch.setenv("DEPLOY_ONE", secret)
    outputs = {
        "html": command("export", "latest", "--format", "html", "-o", "report.html"),
        "bundle": command("export", "latest", "-o", "clean.jsonl"),
        "import": command("import", "raw.jsonl", "--store", "other.sqlite"),
    }
    written_now = ("report.html", "clean.jsonl", "other.sqlite", "other.sqlite-wal")
    files = {k: v for k, v in written(pytester.path).items() if k in written_now}
    assert {"report.html", "clean.jsonl", "other.sqlite"} <= files.keys(), outputs
    assert leaks({**files, **outputs}) == []


def test_a_case_with_a_secret_is_not_curated(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trace from production can contain a key; a dataset is a file for git."""
    monkeypatch.setenv("PRODUCTION_KEY", "canary-4711-canary")
    value = {"role": "user", "parts": [{"type": "text", "content": "canary-4711-canary"}]}
    answer = {"role": "assistant", "parts": [{"type": "text", "content": "yes"}]}
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps([value]),
        "gen_ai.output.messages": json.dumps([answer]),
    }
    span = {
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": "00f067aa0ba902b7",
        "name": "chat",
        "startTimeUnixNano": "1764590000000000000",
        "endTimeUnixNano": "1764590001200000000",
        "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()],
    }
    trace = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    pytester.path.joinpath("trace.json").write_text(json.dumps(trace))
    words = ("curate", "--otlp", "trace.json", "--assert", "contains: yes", "-o", "new.evals.yaml")
    done = pytester.run(sys.executable, "-m", "pytest_evals.cli", *words)
    assert done.ret == 1
    assert "the case contains a secret" in "\n".join(done.outlines + done.errlines)
    assert not pytester.path.joinpath("new.evals.yaml").exists()


def test_the_canaries_are_found_where_nothing_is_redacted() -> None:
    """The search of this file finds each form of each secret."""
    contents = {form: f"x{form}x".encode() for value in SECRETS.values() for form in forms(value)}
    assert {form for _, _, form in leaks(contents)} == set(contents)


def test_the_password_of_a_shared_store_is_known(tmp_path: Path) -> None:
    """An option can contain a secret too, also one that is URL-escaped."""
    settings = Settings(rootdir=tmp_path, shared="redis://team:pa%2Fss-word@host/0")
    redactor = make_redactor(settings, Registry.builtin())
    assert redactor.redact("pa/ss-word, pa%2Fss-word") == f"{MARK}, {MARK}"
