"""What every run store decides alike: which run is meant, and what an unsealed run has so far."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_evals.ground.errors import StoreError, suggest
from pytest_evals.result import TrialResult
from pytest_evals.run import Counts, Run, RunStatus
from pytest_evals.storage.base import TrialRow


def row_of(result: TrialResult) -> TrialRow:
    """Return what the columns hold of a trial."""
    answered = [e for e in result.exchanges if e.response is not None]
    totals = [e.response.usage.total_tokens for e in answered if e.response is not None]
    known = [total for total in totals if total is not None]
    cost = result.cost_usd
    return TrialRow(
        trial=result.id,
        dataset=result.dataset,
        case_id=result.case_id,
        model_id=result.model_id,
        sample=result.sample,
        outcome=result.outcome.value,
        tolerated=result.tolerated,
        score=_finite(result.score),
        # What no server could have counted is a server's mischief, and no database takes it.
        tokens=sum(known) if known and abs(sum(known)) < 10**15 else None,
        cost_usd=_finite(cost),
        unpriced=bool(answered) and cost is None,
        latency_s=_finite(result.latency_s),
        error=None if result.error is None else result.error.type,
    )


def _finite(number: float | None) -> float | None:
    """Return a number that a column can hold."""
    return number if number is not None and math.isfinite(number) else None


def find(wanted: str, ids: Sequence[str], where: str) -> str:
    """Return the run id that is meant.

    Args:
        wanted: an id, a unique beginning of one, or ``latest``.
        ids: all ids, newest first.
        where: the store, for the message.

    Raises:
        StoreError: none or several are meant.
    """
    if wanted in ids:
        return wanted
    if not ids:
        raise StoreError(f"{where} holds no run yet; `pytest --evals` makes one")
    if wanted == "latest":
        return ids[0]
    begun = [name for name in ids if wanted and name.startswith(wanted)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        shown = ", ".join(begun[:5]) + (f" and {len(begun) - 5} more" if len(begun) > 5 else "")
        raise StoreError(f"{wanted!r} begins {len(begun)} run ids in {where}: {shown}; add to it")
    raise StoreError(
        f"{where} holds no run {wanted!r}.{suggest(wanted, ['latest', *ids[:500]], limit=6)}"
    )


def refuse_running(run: Run) -> None:
    """Refuse to seal a run whose record says that it goes on.

    Raises:
        StoreError: it says so.
    """
    if run.status is RunStatus.RUNNING:
        raise StoreError(
            f"run {run.id} is to be sealed as running; say complete, narrowed or interrupted"
        )


@dataclass(slots=True)
class Tally:
    """Sums over the trials of one outcome."""

    trials: int = 0
    counted: int = 0
    """Trials whose tokens are known."""
    tokens: int = 0
    priced: int = 0
    """Trials whose cost is known."""
    unpriced: int = 0
    """Trials that were answered at an unknown price."""
    cost_usd: float = 0.0

    def add(self, row: TrialRow) -> None:
        """Count a trial in."""
        self.trials += 1
        self.counted += row.tokens is not None
        self.tokens += row.tokens or 0
        self.priced += row.cost_usd is not None
        self.unpriced += row.unpriced
        self.cost_usd += row.cost_usd or 0.0


def so_far(run: Run, tallies: Mapping[str, Tally], *, alive: bool) -> Run:
    """Return an unsealed run with what it has so far."""
    known = tallies.values()
    update: dict[str, Any] = {
        "status": RunStatus.RUNNING if alive else RunStatus.INTERRUPTED,
        "counts": Counts(**{outcome: tally.trials for outcome, tally in tallies.items()}),
        "tokens": sum(t.tokens for t in known) if any(t.counted for t in known) else None,
        "cost_usd": None,
    }
    if any(t.priced for t in known) and not any(t.unpriced for t in known):
        update["cost_usd"] = sum(t.cost_usd for t in known)
    return run.model_copy(update=update)
