"""`Frozen`, the base class of options and nouns, for plugins."""

from pytest_evals.ground.canonical import Frozen

__all__ = ["Frozen"]
