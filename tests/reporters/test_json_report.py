"""The JSON report: its shape, and the schema that is published with it."""

import json
from pathlib import Path

import hypothesis.strategies as st
import jsonschema
import pytest
from hypothesis import given, settings

import pytest_evals
from pytest_evals.cli.commands.schema import report_schema_text
from pytest_evals.ground.errors import ReportError
from pytest_evals.report import Report
from pytest_evals.reporters.json import JsonReporter, pieces
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Run
from pytest_evals.score import Score, ScoreError
from tests.reporters.text_makers import HOSTILE, report, trial

SHIPPED = Path(pytest_evals.__file__).parent / "report.schema.json"
SCHEMA = json.loads(SHIPPED.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def written(made: Report) -> dict:
    """Return a report as JSON, valid by its schema."""
    told = json.loads("".join(pieces(made)))
    VALIDATOR.validate(told)
    return told


def test_the_schema_is_up_to_date() -> None:
    """After a change: pytest-evals schema report > pytest_evals/report.schema.json."""
    assert report_schema_text() == SHIPPED.read_text(encoding="utf-8")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_whole_shape() -> None:
    """Run, trials, metrics, gates, diff and decision stand under the keys that are promised."""
    made = report(
        [trial("a"), trial("b", passed=False), trial("c", None)],
        gates=["pass@1 >= 0.9", "no regressions"],
        before=[trial("a"), trial("b"), trial("c")],
    )
    told = written(made)
    keys = [
        "schema",
        "run",
        "trials",
        "metrics",
        "confusions",
        "gates",
        "diff",
        "decision",
        "context",
    ]
    assert keys == list(told)
    assert ("shop", "0" * 64, "complete") == (
        told["run"]["dataset"],
        told["run"]["digest"],
        told["run"]["status"],
    )
    assert ["passed", "failed", "errored"] == [one["outcome"] for one in told["trials"]]
    assert {"b": "newly_failing", "c": "errored"} == {
        one["case"]: one["class"] for one in told["diff"]["entries"]
    }
    assert {"shop": "main:b.jsonl"} == told["diff"]["baselines"]
    assert "reject" == told["decision"]["decision"]
    assert {"pass@1 >= 0.9", "no regressions", "error_rate <= 1"} == {
        gate["gate"] for gate in told["gates"]
    }


def test_a_trial() -> None:
    """A trial has its scores with reasons, its answer, tokens, cost, time and conversation."""
    odd = (
        Score(name="tone", type="judge", label="kind", passed=True, metadata={"k": [1, None]}),
        ScoreError(name="facts", type="judge", message="no verdict"),
    )
    told = written(report([trial("a", "yes", scores=odd, tags=("x",), metadata={"m": {"n": 1}})]))
    one = told["trials"][0]
    assert ("a", "gpt", 0, "yes", 0.001, 0.25) == tuple(
        one[key] for key in ("case", "model", "sample", "answer", "cost_usd", "latency_s")
    )
    assert [("tone", "score"), ("facts", "error")] == [
        (s["name"], s["kind"]) for s in one["scores"]
    ]
    assert "about a?" == one["exchanges"][0]["request"]["messages"][0]["content"]
    assert {"m": {"n": 1}} == one["metadata"]


def test_nothing_of_a_trial_or_a_run_is_left_out() -> None:
    """Every field is in the report, but for two keys beside `run` and two for later sessions.

    `chain` labels stored responses; `confirmations` reach the report as verdicts.
    """
    renamed = {"case_id": "case", "model_id": "model"}
    trials = {renamed.get(name, name) for name in TrialResult.model_fields}
    assert set() == trials - set(SCHEMA["$defs"]["TrialShape"]["properties"])
    runs = set(Run.model_fields) - set(SCHEMA["$defs"]["RunShape"]["properties"])
    assert {"chain", "confirmations", "decision", "gates"} == runs


def test_several_datasets() -> None:
    """Their diffs are one; what cannot be one name is null."""
    trials = [trial("a", passed=False), trial("b", dataset="other")]
    told = written(report(trials, before=[trial("a"), trial("b", dataset="other")]))
    assert (None, None) == (told["run"]["dataset"], told["run"]["digest"])
    assert ["shop", "other"] == [one["name"] for one in told["run"]["datasets"]]
    assert ["shop", "other"] == list(told["diff"]["baselines"])
    assert {"newly_failing": 1, "still_passing": 1} == told["diff"]["counts"]
    assert ["shop"] == [one["dataset"] for one in told["diff"]["entries"]]


def test_nothing_to_tell() -> None:
    """Without gates and baseline there is no decision and no diff; without trials no metric."""
    told = written(report([]))
    assert ([], [], [], None, None) == tuple(
        told[key] for key in ("trials", "metrics", "gates", "diff", "decision")
    )


@pytest.mark.parametrize(
    "where", [(), ("run",), ("trials", 0), ("trials", 0, "exchanges", 0), ("diff", "entries", 0),
              ("gates", 0), ("diff", "tests", 0, "result", "mean")]
)  # fmt: skip
def test_other_keys_are_refused(where: tuple) -> None:
    """The schema allows no key that it does not describe, at any depth, and none may lack."""
    before = [trial(case, sample=i) for case in "ab" for i in range(3)]
    now = [trial(case, passed=i > 1, sample=i) for case in "ab" for i in range(3)]
    told = written(report(now, gates=["no regressions"], before=before))
    inner = told
    for key in where:
        inner = inner[key]
    inner["surprise"] = 1
    assert not VALIDATOR.is_valid(told)
    del inner["surprise"]
    assert VALIDATOR.is_valid(told)
    inner.pop(next(iter(inner)))
    assert not VALIDATOR.is_valid(told)


@settings(max_examples=50, deadline=None)
@given(answer=st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(HOSTILE))
def test_any_answer_survives(answer: str) -> None:
    """Whatever was answered is read back as it was."""
    told = written(report([trial("a", answer, passed=False, reason=answer)]))
    assert (answer, answer) == (
        told["trials"][0]["answer"],
        told["trials"][0]["scores"][0]["reason"],
    )


def test_what_cannot_be_finished_leaves_the_old_file(tmp_path: Path) -> None:
    """A disk that fills up half-way says so; the old file stays, and no draft."""
    made = report([trial("a")])

    def trials():
        yield trial("a")
        raise OSError(28, "No space left on device")

    path = tmp_path / "out.json"
    path.write_text("old")
    with pytest.raises(ReportError, match="No space left on device"):
        JsonReporter().write(Report(made.run, made.evaluations, trials), path)
    assert ("old", ["out.json"]) == (path.read_text(), [p.name for p in tmp_path.iterdir()])


def test_trials_are_written_one_by_one() -> None:
    """A trial is asked for when the one before it has been written."""
    made, told = report([trial("a")]), []

    def trials():
        for i in range(3):
            told.append(i)
            yield trial(f"c{i}")

    written = [len(told) for _ in pieces(Report(made.run, made.evaluations, trials))]
    assert [0, 1, 2, 3] == written[:4]
