"""A secret put in every place it could be is found in no byte that a session writes."""

import base64
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy

KNOWN = "canary/known+4711=secret"
"""The value of an environment variable that is called as keys are."""
LOOKS = "sk-canary0123456789abcdefghijkl"
"""What looks like a key, whosever it is."""
OWN = "kunde-8812-canary"
"""What the user's own pattern matches."""
ALL = f"{KNOWN} and {LOOKS} and {OWN}"
BYTES = [
    form.encode()
    for secret in (KNOWN, LOOKS, OWN)
    for form in (secret, json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode())
] + [b"canary"]

APP = f"""
import sys

def answer(input, **rest):
    print({ALL!r})
    print({ALL!r}, file=sys.stderr)
    if "break" in str(input):
        raise RuntimeError("cannot use " + {ALL!r})
    return "the key is " + {ALL!r}

def score(answer, **rest):
    return {{"passed": "zebra" in answer, "reason": "found " + answer}}
"""
DATASET = f"""
name: shop
models:
  - id: app
    provider: python
    target: "app:answer"
    params: {{user: {ALL!r}, headers: {{Authorization: "Bearer {LOOKS}", x-api-key: {KNOWN!r}}}}}
gates:
  - no regressions
  - {{metric: pass@1, min: 0.9, where: {{team: {OWN!r}}}}}
max_error_rate: 1
scorers:
  - contains: zebra
  - not: {{regex: "the (?P<k>.*)"}}
  - python: "app.py:score"
cases:
  - {{id: leaks, input: {ALL!r}, expected: {ALL!r}, metadata: {{team: {OWN!r}, note: {ALL!r}}}}}
  - {{id: breaks, input: "break {ALL}", metadata: {{team: {OWN!r}}}}}
  - {{id: same, input: {ALL!r}, variables: {{key: {ALL!r}}}}}
prompt: "Say {{{{ input }}}} with {ALL}"
"""
REPORTS = ["json", "csv", "md", *(["html"] if find_spec("pytest_evals.reporters.html") else [])]


@pytest.fixture
def leaky(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Write a dataset and an application that spread secrets; return how to run it."""
    monkeypatch.setenv("CANARY_API_KEY", KNOWN)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    pytester.makepyfile(app=APP)
    pytester.path.joinpath("shop.evals.yaml").write_text(DATASET, encoding="utf-8")
    pytester.makeini("[pytest]\nevals_redact = kunde-[a-z0-9-]+")
    return [
        "--evals",
        "-p",
        "no:randomly",
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:cacheprovider",
        "-vv",
    ]


def leaks(folder: Path, inputs: set[str]) -> list[str]:
    """Return the files, and lines of them, in which a secret stands."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in inputs and "__pycache__" not in name:
            told = path.read_bytes()
            found += [
                f"{name}: ...{told[max(0, told.find(secret) - 80) :][:160]!r}"
                for secret in BYTES
                if secret in told
            ]
    return found


INPUTS = {"app.py", "shop.evals.yaml", "tox.ini"}


@pytest.mark.parametrize(
    "workers",
    [[], pytest.param(["-n", "2"], marks=pytest.mark.slow)],
    ids=["alone", "xdist"],
)
def test_no_byte_holds_a_secret(pytester, leaky, monkeypatch, workers) -> None:
    """In no report, no store, no cassette, no baseline, no JUnit file and not on the terminal."""
    if workers:
        pytest.importorskip("xdist")
    outputs = [f"--evals-{name}=out/report.{name}" for name in REPORTS]
    keep = ["--evals-cassette=out/cassettes/shop.jsonl", "--evals-update-baseline"]
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "out" / "summary.md"))
    beside = ["--html=out/other.html"] if find_spec("pytest_html") else []
    beside += ["--alluredir=out/allure"] if find_spec("allure_pytest") else []
    for _ in range(2):  # the second compares with what the first has written
        result = pytester.runpytest_subprocess(
            *leaky, *workers, *outputs, *keep, *beside, "--junitxml=out/junit.xml"
        )
        assert pytest.ExitCode.TESTS_FAILED == result.ret
    shown = result.stdout.str() + result.stderr.str()
    assert [] == [line for line in shown.splitlines() if "canary" in line]
    assert {*(f"report.{name}" for name in REPORTS), "junit.xml"} <= {
        path.name for path in (pytester.path / "out").iterdir()
    }
    for form in () if workers else [*REPORTS, *(["parquet"] if find_spec("pyarrow") else [])]:
        pytester.run(sys.executable, "-m", "pytest_evals.cli", "export", "latest", f"--output=out/exported.{form}",
                     "--baseline=baselines")  # fmt: skip
        assert pytester.path.joinpath(f"out/exported.{form}").stat().st_size
    assert [] == leaks(pytester.path, INPUTS)
