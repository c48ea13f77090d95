"""The headline of the HTML page: the verdict in words, with the counts and the cost. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pytest_evals.ground.plain_text import format_cost, format_count, format_seconds
from pytest_evals.report import Report
from pytest_evals.reporters.htmlparts.collect import STATUSES, PageData
from pytest_evals.reporters.htmlparts.gates import verdict_sentence
from pytest_evals.reporters.shape import all_verdicts, overall_decision
from pytest_evals.reporters.spending_text import calls_words
from pytest_evals.verdict.decision import DecisionWord

MAX_REASONS = 3
"""Gates that the headline names."""

Tone = Literal["good", "bad", "warn"]

_WORDS: dict[DecisionWord, tuple[str, Tone]] = {
    "accept": ("Accept", "good"),
    "reject": ("Reject", "bad"),
    "investigate": ("Investigate", "warn"),
    "tradeoff": ("Weigh a trade-off", "warn"),
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict."""

    title: str
    tone: Tone
    sentences: tuple[str, ...]
    """The facts of the verdict, the gravest first."""
    reasons: tuple[str, ...]
    """The gates that did not pass, a sentence each: `MAX_REASONS` of them, then how many more."""
    counts: tuple[tuple[str, int], ...]
    """Trials by status, without zeros."""
    facts: tuple[tuple[str, str], ...]
    """Name and value of each quantity: trials, cases, tokens, cost, time."""


def headline(report: Report, data: PageData) -> Headline:
    """Return the verdict on a run."""
    numbers = [data.index["status"].count(place) for place in range(len(STATUSES))]
    counts = dict(zip(STATUSES, numbers, strict=True))
    decision = overall_decision(report)
    broken = counts["failed"] + counts["errored"]
    if decision is None:
        title, tone = _of_trials(counts)
    else:
        title, tone = _WORDS[decision.decision]
        if decision.failed and tone == "warn":
            title, tone = f"Failed: {title.lower()}", "bad"
    sentences = [] if decision is None else [_gates(report)]
    accepted = decision is not None and decision.decision == "accept"
    sentences += [_outcomes(counts)] if broken and not accepted else []
    sentences += _regressed(report)
    short = _missing(report, sum(numbers) - counts["skipped"])
    if short and tone == "good":
        tone = "warn"
    return Headline(
        title=title,
        tone=tone,
        sentences=(*short, *sentences),
        reasons=tuple(_reasons(report)),
        counts=tuple((name, number) for name, number in counts.items() if number),
        facts=tuple(_facts(report, sum(numbers))),
    )


def _of_trials(counts: dict[str, int]) -> tuple[str, Tone]:
    """Return the verdict of a run without gates."""
    total = sum(counts.values()) - counts["unneeded"]
    right = counts["passed"] + counts["revised"]
    if not total:
        return "No trial was recorded", "warn"
    all_passed = right == total
    count = f"All {total:,}" if all_passed and total > 1 else f"{right:,} of {total:,}"
    tone: Tone = "good" if all_passed else "bad"
    return f"{count} {_trials(total)} passed", tone


def _outcomes(counts: dict[str, int]) -> str:
    """Return how many trials failed or errored."""
    parts = [f"{counts[name]:,} {name}" for name in ("failed", "errored") if counts[name]]
    return f"{' and '.join(parts)}."


_OPEN_GATES = {
    "failed": "failed",
    "incomplete": "is incomplete",
    "skipped": "was not evaluated",
    "inconclusive": "is inconclusive",
}
"""What is said of a gate that did not pass, by its verdict."""


def _gates(report: Report) -> str:
    """Return how many gates did not pass."""
    words: list[str] = [verdict.verdict for verdict in all_verdicts(report)]
    counts = [(words.count(verdict), text) for verdict, text in _OPEN_GATES.items()]
    parts = [(number, text) for number, text in counts if number]
    if len(words) == 1:
        return f"The gate {parts[0][1] if parts else 'passed'}."
    if not parts:
        return "All gates passed."
    short = [(n, text.removeprefix("is ").removeprefix("was ")) for n, text in parts]
    (number, word), *rest = short
    others = [f"{n} {word}" for n, word in rest]
    return "; ".join([f"{number} of {len(words)} gates {word}", *others]) + "."


def _reasons(report: Report) -> list[str]:
    """Return a sentence for each gate that did not pass, the gravest first."""
    verdicts = all_verdicts(report)
    failed = [verdict for verdict in verdicts if verdict.verdict == "failed"]
    against = failed or [verdict for verdict in verdicts if verdict.verdict != "passed"]
    rest = len(against) - MAX_REASONS
    reasons = [verdict_sentence(verdict) for verdict in against[:MAX_REASONS]]
    decision = overall_decision(report)
    if not against and decision is not None and decision.failed:
        return list(decision.reasons[:MAX_REASONS])
    return [*reasons, f"{rest} more: see the gates."] if rest > 0 else reasons


def _regressed(report: Report) -> list[str]:
    """Return how many cases regressed and were fixed."""
    diffs = [
        evaluation.diff for evaluation in report.evaluations.values() if evaluation.diff is not None
    ]
    if not diffs:
        return []
    names = sorted({diff.baseline for diff in diffs})
    against = names[0] if len(names) == 1 else "their baselines"
    worse, better = (
        sum(diff.counts.get(name, 0) for diff in diffs) for name in ("regressed", "fixed")
    )
    return [f"{worse:,} regressed and {better:,} fixed against {against}."]


def _missing(report: Report, recorded: int) -> list[str]:
    """Return why the run is incomplete, and by how much."""
    planned = sum(info.planned for info in report.run.datasets)
    if report.complete:
        return []
    why = {
        "narrowed": "Only a part was selected",
        "interrupted": "The run was interrupted",
        "running": "The run was never finished",
    }.get(report.run.status, "The run is incomplete")
    return [f"{why}: {recorded:,} of {planned:,} planned trials were run."]


def _trials(number: int) -> str:
    return "trial" if number == 1 else "trials"


def _facts(report: Report, recorded: int) -> list[tuple[str, str]]:
    """Return the quantities of the run."""
    run = report.run
    facts = [("trials", format_count(recorded))]
    cases = sum(info.cases for info in run.datasets)
    if cases:
        facts.append(("cases", format_count(cases)))
    facts.append(("tokens", format_count(run.tokens)))
    facts.append(("cost", format_cost(run.cost_usd)))
    spent = format_cost(run.spent_usd)
    if run.spent_usd is not None and spent != format_cost(run.cost_usd):
        facts.append(("of which spent now", spent))
    if len(run.spending) > 1 or any(of.unpriced for of in run.spending.values()):
        facts.append(("calls made", calls_words(run.spending)))
    if run.ended_at is not None:
        facts.append(("took", format_seconds(run.ended_at - run.started_at)))
    return facts


def format_time(seconds: float) -> str:
    """Write a time: ``21 November 2026, 09:23 UTC``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
