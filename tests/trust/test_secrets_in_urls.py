"""Secrets written in a URL or in a body are in no written byte, though the server echoes them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

CANARIES = ("canary-url-4711", "canary-body-4712", "canary-hook-4713")


class Echo(BaseHTTPRequestHandler):
    """Replies with the path and the body; the judge's path is an error."""

    def do_POST(self):
        """Reply."""
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        text = f"{self.path} {body}".encode()
        self.send_response(500 if "judge" in self.path else 200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """Write no log."""


@pytest.fixture
def address():
    """An echoing server on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_they_are_written_nowhere(address, pytester):
    """Terminal, store, baseline, cassette and reports."""
    in_url, in_body, in_hook = CANARIES
    model = {
        "id": "m",
        "provider": "http",
        "stored": True,
        "url": f"{address}/ask?api_key={in_url}",
        "body": {"q": "{{ input }}", "auth": {"api_key": in_body}},
    }
    scorers = [{"contains": "/ask"}, {"webhook": f"{address}/judge?token={in_hook}"}]
    cases = [{"id": "a", "input": "q"}, {"id": "b", "input": "r", "scorers": []}]
    data = {"name": "d", "models": [model], "scorers": scorers, "cases": cases}
    dataset = pytester.path / "d.evals.yaml"
    dataset.write_text(json.dumps(data))
    reports = [f"--evals-{kind}=r.{kind}" for kind in ("json", "md", "html", "csv")]
    result = pytester.runpytest_subprocess(
        *("--evals", "--evals-cassette=c.jsonl", "--evals-update-baseline", "--junitxml=j.xml"),
        *reports,
    )
    assert "[redacted]" in result.stdout.str()
    files = [path for path in pytester.path.rglob("*") if path.is_file() and path != dataset]
    names = {path.name for path in files}
    assert {"c.jsonl", "evals.sqlite", "j.xml", "r.json", "r.md", "r.html", "r.csv"} <= names
    written = [(path.name, path.read_bytes()) for path in files]
    written.append(("terminal", (result.stdout.str() + result.stderr.str()).encode()))
    for canary in CANARIES:
        assert not [name for name, content in written if canary.encode() in content]
