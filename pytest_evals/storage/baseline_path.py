"""The place of a dataset's baseline. Imports nothing, since every session looks there."""

from pathlib import Path

FOLDER = "baselines"
"""The folder beside the dataset."""


def baseline_path(dataset_path: Path, dataset: str) -> Path:
    """Return the path of a dataset's baseline: ``baselines/<dataset>.jsonl`` beside it."""
    return dataset_path.parent / FOLDER / f"{dataset}.jsonl"
