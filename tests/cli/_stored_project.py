"""A project whose store was filled by real sessions, for the commands over verdicts.

Three datasets: ``support`` (scripted, two models, three samples, gates), ``live`` (a function that
is asked anew, five samples, gates) and ``plain`` (scripted, no gates). Two sessions ran all of it:
the first wrote the baselines, before the second one answers, questions and cases changed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HOSTILE = "come back \x1b[31mlater \u202e"
APP = '''
from pathlib import Path


def answer(input, context):
    """Right, but for what bad.txt names."""
    bad = Path("bad.txt").read_text().split()
    wrong = context.case_id in bad or f"{context.case_id}/{context.sample}" in bad
    return "no idea" if wrong else "it is right"
'''


def event(text: str, tokens: int = 12) -> dict[str, Any]:
    """Return a scripted answer."""
    used = {"prompt_tokens": 40, "completion_tokens": tokens}
    return {"kind": "chat_response", "content": text, "latency_s": 1.5, "tokens": used}


def _case(i: int, *, now: bool) -> dict[str, Any]:
    """Return a case: ``now`` as it is in the second session."""
    scripts = {}
    for model in ("large", "small"):
        samples = []
        for sample in range(3):
            small = model == "small"
            good = not (small and (i in {1, 4} or (i == 3 and sample)))
            if now:
                good = i == 1 if small and i in {1, 4} else good and (small or i not in {2, 5})
            events: list[dict[str, Any]] = []
            if i == 2 and good:
                call = {"name": "find_order", "arguments": {}, "result": "x"}
                events.append({"kind": "tool_call", **call})
            text = f"You have {30 if good else 14} days."
            text += " Have a nice day." if now and i == 6 else ""
            events.append(event(text, 17 if now else 12))
            if now and model == "small" and i == 7:
                events = [{"kind": "error", "error_type": "overloaded", "message": HOSTILE}]
            samples.append(events)
        scripts[model] = samples
    return {
        "id": f"return-{i}",
        "input": f"How long for item {i}?" + (" Please." if now and i == 8 else ""),
        "tags": ["odd" if i % 2 else "even"],
        "metadata": {"tier": "gold" if i < 3 else "basic"},
        "script": scripts,
    }


def write(folder: Path, *, now: bool) -> None:
    """Write the datasets."""
    cases = [_case(i, now=now) for i in range(10)]
    if now:
        cases[9] = {**cases[0], "id": "new"}
    support = {
        "name": "support",
        "samples": 3,
        "models": [
            {"id": "large", "provider": "script", "price": {"input": 10, "output": 40}},
            {"id": "small", "provider": "script", "price": {"input": 1, "output": 4}},
        ],
        "scorers": [{"contains": "30 days"}, {"max_latency_s": 60}],
        "cases": cases,
        "gates": ["pass@1 >= 0.3", "no regressions"],
        "max_error_rate": 0.5,
    }
    live = {
        "name": "live",
        "samples": 5,
        "models": [{"id": "app", "provider": "python", "target": "app.py:answer"}],
        "scorers": [{"contains": "right"}],
        "cases": [{"id": f"case-{i}", "input": f"question {i}"} for i in range(12)],
        "gates": ["no regressions"],
    }
    plain = {
        "name": "plain",
        "models": [{"id": "large", "provider": "script"}],
        "scorers": [{"contains": "hello"}],
        "cases": [{"id": "hi", "input": "hi", "script": [event("hello")]}],
    }
    for name, value in (("support", support), ("live", live), ("plain", plain)):
        # JSON is YAML
        (folder / f"{name}.evals.yaml").write_text(json.dumps(value, indent=1), encoding="utf-8")


def pytest_evals(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a session, with this plugin alone."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "evals-matrix", "--evals", "-q", *words],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def make(folder: Path) -> None:
    """Fill the project: a first session that writes baselines, and a second after changes."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "app.py").write_text(APP)
    (folder / "bad.txt").write_text("case-3/1")
    write(folder, now=False)
    first = pytest_evals(folder, "--evals-update-baseline")
    assert (folder / "baselines" / "support.jsonl").is_file(), first.stdout + first.stderr
    (folder / "bad.txt").write_text("case-0/2 case-3/1")
    write(folder, now=True)
    pytest_evals(folder)
