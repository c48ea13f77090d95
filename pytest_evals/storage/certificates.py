"""Certificates on disk: ``certificates/<dataset>/<judge>.json`` beside the dataset, committed."""

from pathlib import Path

from pytest_evals.certificate import Certificate, Labels, certificate_text, read_certificate
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import DatasetError, StoreError
from pytest_evals.run import Run

FOLDER = "certificates"


def certificate_path(folder: Path, dataset: str, judge: str) -> Path:
    """Return where the certificate of a judge is kept.

    Args:
        folder: the dataset's.
        dataset: its name.
        judge: the judge's name, a file name.
    """
    return folder / FOLDER / dataset / f"{judge}.json"


def write_certificate(folder: Path, certificate: Certificate) -> Path:
    """Keep a certificate; returns its file, which is unchanged where nothing has changed.

    Raises:
        StoreError: it cannot be written.
    """
    from pytest_evals.ground.files import replace_text

    path = certificate_path(folder, certificate.dataset, certificate.judge)
    text = certificate_text(certificate)
    try:
        if not path.is_file() or path.read_bytes() != text.encode():
            replace_text(path, text)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from None
    return path


def read_certificates(folder: Path, dataset: Dataset) -> dict[str, Certificate]:
    """Return the certificates of a dataset's judges that are on file, by the judge's name.

    One that cannot be read, or whose file of labels has changed since, comes back as unusable, so
    that its judge has no vote and says why.

    Args:
        folder: the dataset's.
        dataset: whose judges.
    """
    found: dict[str, Certificate] = {}
    for judge in dataset.judges:
        path = certificate_path(folder, dataset.name, judge)
        if path.is_file():
            found[judge] = _read(path, folder, dataset.name, judge)
    return found


def certificates_of(run: Run, root: Path) -> tuple[Certificate, ...]:
    """Return the certificates on file for the datasets of a run that can be read.

    Whether their labels have changed since is not looked at: for showing them, not for votes.

    Args:
        run: whose datasets.
        root: where the paths of datasets begin.
    """
    found = []
    for info in run.datasets:
        folder = (root / info.path).parent / FOLDER / info.name
        for path in sorted(folder.glob("*.json")):
            try:
                found.append(read_certificate(path.read_text(encoding="utf-8")))
            except (OSError, ValueError):
                continue  # said where the judge is used
    return tuple(found)


def _read(path: Path, folder: Path, dataset: str, judge: str) -> Certificate:
    """Read one certificate and see whether its labels are still the same."""
    try:
        certificate = read_certificate(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return _unusable(dataset, judge, f"{path.name} cannot be read ({error})")
    if (certificate.judge, certificate.dataset) != (judge, dataset):
        return _unusable(
            dataset,
            judge,
            f"{path.name} is that of judge {certificate.judge!r} of {certificate.dataset!r}",
        )
    why = _changed(folder, certificate.labels)
    return certificate if why is None else certificate.model_copy(update={"unusable": why})


def _unusable(dataset: str, judge: str, why: str) -> Certificate:
    """Make the certificate of a file that is none."""
    return Certificate(
        judge=judge, dataset=dataset, fingerprint="", labels=Labels(digest=""), unusable=why
    )


def _changed(folder: Path, labels: Labels) -> str | None:
    """Say how the labels differ from those a certificate rests on.

    Labels that are not on file here (kept elsewhere, or in a store) cannot be compared.
    """
    from pytest_evals.storage.labels import labels_digest, read_labels

    if labels.path is None or not (folder / labels.path).is_file():
        return None
    try:
        now = labels_digest(read_labels(folder / labels.path, shown=labels.path))
    except DatasetError as error:
        return f"its labels cannot be read: {error.problems[0]}"
    return None if now == labels.digest else f"its labels ({labels.path}) have changed since"
