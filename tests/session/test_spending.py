"""The ledger by role: what was paid for answers, revisions, judges and confirmation."""

import json

from hypothesis import given
from hypothesis import strategies as st

from pytest_evals import Case, Dataset, Model, load_run, run
from pytest_evals.exchange import Exchange, Request, Response, Usage
from pytest_evals.metrics.run_summary import RunSummary
from pytest_evals.reporters.spending_text import calls_words, trial_cost_words
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import ROLES, Spending

ASKED = Request(messages=())


def call(role, cost, tokens, source="asked"):
    """Make an answered call."""
    usage = Usage() if tokens is None else Usage(input_tokens=tokens)
    response = Response(text="x", usage=usage)
    return Exchange(request=ASKED, response=response, role=role, cost_usd=cost, source=source)


CALLS = st.lists(
    st.builds(
        call,
        st.sampled_from(["answer", "judge:a", "judge:b"]),
        st.none() | st.integers(0, 1000).map(lambda n: n / 1024),  # sums are exact
        st.none() | st.integers(0, 1000),
        st.sampled_from(["asked", "stored", "cassette", "scripted"]),
    ),
    max_size=6,
)


@st.composite
def trials(draw):
    """A trial whose last answers may be revisions."""
    calls = sorted(draw(CALLS), key=lambda one: one.role)
    answers = sum(one.role == "answer" for one in calls)
    return TrialResult(
        id=draw(st.text(max_size=3)),
        dataset="d",
        case_id="c",
        model_id="m",
        sample=0,
        outcome=Outcome.PASSED,
        exchanges=tuple(calls),
        revisions=draw(st.integers(0, max(0, answers - 1))),
    )


@given(st.lists(trials(), max_size=5), st.lists(trials(), max_size=3))
def test_the_roles_add_up_to_the_whole(results, samples):
    """Each call that was made is in one role; an unknown cost hides and zeroes no other."""
    summary = RunSummary()
    for result in results:
        summary.add(result)
    for sample in samples:
        summary.count(sample, confirms=True)
    made = [e for r in (*results, *samples) for e in r.exchanges if e.source == "asked"]
    spent = summary.spent
    assert spent == sum(summary.spending.values(), Spending())
    assert spent.calls == len(made)
    assert spent.tokens == sum(e.response.usage.total_tokens or 0 for e in made)
    assert spent.unmetered == sum(e.response.usage.total_tokens is None for e in made)
    assert spent.cost_usd == sum(e.cost_usd or 0 for e in made)
    assert spent.unpriced == sum(e.cost_usd is None for e in made)
    assert summary.spent_usd == (None if spent.unpriced else spent.cost_usd)
    judged = [e for r in results for e in r.exchanges if e.source == "asked" and e.role != "answer"]
    assert summary.spending.get("judges", Spending()).calls == len(judged)
    confirming = [e for r in samples for e in r.exchanges if e.source == "asked"]
    assert summary.spending.get("confirmation", Spending()).calls == len(confirming)
    assert list(summary.spending) == [role for role in ROLES if role in summary.spending]


@given(st.lists(trials(), max_size=4))
def test_a_total_with_an_unknown_part_is_unknown(results):
    """Of a trial, a model and the run; a sum of the others would be too low."""
    summary = RunSummary()
    for result in results:
        summary.add(result)
        answered = [e for e in result.exchanges if e.response is not None]
        unknown = any(e.response.usage.total_tokens is None for e in answered)
        assert (result.usage.total_tokens is None) == (unknown or not answered)
    calls = [e for r in results for e in r.exchanges]
    counts = [e.response.usage.total_tokens for e in calls]
    assert summary.tokens == (sum(counts) if counts and None not in counts else None)
    costs = [e.cost_usd for e in calls]
    assert summary.cost_usd == (None if None in costs else sum(costs))


@given(st.lists(trials(), max_size=4), st.lists(trials(), max_size=4))
def test_parts_add_up(first, second):
    """The spending of merged shards is the sum of theirs."""
    parts = []
    for results in (first, second, [*first, *second]):
        summary = RunSummary()
        for result in results:
            summary.add(result)
        parts.append(summary.spending)
    empty = Spending()
    for role in ROLES:
        a, b, whole = (part.get(role, empty) for part in parts)
        assert a + b == whole


