"""What a baseline is: for every case and model how often it passed, run by run.

A line keeps the counts of every run that was added to it, told apart by their draws, so that adding
a run twice, or a run that only reused stored answers, changes nothing, and the order in which runs
are added does not matter.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from math import fsum
from typing import Any

from pydantic import Field

from pytest_evals.ground.canonical import Frozen, canonical, digest
from pytest_evals.ground.errors import StoreError
from pytest_evals.metrics.trial_stats import TrialStats, TrialTable
from pytest_evals.model import Model
from pytest_evals.run import DatasetInfo


class ScoreCounts(Frozen):
    """What one scorer said in one run of one case."""

    n: int = Field(ge=1)
    """Samples it scored."""
    passes: int | None = Field(default=None, ge=0)
    """Samples it passed, 0..n; None where it gives no verdict."""
    mean: float | None = Field(default=None, allow_inf_nan=False)
    """The mean of its values; None where it gives none."""
    var: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """The variance (n-1) of its values; None with one sample, or without values."""


class RunCounts(Frozen):
    """One run of one case and model: counts, and what the diff shows of its answers."""

    draws: str
    """The draws counted here, 8 hexadecimal digits each, sorted, joined by dots: a run's identity.
    The same draws used again are the same run."""
    n: int = Field(ge=1)
    """Scored samples."""
    passes: int = Field(ge=0)
    """Passed samples, 0..n."""
    scores: dict[str, ScoreCounts] = Field(default_factory=dict)
    """By scorer."""
    failing: tuple[str, ...] = ()
    """The assertions that failed some sample, sorted."""
    tokens: float | None = None
    """Mean tokens a trial; None where unknown."""
    cost_usd: float | None = None
    """Mean USD a trial; None where unknown."""
    latency_s: float | None = None
    """Mean seconds a trial; None where unknown."""
    answers: tuple[str, ...] = ()
    """The digests of all answers with their tool calls, sorted; in a file for recorded answers
    alone, where a change is drift."""
    reasons: tuple[str, ...] = ()
    """Why samples failed; never in a file."""


class Digests(Frozen):
    """What was asked, each in hexadecimal digits: a changed definition changes one of them."""

    case: str = ""
    model: str = ""
    prompt: str = ""
    scorers: str = ""

    def differing(self, other: "Digests") -> tuple[str, ...]:
        """Return the names of those that differ."""
        one = (self.case, self.model, self.prompt, self.scorers)
        two = (other.case, other.model, other.prompt, other.scorers)
        if one == two:
            return ()
        return tuple(n for n, a, b in zip(_DIGESTS, one, two, strict=True) if a != b)


_DIGESTS = ("case", "model", "prompt", "scorers")


class ShownAnswer(Frozen):
    """One answer, for people to see: of several, the first in the order of texts."""

    answer: str
    """Its beginning, on one line."""
    tools: tuple[str, ...] = ()
    """The names of the tools called before it."""


class BaselineLine(Frozen):
    """One case and model."""

    case: str
    """The case's id."""
    model: str
    """The model's id."""
    digests: Digests
    """Of what was asked; runs are added only where all agree."""
    recorded: bool = False
    """Whether the answers are scripted or replayed from a cassette, so that nothing is noise; then
    a new run takes the place of the old one."""
    runs: tuple[RunCounts, ...] = Field(min_length=1)
    """The runs added, in order of their draws."""
    right: ShownAnswer | None = None
    """One answer that passed."""
    wrong: ShownAnswer | None = None
    """One answer that failed."""

    @property
    def key(self) -> tuple[str, str]:
        """(case, model)."""
        return self.case, self.model

    @property
    def definition(self) -> tuple[Digests, bool]:
        """What must agree for runs to be added."""
        return self.digests, self.recorded

    @cached_property
    def passes(self) -> int:
        """Passed samples of all runs."""
        return sum(run.passes for run in self.runs)

    @cached_property
    def n(self) -> int:
        """Scored samples of all runs."""
        return sum(run.n for run in self.runs)

    @property
    def scorers(self) -> tuple[str, ...]:
        """The names of the scorers that spoke, sorted."""
        return tuple(sorted({name for run in self.runs for name in run.scores}))

    def counts(self, scorer: str) -> tuple[int, int] | None:
        """Return (passes, n) of a scorer's verdicts; None where it gives none."""
        said = [run.scores[scorer] for run in self.runs if scorer in run.scores]
        voted = [(one.passes, one.n) for one in said if one.passes is not None]
        return (sum(p for p, _ in voted), sum(n for _, n in voted)) if voted else None

    def values(self, scorer: str) -> tuple[float, int, float | None] | None:
        """Return (mean, n, variance) of a scorer's values; None where it gives none."""
        said = [
            (one.mean, one.n, one.var)
            for run in self.runs
            if (one := run.scores.get(scorer)) is not None and one.mean is not None
        ]
        n = sum(part[1] for part in said)
        if not n:
            return None
        mean = fsum(m * k for m, k, _ in said) / n
        squares = [(var or 0.0) * (k - 1) + k * (m - mean) ** 2 for m, k, var in said]
        return mean, n, fsum(squares) / (n - 1) if n > 1 else None

    def mean(self, of: str) -> float | None:
        """Return the mean of tokens, cost_usd or latency_s over the runs that know it."""
        known = [(getattr(run, of), run.n) for run in self.runs if getattr(run, of) is not None]
        n = sum(k for _, k in known)
        return fsum(x * k for x, k in known) / n if n else None

    def number(self, scorer: str) -> float | None:
        """Return a scorer's mean value, or its share of passes where it gives no value."""
        values, counts = self.values(scorer), self.counts(scorer)
        if values is not None:
            return values[0]
        return counts[0] / counts[1] if counts else None


