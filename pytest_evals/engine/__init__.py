"""Engine: plans, asks, waits, scores. asyncio stays inside; hosts see `Engine` and results."""

from pytest_evals.engine.engine import Engine, Progress
from pytest_evals.engine.tools import Tools

__all__ = ["Engine", "Progress", "Tools"]
