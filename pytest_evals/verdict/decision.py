"""Decision: the verdict on a run in one word, with its reasons."""

from typing import Literal

from pytest_evals.ground.canonical import Frozen

DecisionWord = Literal["accept", "reject", "investigate", "tradeoff"]
"""accept: every gate passed, and each trial has a result. reject: a gate failed, or a trial failed
that no gate covers. investigate: a gate is inconclusive or not evaluated, or a trial has no result.
tradeoff: the metric of a primary gate rose significantly, and a guardrail failed."""


class Decision(Frozen):
    """The decision on a change."""

    decision: DecisionWord
    """The decision in one word."""
    reasons: tuple[str, ...] = ()
    """The reasons, a sentence each, the gravest first."""
    failed: bool = False
    """Whether the run fails: its exit status is not 0. An accepted run never fails, a rejected one
    always does; "investigate" fails if a gate blocks or a trial has no result."""
