"""The worst cases: once for models that share them, in lines that fit."""

import json

import pytest

from pytest_evals.ground.plain_text import display_width


@pytest.mark.parametrize("width", [60, 80, 120])
def test_models_that_fail_alike_share_their_worst_cases(width, monkeypatch, pytester):
    """Long ids keep their ends; the third model, which fails another case, has its own lines."""
    monkeypatch.setenv("COLUMNS", str(width))
    models = [f"a-model-with-a-long-id-of-2026-{letter}" for letter in "abc"]
    cases = []
    for i, name in enumerate(["refund-" * 8 + "1", "refund-" * 8 + "2", "退款" * 20]):
        answers = {
            model: [{"kind": "chat_response", "content": "no" if wrong else "yes"}]
            for model, wrong in zip(models, (i < 2, i < 2, i == 2), strict=True)
        }
        cases.append({"id": name, "input": "?", "scorers": [{"equals": "yes"}], "script": answers})
    data = {
        "name": "d",
        "models": [{"id": model, "provider": "script"} for model in models],
        "gates": ["pass@1 >= 0.9"],
        "cases": cases,
    }
    (pytester.path / "d.evals.yaml").write_text(json.dumps(data), encoding="utf-8")
    result = pytester.runpytest_subprocess("--evals", "--evals-store=none", "--tb=no")
    lines = result.outlines
    begin = next(i for i, line in enumerate(lines) if line.startswith("worst cases of "))
    end = next(i for i, line in enumerate(lines) if line.startswith("gate "))
    told = lines[begin:end]
    heads = [line for line in told if line.startswith("worst cases of ")]
    assert len(heads) == 2
    text = " ".join(told)
    assert [text.count(f"26-{letter}") for letter in "abc"] == [1, 1, 1]
    assert all(display_width(line) <= width for line in told)
    assert sum(line.startswith("  refund-") for line in told) == 2
    assert sum(line.startswith("  退款") for line in told) == 1
