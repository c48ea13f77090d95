"""One place evaluates a run; cases are run again only if the plan names some."""

from pytest_evals.session.confirmation import Confirmer
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.verdicts import evaluate
from pytest_evals.verdict.baseline import build_baseline
from pytest_evals.verdict.evaluate import evaluate_run
from pytest_evals.verdict.evaluation import EvaluationInput
from tests.gates.makers import info, table, trial

CASES = {f"c{i:02}": "+++++" for i in range(20)}


def inputs(now: dict[str, str], **more) -> EvaluationInput:
    """Return a run beside a baseline in which every case passes."""
    before, after = table(CASES), table(now, seed="2")
    baseline = build_baseline(before, info(before))
    return EvaluationInput(after, info(after, gates=("no regressions",)), baseline, "b", **more)


def test_cases_that_look_broken_are_confirmed():
    """The further samples decide the break: it is confirmed, or it recovers."""
    broken = inputs(CASES | {"c03": "-----", "c07": "-----", "c11": "-----"})
    plans = []

    def confirm(plan, *, ok=False):
        plans.append(plan)
        return [
            trial(case, 100 + i, ok=ok, model=model, seed="again")
            for (case, model), count in plan.cells.items()
            for i in range(count)
        ]

    (gate,) = evaluate(broken, confirm).gates
    assert ("failed", ("c03", "c07", "c11")) == (gate.verdict, gate.behind)
    (gate,) = evaluate(broken, lambda plan: confirm(plan, ok=True)).gates
    assert "failed" != gate.verdict
    assert {"c03", "c07", "c11"} == {case for case, _ in plans[0].cells}
    assert plans[0].cells == plans[1].cells


def test_nothing_runs_again_without_a_break(make_session):
    """The plan is empty, so no line is announced and no engine is made."""
    session = make_session()
    announced: list[str] = []
    confirmer = Confirmer(
        session.state,
        session.plan,
        session.engines,
        Ledger(),
        notes=session.notes,
        announce=announced.append,
    )
    unbroken = inputs(CASES)
    evaluation = evaluate(unbroken, lambda plan: confirmer.run(unbroken.info, plan))
    assert "passed" == evaluation.gates[0].verdict
    assert ([], None) == (announced, session.engines.progress())
    assert [] == list(session.notes)


def test_without_confirmation_it_is_the_plain_evaluation():
    """As of a stored run, of which nothing can run again."""
    broken = inputs(CASES | {"c03": "-----"})
    assert evaluate_run(broken) == evaluate(broken)
