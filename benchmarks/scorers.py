"""What 20 deterministic scorers cost on an answer of 2 KB: ``python benchmarks/scorers.py``.

Everything between an answer and its stored scores counts, the making of the Score values included.
"""

import gc
import json
import statistics
from importlib import import_module
from pathlib import Path
from time import perf_counter

from pytest_evals.case import Case, ScorerSpec
from pytest_evals.dataset import Dataset
from pytest_evals.exchange import Exchange, Request, Response, Usage
from pytest_evals.message import ToolCall
from pytest_evals.model import Model
from pytest_evals.score import Score
from pytest_evals.scorers.base import ScoreContext, Scorer
from pytest_evals.scorers.binding import bind
from pytest_evals.scorers.bound import Bound
from pytest_evals.scorers.catalogue import SCORERS

ORDER = {"order": {"id": 7, "status": "shipped", "items": [{"sku": f"A{i}"} for i in range(12)]}}
PROSE = "You have 30 days to return the parcel in its original box, with the receipt [policy.md]. "
ANSWER = PROSE * 18 + f"\n```json\n{json.dumps(ORDER)}\n```\nThe answer is \\boxed{{30}}."
WRITTEN = [
    {"contains": "30 days"},
    {"icontains": "Original Box"},
    {"contains_any": ["a month", "30 days"]},
    {"contains_all": ["30 days", "receipt", "box"]},
    {"not": {"contains": "I don't know"}},
    {"starts_with": "You have"},
    {"ends_with": "."},
    {"regex": r"\b30\s+days\b"},
    {"not": {"regex": r"(?i)\bnever\b"}},
    {"equals": "30", "transform": "boxed"},
    {"contains_json": {"paths": {"order.status": "shipped"}}},
    {"type": "json_schema", "inside": True, "schema": {"required": ["order"]}},
    {"numeric": 30},
    {"word_count": {"min": 50, "max": 600}},
    {"must_cite": ["policy.md"]},
    {"all_of": [{"contains": "days"}, {"contains": "receipt"}]},
    {"max_latency_s": 5},
    {"max_tokens": 2000},
    {"tool_called": "search"},
    {"contains": "{{ days }} days"},
]


def bound(written: object) -> Bound:
    """Make a scorer of how a dataset writes it."""

    def find(name: str) -> type[Scorer]:
        module, _, attribute = SCORERS[name].partition(":")
        found: type[Scorer] = getattr(import_module(module), attribute)
        return found

    return bind(ScorerSpec.model_validate(written), find, lambda: SCORERS)


def context() -> ScoreContext:
    """Make a trial with the answer of 2 KB."""
    case = Case(id="refund", input="How long?", variables={"days": 30})
    usage = Usage(input_tokens=100, output_tokens=500)
    response = Response(text=ANSWER, usage=usage, tool_calls=(ToolCall(name="search"),))
    return ScoreContext(
        case=case,
        model=Model(id="m", provider="script"),
        dataset=Dataset(name="d", path="d.evals.yaml", cases=(case,)),
        answer=ANSWER,
        response=response,
        exchanges=(Exchange(request=Request(messages=()), response=response),),
        usage=usage,
        latency_s=1.0,
        rootdir=Path(),
    )


def measure(scorers: list[Bound], rounds: int = 500) -> list[float]:
    """Return the milliseconds that these scorers take on one trial, for each round, sorted."""
    ctx, times = context(), []
    for scorer in scorers:
        score = scorer.evaluate_now(ctx)
        assert isinstance(score, Score), score
        assert score.passed, score
    gc.collect()
    for _ in range(rounds):
        begun = perf_counter()
        for scorer in scorers:
            scorer.evaluate_now(ctx)
        times.append((perf_counter() - begun) * 1000)
    return sorted(times)


if __name__ == "__main__":
    whole = measure([bound(written) for written in WRITTEN])
    print(
        f"{len(WRITTEN)} scorers on {len(ANSWER)} characters: {statistics.median(whole):.3f} ms a "
        f"trial (median of {len(whole)}; 95 % under {whole[len(whole) * 95 // 100]:.3f} ms)"
    )
    single = [(statistics.median(measure([bound(w)])), str(w)) for w in WRITTEN]
    for milliseconds, name in sorted(single, reverse=True):
        print(f"  {milliseconds * 1000:7.1f} us  {name}")
