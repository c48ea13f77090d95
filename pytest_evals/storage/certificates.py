"""Calibration certificates in committed files: ``certificates/<dataset>/<judge>.json``."""

from pathlib import Path

from pytest_evals.certificate import Certificate, Labels, certificate_text, read_certificate
from pytest_evals.dataset import Dataset
from pytest_evals.ground.errors import DatasetError, StoreError
from pytest_evals.run_record import Run

FOLDER = "certificates"


def certificate_path(folder: Path, dataset: str, judge: str) -> Path:
    """Return the path of a judge's certificate.

    Args:
        folder: the dataset's folder.
        dataset: the dataset's name.
        judge: the judge's name, which is a valid file name.
    """
    return folder / FOLDER / dataset / f"{judge}.json"


def write_certificate(folder: Path, certificate: Certificate) -> Path:
    """Write a certificate and return its file; an equal file is left unchanged.

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
    """Return the stored certificates of a dataset's judges, by the judge's name.

    A certificate is unusable if it cannot be read or its file of labels has changed since. Its
    judge is then advisory and says why.

    Args:
        folder: the dataset's folder.
        dataset: the dataset of the judges.
    """
    certificates: dict[str, Certificate] = {}
    for judge in dataset.judges:
        path = certificate_path(folder, dataset.name, judge)
        if path.is_file():
            certificates[judge] = _read(path, folder, dataset.name, judge)
    return certificates


def certificates_of(run: Run, root: Path) -> tuple[Certificate, ...]:
    """Return the readable certificates for the datasets of a run, for display.

    It does not check whether their labels have changed since.

    Args:
        run: the run.
        root: the base of the datasets' paths.
    """
    certificates = []
    for info in run.datasets:
        folder = (root / info.path).parent / FOLDER / info.name
        for path in sorted(folder.glob("*.json")):
            try:
                certificates.append(read_certificate(path.read_text(encoding="utf-8")))
            except (OSError, ValueError):
                continue  # reported where the judge is used
    return tuple(certificates)


def _read(path: Path, folder: Path, dataset: str, judge: str) -> Certificate:
    """Read one certificate and check that its labels are unchanged."""
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
    reason = _changed(folder, certificate.labels)
    if reason is None:
        return certificate
    return certificate.model_copy(update={"unusable": reason})


def _unusable(dataset: str, judge: str, reason: str) -> Certificate:
    """Return the unusable certificate for an invalid file."""
    return Certificate(
        judge=judge, dataset=dataset, fingerprint="", labels=Labels(digest=""), unusable=reason
    )


def _changed(folder: Path, labels: Labels) -> str | None:
    """Return how the labels differ from those of the certificate; None if they do not.

    Labels without a file here (stored elsewhere, or in a run store) cannot be compared.
    """
    from pytest_evals.storage.labels import labels_digest, read_labels

    if labels.path is None or not (folder / labels.path).is_file():
        return None
    try:
        current = labels_digest(read_labels(folder / labels.path, shown=labels.path))
    except DatasetError as error:
        return f"its labels cannot be read: {error.problems[0]}"
    return None if current == labels.digest else f"its labels ({labels.path}) have changed since"
