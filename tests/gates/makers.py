"""Tables of made-up trials, shared by the tests of gates, baselines and diffs."""

from random import Random

from pytest_evals.metrics.trial_stats import TrialStats
from pytest_evals.metrics.trial_table import TrialTable
from pytest_evals.model import Model
from pytest_evals.result import Outcome
from pytest_evals.run_record import DatasetInfo

FAILED, PASSED, ERRORED = Outcome.FAILED, Outcome.PASSED, Outcome.ERRORED


def trial(case, sample=0, *, ok=True, model="m", seed="", **more):
    """Return the stats of one trial; `ok` is True, False or None for an error."""
    outcome = ERRORED if ok is None else PASSED if ok else FAILED
    scored = ok is not None
    values = {
        "id": f"d.yaml::{case}[{model}-{sample}]",
        "case": case,
        "model": model,
        "sample": sample,
        "outcome": outcome,
        "error": None if scored else "timeout",
        "score": float(ok) if scored else None,
        "names": ("contains",) if scored else (),
        "values": (None,) if scored else (),
        "verdicts": (ok,) if scored else (),
        "failing": () if ok or not scored else ("contains",),
        "reasons": () if ok else ("contains: not found",) if scored else ("timeout: too slow",),
        "answer": None if not scored else "right" if ok else "wrong",
        "answer_digest": "" if not scored else "a1" if ok else "b2",
        "draw": f"{Random(f'{case}{model}{sample}{ok}{seed}').randrange(1 << 32):08x}",
        "origin": "asked",
        "case_digest": f"digest-of-{case}",
        "scorers_digest": "scorers",
        "answered": scored,
        "tokens": 10 if scored else None,
        "cost_usd": 0.001 if scored else None,
        "latency_s": 0.5 if scored else None,
    }
    return TrialStats(**{**values, **more})


def table(outcomes, *, dataset="d", model="m", seed="", **more):
    """Return a table of one model: case -> a text of samples, + passed, - failed, ! errored."""
    made = TrialTable(dataset)
    return extend(made, outcomes, model=model, seed=seed, **more)


def extend(made, outcomes, *, model="m", seed="", **more):
    """Add another model's trials, or more cases, to a table."""
    marks = {"+": True, "-": False, "!": None}
    for case, samples in outcomes.items():
        for sample, mark in enumerate(samples):
            made.add(trial(case, sample, ok=marks[mark], model=model, seed=seed, **more))
    return made


def info(made, *, gates=(), models=("m",), planned=None, selected=None, **more):
    """Return what a run keeps of the dataset of a table that is whole."""
    count = len(made) if planned is None else planned
    values = {
        "name": made.dataset,
        "path": f"{made.dataset}.yaml",
        "digest": "x",
        "prompt_digest": "prompt",
        "models": tuple(Model(id=model, provider="openai", model=model) for model in models),
        "planned": count,
        "selected": count if selected is None else selected,
        "gates": gates,
    }
    return DatasetInfo(**{**values, **more})


def drawn(rates, samples, seed, **more):
    """Return a table of drawn outcomes, one case a rate."""
    rng = Random(seed)
    outcomes = {
        f"c{i:03}": "".join("+" if rng.random() < rate else "-" for _ in range(samples))
        for i, rate in enumerate(rates)
    }
    return table(outcomes, seed=str(seed), **more)
