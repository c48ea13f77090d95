"""What calls cost, in words: ``answers unknown, judges $0.0002``. Pure."""

from collections.abc import Mapping

from pytest_evals.ground.plain_text import counted, format_cost
from pytest_evals.metrics.run_summary import RunSummary
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Spending


def cost_words(spending: Spending) -> str:
    """Write a cost: known, unknown, or the known part and how many calls are unknown."""
    if not spending.unpriced:
        return format_cost(spending.cost_usd)
    if spending.unpriced == spending.calls:
        return "unknown"
    return f"{format_cost(spending.cost_usd)} and {counted(spending.unpriced, 'call')} unknown"


def roles_words(spending: Mapping[str, Spending]) -> str:
    """Write the cost of each role: ``answers unknown, judges $0.0002``."""
    return ", ".join(f"{role} {cost_words(of)}" for role, of in spending.items())


def calls_words(spending: Mapping[str, Spending]) -> str:
    """Write the number of calls and their cost, by role if there are several.

    ``12 calls ($0.0010)``, ``14 calls ($0.0012: answers $0.0010, judges $0.0002)``, ``14 calls
    (answers unknown, judges $0.0002)``.
    """
    total = sum(spending.values(), Spending())
    words = cost_words(total)
    if total.unpriced == total.calls:
        words = "cost unknown"
    elif len(spending) > 1:
        roles = roles_words(spending)
        words = roles if total.unpriced else f"{words}: {roles}"
    return f"{counted(total.calls, 'call')} ({words})"


def trial_cost_words(result: TrialResult) -> str:
    """Write the cost of a trial's calls, stored ones included; by role where a part is unknown."""
    summary = RunSummary()
    calls = tuple(call.model_copy(update={"source": "asked"}) for call in result.exchanges)
    summary.count(result.model_copy(update={"exchanges": calls}))
    spending, total = summary.spending, summary.spent
    if len(spending) > 1 and 0 < total.unpriced < total.calls:
        return roles_words(spending)
    return cost_words(total) if total.calls else format_cost(None)
