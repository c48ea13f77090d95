"""Engine: plans, asks, waits, scores. asyncio stays inside; hosts see `Engine` and results."""

from pytest_evals.engine.deps import EngineDeps
from pytest_evals.engine.engine import Engine, Progress

__all__ = ["Engine", "EngineDeps", "Progress"]
