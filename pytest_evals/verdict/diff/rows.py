"""The comparisons with a baseline: which cases are paired, under which model, and what is planned.

The rows are declared before the run, by the gates. What is exploratory stands apart and changes no
verdict of theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pytest_evals.metrics.spec import Slice, quote_name
from pytest_evals.metrics.trial_stats import TrialStats, TrialTable
from pytest_evals.model import Model
from pytest_evals.run import DatasetInfo
from pytest_evals.stats.paired import Confirmed, plan_confirmations
from pytest_evals.stats.rows import Dropped, PairedCase, PairedScore, Row, Rules
from pytest_evals.verdict.baseline import Baseline, BaselineLine, build_baseline


@dataclass(frozen=True, slots=True)
class ComparisonSpec:
    """One comparison with the baseline: a model under a gate, in one slice."""

    model: str
    """The model's id."""
    gate: str | None = None
    """The gate's text; None where it is exploratory."""
    of: str | None = None
    """The scorer whose values are compared; None is what became of the trials."""
    part: Slice | None = None
    """Which cases; None is all."""
    margin: float | None = None
    """The drop that is tolerated; None is the rules'."""

    @property
    def name(self) -> str:
        """Tells the rows of a family apart."""
        words = [self.model, self.gate or "no regressions"]
        if self.gate is None and self.of is not None:
            words.append(f"of {quote_name(self.of)}")
        if self.part is not None:
            words.append(str(self.part))
        return " \N{MIDDLE DOT} ".join(words)


@dataclass(frozen=True)
class RunSide:
    """A run, as it is compared with a baseline."""

    table: TrialTable
    """Its trials."""
    info: DatasetInfo
    """What it keeps of the dataset: the models as they were asked."""
    replayed: bool = False
    """Whether answers from the store count as recorded (``--evals-responses replay``)."""
    incomplete: frozenset[str] = frozenset()
    """Models of which not every planned trial was recorded, or too many errored: their rows stay in
    the family, without cases, and a case they lack is not *removed*."""

    @cached_property
    def snapshot(self) -> Baseline:
        """The run as a baseline of one run."""
        return build_baseline(self.table, self.info, replayed=self.replayed)

    @cached_property
    def cells(self) -> Mapping[str, Mapping[str, Sequence[TrialStats]]]:
        """Model -> case -> its trials."""
        return {model: self.table.cases(model) for model in self.table.models}

    def independent(self, model: str) -> bool:
        """Whether the samples of a model count as independent draws."""
        return all(is_independent(m) for m in self.info.models if m.id == model)

    def members(self, model: str, part: Slice | None) -> set[str]:
        """Return a model's cases in a slice."""
        return set(self.table.cases(model, part))


def is_independent(model: Model) -> bool:
    """Whether samples of a model are independent draws: not at temperature 0 or with a fixed seed.

    The model's own `is_independent` wins.
    """
    if model.independent is not None:
        return model.independent
    return model.params.get("temperature") != 0 and model.params.get("seed") is None


def edited_parts(before: BaselineLine, now: BaselineLine) -> tuple[str, ...]:
    """Return why two lines cannot be compared: ``case``, ``scorers``; empty where they can be.

    A changed prompt or model is what comparisons are for.
    """
    changed = before.digests.differing(now.digests)
    return tuple(
        name
        for name in changed
        if name in {"case", "scorers"}
        and getattr(before.digests, name)
        and getattr(now.digests, name)
    )


_EDITED = {"case": "its question or reference answer changed", "scorers": "its assertions changed"}


def build_row(declared: ComparisonSpec, baseline: Baseline, run: RunSide) -> Row:
    """Return one comparison's row: its pairs, and what could not be paired and why."""
    model, part = declared.model, declared.part
    if model in run.incomplete:
        return Row(declared.name, (), margin=declared.margin)
    members = run.members(model, part)
    base = baseline.by_model.get(model, {})
    now = run.snapshot.by_model.get(model, {})
    pairs: list[tuple[BaselineLine, BaselineLine]] = []
    dropped: list[Dropped] = []
    for case in sorted(members if part else base.keys() | members):
        before, after = base.get(case), now.get(case)
        edited = edited_parts(before, after) if before and after else ()
        if before and after and not edited:
            pairs.append((before, after))
        else:
            dropped.append(Dropped(case, _reason(before, edited, in_run=case in members)))
    cases, silent = _pairs(pairs, declared.of)
    return Row(
        declared.name,
        cases,
        independent=run.independent(model),
        noise_free=bool(pairs) and all(a.recorded and b.recorded for a, b in pairs),
        margin=declared.margin,
        dropped=(*dropped, *silent),
    )


