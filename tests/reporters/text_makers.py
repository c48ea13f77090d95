"""Makes reports for the tests of text reporters."""

from collections.abc import Sequence
from typing import Any

from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response, Usage
from pytest_evals.message import Message
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.model import Model
from pytest_evals.report import Report
from pytest_evals.result import Outcome, TrialResult, mean_score
from pytest_evals.run_record import Counts, DatasetInfo, Run, RunStatus
from pytest_evals.score import Score, ScoreError
from pytest_evals.verdict.baseline import build_baseline
from pytest_evals.verdict.evaluate import evaluate_run
from pytest_evals.verdict.evaluation import EvaluationInput

HOSTILE = (
    "plain words",
    "",
    "``` and ```` and `````\n```\nout",
    "a | b \\| c \\\\| d",
    "[link](https://evil.example) ![picture](https://evil.example/x.png)",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "</details></summary><!-- pytest-evals -->",
    "--> <!-- -->",
    "@everyone #12 GH-12 a@evil.example www.evil.example :smile: https://evil.example/x",
    "# heading\n> quote\n- item\n1. one\n| a | b |\n|---|---|\n| c | d |",
    "***bold*** __bold__ ~~gone~~ [^1]\n\n[^1]: note\n\n[ref]: https://evil.example",
    '=HYPERLINK("https://evil.example";"x")',
    "\uff1d1+1 \t=1 \r=1",
    "\x1b[31mred\x07 \u202eright to left\u2066 \u200bhidden \x00 nul",
    "&lt;b&gt; &#64;all &amp; $x^2$ \\(y\\)",
    "a" * 5000,
    "line one\r\nline two\u2028line three",
)
"""Answers a model could give, each to deceive another reader."""


def trial(
    case: str,
    answer: str | None = "fine",
    *,
    passed: bool = True,
    model: str = "gpt",
    sample: int = 0,
    reason: str = "the output does not contain 'fine'",
    **more: Any,
) -> TrialResult:
    """Make a trial with one assertion, or without an answer."""
    asked = Request(messages=(Message(role="user", content=f"about {case}?"),))
    exchange = Exchange(
        request=asked,
        response=None
        if answer is None
        else Response(text=answer, usage=Usage(input_tokens=12, output_tokens=5), latency_s=0.25),
        model_id=model,
        cost_usd=None if answer is None else 0.001,
    )
    scores: tuple[Score | ScoreError, ...] = (
        Score(
            name="contains",
            type="contains",
            value=float(passed),
            passed=passed,
            reason="" if passed else reason,
        ),
    )
    whole: dict[str, Any] = {
        "outcome": Outcome.PASSED if passed else Outcome.FAILED,
        "scores": scores,
        "exchanges": (exchange,),
        "case_digest": "0123456789abcdef",
        "scorers_digest": "0123456789abcdef",
        **({} if answer is not None else errored()),
        **more,
    }
    whole.setdefault("score", mean_score(whole["scores"]))
    return TrialResult(
        id=f"shop.yaml::{case}[{model}-{sample}]",
        dataset=whole.pop("dataset", "shop"),
        case_id=case,
        model_id=model,
        sample=sample,
        **whole,
    )


def errored(message: str = "come back later") -> dict[str, Any]:
    """Return what a trial without an answer has."""
    error = ErrorInfo(type="overloaded", message=message, status=503)
    return {"outcome": Outcome.ERRORED, "scores": (), "score": None, "error": error}


def report(
    trials: Sequence[TrialResult],
    *,
    gates: Sequence[Any] = (),
    before: Sequence[TrialResult] | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Make the report of trials, evaluated as in a session, against a baseline if there is one."""
    infos, evaluations = [], {}
    for name in dict.fromkeys(one.dataset for one in trials):
        own = [one for one in trials if one.dataset == name]
        info = _info(name, own, gates)
        infos.append(info)
        table = TrialTable.of(name, own)
        old = None
        if before is not None:
            then = [one for one in before if one.dataset == name]
            old = build_baseline(TrialTable.of(name, then), _info(name, then, gates))
        bench = EvaluationInput(
            table, info, baseline=old, baseline_name="" if old is None else "main:b.jsonl"
        )
        evaluations[name] = evaluate_run(bench)
    run = Run(
        id="20261121-051500-3f9a",
        status=RunStatus.COMPLETE,
        started_at=1_795_238_100.0,
        ended_at=1_795_238_160.0,
        datasets=tuple(infos),
        counts=Counts(
            passed=sum(one.outcome is Outcome.PASSED for one in trials),
            failed=sum(one.outcome is Outcome.FAILED for one in trials),
            errored=sum(one.outcome is Outcome.ERRORED for one in trials),
        ),
        notes=tuple(notes),
    )
    return Report(run, evaluations, lambda: iter(trials))


def _info(name: str, trials: Sequence[TrialResult], gates: Sequence[Any]) -> DatasetInfo:
    """Return what a run keeps of a dataset."""
    models = dict.fromkeys(one.model_id for one in trials)
    return DatasetInfo(
        name=name,
        path=f"{name}.yaml",
        digest="0" * 64,
        models=tuple(Model(id=model, provider="openai") for model in models),
        cases=len({one.case_id for one in trials}),
        planned=len(trials),
        selected=len(trials),
        gates=tuple(gates),
        max_error_rate=1.0,
    )
