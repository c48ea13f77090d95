"""Simulate pull requests through the regression gate and print how often it is right.

Every simulated pull request goes through the functions that the gate calls, `plan_confirmations`
and `evaluate_rows`.
`python benchmarks/simulate_gate.py` prints the tables; `--write PAGE` puts them between the page's
marks, `--keep FILE` keeps what is simulated, so that a part can be done at a time.
Each cell of a table has a seed of its own, made of what it simulates, so it comes out the same
alone, in any order and on any number of processes.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from zlib import crc32

import numpy as np

from pytest_evals.stats.paired import evaluate_rows, plan_confirmations
from pytest_evals.stats.rows import PairedCase, Row

Rates = np.ndarray
Draws = np.random.Generator
Change = Callable[[Rates, Draws], Rates]
Kind = Callable[[int, Draws], Rates]
Counts = Mapping[str, int]

SIZES = (20, 50, 100, 200, 500)
FEW = (20, 50, 200)
SAMPLES = (1, 3, 5)


def steady(cases: int, rng: Draws) -> Rates:
    """Draw a suite that is nearly deterministic."""
    return np.where(rng.random(cases) < 0.9, 0.99, rng.choice([0.7, 0.02], cases))


def mixed(cases: int, rng: Draws) -> Rates:
    """Draw a suite of easy, middling and hard cases."""
    return rng.choice([0.97, 0.97, 0.97, 0.8, 0.8, 0.4], cases)


def flaky(cases: int, rng: Draws) -> Rates:
    """Draw a suite in which most cases flicker."""
    return rng.uniform(0.3, 0.95, cases)


KINDS: Mapping[str, Kind] = {"steady": steady, "mixed": mixed, "flaky": flaky}


def nothing(rates: Rates, _: Draws) -> Rates:
    """Change nothing."""
    return rates


def drop(points: float, rates: Rates, _: Draws) -> Rates:
    """Lower every case in proportion, so that the suite's mean falls by these points."""
    kept: Rates = rates * max(0.0, 1 - points / 100 / rates.mean())
    return kept


def breaks(number: int, rates: Rates, _: Draws) -> Rates:
    """Make the steadiest cases fail always."""
    broken = rates.copy()
    broken[np.argsort(-rates, kind="stable")[:number]] = 0.0
    return broken


def both_ways(rates: Rates, rng: Draws) -> Rates:
    """Break two cases, lower a tenth of the others by 30 points and raise a tenth by 10."""
    moved = rates + rng.choice([-0.3, 0.1, *[0.0] * 8], len(rates))
    return breaks(2, np.clip(moved, 0, 1), rng)


CHANGES: Mapping[str, Change] = {
    "5 points lost everywhere": partial(drop, 5),
    "10 points lost everywhere": partial(drop, 10),
    "1 case broken": partial(breaks, 1),
    "3 cases broken": partial(breaks, 3),
    "2 broken, others better and worse": both_ways,
    "nothing": nothing,
}


@dataclass(frozen=True)
class Scene:
    """One kind of pull request."""

    cases: int
    samples: int
    change: str = "nothing"
    models: int = 1
    correlation: float = 0.0
    """Of two samples of one case in one run; confirmation belongs to the run."""
    runs: int = 1
    """How many runs were added to the baseline, each of `samples` samples."""
    declared: bool = True
    """Whether samples that are the same every time (correlation 1) are declared so."""


def of_run(rates: Rates, correlation: float, rng: Draws) -> Rates:
    """Draw the cases' rates in one run, so that samples within it have this correlation."""
    if not correlation:
        return rates
    if correlation == 1:
        return (rng.random(len(rates)) < rates).astype(float)
    weight = (1 - correlation) / correlation
    inside = np.clip(rates, 1e-9, 1 - 1e-9)
    moods = rng.beta(inside * weight, (1 - inside) * weight)
    return np.where((rates > 0) & (rates < 1), moods, rates)


def row_of(name: str, before: Rates, now: Rates, scene: Scene, rng: Draws) -> Row:
    """Draw a baseline and a run of one model."""
    n, base_n = scene.samples, scene.samples * scene.runs
    runs = [rng.binomial(n, of_run(before, scene.correlation, rng)) for _ in range(scene.runs)]
    base, found = np.sum(runs, axis=0).tolist(), rng.binomial(n, now).tolist()
    pairs = tuple(
        PairedCase(f"{i:03}", b, base_n, w, n)
        for i, (b, w) in enumerate(zip(base, found, strict=True))
    )
    return Row(name, pairs, independent=not (scene.declared and scene.correlation == 1))


