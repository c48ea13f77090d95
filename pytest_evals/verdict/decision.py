"""Decision: the verdict on a run in one word, with its reasons."""

from typing import Literal

from pytest_evals.ground.canonical import Frozen

DecisionWord = Literal["accept", "reject", "investigate", "tradeoff"]
"""accept: every gate passed. reject: a gate failed. investigate: a gate is inconclusive or not
evaluated. tradeoff: the metric of a primary gate rose significantly, and a guardrail failed."""


class Decision(Frozen):
    """The decision on a change."""

    decision: DecisionWord
    """The decision in one word."""
    reasons: tuple[str, ...] = ()
    """The reasons, a sentence each, the gravest first."""
