"""Makes pages for the tests of the HTML report, and reads them back."""

import gzip
import json
import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from pytest_evals.exchange import Exchange, Request, Response, Span, Usage
from pytest_evals.message import Message, ToolCall
from pytest_evals.report import Report
from pytest_evals.reporters.html_page import pieces
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.score import Score
from tests.reporters.text_makers import report, trial


def page(made: Report) -> str:
    """Return a report as its page."""
    return "".join(pieces(made))


def unpacked(text: str, name: str) -> Any:
    """Return one of the values that stand in a page packed."""
    found = re.search(rf'id="data-{name}">([A-Za-z0-9+/=]+)</script>', text)
    assert found, f"there is no {name}"
    return json.loads(gzip.decompress(b64decode(found[1])))


def details(text: str) -> list[dict[str, Any]]:
    """Return the details of all trials of a page."""
    chunks = len(re.findall(r'id="data-\d+"', text))
    return [one for chunk in range(chunks) for one in unpacked(text, str(chunk))]


def busy_trial(words: str = "words") -> TrialResult:
    """Make a trial that has everything a drawer shows, each with these words in it."""
    call = ToolCall(
        name=f"find {words}", arguments={"what": words}, result={"found": words}, captured=True,
        error=words, duration_s=0.02,
    )  # fmt: skip
    spans = (
        Span(id="1", name=f"agent {words}", kind="agent_turn", start_s=0.0, end_s=0.4),
        Span(id="2", name=words, kind="tool_call", parent="1", start_s=0.1, end_s=0.2, error=words,
             attributes={"key": words}),
    )  # fmt: skip
    asked = Exchange(
        request=Request(
            messages=(
                Message(role="system", content=f"system {words}"),
                Message(role="user", content=f"question {words}"),
            ),
            params={"stop": words},
            tools=({"name": f"tool {words}"},),
        ),
        response=Response(
            text=f"answer {words}",
            tool_calls=(call,),
            refusal=words,
            finish_reason=words,
            usage=Usage(input_tokens=12, output_tokens=5, cached_tokens=3),
            latency_s=0.25,
            model=f"served {words}",
            trace=spans,
            data={"data": words},
            metadata={"request": words},
            faults=(words,),
        ),
        model_id="gpt",
        cost_usd=0.001,
    )
    judged = Exchange(
        request=Request(messages=(Message(role="user", content=f"judge this: {words}"),)),
        response=Response(text=f"reply {words}"),
        role=f"judge:helpful {words}",
        model_id="arbiter",
    )
    return TrialResult(
        id=f"shop.yaml::busy[gpt-0] {words}",
        dataset="shop",
        case_id=f"busy {words}",
        model_id="gpt",
        sample=0,
        outcome=Outcome.FAILED,
        scores=(
            Score(name=f"helpful {words}", type="judge", value=0.25, passed=False, bar=words,
                  label=words, reason=f"reason {words}", metadata={"why": words}),
            Score(name="tone", type="judge", value=0.5, advisory=True, reason=words,
                  metadata={"advisory": f"no certificate {words}"}),
        ),
        score=0.25,
        exchanges=(asked, judged),
        tags=(f"tag {words}",),
        metadata={"risk": words},
        output=f"printed {words}",
        duration_s=0.5,
    )  # fmt: skip


def sampled(
    case: str, passes: Sequence[int], *, model: str = "gpt", answer: str = "fine", **more: Any
) -> list[TrialResult]:
    """Make the samples of one case: 1 passes, 0 fails."""
    return [
        trial(case, f"{answer} {sample}", passed=bool(one), model=model, sample=sample, **more)
        for sample, one in enumerate(passes)
    ]


def shop(**more: Any) -> Report:
    """Make the report of a shop's bot: three cases by two models, one of them worse than before."""
    before = [
        *sampled("refund", [1] * 5, tags=("money",)),
        *sampled("hours", [1] * 5, tags=("shop",)),
        *sampled("vat", [1, 0, 1, 1, 1], tags=("money", "tax")),
        *sampled("refund", [1] * 5, model="claude", tags=("money",)),
        *sampled("hours", [1] * 5, model="claude", tags=("shop",)),
        *sampled("vat", [1] * 5, model="claude", tags=("money", "tax")),
    ]
    now = [
        *sampled("refund", [0] * 5, tags=("money",), answer="no refunds", tolerated=True),
        *sampled("hours", [1] * 5, tags=("shop",)),
        *sampled("vat", [1, 1, 0, 1, 1], tags=("money", "tax"), tolerated=True),
        *sampled("refund", [1] * 5, model="claude", tags=("money",)),
        *sampled("hours", [1] * 5, model="claude", tags=("shop",)),
        *sampled("vat", [1] * 5, model="claude", tags=("money", "tax")),
    ]
    settled = {"gates": ("pass@1 >= 0.9", "no regressions"), "before": before, **more}
    return report(now, **settled)