class Baseline(Frozen):
    """Lines of one dataset, sorted by case and model, each pair once."""

    dataset: str
    """The dataset's name."""
    lines: tuple[BaselineLine, ...] = ()

    @cached_property
    def cells(self) -> Mapping[tuple[str, str], BaselineLine]:
        """The lines by (case, model)."""
        return {line.key: line for line in self.lines}

    @cached_property
    def by_model(self) -> Mapping[str, Mapping[str, BaselineLine]]:
        """The lines by model, then by case."""
        found: dict[str, dict[str, BaselineLine]] = {}
        for line in self.lines:
            found.setdefault(line.model, {})[line.case] = line
        return found

    @property
    def models(self) -> tuple[str, ...]:
        """The models, sorted."""
        return tuple(sorted(self.by_model))


def build_baseline(table: TrialTable, info: DatasetInfo, *, replayed: bool = False) -> Baseline:
    """Return what a run says, as a baseline of that one run.

    Cases of which nothing could be scored have no line.

    Args:
        table: the trials of the dataset.
        info: what the run keeps of the dataset: its models and the prompt's digest.
        replayed: whether answers from the store count as recorded too (``--evals-responses
            replay``), and not as draws that were taken earlier.
    """
    models = {model.id: model for model in info.models}
    fixed = {"scripted", "cassette", "stored"} if replayed else {"scripted", "cassette"}
    lines = []
    for model in table.models:
        known = model_digest(models[model]) if model in models else ""
        for cell in table.cases(model).values():
            scored = [one for one in cell if one.scored]
            if not scored:
                continue
            digests = Digests(
                case=scored[0].case_digest,
                model=known,
                prompt=info.prompt_digest or "",
                scorers=scored[0].scorers_digest,
            )
            recorded = all(one.origin in fixed for one in scored)
            lines.append(_line(scored, digests, recorded=recorded))
    return Baseline(dataset=table.dataset, lines=_sorted(lines))


def model_digest(model: Model) -> str:
    """Return 16 hexadecimal digits over what decides a model's answers; its limits do not."""
    asked = model.model_dump(
        mode="json", include={"provider", "model", "params", "options", "version"}
    )
    return digest(asked, length=16)


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
        right=_shown(one for one in scored if one.passed),
        wrong=_shown(one for one in scored if not one.passed),
    )


def _shown(scored: Iterable[TrialStats]) -> ShownAnswer | None:
    """Return the first answer in the order of texts; None where there is none."""
    known = ((one.answer, one.tools) for one in scored if one.answer is not None)
    first = min(known, default=None)
    return None if first is None else ShownAnswer(answer=first[0], tools=first[1])


def _first(*found: ShownAnswer | None) -> ShownAnswer | None:
    """Return the first in the order of texts; None where there is none."""
    known = (one for one in found if one is not None)
    return min(known, key=lambda one: (one.answer, one.tools), default=None)


def _run_counts(scored: list[TrialStats]) -> RunCounts:
    """Count the scored samples of one case and model."""
    return RunCounts(
        draws=".".join(sorted(one.draw or "00000000" for one in scored)),
        n=len(scored),
        passes=sum(one.passed for one in scored),
        scores=_scores(scored),
        failing=tuple(sorted({name for one in scored for name in one.failing})),
        tokens=_mean([one.tokens for one in scored], 2),
        cost_usd=_mean([one.cost_usd for one in scored], 8),
        latency_s=_mean([one.latency_s for one in scored], 3),
        answers=tuple(sorted(one.answer_digest for one in scored)),
        reasons=tuple(dict.fromkeys(reason for one in scored for reason in one.reasons))[:5],
    )


def _scores(scored: list[TrialStats]) -> dict[str, ScoreCounts]:
    """Count what each scorer said; the scorers sorted."""
    said: dict[str, list[tuple[float | None, bool | None]]] = {}
    for one in scored:
        for name, value, verdict in zip(one.names, one.values, one.verdicts, strict=True):
            said.setdefault(name, []).append((value, verdict))
    counted = {name: _score_counts(said[name]) for name in sorted(said)}
    return {name: counts for name, counts in counted.items() if counts is not None}


