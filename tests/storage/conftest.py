"""Runs and trials to store."""

from collections.abc import Callable

import pytest

from pytest_evals.exchange import Exchange, Request, Response, Usage
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo, Run
from pytest_evals.score import Score


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """Return a function that makes a run."""

    def make(run_id: str = "20261121-051500-3f9a", *, dataset: str = "d", **more: object) -> Run:
        info = DatasetInfo(name=dataset, path=f"{dataset}.yaml", digest="x")
        return Run(id=run_id, started_at=1_000.0, datasets=(info,), **more)

    return make


@pytest.fixture
def make_result() -> Callable[..., TrialResult]:
    """Return a function that makes a trial."""

    def make(
        name: str, outcome: Outcome = Outcome.PASSED, *, cost: float | None = 0.5, **more: object
    ) -> TrialResult:
        usage = Usage(input_tokens=3, output_tokens=4)
        exchange = Exchange(
            request=Request(messages=()),
            response=Response(text="thirty days", usage=usage, latency_s=0.25),
            cost_usd=cost,
        )
        return TrialResult(
            id=f"d.yaml::{name}",
            dataset="d",
            case_id=name,
            model_id="m",
            sample=0,
            outcome=outcome,
            exchanges=(exchange,),
            scores=(Score(name="tone", type="contains", value=1.0, passed=True),),
            **more,
        )

    return make
