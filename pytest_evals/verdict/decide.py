"""From the verdicts of all gates to one decision. Pure."""

from collections.abc import Iterable, Sequence

from pytest_evals.verdict.decision import Decision, DecisionWord
from pytest_evals.verdict.gate.spec import GateVerdict, Role


def decide(verdicts: Sequence[GateVerdict]) -> Decision:
    """Return the decision that follows from the verdicts of all gates.

    Gates marked ``primary`` measure the purpose of a change; the others are guardrails. Without a
    mark, all gates are primary. A failed primary gate rejects. A failed guardrail rejects too,
    unless the metric of a primary gate rose significantly: then it is a tradeoff, for a person to
    weigh. Gates that are not evaluated or inconclusive lead to "investigate".

    Args:
        verdicts: of all gates of a run.
    """
    marked = any(verdict.role == "primary" for verdict in verdicts)
    primary = [verdict for verdict in verdicts if _role(verdict, marked=marked) == "primary"]
    guards = [verdict for verdict in verdicts if _role(verdict, marked=marked) == "guardrail"]
    if not verdicts:
        return Decision(decision="investigate", reasons=("no gate was evaluated",))
    if failed := _in(primary, "failed"):
        return _because("reject", failed)
    if pending := _in(primary, "incomplete", "skipped"):
        return _because("investigate", pending)
    if failed := _in(guards, "failed"):
        rose = [verdict for verdict in primary if verdict.improved]
        return _because("tradeoff", [*failed, *rose]) if rose else _because("reject", failed)
    if pending := _in(verdicts, "incomplete", "skipped", "inconclusive"):
        return _because("investigate", pending)
    return _because("accept", verdicts)


def _role(verdict: GateVerdict, *, marked: bool) -> Role:
    if verdict.role is not None:
        return verdict.role
    return "guardrail" if marked else "primary"


def _in(verdicts: Iterable[GateVerdict], *words: str) -> list[GateVerdict]:
    return [verdict for verdict in verdicts if verdict.verdict in words]


def _because(word: DecisionWord, verdicts: Iterable[GateVerdict]) -> Decision:
    reasons = (f"{verdict.name}: {verdict.sentence}" for verdict in verdicts)
    return Decision(decision=word, reasons=tuple(reasons))
