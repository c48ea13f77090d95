"""`pytest-evals estimate`: trials, calls, tokens and cost before anything is spent."""

import json

import pytest

from pytest_evals.cli import main
from pytest_evals.exchange import Exchange, Request, Response, Usage
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo, Run, RunStatus
from pytest_evals.storage.sqlite import SqliteRunStore

DATASET = """
name: d
samples: 5
models:
  - {id: m, provider: openai, model: x, base_url: "http://127.0.0.1:9/v1",
     params: {max_tokens: 100}, price: {input: 1, output: 2}}
  - {id: free, provider: openai, model: y, base_url: "http://127.0.0.1:9/v1"}
  - {id: said, provider: script}
scorers: [{contains: x}]
cases:
  - {id: a, input: "0123456789012345678901234567890123456789",
     script: [{kind: chat_response, content: x}]}
  - {id: b, turns: ["01234567", "01234567"],
     script: [{kind: chat_response, content: x}, {kind: chat_response, content: x}]}
"""
LENGTHS = "about 80 tokens of prompts"
BY = "(by the prompts' length; no stored run tells)"
JUDGED = """
name: judged
models: [{id: m, provider: openai, model: x, base_url: "http://127.0.0.1:9/v1",
          params: {max_tokens: 10}, price: {input: 1, output: 2}}]
judges: {good: {type: closed_qa, model: openai:j, question: Is it?}}
scorers: [{judge: {use: good}}]
cases: [{id: a, input: "01234567"}, {id: b, input: "01234567"}]
"""


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    """Lines are not broken, however long the temporary folder's name is."""
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture
def estimate(tmp_path, monkeypatch, capsys):
    """Stand in a folder with two datasets; run the command: its status, output, error output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "d.yaml").write_text(DATASET)
    (tmp_path / "judged.yaml").write_text(JUDGED)

    def run(*words):
        try:
            status = main(["estimate", *words])
        except SystemExit as error:
            status = int(error.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def keep(path, *, cost, dataset="d", model="free"):
    """Store a run with two trials of one model: 60 and 40 tokens."""
    store = SqliteRunStore(path / ".evals" / "evals.sqlite")
    run = Run(id="past", started_at=1.0,
              datasets=(DatasetInfo(name=dataset, path="d.yaml", digest="x"),))  # fmt: skip
    store.begin(run)
    for i, tokens in enumerate((60, 40)):
        answer = Response(text="x", usage=Usage(input_tokens=tokens, output_tokens=0))
        exchange = Exchange(request=Request(messages=()), response=answer, cost_usd=cost)
        result = TrialResult(id=f"d::{i}", dataset=dataset, case_id="a", model_id=model, sample=i,
                             outcome=Outcome.PASSED, exchanges=(exchange,))  # fmt: skip
        store.append("past", result.model_dump_json(), result)
    store.seal(run.model_copy(update={"status": RunStatus.COMPLETE}))
    store.close()


def test_by_lengths(estimate):
    """40 characters once, 8 and 16 in two turns, five times: 80 tokens; 15 answers of 100."""
    status, out, _ = estimate("d.yaml")
    assert (status, out.splitlines()) == (0, [
        "d: 30 trials",
        f"  m: 15 calls, {LENGTHS} and at most 1,500 of answers, at most $0.0031 {BY}",
        f"  free: 15 calls, {LENGTHS} {BY}",
        "  said: no calls, its answers are recorded",
        "the total cost is unknown: free",
    ])  # fmt: skip


def test_an_unknown_price_is_unknown(estimate, tmp_path):
    """Not nothing: without a run, with a run that knows none, and it is below no limit."""
    _, out, _ = estimate("d.yaml", "--json")
    rows = {row["model"]: row for row in json.loads(out)["models"]}
    assert (rows["free"]["cost_usd"], rows["free"]["tokens"], rows["said"]["cost_usd"]) == (
        None, None, 0.0,
    )  # fmt: skip
    assert rows["m"]["cost_usd"] == pytest.approx(0.00308)
    assert json.loads(out)["cost_usd"] is None
    keep(tmp_path, cost=None)
    status, out, _ = estimate("d.yaml", "--model", "free", "--max-cost", "1000")
    assert status == 1
    assert "about 500 tokens, cost unknown (by run past)" in out
    assert out.endswith("that is not known to be below $1,000.00\n")


def test_by_an_earlier_run(estimate, tmp_path):
    """The mean of its trials, 50 tokens and $0.02, for as many as there are now."""
    keep(tmp_path, cost=0.02)
    _, out, _ = estimate("d.yaml", "--model", "free", "--samples", "3", "--json")
    told = json.loads(out)
    (row,) = told["models"]
    assert (row["trials"], row["calls"], row["tokens"], row["by_run"]) == (6, 9, 300, "past")
    assert told["cost_usd"] == row["cost_usd"] == pytest.approx(0.12)


@pytest.mark.parametrize(("limit", "status"), [("0.3", 0), ("0.1", 1), ("0", 1)])
def test_a_limit(estimate, tmp_path, limit, status):
    """Ten trials of two cents."""
    keep(tmp_path, cost=0.02)
    assert estimate("d.yaml", "--model", "free", "--max-cost", limit)[0] == status


def test_judges_are_not_forgotten(estimate, tmp_path):
    """Their calls are counted, and what they cost is unknown until a run tells."""
    _, out, _ = estimate("judged.yaml")
    assert "and 2 calls of judges or more, not counted" in out
    assert "is unknown: m" in out
    _, out, _ = estimate("judged.yaml", "--json")
    (row,) = json.loads(out)["models"]
    assert (row["calls"], row["judge_calls"], row["tokens"], row["cost_usd"]) == (2, 2, None, None)
    keep(tmp_path, cost=0.02, dataset="judged", model="m")
    _, out, _ = estimate("judged.yaml")
    assert "m: 2 calls, about 100 tokens, $0.0400 (by run past)" in out


def test_several_datasets_and_a_model_of_no_dataset(estimate):
    """Each by itself, then all in all; a model may be named as for a session."""
    status, out, _ = estimate("d.yaml", "judged.yaml", "--model", "script", "--json")
    rows = json.loads(out)["models"]
    assert [(row["dataset"], row["model"], row["trials"], row["calls"]) for row in rows] == [
        ("d", "script", 10, 0), ("judged", "script", 2, 0),
    ]  # fmt: skip
    assert status == 0


@pytest.mark.parametrize(
    ("words", "why", "status"),
    [
        (("gone.yaml",), "gone.yaml", 1),
        (("d.yaml", "--model", "opena:x"), "--model opena:x: d.yaml has no such model", 1),
        (("d.yaml", "--max-cost", "lots"), "expected an amount, 0 or more, found 'lots'", 4),
        (("d.yaml", "--samples", "0"), "--samples 0: a case needs at least one sample", 4),
        ((), "the following arguments are required: DATASET", 4),
    ],
)
def test_what_is_not_right(estimate, words, why, status):
    """Is said."""
    found, _, err = estimate(*words)
    assert (status, why in err) == (found, True), err


def test_nothing_is_written(estimate, tmp_path):
    """No store is made by looking."""
    estimate("d.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "d.yaml", "judged.yaml", "pytest.ini",
    ]  # fmt: skip