def test_words():
    """Known, unknown, partly known; by role if there are several."""
    cent, unknown = Spending(calls=1, cost_usd=0.01), Spending(calls=2, unpriced=2)
    assert calls_words({"answers": cent}) == "1 call ($0.0100)"
    assert calls_words({"answers": unknown}) == "2 calls (cost unknown)"
    assert calls_words({"answers": cent + unknown}) == "3 calls ($0.0100 and 2 calls unknown)"
    assert (
        calls_words({"answers": cent, "judges": cent})
        == "2 calls ($0.0200: answers $0.0100, judges $0.0100)"
    )
    assert (
        calls_words({"answers": unknown, "judges": cent})
        == "3 calls (answers unknown, judges $0.0100)"
    )
    assert calls_words({"answers": unknown, "judges": unknown}) == "4 calls (cost unknown)"
    result = TrialResult(
        id="t", dataset="d", case_id="c", model_id="m", sample=0, outcome=Outcome.PASSED
    )
    calls = (call("answer", None, None), call("judge:a", 0.01, 3, "stored"))
    assert trial_cost_words(result.model_copy(update={"exchanges": calls})) == (
        "answers unknown, judges $0.0100"
    )
    assert trial_cost_words(result) == "-"


APP = """
import json
from pathlib import Path

def answer(question, context):
    mode = Path(__file__).with_name("mode").read_text()
    return "no" if question == "breaks" and mode == "bad" else "yes"

def judge(_, context):
    verdict = {"reasoning": "it fits", "reply": "yes"}
    usage = {"input_tokens": 40, "output_tokens": 5}
    return {"text": json.dumps(verdict), "usage": usage, "cost_usd": 0.001}
"""


def judged_dataset():
    """A python target of unknown cost, and a judge whose cost is known."""
    judge = {"id": "stand-in", "provider": "python", "target": "app.py:judge"}
    scorers = [{"type": "equals", "value": "yes"}, {"type": "judge", "use": "good"}]
    return Dataset(
        name="d",
        path="d.evals.yaml",
        samples=5,
        models=[Model(id="m", provider="python", options={"target": "app.py:answer"})],
        judges={"default": {"model": judge}, "good": {"type": "closed_qa", "question": "Right?"}},
        cases=[Case(id=q, input=q, scorers=scorers) for q in ("stays", "breaks", "third")],
        gates=["no regressions"],
    )


def test_a_run_tells_and_keeps_its_spending(tmp_path):
    """Answers unknown, judges known, confirmation apart; in the store and in the reports."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "mode").write_text("good")
    run(judged_dataset(), rootdir=tmp_path, update_baseline=True)
    (tmp_path / "mode").write_text("bad")
    made = run(judged_dataset(), rootdir=tmp_path, responses="off", json="r.json", confirm=4)
    assert made.spending["answers"] == Spending(calls=15, unmetered=15, unpriced=15)
    judges = made.spending["judges"]
    assert (judges.calls, judges.tokens, round(judges.cost_usd, 6)) == (15, 675, 0.015)
    again = made.spending["confirmation"]
    assert (again.calls, again.unpriced, round(again.cost_usd, 6)) == (8, 4, 0.004)
    assert (made.tokens, made.cost_usd, made.spent_usd) == (None, None, None)
    assert load_run(rootdir=tmp_path).spending == made.spending
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["run"]["spending"]["judges"]["calls"] == 15


def test_the_budget_of_the_confirmation_begins_where_the_run_ended(tmp_path):
    """What the run spent on answers and judges counts."""
    metered = APP.replace('return "no"', 'text = "no"').replace(
        'else "yes"\n', 'else "yes"\n    return {"text": text, "usage": {"input_tokens": 5}}\n', 1
    )
    (tmp_path / "app.py").write_text(metered)
    (tmp_path / "mode").write_text("good")
    run(judged_dataset(), rootdir=tmp_path, update_baseline=True)
    (tmp_path / "mode").write_text("bad")
    limits = {"max_tokens": 15 * 50 + 2 * 50, "concurrency": 1, "responses": "off", "confirm": 4}
    made = run(judged_dataset(), rootdir=tmp_path, **limits)
    assert made.spending["judges"].calls == 15
    assert 0 < made.spending["confirmation"].tokens <= 3 * 50
