"""A baseline beside its dataset: its problems, and which of its lines are stale."""

from collections.abc import Sequence

from pytest_evals.baselines.files import BaselinePath
from pytest_evals.baselines.staleness_report import StalenessReport
from pytest_evals.case import Case
from pytest_evals.config import FILES_DEFAULT
from pytest_evals.dataset import Dataset
from pytest_evals.engine.scorers_digest import scorers_digest
from pytest_evals.ground.errors import DatasetError, EvalsError, StoreError
from pytest_evals.matrix import default_models
from pytest_evals.registry import Registry
from pytest_evals.registry.datasets import load_dataset
from pytest_evals.storage.baseline_file import load_baseline
from pytest_evals.verdict.baseline import Baseline, BaselineLine, model_digest


def check_baseline(file: BaselinePath, registry: Registry) -> StalenessReport:
    """Read a baseline and compare it with its dataset.

    Args:
        file: the baseline; its dataset is searched for in the folder above unless it is named.
        registry: knows the scorers and providers.
    """
    report = StalenessReport(file.shown)
    try:
        baseline = load_baseline(file.path, shown=file.shown)
    except StoreError as error:
        report.problems = tuple(str(error).split("\n"))
        return report
    report.lines = len(baseline.lines)
    try:
        dataset, dataset_file = _dataset_of(file, baseline.dataset, registry)
    except EvalsError as error:
        report.notes.append(f"not compared with its dataset: {error}")
        return report
    report.compared = True
    _compare(report, baseline, dataset, registry)
    if not report.stale:
        report.notes.append(f"every case of {dataset_file} has its line, and none is stale")
    return report


def _dataset_of(file: BaselinePath, name: str, registry: Registry) -> tuple[Dataset, str]:
    """Return the dataset of a baseline, and the name of its file.

    Raises:
        StoreError: no dataset of that name is beside the baseline's folder.
        DatasetError: the named dataset is not valid, or every candidate is not.
    """
    if file.dataset is not None:
        return load_dataset(file.dataset, registry), file.dataset.as_posix()
    folder = file.path.parent.parent
    candidates = {path for glob in FILES_DEFAULT for path in folder.glob(glob)}
    failures: list[DatasetError] = []
    for path in sorted(candidates, key=lambda path: (not path.name.startswith(f"{name}."), path)):
        try:
            dataset = load_dataset(path, registry)
        except DatasetError as error:
            failures.append(error)
            continue
        if dataset.name == name:
            return dataset, path.as_posix()
    if failures:
        raise failures[0]
    raise StoreError(
        f"no file {' or '.join(FILES_DEFAULT)} in {folder.absolute()} holds dataset {name!r}; name "
        "the dataset's file"
    )


def _compare(
    report: StalenessReport, baseline: Baseline, dataset: Dataset, registry: Registry
) -> None:
    """Add stale lines, cases without lines, and other changes to the report."""
    by_case: dict[str, list[BaselineLine]] = {}
    for line in baseline.lines:
        by_case.setdefault(line.case, []).append(line)
    cases = {case.id: case for case in dataset.cases}
    report.removed = [case for case in by_case if case not in cases]
    models = {model.id: model for model in dataset.models or default_models(dataset)}
    for name, case in cases.items():
        lines = by_case.get(name, [])
        changed = _changed_parts(lines, dataset, case, registry)
        if changed:
            report.edited[name] = " and ".join(changed)
        covered = {line.model for line in lines}
        missing = [model for model in models if model not in covered]
        if len(missing) == len(models):
            report.missing.append(name)
        else:
            report.missing += [f"{name}[{model}]" for model in missing]
    for model in (model for model in baseline.models if model not in models):
        report.notes.append(f"model {model} is not in the dataset's file")
    digests = {name: model_digest(model) for name, model in models.items()}
    redefined = {
        line.model
        for line in baseline.lines
        if digests.get(line.model) not in {None, line.digests.model}
    }
    if redefined:
        report.notes.append(f"the definition of {', '.join(sorted(redefined))} changed since")
    prompt = dataset.prompt.digest if dataset.prompt else ""
    if any(line.digests.prompt != prompt for line in baseline.lines):
        report.notes.append("the prompt changed since, in some lines or all")


def _changed_parts(
    lines: Sequence[BaselineLine], dataset: Dataset, case: Case, registry: Registry
) -> list[str]:
    """Return what of a case changed since any of its lines was written."""
    if not lines:
        return []
    scorers = scorers_digest(dataset, case, registry.scorers_of(dataset, case))
    changed = []
    if any(line.digests.case not in {"", case.digest} for line in lines):
        changed.append("input or reference answer")
    if any(line.digests.scorers not in {"", scorers} for line in lines):
        changed.append("assertions")
    return changed
