"""Rules that all run stores share: finding a run by its id, and the totals of an unsealed run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_evals.ground.errors import StoreError, suggest
from pytest_evals.result import TrialResult
from pytest_evals.run_record import Counts, Run, RunStatus
from pytest_evals.storage.base import TrialRow


def row_of(result: TrialResult) -> TrialRow:
    """Return the columns of a trial."""
    answered = [e for e in result.exchanges if e.response is not None]
    tokens, cost = result.usage.total_tokens, result.cost_usd
    return TrialRow(
        trial=result.id,
        dataset=result.dataset,
        case_id=result.case_id,
        model_id=result.model_id,
        sample=result.sample,
        outcome=result.outcome.value,
        tolerated=result.tolerated,
        score=_finite(result.score),
        # A server may report any number; beyond 10**15 it is wrong and does not fit a column.
        tokens=tokens if tokens is not None and abs(tokens) < 10**15 else None,
        cost_usd=_finite(cost),
        unpriced=bool(answered) and cost is None,
        latency_s=_finite(result.latency_s),
        error=None if result.error is None else result.error.type,
    )


def _finite(number: float | None) -> float | None:
    """Return a finite number; None for NaN and infinities."""
    return number if number is not None and math.isfinite(number) else None


def find_run_id(name: str, ids: Sequence[str], store: str) -> str:
    """Return the run id that a name refers to.

    Args:
        name: an id, a unique prefix of one, or ``latest``.
        ids: all ids, newest first.
        store: names the store in messages.

    Raises:
        StoreError: it refers to no run or to several.
    """
    if name in ids:
        return name
    if not ids:
        raise StoreError(f"{store} holds no run yet; `pytest --evals` makes one")
    if name == "latest":
        return ids[0]
    matches = [run_id for run_id in ids if name and run_id.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        more = f" and {len(matches) - 5} more" if len(matches) > 5 else ""
        listed = ", ".join(matches[:5]) + more
        raise StoreError(f"{name!r} begins {len(matches)} run ids in {store}: {listed}; add to it")
    raise StoreError(
        f"{store} holds no run {name!r}.{suggest(name, ['latest', *ids[:500]], limit=6)}"
    )


def reject_running(run: Run) -> None:
    """Reject sealing a run whose record says that it is running.

    Raises:
        StoreError: it says so.
    """
    if run.status is RunStatus.RUNNING:
        raise StoreError(
            f"run {run.id} cannot be sealed as running; expected complete, narrowed or interrupted"
        )


@dataclass(slots=True)
class Tally:
    """Totals of the trials with one outcome."""

    trials: int = 0
    counted: int = 0
    """Trials with a known number of tokens."""
    tokens: int = 0
    priced: int = 0
    """Trials with a known cost."""
    unpriced: int = 0
    """Trials with responses of unknown price."""
    cost_usd: float = 0.0

    def add(self, row: TrialRow) -> None:
        """Add a trial."""
        self.trials += 1
        self.counted += row.tokens is not None
        self.tokens += row.tokens or 0
        self.priced += row.cost_usd is not None
        self.unpriced += row.unpriced
        self.cost_usd += row.cost_usd or 0.0


def with_progress(run: Run, tallies: Mapping[str, Tally], status: RunStatus) -> Run:
    """Return an unsealed run with its status and the totals of its trials.

    Args:
        run: the record, as it was begun.
        tallies: totals by outcome.
        status: running or interrupted.
    """
    totals = tallies.values()
    update: dict[str, Any] = {
        "status": status,
        "counts": Counts(**{outcome: tally.trials for outcome, tally in tallies.items()}),
        "tokens": sum(t.tokens for t in totals) if any(t.counted for t in totals) else None,
        "cost_usd": None,
    }
    if any(t.priced for t in totals) and not any(t.unpriced for t in totals):
        update["cost_usd"] = sum(t.cost_usd for t in totals)
    return run.model_copy(update=update)