def pull_request(scene: Scene, kind: Kind, rng: Draws) -> str:
    """Draw a pull request, ask flagged cases again, judge it; give the gate's one word."""
    rows, rates = [], {}
    true = kind(scene.cases, rng)
    changed = CHANGES[scene.change](true, rng)
    for model in range(scene.models):
        name = f"model {model}"
        rates[name] = of_run(changed, scene.correlation, rng)
        rows.append(row_of(name, true, rates[name], scene, rng))
    confirmed = {
        plan.row: {
            case: (rng.random(plan.n) < rates[plan.row][int(case)]).tolist() for case in plan.cases
        }
        for plan in plan_confirmations(rows)
    }
    found = {verdict.verdict for verdict in evaluate_rows(rows, confirmed=confirmed)}
    return next(word for word in ("regressed", "inconclusive", "passed") if word in found)


@dataclass(frozen=True)
class Cell:
    """So many pull requests of a scene, on one kind of suite."""

    scene: Scene
    kind: str
    sims: int

    @property
    def key(self) -> str:
        """Tell the cell from others, in words."""
        return f"{self.scene} {self.kind} {self.sims}"

    def counts(self) -> Counter[str]:
        """Count the verdicts."""
        rng = np.random.default_rng(crc32(self.key.encode()))
        kind = KINDS[self.kind]
        return Counter(pull_request(self.scene, kind, rng) for _ in range(self.sims))


def cells_of(scene: Scene, sims: int) -> list[Cell]:
    """Return the cells of a scene, one for each kind of suite."""
    return [Cell(scene, kind, sims) for kind in KINDS]


def shares(scene: Scene, sims: int) -> list[Counter[str]]:
    """Count the verdicts for each kind of suite."""
    return [cell.counts() for cell in cells_of(scene, sims)]


@dataclass(frozen=True)
class Table:
    """A table of the page: what its rows and columns simulate."""

    title: str
    """What its rows are told apart by."""
    sizes: tuple[int, ...]
    """How many cases: its columns."""
    rows: tuple[tuple[str, int, Scene], ...]
    """(what is said of it, samples, the scene but for its number of cases)"""
    words: tuple[str, ...]
    """The verdict whose share is shown; a second one in brackets."""
    sims: int
    """Pull requests for each kind of suite."""

    def scenes(self, scene: Scene) -> list[Scene]:
        """Return a row's scenes, by size."""
        return [replace(scene, cases=size) for size in self.sizes]

    def cells(self) -> Iterator[Cell]:
        """Return all that is to be simulated for it."""
        for *_, scene in self.rows:
            for one in self.scenes(scene):
                yield from cells_of(one, self.sims)

    def lines(self, found: Mapping[str, Counts]) -> Iterator[str]:
        """Write it."""
        head = (self.title, "samples", *(f"{n} cases" for n in self.sizes))
        yield "| " + " | ".join(head) + " |"
        yield "|" + " --- |" * len(head)
        for what, samples, scene in self.rows:
            shown = [
                said([found[cell.key] for cell in cells_of(one, self.sims)], self.words)
                for one in self.scenes(scene)
            ]
            yield "| " + " | ".join((what, str(samples), *shown)) + " |"
        yield ""


def said(counts: Sequence[Counts], words: Sequence[str]) -> str:
    """Write the shares of verdicts: the first plain, the second in brackets."""
    first, *rest = (span(counts, word) for word in words)
    return " ".join([first, *(f"({share})" for share in rest)])


def span(counts: Sequence[Counts], word: str) -> str:
    """Write the least and the greatest share of a verdict over the kinds of suites, in per cent."""
    found = [100 * count.get(word, 0) / sum(count.values()) for count in counts]
    low, high = min(found), max(found)
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f}–{high:.0f}"  # noqa: RUF001


