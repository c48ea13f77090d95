"""The nouns of a baseline: for every case and model the passes of each run.

A line keeps the counts of every run that was added to it, identified by their draws. So adding a
run twice changes nothing, nor does a run that reused stored answers; and the order of additions
does not matter.
"""

from collections.abc import Mapping
from functools import cached_property
from math import fsum

from pydantic import Field

from pytest_evals.ground.canonical import Frozen


class ScoreCounts(Frozen):
    """The scores of one scorer in one run of one case."""

    n: int = Field(ge=1)
    """Samples it scored."""
    passes: int | None = Field(default=None, ge=0)
    """Samples it passed, 0..n; None if it gives no verdict."""
    mean: float | None = Field(default=None, allow_inf_nan=False)
    """The mean of its values; None if it gives none."""
    var: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """The variance (n-1) of its values; None with one sample, or without values."""


class RunCounts(Frozen):
    """One run of one case and model: counts, and the answers that a diff shows."""

    draws: str
    """The draws counted, 8 hexadecimal digits each, sorted, joined by dots: the identity of a run.
    Reused draws are the same run."""
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
    """The digests of all answers with their tool calls, sorted. A file has them for recorded
    answers only, where a change is drift."""
    reasons: tuple[str, ...] = ()
    """Reasons of failed samples; never in a file."""


class Digests(Frozen):
    """Digests of the definition, in hexadecimal digits; a changed definition changes one."""

    case: str = ""
    model: str = ""
    prompt: str = ""
    scorers: str = ""

    def differing(self, other: "Digests") -> tuple[str, ...]:
        """Return the names of the digests that differ."""
        mine = (self.case, self.model, self.prompt, self.scorers)
        theirs = (other.case, other.model, other.prompt, other.scorers)
        if mine == theirs:
            return ()
        return tuple(n for n, a, b in zip(_DIGESTS, mine, theirs, strict=True) if a != b)


_DIGESTS = ("case", "model", "prompt", "scorers")


class ShownAnswer(Frozen):
    """One answer for people to read: the first in text order."""

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
    """The digests of the definition; runs are added only if all agree."""
    recorded: bool = False
    """Whether the answers are scripted or replayed from a cassette, so that they have no sampling
    noise. Then a new run replaces the old one."""
    runs: tuple[RunCounts, ...] = Field(min_length=1)
    """The added runs, in order of their draws."""
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
        """The part of a line that must agree for runs to be added."""
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
        """The names of the scorers with scores, sorted."""
        return tuple(sorted({name for run in self.runs for name in run.scores}))

    def counts(self, scorer: str) -> tuple[int, int] | None:
        """Return (passes, n) of a scorer's verdicts; None if it gives none."""
        of_scorer = [run.scores[scorer] for run in self.runs if scorer in run.scores]
        voted = [(counts.passes, counts.n) for counts in of_scorer if counts.passes is not None]
        return (sum(p for p, _ in voted), sum(n for _, n in voted)) if voted else None

    def values(self, scorer: str) -> tuple[float, int, float | None] | None:
        """Return (mean, n, variance) of a scorer's values; None if it gives none."""
        parts = [
            (counts.mean, counts.n, counts.var)
            for run in self.runs
            if (counts := run.scores.get(scorer)) is not None and counts.mean is not None
        ]
        n = sum(part[1] for part in parts)
        if not n:
            return None
        mean = fsum(m * k for m, k, _ in parts) / n
        squares = [(var or 0.0) * (k - 1) + k * (m - mean) ** 2 for m, k, var in parts]
        return mean, n, fsum(squares) / (n - 1) if n > 1 else None

    def mean(self, of: str) -> float | None:
        """Return the mean of tokens, cost_usd or latency_s over the runs that report it."""
        parts = [(getattr(run, of), run.n) for run in self.runs if getattr(run, of) is not None]
        n = sum(k for _, k in parts)
        return fsum(x * k for x, k in parts) / n if n else None

    def number(self, scorer: str) -> float | None:
        """Return a scorer's mean value, or its pass rate if it gives no value."""
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
        lines: dict[str, dict[str, BaselineLine]] = {}
        for line in self.lines:
            lines.setdefault(line.model, {})[line.case] = line
        return lines

    @property
    def models(self) -> tuple[str, ...]:
        """The models, sorted."""
        return tuple(sorted(self.by_model))
