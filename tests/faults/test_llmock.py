"""What `llmock` says of our client: it breaks calls on demand and judges how they were handled."""

import json
import subprocess
import sys
import urllib.request
from time import monotonic, sleep
from typing import Any

import pytest

from tests._servers import free_port

pytest.importorskip("llmock")
pytestmark = pytest.mark.slow
PATIENCE_S = 60.0


class Mock:
    """The server's process, seen from a test."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def call(self, path: str, body: Any = None) -> Any:
        """Call its own interface."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/_llmock{path}", data, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            return json.load(reply)

    def report(self, *, strict: bool = True) -> tuple[int, str]:
        """Return the status and the text of ``llmock report``."""
        script = "import sys; from llmock.cli import app; sys.argv[0] = 'llmock'; app()"
        command = [sys.executable, "-c", script, "report", "--url", self.url]
        done = subprocess.run(
            [*command, *(["--strict"] if strict else [])],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def _mock():
    """Start the server once."""
    port = free_port()
    script = "import sys; from llmock.cli import app; sys.argv[0] = 'llmock'; app()"
    command = [sys.executable, "-c", script, "serve", "--port", str(port), "--log-level", "error"]
    process = subprocess.Popen(
        [*command, "--response-style", "echo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    mock = Mock(port)
    end = monotonic() + PATIENCE_S
    while True:
        try:
            mock.call("/scenario")
            break
        except OSError:
            assert process.poll() is None
            assert monotonic() < end
            sleep(0.1)
    yield mock
    process.terminate()
    process.wait(20)


@pytest.fixture
def mock(_mock):
    """Lend the server, knowing nothing of earlier tests."""
    _mock.call("/reset", {})
    return _mock


@pytest.fixture(params=["openai", "anthropic"])
def dataset(request, mock, pytester, monkeypatch):
    """Write a dataset for a provider; return its name."""
    monkeypatch.setenv("MOCK_KEY", "anything-0123456789")
    base = {"openai": "/v1", "anthropic": "/anthropic"}[request.param]

    def dataset(cases: int) -> str:
        model = {
            "id": "m",
            "provider": request.param,
            "model": {"openai": "gpt-4o-mini", "anthropic": "claude-sonnet-4-5"}[request.param],
            "base_url": mock.url + base,
            "api_key_env": "MOCK_KEY",
            "params": {"max_tokens": 50},
        }
        data = {
            "models": [model],
            "scorers": [{"contains": "question"}],
            "cases": [{"id": f"c{i}", "input": f"question {i}"} for i in range(cases)],
        }
        (pytester.path / "mock.evals.yaml").write_text(json.dumps(data))
        return "mock.evals.yaml"

    return dataset


SCENARIOS: dict[str, list[dict[str, Any]]] = {
    "rate limit": [{"type": "fail", "status": 429, "times": 3}],
    "rate limit with retry-after": [{"type": "fail", "status": 429, "retry_after": 1, "times": 3}],
    "server errors": [
        {"type": "fail", "status": status, "times": 1} for status in (500, 502, 503, 529)
    ],
    "unavailable with retry-after": [{"type": "fail", "status": 503, "retry_after": 2, "times": 2}],
    "slow": [{"type": "delay", "seconds": 1, "times": 3}],
    "mixed": [
        {"type": "fail", "status": 500, "times": 2},
        {"type": "fail", "status": 429, "retry_after": 1, "times": 2},
        {"type": "delay", "seconds": 0.5, "times": 2},
        {"type": "fail", "status": 503, "times": 2},
    ],
}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_faults_that_pass_are_handled_without_a_finding(scenario, mock, dataset, evals):
    """Every question is answered, and neither an error nor a warning stands in the report."""
    mock.call("/scenario", {"behaviors": SCENARIOS[scenario]})
    evals("--evals-concurrency=4", dataset(8)).assert_outcomes(passed=8)
    assert mock.call("/verdict")["findings"] == []
    if scenario == "mixed":
        status, text = mock.report()
        assert status == 0, text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_cannot_get_better_is_asked_once(status, mock, dataset, evals):
    """Nothing is tried again that should not be."""
    mock.call("/scenario", {"behaviors": [{"type": "fail", "status": status, "times": None}]})
    result = evals("--evals-concurrency=1", dataset(8))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert mock.call("/verdict")["findings"] == []


def test_an_outage_is_given_up_after_a_bounded_number_of_attempts(mock, dataset, evals, pytester):
    """No storm: attempts grow apart and end; giving up is what is wanted here."""
    pytester.makeini("[pytest]\nevals_max_retries = 2\nevals_breaker = 1\n")
    mock.call("/scenario", {"behaviors": [{"type": "fail", "status": 503, "times": None}]})
    result = evals("--evals-concurrency=1", dataset(8))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    status, text = mock.report(strict=False)
    assert status == 0, text
    found = {finding["code"] for finding in mock.call("/verdict")["findings"]}
    assert found <= {"gave_up"}


def test_a_tool_call_that_is_broken_is_kept_as_it_came(mock, dataset, evals, records):
    """Arguments that are no JSON stay a text; nothing is made up, and nothing crashes."""
    name = dataset(1)
    mock.call("/scenario", {"behaviors": [{"type": "tool_fault", "kind": "malformed_arguments"}]})
    evals(name)
    assert mock.call("/verdict")["findings"] == []
