"""Decision: a run against its baseline in one word, with the reasons. Pure."""

from typing import Literal

from pytest_evals.ground.canonical import Frozen

DecisionWord = Literal["accept", "reject", "investigate", "tradeoff"]
"""Every gate passed; a gate failed; something cannot be told; a primary gate's metric rose beyond
noise while a guardrail failed."""


class Decision(Frozen):
    """What to do with a change."""

    decision: DecisionWord
    """The one word."""
    reasons: tuple[str, ...] = ()
    """Why, a sentence each, the gravest first."""
