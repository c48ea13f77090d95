"""Shards: the cases of a dataset that one of several sessions runs."""

from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.matrix import Matrix
from pytest_evals.shard import divide_cases, expected_seconds
from pytest_evals.storage.baseline_file import load_baseline
from pytest_evals.storage.baseline_path import baseline_path
from pytest_evals.storage.run_baseline import relative_name


def cases_of_shard(settings: Settings, matrix: Matrix) -> frozenset[str]:
    """Return the ids of the cases that this shard runs; all cases if there are no shards.

    Raises:
        SettingsError: there are more shards than cases.
        StoreError: the baseline, which holds the time each case takes, cannot be read.
    """
    samples = {case.id: matrix.samples_of(case) for case in matrix.dataset.cases}
    shard = settings.shard
    if shard is None:
        return frozenset(samples)
    seconds = seconds_per_sample(settings, matrix.dataset)
    shards = divide_cases(expected_seconds(seconds, samples), shard.of)
    return frozenset(case for case, number in shards.items() if number == shard.number)


def seconds_per_sample(settings: Settings, dataset: Dataset) -> dict[str, float]:
    """Return the seconds one sample of each case takes, summed over the baseline's models.

    Raises:
        StoreError: the baseline cannot be read.
    """
    path = baseline_path(settings.rootdir / dataset.path, dataset.name)
    if not path.is_file():
        return {}
    seconds: dict[str, float] = {}
    shown = relative_name(settings.rootdir, path)
    for line in load_baseline(path, dataset=dataset.name, shown=shown).lines:
        times = [run.latency_s for run in line.runs if run.latency_s is not None]
        if times:
            seconds[line.case] = seconds.get(line.case, 0.0) + sum(times) / len(times)
    return seconds