def _score_counts(said: list[tuple[float | None, bool | None]]) -> ScoreCounts | None:
    """Count one scorer's values and verdicts; n is that of its values where it gives any."""
    values = [value for value, _ in said if value is not None]
    verdicts = [verdict for _, verdict in said if verdict is not None]
    if not values:
        return ScoreCounts(n=len(verdicts), passes=sum(verdicts)) if verdicts else None
    mean, var = fsum(values) / len(values), None
    if len(values) > 1:
        var = round(fsum([(x - mean) ** 2 for x in values]) / (len(values) - 1), 6)
    voted = sum(verdicts) if len(verdicts) == len(values) else None
    return ScoreCounts(n=len(values), passes=voted, mean=round(mean, 6), var=var)


def _mean(values: list[Any], digits: int) -> float | None:
    known = [value for value in values if value is not None]
    return round(fsum(known) / len(known), digits) if known else None


def update_baseline(
    old: Baseline | None, new: Baseline, *, cases: Collection[str] | None = None
) -> Baseline:
    """Add a run to a baseline, whether it was good or bad.

    A line with the same definition gets the run's counts added, a changed definition replaces it,
    and lines of cases and models that the run did not ask stay as they are.

    Args:
        old: the baseline so far; None begins anew.
        new: the run (see `build_baseline`).
        cases: all cases of the dataset, where the collection was full: lines of the run's models
            for other cases are taken out. None takes nothing out.

    Raises:
        StoreError: they are of two datasets.
    """
    if old is None:
        return new
    _same_dataset(old, new)
    lines = dict(old.cells)
    for key, line in new.cells.items():
        before = lines.get(key)
        added = before is not None and before.definition == line.definition and not line.recorded
        lines[key] = _joined(before, line) if added and before is not None else line
    if cases is not None:
        asked = set(new.models)
        lines = {k: v for k, v in lines.items() if k[1] not in asked or k[0] in cases}
    return Baseline(dataset=old.dataset, lines=_sorted(lines.values()))


def join_baselines(one: Baseline, other: Baseline) -> Baseline:
    """Return the union of two baselines: all lines, and all runs of lines in both.

    The order does not matter, and joining again changes nothing.

    Raises:
        StoreError: they are of two datasets, or define a case and model differently.
    """
    _same_dataset(one, other)
    return Baseline(dataset=one.dataset, lines=join_lines([*one.lines, *other.lines]))


def _same_dataset(one: Baseline, other: Baseline) -> None:
    if one.dataset != other.dataset:
        raise StoreError(
            f"a baseline of dataset {one.dataset!r} and one of {other.dataset!r} have nothing in "
            "common; give the baseline of the same dataset"
        )


def join_lines(lines: Iterable[BaselineLine]) -> tuple[BaselineLine, ...]:
    """Return lines sorted, those of one case and model joined.

    Raises:
        StoreError: a case and model is defined in two ways.
    """
    found: dict[tuple[str, str], BaselineLine] = {}
    for line in lines:
        before = found.get(line.key)
        if before is None:
            found[line.key] = line
        elif before.definition == line.definition:
            found[line.key] = _joined(before, line)
        else:
            raise StoreError(
                f"case {line.case!r}, model {line.model!r} has two different definitions "
                f"({_differing(before, line)}); keep the line of the one that holds now"
            )
    return _sorted(found.values())


def _differing(one: BaselineLine, other: BaselineLine) -> str:
    return ", ".join(one.digests.differing(other.digests)) or "recorded answers and live ones"


def _joined(one: BaselineLine, other: BaselineLine) -> BaselineLine:
    """Join the runs of two lines with the same definition."""
    if one.recorded:
        return max(one, other, key=lambda line: (_weight(line.runs[0]), line.model_dump_json()))
    by_draws: dict[str, RunCounts] = {}
    for run in (*one.runs, *other.runs):
        before = by_draws.get(run.draws)
        by_draws[run.draws] = run if before is None else max(before, run, key=_weight)
    draws = {key: Counter(key.split(".")) for key in by_draws}
    # A run whose draws all stand in a longer one is the beginning of that one, not another.
    kept = [
        run
        for key, run in sorted(by_draws.items())
        if not any(key != other and draws[key] <= draws[other] for other in draws)
    ]
    return BaselineLine(
        case=one.case,
        model=one.model,
        digests=one.digests,
        runs=tuple(kept),
        right=_first(one.right, other.right),
        wrong=_first(one.wrong, other.wrong),
    )


def _weight(run: RunCounts) -> tuple[int, str]:
    """Order runs, so that the choice of one does not depend on which came first."""
    return run.n, canonical(run.model_dump(mode="json"))
