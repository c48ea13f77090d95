"""From the verdicts of all gates to one decision. Pure."""

from collections.abc import Iterable, Sequence

from pytest_evals.verdict.decision import Decision, DecisionWord
from pytest_evals.verdict.gate.spec import GateVerdict, Role


def decide(verdicts: Sequence[GateVerdict]) -> Decision:
    """Return what the verdicts of all gates come to.

    Gates marked ``primary`` say what the change is for, the others guard. Where no gate is marked,
    all are primary. A failed primary gate rejects. A failed guardrail rejects too, unless a primary
    gate's metric rose beyond noise: that is a tradeoff, for a person to weigh. What was not judged,
    or cannot be told, is to be investigated.

    Args:
        verdicts: of all gates of a run.
    """
    marked = any(verdict.role == "primary" for verdict in verdicts)
    primary = [verdict for verdict in verdicts if _role(verdict, marked=marked) == "primary"]
    guards = [verdict for verdict in verdicts if _role(verdict, marked=marked) == "guardrail"]
    if not verdicts:
        return Decision(decision="investigate", reasons=("no gate was judged",))
    if failed := _in(primary, "failed"):
        return _because("reject", failed)
    if untold := _in(primary, "incomplete", "skipped"):
        return _because("investigate", untold)
    if failed := _in(guards, "failed"):
        rose = [verdict for verdict in primary if verdict.improved]
        return _because("tradeoff", [*failed, *rose]) if rose else _because("reject", failed)
    if untold := _in(verdicts, "incomplete", "skipped", "inconclusive"):
        return _because("investigate", untold)
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
