"""``embedding_similarity``: vectors of a real server on loopback, asked for like any answer."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

WORDS = ("you", "have", "30", "days", "thirty", "never", "anything")
MEANING = {"thirty": "30"}


def vector(text):
    """Count words, as a poor model does; words of one meaning are one."""
    said = [MEANING.get(word, word) for word in text.lower().replace(".", "").split()]
    return [float(said.count(word)) for word in WORDS]


class Server(ThreadingHTTPServer):
    """Remembers what it is asked; `says` overrides what it answers."""

    daemon_threads = True

    def __init__(self):
        self.bodies, self.paths, self.keys, self.says = [], [], [], None
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self):
        """Its address, as a dataset writes it."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    """Answers with vectors."""

    def do_POST(self):
        """Answer one call."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.bodies.append(body)
        self.server.paths.append(self.path)
        self.server.keys.append(self.headers.get("authorization"))
        usage = {"prompt_tokens": 10, "total_tokens": 10}
        row = {"object": "embedding", "index": 0, "embedding": vector(body["input"])}
        said = self.server.says or {"data": [row], "model": "bge", "usage": usage}
        text = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server():
    """A server with an embeddings endpoint."""
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def days(write, server):
    """Write a dataset of two answers, one of them near its reference in other words."""

    def days(scorer="", model="", **more) -> str:
        text = f"""
        name: days
        scorers:
          - type: embedding_similarity
            model: {{provider: embeddings, base_url: "{server.url}", model: bge,
                     price: {{input: 100, output: 0}}{model}}}
            threshold: 0.8{scorer}
        cases:
          - id: near
            input: How long?
            expected: You have 30 days.
            script: [{{kind: chat_response, content: You have thirty days.}}]
          - id: far
            input: How long?
            expected: You have 30 days.
            script: [{{kind: chat_response, content: Never anything.}}]
        """
        return write("days.yaml", text)

    return days


def test_answers_near_the_reference_pass(days, evals, server):
    """In other words too; the reference is asked for once, whatever is compared with it."""
    result = evals(days())
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*FAIL  embedding_similarity 0 (required: >= 0.8)", "*0.000 from 'You have 30 days.'"]
    )
    asked = sorted(body["input"] for body in server.bodies)
    assert ["Never anything.", "You have 30 days.", "You have thirty days."] == asked
    assert {"/v1/embeddings"} == set(server.paths)
    assert {("bge", "float")} == {(b["model"], b["encoding_format"]) for b in server.bodies}


def test_they_are_stored_and_priced(days, evals, server):
    """10 tokens at 100 USD a million each; the second run asks nothing."""
    evals(days()).stdout.fnmatch_lines(["3 calls ($0.003*), 1 stored response; *"])
    evals(days()).stdout.fnmatch_lines(["4 stored responses; run *"])
    assert 3 == len(server.bodies)


def test_budgets_hold_for_them(days, evals, server, write):
    """What they cost counts; what has no price is refused under a cap."""
    result = evals("--evals-max-cost=0.0015", "--evals-concurrency=1", days())
    assert 2 >= len(server.bodies)
    assert 1 == result.ret
    name = days()
    write(name, _with(name, "price: {input: 100, output: 0}", "concurrency: 1"))
    result = evals("--evals-max-cost=1", name)
    result.stderr.fnmatch_lines(["*no price is known for embeddings:bge*"])


def test_more_is_sent_where_the_scorer_says_so(days, evals, server, monkeypatch):
    """Parameters, and a key of the environment."""
    monkeypatch.setenv("BGE_KEY", "secret-of-bge")
    scorer = "\n            params: {dimensions: 7}"
    evals(days(scorer, ", api_key_env: BGE_KEY")).assert_outcomes(passed=1, failed=1)
    assert {7} == {body["dimensions"] for body in server.bodies}
    assert {"Bearer secret-of-bge"} == set(server.keys)


def test_the_nearest_of_several_references_counts(days, evals):
    """They stand in the place of the case's `expected`."""
    scorer = "\n            reference: [Never., You have 30 days.]"
    evals(days(scorer)).assert_outcomes(passed=1, failed=1)


def test_an_empty_answer_is_not_asked_for(write, evals, server, days):
    """Servers refuse an empty text; the answer has nothing in common with anything."""
    name = days()
    text = "Never anything."
    path = write(name, _with(name, text, '""'))
    evals(path).assert_outcomes(passed=1, failed=1)
    assert "" not in [body["input"] for body in server.bodies]


def _with(name, old, new):
    """Return a file's text with a part replaced."""
    return Path(name).read_text(encoding="utf-8").replace(old, new)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"data": []}, "without `data?0?.embedding`"),
        ({"data": [{"embedding": []}]}, "without `data?0?.embedding`"),
        ({"data": [{"embedding": ["a", "b"]}]}, "not made of numbers"),
        ({"data": [{"embedding": [1e300, 1]}]}, "not made of numbers"),
        ({"data": [{"embedding": [0, 0]}]}, "no direction"),
    ],
)
def test_what_is_no_vector_is_an_error(days, evals, server, says, words, monkeypatch):
    """Never a score of 0."""
    monkeypatch.setenv("PYTEST_EVALS_MAX_RETRIES", "0")
    server.says = says
    result = evals(days())
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines([f"*{words}*"])


def test_a_model_that_talks_is_no_model_of_vectors(write, evals):
    """It says which provider is wanted."""
    write("app.py", "def answer(text):\n    return 'hello'\n")
    name = write(
        "talks.yaml",
        """
        scorers:
          - {type: embedding_similarity, model: {provider: python, target: "app.py:answer"},
             threshold: 0.5}
        cases:
          - {id: a, input: x, expected: y, script: [{kind: chat_response, content: z}]}
        """,
    )
    result = evals(name)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*returned no embedding; use a model of `provider: embeddings`*"])


def test_the_key_is_looked_for_before_the_first_call(write, evals, monkeypatch):
    """As for any model: OpenAI's own server wants its key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    name = write(
        "key.yaml",
        """
        scorers: [{type: embedding_similarity, model: "embeddings:text-embedding-3-small"}, contains]
        cases:
          - {id: a, input: x, expected: y, script: [{kind: chat_response, content: z}]}
        """,
    )
    result = evals(name)
    assert 4 == result.ret
    result.stderr.fnmatch_lines(["*OPENAI_API_KEY (for embeddings:text-embedding-3-small)*"])
