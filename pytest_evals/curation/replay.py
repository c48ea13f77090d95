"""A drafted case, loaded and run under `provider: script` before it is written."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.engine import Engine, EngineDeps
from pytest_evals.ground.errors import DatasetError, SettingsError
from pytest_evals.matrix import Trial
from pytest_evals.model import Model
from pytest_evals.providers.transport import HttpClientPool
from pytest_evals.registry import Registry
from pytest_evals.registry.datasets import find_root, load_dataset
from pytest_evals.result import TrialResult
from pytest_evals.score import ScoreError

NO_ASSERTIONS = "the case has no assertions"
"""Why a case without scorers is refused."""

_JUDGES_NOT_RUN = "note: the case has judges; it was loaded but not run, and no judge is called"


def check_by_replay(
    text: str, path: Path, case: dict[str, Any], registry: Registry, *, keep: bool = False
) -> list[str]:
    """Load a dataset's new text and run its new case.

    Args:
        text: the dataset with the new case.
        path: the dataset's file; it need not exist.
        case: the new case.
        registry: knows the scorers.
        keep: whether the text replaces the file when the case passes.

    Returns:
        Notes for the user.

    Raises:
        EvalsError: the text does not load, or the case does not pass.
    """
    folder = path.absolute().parent
    ending = "".join(path.suffixes[-2:])
    handle, name = tempfile.mkstemp(prefix=".curated-", suffix=ending, dir=folder if keep else None)
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        root = find_root(path) if keep else draft.parent
        try:
            dataset = load_dataset(draft, registry, rootdir=root)
        except DatasetError as error:
            raise _renamed(error, draft.name, path.name) from None
        notes = _replay(dataset, case["id"], root, registry)
        if keep:
            draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return notes


def _renamed(error: DatasetError, draft: str, name: str) -> DatasetError:
    """Replace the draft's file name in problems by the user's."""
    return DatasetError(
        [
            replace(problem, message=problem.message.replace(draft, name))
            for problem in error.problems
        ]
    )


def _replay(dataset: Dataset, case_id: str, root: Path, registry: Registry) -> list[str]:
    """Run the case under `provider: script`; returns notes.

    Raises:
        SettingsError: the case has no assertions, or fails on its own record.
    """
    case = next(case for case in dataset.cases if case.id == case_id)
    scorers = registry.scorers_of(dataset, case)
    if not scorers:
        raise SettingsError(NO_ASSERTIONS)
    if any(bound.scorer.models(dataset) for bound in scorers):
        return [_JUDGES_NOT_RUN]
    trial = Trial(dataset, case, Model(id="recorded", provider="script"), 0, 1)
    engine = Engine(
        Settings(rootdir=root, responses="off"), EngineDeps(registry=registry, http=HttpClientPool)
    )
    engine.start()
    try:
        engine.expect([trial])
        result = engine.result(trial)
    finally:
        engine.stop()
    if result.outcome.value != "passed":
        raise SettingsError(f"the recorded answer fails its own case: {_failure(result)}")
    return []


def _failure(result: TrialResult) -> str:
    """Return why a trial did not pass."""
    if result.error is not None:
        return f"{result.error.type}: {result.error.message}"
    reasons = [
        f"{score.name}: {score.message if isinstance(score, ScoreError) else score.reason}"
        for score in result.scores
        if isinstance(score, ScoreError) or score.passed is False
    ]
    return "; ".join(reasons)