def simulate(cells: Iterable[Cell], *, jobs: int, keep: Path | None) -> dict[str, Counts]:
    """Simulate cells on some processes; take those that were kept, and keep the others."""
    found: dict[str, Counts] = {}
    if keep and keep.exists():
        found = json.loads(keep.read_text(encoding="utf-8"))
    todo = {cell.key: cell for cell in cells if cell.key not in found}
    dear = sorted(todo.values(), key=lambda cell: -cell.scene.cases * cell.sims)
    with Pool(jobs) as pool:
        for done, (key, counts) in enumerate(pool.imap_unordered(_counted, dear), 1):
            found[key] = counts
            if keep and done % 10 in {0, len(dear) % 10}:
                keep.write_text(json.dumps(found, indent=0, sort_keys=True), encoding="utf-8")
            print(f"{done}/{len(dear)} {key} {dict(counts)}", file=sys.stderr)
    return found


def _counted(cell: Cell) -> tuple[str, Counts]:
    return cell.key, cell.counts()


def tables(sims: int) -> dict[str, Table]:
    """Return the page's tables, by their names in its marks.

    Args:
        sims: pull requests for each kind of suite; 2 in 5 of them where there are 5 models.
    """

    def rows(settings: Mapping[str, Scene]) -> tuple[tuple[str, int, Scene], ...]:
        return tuple(
            (what, samples, replace(scene, samples=samples))
            for what, scene in settings.items()
            for samples in SAMPLES
        )

    null = {
        "independent": Scene(0, 0),
        "correlated 0.2 in a run": Scene(0, 0, correlation=0.2),
        "correlated 0.4 in a run": Scene(0, 0, correlation=0.4),
        "the same every time, declared": Scene(0, 0, correlation=1.0),
        "independent, 5 runs in the baseline": Scene(0, 0, runs=5),
        "correlated 0.2, 5 runs in the baseline": Scene(0, 0, correlation=0.2, runs=5),
    }
    many = {
        what: replace(null[what], models=5)
        for what in ("independent", "correlated 0.2 in a run", "the same every time, declared")
    }
    hidden = {
        "correlated 0.6 in a run": Scene(0, 0, correlation=0.6),
        "correlated 0.8 in a run": Scene(0, 0, correlation=0.8),
        "the same every time, not declared": Scene(0, 0, correlation=1.0, declared=False),
    }
    losses = {what: Scene(0, 0, what) for what in CHANGES}
    margin = {"5 points lost everywhere": Scene(0, 0, "5 points lost everywhere")}
    alike = {
        f"{what}, correlated 0.2": Scene(0, 0, what, correlation=0.2)
        for what in ("1 case broken", "3 cases broken")
    }
    blocked, both = ("regressed",), ("regressed", "inconclusive")
    return {
        "harmless": Table("samples are", SIZES, rows(null), blocked, sims),
        "models": Table("5 models, samples are", FEW, rows(many), blocked, max(1, 2 * sims // 5)),
        "strong": Table("samples are", FEW, rows(hidden), blocked, max(1, sims // 5)),
        "losses": Table("what changed", SIZES, rows(losses), both, sims),
        "alike": Table("what changed", FEW, rows(alike), both, max(1, sims // 2)),
        "margin": Table("what changed", SIZES, rows(margin), ("passed",), sims),
    }


def put(page: str, name: str, lines: Iterable[str]) -> str:
    """Put a table into the page, between its marks.

    Raises:
        ValueError: the page has no such marks.
    """
    start, end = f"<!-- simulated: {name} -->\n", "<!-- end -->"
    before, found, rest = page.partition(start)
    if not found or end not in rest:
        raise ValueError(f"the page has no table {name}: {start.strip()} ... {end} is expected")
    return before + start + "\n" + "\n".join(lines) + "\n" + rest[rest.index(end) :]


def main() -> None:
    """Simulate what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", help="names of tables; all unless said")
    parser.add_argument("--sims", type=int, default=2000, help="pull requests a kind of suite")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--keep", type=Path, help="a file of results: used, and added to")
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    asked = parser.parse_args()
    known = tables(asked.sims)
    wanted = {name: known[name] for name in asked.tables or known}
    started = time.perf_counter()
    cells = [cell for table in wanted.values() for cell in table.cells()]
    found = simulate(cells, jobs=asked.jobs, keep=asked.keep)
    for name, table in wanted.items():
        lines = list(table.lines(found))
        print("\n".join((f"{name}, {table.sims:,} pull requests a kind of suite:", "", *lines)))
        if asked.write:
            page = asked.write.read_text(encoding="utf-8")
            asked.write.write_text(put(page, name, lines), encoding="utf-8")
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
