"""`Frozen`, the base of options and nouns: a public name of `ground.canonical`."""

from pytest_evals.ground.canonical import Frozen

__all__ = ["Frozen"]
