"""A baseline beside its dataset: what is wrong with it, and which of its lines are stale."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_evals.ground.errors import DatasetError, EvalsError, StoreError

if TYPE_CHECKING:
    from pytest_evals.case import Case
    from pytest_evals.cli.baseline import Named
    from pytest_evals.dataset import Dataset
    from pytest_evals.registry import Registry
    from pytest_evals.verdict.baseline import Baseline, BaselineLine


@dataclass(slots=True)
class Checked:
    """What is to be said of one baseline."""

    STALE: ClassVar[tuple[str, ...]] = ("stale", "not in the dataset", "without a line")

    shown: str
    """What the file is called."""
    problems: tuple[str, ...] = ()
    """Why it cannot be read: ``file:line: message``."""
    lines: int = 0
    compared: bool = False
    """Whether its dataset was found and is right."""
    edited: dict[str, str] = field(default_factory=dict)
    """Case -> what of it changed, so that its lines are stale."""
    removed: list[str] = field(default_factory=list)
    """Cases that the dataset has no more."""
    missing: list[str] = field(default_factory=list)
    """Cases, or cases and models, that have no line."""
    notes: list[str] = field(default_factory=list)
    """What else a reader should know, a sentence each."""

    @property
    def stale(self) -> bool:
        """Whether it does not fit its dataset, or has none."""
        return bool(self.edited or self.removed or self.missing) or not self.compared

    def groups(self) -> Iterator[tuple[str, list[str]]]:
        """Yield what does not fit: a title and its cases."""
        edited = [f"{case} (its {what} changed)" for case, what in self.edited.items()]
        for title, items in zip(self.STALE, (edited, self.removed, self.missing), strict=True):
            if items:
                yield title, items

    def json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        told = asdict(self)
        return {"path": told.pop("shown"), **told}


def load_dataset(path: Path) -> "Dataset":
    """Load a dataset as a session would.

    Raises:
        DatasetError: every problem of the file.
    """
    from pytest_evals.cli.host import registry
    from pytest_evals.cli.lint import find_root
    from pytest_evals.loaders.base import LoadContext
    from pytest_evals.loaders.build import load

    return load(path, LoadContext(rootdir=find_root(path), checker=registry()))


def check(named: "Named") -> Checked:
    """Read a baseline and compare it with its dataset.

    Args:
        named: the baseline; its dataset is looked for in the folder above, where it is not named.
    """
    from pytest_evals.storage.baseline_file import load_baseline

    found = Checked(named.shown)
    try:
        baseline = load_baseline(named.path, shown=named.shown)
    except StoreError as error:
        found.problems = tuple(str(error).split("\n"))
        return found
    found.lines = len(baseline.lines)
    try:
        dataset, where = _dataset(named, baseline.dataset)
    except EvalsError as error:
        found.notes.append(f"not compared with its dataset: {error}")
        return found
    found.compared = True
    _compare(found, baseline, dataset)
    if not found.stale:
        found.notes.append(f"every case of {where} has its line, and none is stale")
    return found


def _dataset(named: "Named", name: str) -> "tuple[Dataset, str]":
    """Return the dataset that a baseline is of, and what its file is called.

    Raises:
        StoreError: there is none of that name beside the baseline's folder.
        DatasetError: the one that was named is not right, or all that could be it are not.
    """
    from pytest_evals.config import FILES_DEFAULT

    if named.dataset is not None:
        return load_dataset(named.dataset), named.dataset.as_posix()
    folder = named.path.parent.parent
    files = sorted({file for glob in FILES_DEFAULT for file in folder.glob(glob)})
    first = f"{name}."
    failures: list[DatasetError] = []
    for file in sorted(files, key=lambda file: not file.name.startswith(first)):
        try:
            dataset = load_dataset(file)
        except DatasetError as error:
            failures.append(error)
            continue
        if dataset.name == name:
            return dataset, file.as_posix()
    if failures:
        raise failures[0]
    raise StoreError(
        f"no file {' or '.join(FILES_DEFAULT)} in {folder.absolute()} holds dataset {name!r}; name "
        "the dataset's file"
    )


def _compare(found: Checked, baseline: "Baseline", dataset: "Dataset") -> None:
    """Say which lines are stale, which cases have none, and what else changed."""
    from pytest_evals.cli.host import registry
    from pytest_evals.matrix import default_models
    from pytest_evals.verdict.baseline import model_digest

    known = registry()
    by_case: dict[str, list[BaselineLine]] = {}
    for line in baseline.lines:
        by_case.setdefault(line.case, []).append(line)
    cases = {case.id: case for case in dataset.cases}
    found.removed = [case for case in by_case if case not in cases]
    models = {model.id: model for model in dataset.models or default_models(dataset)}
    for name, case in cases.items():
        lines = by_case.get(name, [])
        changed = _changed(lines, dataset, case, known)
        if changed:
            found.edited[name] = " and ".join(changed)
        has = {line.model for line in lines}
        lacks = [model for model in models if model not in has]
        if len(lacks) == len(models):
            found.missing.append(name)
        else:
            found.missing += [f"{name}[{model}]" for model in lacks]
    for model in (model for model in baseline.models if model not in models):
        found.notes.append(f"model {model} is not in the dataset's file")
    now = {model: model_digest(it) for model, it in models.items()}
    moved = {
        line.model
        for line in baseline.lines
        if now.get(line.model) not in {None, line.digests.model}
    }
    if moved:
        found.notes.append(f"the definition of {', '.join(sorted(moved))} changed since")
    prompt = dataset.prompt.digest if dataset.prompt else ""
    if any(line.digests.prompt != prompt for line in baseline.lines):
        found.notes.append("the prompt changed since, in some lines or all")


def _changed(
    lines: "Sequence[BaselineLine]", dataset: "Dataset", case: "Case", registry: "Registry"
) -> list[str]:
    """Return what of a case changed since a line of it was written."""
    from pytest_evals.engine.trial import scorers_digest

    if not lines:
        return []
    asserted = scorers_digest(dataset, case, registry.scorers_of(dataset, case))
    changed = []
    if any(line.digests.case not in {"", case.digest} for line in lines):
        changed.append("question or reference answer")
    if any(line.digests.scorers not in {"", asserted} for line in lines):
        changed.append("assertions")
    return changed
