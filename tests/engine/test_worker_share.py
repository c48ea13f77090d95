"""The part of limits and budgets that one of several engines has."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from pytest_evals.engine.worker_share import WorkerShare, hold_all
from tests.engine._fakes import run


@given(whole=st.integers(1, 200), workers=st.integers(1, 40))
def test_parts_add_up(whole, workers):
    """Where the whole can be divided, nothing of it is lost or added; else each has one."""
    parts = [WorkerShare(workers=workers, rank=rank).part(whole) for rank in range(workers)]
    assert sum(parts) == max(whole, workers)
    assert max(parts) - min(parts) <= 1


@given(workers=st.integers(1, 40))
def test_rates_and_budgets_add_up(workers):
    """None stays unlimited."""
    shares = [WorkerShare(workers=workers, rank=rank) for rank in range(workers)]
    assert abs(sum(share.rate(600) for share in shares) - 600) < 1e-6
    assert shares[0].rate(None) is None
    budgets = [share.budget(10.0, 1000) for share in shares]
    assert abs(sum(budget.max_cost_usd for budget in budgets) - 10) < 1e-6
    assert sum(budget.max_tokens for budget in budgets) == 1000
    unlimited = shares[0].budget(None, None)
    assert (unlimited.max_cost_usd, unlimited.max_tokens) == (None, None)


def test_a_successor_starts_with_what_was_spent():
    """A crashed worker's replacement has what is left of its part."""
    budget = WorkerShare(used_usd=1.5, used_tokens=40).budget(1.0, 50)
    assert budget.spent() == "the budget is spent: 1.5 of 1 USD"


def test_a_limit_is_over_all_processes_only_if_it_cannot_be_divided(tmp_path):
    """Locked files cost time."""
    share = WorkerShare(workers=4, folder=tmp_path)
    assert share.process_limits("m", 4) == ()
    (limit,) = share.process_limits("m", 3)
    assert (limit.slots, limit.folder) == (3, tmp_path)
    assert WorkerShare(workers=4).process_limits("m", 1) == ()
    assert share.process_limits("n", 3)[0].name != limit.name


def test_a_process_limit_is_reached_and_never_passed(tmp_path):
    """Engines that know nothing of each other hold the same files."""
    peak = now = 0

    async def call(share):
        nonlocal peak, now
        async with hold_all(share.process_limits("m", 2)):
            now += 1
            peak = max(peak, now)
            await asyncio.sleep(0.005)
            now -= 1

    async def scenario():
        shares = [WorkerShare(workers=3, rank=rank, folder=tmp_path) for rank in range(3)]
        await asyncio.gather(*(call(share) for share in shares for _ in range(3)))

    run(scenario())
    assert peak == 2


def test_a_slot_is_free_after_an_error(tmp_path):
    """The lock goes with the call."""
    limits = WorkerShare(workers=3, folder=tmp_path).process_limits("m", 1)

    async def scenario():
        for _ in range(3):
            try:
                async with hold_all(limits):
                    raise ZeroDivisionError
            except ZeroDivisionError:
                continue
        return True

    assert run(scenario(), 5)
