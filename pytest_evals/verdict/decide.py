"""From the verdicts of all gates, and the trials that none covers, to one decision. Pure.

This is the one function that decides. The exit status, the terminal and every report show it.
"""

from collections.abc import Iterable, Sequence

from pytest_evals.ground.plain_text import listed
from pytest_evals.verdict.decision import Decision, DecisionWord
from pytest_evals.verdict.gate.spec import GateVerdict, Role

_SHOWN = 3
"""Trials that a reason names."""


def decide(
    verdicts: Sequence[GateVerdict],
    *,
    failing: Sequence[str] = (),
    unresolved: Sequence[str] = (),
) -> Decision:
    """Return the decision on a run with gates.

    Gates marked ``primary`` measure the purpose of a change; the others are guardrails. Without a
    mark, all gates are primary. A failed primary gate rejects, and so does a failed trial that no
    gate covers. A failed guardrail rejects too, unless the metric of a primary gate rose
    significantly: then it is a tradeoff, for a person to weigh. Gates that are not evaluated or
    inconclusive, and trials without a result, lead to "investigate"; a comparison in the run that
    writes the first baseline does not.

    Args:
        verdicts: of all gates of a run.
        failing: the node ids of failed trials that no gate covers.
        unresolved: the node ids of trials without a result that no gate allows: errors, and trials
            that were not run.
    """
    word, reasons = _word(verdicts, failing, unresolved)
    failed = bool(failing or unresolved) or any(verdict.blocking for verdict in verdicts)
    return Decision(decision=word, reasons=tuple(reasons), failed=failed)


def _word(
    verdicts: Sequence[GateVerdict], failing: Sequence[str], unresolved: Sequence[str]
) -> tuple[DecisionWord, Iterable[str]]:
    """Return the decision in one word, with its reasons."""
    marked = any(verdict.role == "primary" for verdict in verdicts)
    is_evaluated = bool(verdicts)
    excused = [verdict for verdict in verdicts if verdict.excused]
    verdicts = [verdict for verdict in verdicts if not verdict.excused]
    primary = [verdict for verdict in verdicts if _role(verdict, marked=marked) == "primary"]
    guards = [verdict for verdict in verdicts if _role(verdict, marked=marked) == "guardrail"]
    uncovered = list(_uncovered(failing, "failed and no gate covers"))
    open_trials = list(_uncovered(unresolved, "without a result, and no gate allows"))
    failed, failed_guards = _in(primary, "failed"), _in(guards, "failed")
    rose = [verdict for verdict in primary if verdict.improved]
    pending = _in(verdicts, "incomplete", "skipped", "inconclusive")
    rules: tuple[tuple[bool, DecisionWord, Iterable[str]], ...] = (
        (bool(failed or uncovered), "reject", (*_sentences(failed), *uncovered)),
        (not is_evaluated, "investigate", ("no gate was evaluated",)),
        (
            bool(_in(primary, "incomplete", "skipped")),
            "investigate",
            _sentences(_in(primary, "incomplete", "skipped")),
        ),
        (bool(failed_guards and rose), "tradeoff", _sentences([*failed_guards, *rose])),
        (bool(failed_guards), "reject", _sentences(failed_guards)),
        (bool(pending or open_trials), "investigate", _sentences(pending)),
        (True, "accept", _sentences([*verdicts, *excused])),
    )
    word, reasons = next((word, reasons) for holds, word, reasons in rules if holds)
    return word, (*reasons, *open_trials)


def _uncovered(trials: Sequence[str], words: str) -> Iterable[str]:
    """Yield the sentence on trials that no gate accounts for; none without such trials."""
    if trials:
        noun = "trial" if len(trials) == 1 else "trials"
        pronoun = "it" if len(trials) == 1 else "them"
        yield f"{len(trials)} {noun} {words} {pronoun}: {listed(trials, _SHOWN)}"


def _role(verdict: GateVerdict, *, marked: bool) -> Role:
    if verdict.role is not None:
        return verdict.role
    return "guardrail" if marked else "primary"


def _in(verdicts: Iterable[GateVerdict], *words: str) -> list[GateVerdict]:
    return [verdict for verdict in verdicts if verdict.verdict in words]


def _sentences(verdicts: Iterable[GateVerdict]) -> list[str]:
    return [f"{verdict.name}: {verdict.sentence}" for verdict in verdicts]
