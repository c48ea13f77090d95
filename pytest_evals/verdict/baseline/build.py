"""From the trials of one run to its baseline. Pure."""

from collections.abc import Iterable
from math import fsum
from typing import Any

from pytest_evals.ground.canonical import digest
from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.model import Model
from pytest_evals.run_record import DatasetInfo
from pytest_evals.verdict.baseline.lines import (
    Baseline,
    BaselineLine,
    Digests,
    RunCounts,
    ScoreCounts,
    ShownAnswer,
)


def build_baseline(table: TrialTable, info: DatasetInfo, *, replayed: bool = False) -> Baseline:
    """Return the baseline of one run.

    Cases without a scored sample have no line.

    Args:
        table: the trials of the dataset.
        info: the dataset's record in the run: its models and the prompt's digest.
        replayed: whether answers from the store count as recorded (``--evals-responses replay``)
            rather than as earlier draws.
    """
    models = {model.id: model for model in info.models}
    fixed = {"scripted", "cassette", "stored"} if replayed else {"scripted", "cassette"}
    lines = []
    for model in table.models:
        digest_of_model = model_digest(models[model]) if model in models else ""
        for cell in table.cases(model).values():
            scored = [trial for trial in cell if trial.scored]
            if not scored:
                continue
            digests = Digests(
                case=scored[0].case_digest,
                model=digest_of_model,
                prompt=info.prompt_digest or "",
                scorers=scored[0].scorers_digest,
            )
            recorded = all(trial.origin in fixed for trial in scored)
            lines.append(_line(scored, digests, recorded=recorded))
    return Baseline(dataset=table.dataset, lines=_sorted(lines))


def model_digest(model: Model) -> str:
    """Return 16 hexadecimal digits over what decides a model's answers; limits do not count."""
    definition = model.model_dump(
        mode="json", include={"provider", "model", "params", "options", "version"}
    )
    return digest(definition, length=16)


def _sorted(lines: Iterable[BaselineLine]) -> tuple[BaselineLine, ...]:
    return tuple(sorted(lines, key=lambda line: line.key))


def _line(scored: list[TrialStats], digests: Digests, *, recorded: bool) -> BaselineLine:
    """Make the line of one case and model from its scored samples."""
    return BaselineLine(
        case=scored[0].case,
        model=scored[0].model,
        digests=digests,
        recorded=recorded,
        runs=(_run_counts(scored),),
        right=_shown(trial for trial in scored if trial.passed),
        wrong=_shown(trial for trial in scored if not trial.passed),
    )


def _shown(scored: Iterable[TrialStats]) -> ShownAnswer | None:
    """Return the first answer in text order; None without an answer."""
    answers = ((trial.answer, trial.tools) for trial in scored if trial.answer is not None)
    first = min(answers, default=None)
    return None if first is None else ShownAnswer(answer=first[0], tools=first[1])


def _run_counts(scored: list[TrialStats]) -> RunCounts:
    """Count the scored samples of one case and model."""
    return RunCounts(
        draws=".".join(sorted(trial.draw or "00000000" for trial in scored)),
        n=len(scored),
        passes=sum(trial.passed for trial in scored),
        scores=_scores(scored),
        failing=tuple(sorted({name for trial in scored for name in trial.failing})),
        tokens=_mean([trial.tokens for trial in scored], 2),
        cost_usd=_mean([trial.cost_usd for trial in scored], 8),
        latency_s=_mean([trial.latency_s for trial in scored], 3),
        answers=tuple(sorted(trial.answer_digest for trial in scored)),
        reasons=tuple(dict.fromkeys(reason for trial in scored for reason in trial.reasons))[:5],
    )


def _scores(scored: list[TrialStats]) -> dict[str, ScoreCounts]:
    """Count the scores of each scorer, in order of their names."""
    samples: dict[str, list[tuple[float | None, bool | None]]] = {}
    for trial in scored:
        for name, value, verdict in zip(trial.names, trial.values, trial.verdicts, strict=True):
            samples.setdefault(name, []).append((value, verdict))
    counted = {name: _score_counts(samples[name]) for name in sorted(samples)}
    return {name: counts for name, counts in counted.items() if counts is not None}


def _score_counts(samples: list[tuple[float | None, bool | None]]) -> ScoreCounts | None:
    """Count one scorer's values and verdicts; `n` counts values if there are any."""
    values = [value for value, _ in samples if value is not None]
    verdicts = [verdict for _, verdict in samples if verdict is not None]
    if not values:
        return ScoreCounts(n=len(verdicts), passes=sum(verdicts)) if verdicts else None
    mean, var = fsum(values) / len(values), None
    if len(values) > 1:
        var = round(fsum([(x - mean) ** 2 for x in values]) / (len(values) - 1), 6)
    voted = sum(verdicts) if len(verdicts) == len(values) else None
    return ScoreCounts(n=len(values), passes=voted, mean=round(mean, 6), var=var)


def _mean(values: list[Any], digits: int) -> float | None:
    numbers = [value for value in values if value is not None]
    return round(fsum(numbers) / len(numbers), digits) if numbers else None