def _reason(before: BaselineLine | None, edited: Sequence[str], *, in_run: bool) -> str:
    if edited:
        return ", ".join(_EDITED[name] for name in edited)
    if before is None:
        return "not in the baseline"
    return "no scored sample in the run" if in_run else "not in this run"


def _pairs(
    pairs: Iterable[tuple[BaselineLine, BaselineLine]], of: str | None
) -> tuple[tuple[PairedCase, ...] | tuple[PairedScore, ...], tuple[Dropped, ...]]:
    """Return the pairs as counts, or as scores where the scorer gives values on both sides."""
    pairs = list(pairs)
    if of is None:
        counts = (PairedCase(a.case, a.passes, a.n, b.passes, b.n) for a, b in pairs)
        return tuple(counts), ()
    values = [(a.case, a.values(of), b.values(of)) for a, b in pairs]
    scores = tuple(
        PairedScore(case, x[0], x[1], y[0], y[1], x[2], y[2]) for case, x, y in values if x and y
    )
    if scores:
        known = {pair.case for pair in scores}
        return scores, _silent((a.case for a, _ in pairs if a.case not in known), of)
    voted = [(a.case, a.counts(of), b.counts(of)) for a, b in pairs]
    return (
        tuple(PairedCase(case, *x, *y) for case, x, y in voted if x and y),
        _silent((case for case, x, y in voted if not (x and y)), of),
    )


def _silent(cases: Iterable[str], of: str) -> tuple[Dropped, ...]:
    return tuple(Dropped(case, f"{of} says nothing of it on one side") for case in cases)


def build_rows(declared: Sequence[ComparisonSpec], baseline: Baseline, run: RunSide) -> list[Row]:
    """Return the rows of one family, in the order declared."""
    return [build_row(one, baseline, run) for one in declared]


@dataclass(frozen=True, slots=True)
class ConfirmationPlan:
    """What to ask again before the verdict, fixed before the first answer is drawn."""

    cells: Mapping[tuple[str, str], int]
    """(case, model) -> how many more samples to ask; empty where nothing is to be asked."""
    rows: Mapping[str, tuple[tuple[str, ...], int]]
    """Row -> its cases to ask again, and how many answers of each it counts."""
    reasons: tuple[str, ...]
    """Why flagged cases of a row are not asked again: ``row: reason``."""


def plan_confirmation(
    declared: Sequence[ComparisonSpec],
    baseline: Baseline,
    run: RunSide,
    *,
    rules: Rules | None = None,
) -> ConfirmationPlan:
    """Say which cells to ask again, and how often.

    Args:
        declared: all declared comparisons; together they are one family.
        baseline: what is compared with.
        run: the run.
        rules: the constants; `confirm` is the number of ``--evals-confirm``, None for ``auto``.
    """
    plans = plan_confirmations(build_rows(declared, baseline, run), rules=rules or Rules())
    models = {one.name: one.model for one in declared}
    cells: dict[tuple[str, str], int] = {}
    for plan in plans:
        for case in plan.cases if plan.n else ():
            key = (case, models[plan.row])
            cells[key] = max(cells.get(key, 0), plan.n)
    return ConfirmationPlan(
        cells=cells,
        rows={plan.row: (plan.cases, plan.n) for plan in plans if plan.cases and plan.n},
        reasons=tuple(f"{plan.row}: {plan.reason}" for plan in plans if plan.reason),
    )


def confirmed_answers(
    declared: Sequence[ComparisonSpec], plan: ConfirmationPlan, answers: Iterable[TrialStats]
) -> Confirmed:
    """Return the confirmation answers as the break rule takes them.

    They must never be added to the run's table: they decide breaks, and nothing else.

    Args:
        declared: the comparisons the plan was made for.
        plan: what was to be asked again.
        answers: the trials asked again; those that could not be scored are left out.
    """
    by_cell: dict[tuple[str, str], list[TrialStats]] = {}
    for one in answers:
        if one.scored:
            by_cell.setdefault((one.case, one.model), []).append(one)
    found: dict[str, dict[str, list[bool]]] = {}
    for row in declared:
        cases, n = plan.rows.get(row.name, ((), 0))
        for case in cases:
            cell = sorted(by_cell.get((case, row.model), ()), key=lambda one: one.sample)
            said = [one.passed if row.of is None else one.verdict(row.of) for one in cell]
            told = [verdict for verdict in said if verdict is not None][:n]
            found.setdefault(row.name, {})[case] = told
    return found
