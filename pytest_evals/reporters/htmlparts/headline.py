"""The first screen: the verdict in words, with the counts behind it. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pytest_evals.ground.plain_text import format_cost, format_count, format_seconds
from pytest_evals.report import Report
from pytest_evals.reporters.htmlparts.collect import STATUSES, PageData
from pytest_evals.reporters.htmlparts.gates import verdict_sentence
from pytest_evals.reporters.shape import all_verdicts, overall_decision
from pytest_evals.verdict.decision import DecisionWord

REASONS = 3
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
    """What the verdict rests on, the gravest first."""
    reasons: tuple[str, ...]
    """The gates that speak against the change, a sentence each; at most `REASONS`, then how many
    more."""
    counts: tuple[tuple[str, int], ...]
    """Trials by status, those that occur."""
    facts: tuple[tuple[str, str], ...]
    """Name and value of what the run took."""


def headline(report: Report, seen: PageData) -> Headline:
    """Return the verdict on a run."""
    numbers = [seen.index["status"].count(place) for place in range(len(STATUSES))]
    counts = dict(zip(STATUSES, numbers, strict=True))
    decision = overall_decision(report)
    broken = counts["failed"] + counts["errored"]
    if decision is None:
        title, tone = _of_trials(counts)
    else:
        title, tone = _WORDS[decision.decision]
    sentences = [] if decision is None else [_gates(report)]
    accepted = decision is not None and decision.decision == "accept"
    sentences += [_outcomes(counts)] if broken and not accepted else []
    sentences += _regressed(report)
    short = _missing(report, sum(numbers) - counts["skipped"])
    if accepted and broken:
        title, tone = f"Gates pass, but {_outcomes(counts).removesuffix('.')}", "bad"
    elif short and tone == "good":
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
    """Return the verdict where no gate judges."""
    total = sum(counts.values()) - counts["unneeded"]
    right = counts["passed"] + counts["revised"]
    if not total:
        return "No trial was recorded", "warn"
    whole = right == total
    said = f"All {total:,}" if whole and total > 1 else f"{right:,} of {total:,}"
    tone: Tone = "good" if whole else "warn" if right + counts["skipped"] == total else "bad"
    return f"{said} {_trials(total)} passed", tone


def _outcomes(counts: dict[str, int]) -> str:
    """Say how many trials count as broken by themselves."""
    parts = [f"{counts[name]:,} {name}" for name in ("failed", "errored") if counts[name]]
    return f"{' and '.join(parts)}."


def _gates(report: Report) -> str:
    """Say what became of the gates."""
    verdicts = all_verdicts(report)
    failed = [one for one in verdicts if one.verdict == "failed"]
    untold = [one for one in verdicts if one.verdict in {"incomplete", "skipped"}]
    open_ = [one for one in verdicts if one.verdict == "inconclusive"]
    total = len(verdicts)
    parts = []
    if failed:
        parts.append(f"{len(failed)} of {total} gates failed" if total > 1 else "The gate failed")
    if untold:
        parts.append(f"{len(untold)} could not be judged")
    if open_:
        parts.append(f"{len(open_)} cannot be told from noise")
    if not parts:
        return "All gates passed." if total > 1 else "The gate passed."
    return "; ".join(parts) + "."


def _reasons(report: Report) -> list[str]:
    """Say which gates speak against the change, the gravest first."""
    verdicts = all_verdicts(report)
    failed = [one for one in verdicts if one.verdict == "failed"]
    against = failed or [one for one in verdicts if one.verdict != "passed"]
    rest = len(against) - REASONS
    reasons = [verdict_sentence(one) for one in against[:REASONS]]
    return [*reasons, f"{rest} more: see the gates."] if rest > 0 else reasons


def _regressed(report: Report) -> list[str]:
    """Say what got worse against the baseline."""
    diffs = [one.diff for one in report.evaluations.values() if one.diff is not None]
    if not diffs:
        return []
    names = sorted({diff.baseline for diff in diffs})
    against = names[0] if len(names) == 1 else "their baselines"
    worse, better = (
        sum(diff.counts.get(kind, 0) for diff in diffs) for kind in ("regressed", "fixed")
    )
    return [f"{worse:,} regressed and {better:,} fixed against {against}."]


def _missing(report: Report, recorded: int) -> list[str]:
    """Say what was not run, so that nothing is claimed of it."""
    planned = sum(info.planned for info in report.run.datasets)
    if report.complete:
        return []
    why = {
        "narrowed": "A part was selected",
        "interrupted": "The run was cut short",
        "running": "The run was never finished",
    }.get(report.run.status, "The run is not whole")
    return [f"{why}: {recorded:,} of {planned:,} planned trials were run."]


def _trials(number: int) -> str:
    return "trial" if number == 1 else "trials"


def _facts(report: Report, recorded: int) -> list[tuple[str, str]]:
    """Return what the run took."""
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
    if run.ended_at is not None:
        facts.append(("took", format_seconds(run.ended_at - run.started_at)))
    return facts


def format_time(seconds: float) -> str:
    """Write a time: ``21 November 2026, 09:23 UTC``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
