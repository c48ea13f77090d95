"""Ids in the names of marked tests' items: which trial, and which values of other parameters."""

from pytest_evals.matrix import Matrix, Trial


def trial_ids(trials: list[Trial]) -> list[str]:
    """Return the id of each trial: ``case-model-sample``.

    If two are equal (``a-b`` of ``c``, ``a`` of ``b-c``), both are joined by two hyphens.
    """
    ids = ["-".join(_parts(trial)) for trial in trials]
    duplicates = {i for i in ids if ids.count(i) > 1} if len(set(ids)) < len(ids) else ()
    return [
        "--".join(_parts(trial)) if i in duplicates else i
        for i, trial in zip(ids, trials, strict=True)
    ]


def _parts(trial: Trial) -> list[str]:
    """Return case, model, and the sample if there are several."""
    number = [] if trial.samples == 1 else [str(trial.sample)]
    return [trial.case.id, trial.model.id, *number]


def other_ids(item_id: str, trial_id: str) -> str:
    """Return the ids of other parameters in an item's id; empty if there are none."""
    if item_id == trial_id:
        return ""
    if item_id.endswith(f"-{trial_id}"):
        return item_id.removesuffix(f"-{trial_id}")
    if item_id.startswith(f"{trial_id}-"):
        return item_id.removeprefix(f"{trial_id}-")
    return item_id.replace(f"-{trial_id}-", "-", 1)


def recorded_samples(matrix: Matrix) -> dict[str, int]:
    """Return how often each case was recorded, the most over all values of other parameters."""
    samples: dict[str, int] = {}
    for case in matrix.dataset.cases:
        counts = [
            count
            for name, count in matrix.case_samples.items()
            if name == case.id or name.startswith(f"{case.id}[")
        ]
        if counts:
            samples[case.id] = max(counts)
    return samples
