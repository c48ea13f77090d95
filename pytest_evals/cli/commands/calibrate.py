"""``pytest-evals calibrate DATASET --judge NAME --labels FILE``: does a judge agree with people?"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_evals.cli.options import add_calls, add_json, add_store
from pytest_evals.cli.output import color, say, say_json
from pytest_evals.cli.stores import STORE, open_runs, store_path

if TYPE_CHECKING:
    from pytest_evals.calibration.agreement import Judged
    from pytest_evals.calibration.label_join import Labelled
    from pytest_evals.certificate import Certificate, CertificateThresholds
    from pytest_evals.config import Settings
    from pytest_evals.dataset import Dataset
    from pytest_evals.result import TrialResult
    from pytest_evals.scorers.judge.base import Judge
    from pytest_evals.storage.labels import LabelRow

_MOST_SHOWN = 12
_NAMES = {"f1": "F1", "macro_f1": "macro F1", "alpha": "alpha (people)", "mae": "mean abs. error"}


_EPILOG = """\
examples:
  pytest-evals calibrate support.evals.yaml --judge helpful --run latest
  pytest-evals calibrate support.evals.yaml --judge helpful --labels people.csv

exit status: 0 when the judge reaches its bars, 1 when it does not; 4 for
usage."""


class CalibrateCommand:
    """The command ``pytest-evals calibrate``."""

    name = "calibrate"
    help = "compare a judge with people's labels and certify it"
    description = (
        "Ask a judge about answers that people have labelled, show how it agrees with "
        "them, and write its certificate to certificates/<dataset>/<judge>.json beside the "
        "dataset. Exits with 0 when the judge reaches its bars (`requires_certificate`, else the "
        "standard ones), with 1 when it does not."
    )
    epilog = _EPILOG

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        from pytest_evals.config import RESPONSE_MODES

        parser.add_argument("dataset", type=Path, metavar="DATASET", help="the dataset's file")
        parser.add_argument("--judge", required=True, metavar="NAME", help="one of its `judges`")
        parser.add_argument(
            "--labels", type=Path, metavar="FILE", help="people's labels: .csv or .jsonl"
        )
        parser.add_argument(
            "--run",
            dest="run_id",
            metavar="RUN",
            help="the run whose answers are meant; without --labels, with the labels that "
            "`pytest-evals score` gave it",
        )
        add_store(parser)
        parser.add_argument(
            "--min-score", type=_share, metavar="X", help="the bar, where the judge has none"
        )
        parser.add_argument(
            "--responses",
            choices=RESPONSE_MODES,
            default="auto",
            help="stored answers of the judge, as with --evals-responses (default: auto)",
        )
        add_calls(parser)
        parser.add_argument(
            "--rootdir", type=Path, metavar="DIR", help="included files lie below it"
        )
        parser.add_argument("--no-write", action="store_true", help="write no certificate")
        add_json(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Calibrate; 0 where the judge is certified."""
        from pytest_evals.calibration.agreement import agreement_of, judged_answer
        from pytest_evals.certificate import CertificateThresholds, unmet_thresholds
        from pytest_evals.storage.certificates import write_certificate

        dataset, folder, root = _load(args)
        judge = _judge(dataset, args)
        rows, items = _answers(dataset, judge, args)
        results = _ask(items, dataset, root, args)
        judged = [judged_answer(item, result) for item, result in zip(items, results, strict=True)]
        certificate = _certificate(
            agreement_of(judged), dataset, judge, _labels(rows, items, folder, args), args
        )
        bars = judge.required_agreement or CertificateThresholds.model_validate(True)
        missed = unmet_thresholds(bars, certificate)
        path = None if args.no_write else write_certificate(folder, certificate)
        if args.json:
            _print_json(certificate, bars, missed, judged)
        else:
            _print(certificate, judge, missed, judged, path)
        return 1 if missed else 0


def _share(text: str) -> float:
    """Parse a bar."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, at most 1, found {text!r}")
    return value


def _load(args: argparse.Namespace) -> "tuple[Dataset, Path, Path]":
    """Load the dataset; returns it with its folder and the rootdir."""
    from pytest_evals.loaders.base import LoadContext
    from pytest_evals.loaders.build import load
    from pytest_evals.registry import Registry
    from pytest_evals.registry.datasets import find_root

    root = (args.rootdir or find_root(args.dataset)).absolute()
    dataset = load(args.dataset, LoadContext(rootdir=root, checker=Registry.installed()))
    return dataset, args.dataset.absolute().parent, root


def _judge(dataset: "Dataset", args: argparse.Namespace) -> "Judge":
    """Return the judge that is meant, with the bar that is meant.

    Raises:
        DatasetError: it is not defined, or not right.
        SettingsError: two bars are given.
    """
    from pytest_evals.ground.errors import DatasetError, Position, SettingsError
    from pytest_evals.scorers.judge.definitions import DefinitionError, get_judge

    try:
        judge = get_judge(dataset, args.judge)
    except DefinitionError as error:
        raise DatasetError.at(Position(dataset.path), str(error)) from None
    if args.min_score is None:
        return judge
    if judge.min_score is not None and judge.min_score != args.min_score:
        raise SettingsError(
            f"--min-score {args.min_score:g}: judge {args.judge!r} has its own `min_score` of "
            f"{judge.min_score:g}"
        )
    return judge.model_copy(update={"min_score": args.min_score})


def _answers(
    dataset: "Dataset", judge: "Judge", args: argparse.Namespace
) -> "tuple[Sequence[LabelRow], list[Labelled]]":
    """Return the labels, and the labelled answers.

    Raises:
        SettingsError: no labels are named.
        DatasetError: labels that are not understood, or whose answers are not found.
        StoreError: there is no such run.
    """
    from pytest_evals.calibration.label_join import Sources, labelled_answers, rows_of_store
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.storage.labels import read_labels

    if args.labels is None and args.run_id is None:
        raise SettingsError("name people's labels (--labels FILE) or the run they scored (--run)")
    rows = [] if args.labels is None else list(read_labels(args.labels))
    results: dict[str, Any] = {}
    if args.run_id is not None:
        store = open_runs(args)
        try:
            results = {
                result.id: result
                for result in store.results(args.run_id)
                if result.dataset == dataset.name
            }
            if args.labels is None:
                rows = rows_of_store(store.labels(args.run_id))
        finally:
            store.close()
    source = str(args.labels or f"the labels of run {args.run_id}")
    sources = Sources(dataset=dataset, judge=judge, name=args.judge, results=results, file=source)
    items = labelled_answers(rows, sources)
    if not items:
        raise SettingsError(f"{source}: no label is for judge {args.judge!r}")
    if not judge.votes and any(
        said.passed is not None for item in items for said in item.people.values()
    ):
        raise SettingsError(
            f"judge {args.judge!r} has no `min_score`, so it passes and fails nothing that could "
            "be compared with people's pass and fail; give it one, or try one with --min-score"
        )
    return rows, items


def _ask(
    items: "Sequence[Labelled]", dataset: "Dataset", root: Path, args: argparse.Namespace
) -> "list[TrialResult]":
    """Ask the judge.

    Raises:
        EvalsError: it gave no answer to some; what it did answer is stored.
    """
    from pytest_evals.calibration.judge_calls import CALL_FAILURES, open_responses, rejudge
    from pytest_evals.cli.redaction import environment_redactor
    from pytest_evals.ground.errors import EvalsError
    from pytest_evals.registry import Registry
    from pytest_evals.session.redaction import add_dataset_secrets

    redactor = environment_redactor(Registry.installed())
    add_dataset_secrets(redactor, dataset)
    place = store_path(args.store) if args.store or args.run_id else _store_beside(root)
    store = open_responses(place, args.responses)
    try:
        results = rejudge(
            items,
            dataset,
            args.judge,
            settings=_settings(root, args),
            store=store,
            redactor=redactor,
            min_score=args.min_score,
        )
    finally:
        if store is not None:
            store.close()
    silent = [
        exchange.error
        for result in results
        for exchange in result.exchanges
        if exchange.role != "answer"
        and exchange.error is not None
        and exchange.error.type in CALL_FAILURES
    ]
    if silent:
        raise EvalsError(
            f"the judge gave no answer {len(silent)} times, so nothing is certified: "
            f"{silent[0].message}. What it answered is stored; run the same command again"
        )
    return results


def _store_beside(root: Path) -> Path:
    """Return the store of a project."""
    found = store_path(None)
    return found if found.is_file() else root / STORE


def _settings(root: Path, args: argparse.Namespace) -> "Settings":
    """Return how the engine runs."""
    from pytest_evals.config import Settings

    return Settings(
        rootdir=root,
        responses=args.responses,
        concurrency=max(1, args.concurrency),
        max_cost=args.max_cost,
        trial_timeout=1800.0,
    )


def _labels(
    rows: "Sequence[LabelRow]", items: "Sequence[Labelled]", folder: Path, args: argparse.Namespace
) -> Any:
    """Return the labels a certificate rests on."""
    from os.path import relpath

    from pytest_evals.certificate import Labels
    from pytest_evals.storage.labels import labels_digest

    path = None
    if args.labels is not None:
        away = Path(relpath(args.labels.absolute(), folder)).as_posix()
        # A file outside of the project is nobody else's to find.
        path = None if away.startswith("../..") or ":" in away else away
    return Labels(
        digest=labels_digest(rows),
        path=path,
        items=len(items),
        raters=tuple(sorted({rater for item in items for rater in item.people})),
    )


def _certificate(
    found: Any, dataset: "Dataset", judge: "Judge", labels: Any, args: argparse.Namespace
) -> "Certificate":
    """Make the certificate."""
    from pytest_evals.certificate import Certificate
    from pytest_evals.model import Model

    return Certificate(
        judge=args.judge,
        dataset=dataset.name,
        fingerprint=judge.fingerprint(dataset),
        models=tuple(m.id if isinstance(m, Model) else m for m in judge.models(dataset)),
        min_score=judge.required_score,
        labels=labels,
        metrics=found.metrics,
        confusion=found.confusion,
        labels_confusion=found.labels_confusion,
        dangerous=found.dangerous,
        unscored=found.unscored,
    )


def _print_json(
    certificate: "Certificate",
    bars: "CertificateThresholds",
    missed: Sequence[str],
    judged: "Sequence[Judged]",
) -> None:
    """Print what was found as one JSON value."""
    say_json(
        {
            "schema": 1,
            "certified": not missed,
            "missed": list(missed),
            "bars": bars.model_dump(mode="json", exclude_none=True),
            "certificate": certificate.model_dump(mode="json"),
            "errors": [item.error for item in judged if item.error is not None],
        }
    )


def _print(
    certificate: "Certificate",
    judge: "Judge",
    missed: Sequence[str],
    judged: "Sequence[Judged]",
    path: Path | None,
) -> None:
    """Print what was found for a person."""
    from pytest_evals.ground.plain_text import neutral

    for line in _lines(certificate, judge, judged):
        say(neutral(line))
    if path is not None:
        say(neutral(f"certificate  {path}"))
    if not missed:
        say(color("CERTIFIED: the judge's verdicts count", "green"))
        return
    say(color(neutral(f"NOT CERTIFIED: {'; '.join(missed)}"), "red"))
    print(  # noqa: T201 - the command's own voice
        "Until it is, a judge with `requires_certificate` is advisory: shown, without a vote.",
        file=sys.stderr,
    )


def _lines(certificate: "Certificate", judge: "Judge", judged: "Sequence[Judged]") -> Iterator[str]:
    """Yield what was found."""
    labels = certificate.labels
    yield (
        f"judge        {certificate.judge} ({judge.type}) by {', '.join(certificate.models)}, "
        f"fingerprint {certificate.fingerprint}"
    )
    raters = f"{len(labels.raters)} raters" if len(labels.raters) > 1 else "1 rater"
    yield f"labels       {labels.items} answers, {raters}: {', '.join(labels.raters)}"
    yield ""
    yield from _matrix(certificate.confusion)
    if certificate.labels_confusion:
        yield ""
        yield from _matrix(certificate.labels_confusion)
    yield ""
    for name, rate in certificate.metrics.items():
        yield f"{_NAMES.get(name, name.replace('_', ' ')):<22} {rate}"
    yield ""
    yield from _dangers(certificate)
    if certificate.unscored:
        yield f"unscored     {certificate.unscored} answers got no verdict of the judge's"
        errors = list(dict.fromkeys(item.error for item in judged if item.error))
        yield from (f"             {error}" for error in errors[:3])


def _matrix(counts: dict[str, dict[str, int]]) -> Iterator[str]:
    """Yield a confusion matrix: people's rows, the judge's columns."""
    from pytest_evals.ground.plain_text import table

    names = list(counts)
    rows = [[f"people {name}", *(str(counts[name][other]) for other in names)] for name in names]
    yield from table(("", *(f"judge {name}" for name in names)), rows, align="<" + ">" * len(names))


def _dangers(certificate: "Certificate") -> Iterator[str]:
    """Yield the errors to the wrong side."""
    found = certificate.dangerous
    upper = "" if found.upper is None else f" (at most {found.upper:.1%}, with 95 % confidence)"
    yield (
        f"dangerous    {found.count} of {found.n} answers that people fail were passed{upper}; "
        f"{found.high_risk} of high risk"
    )
    if found.cases:
        more = (
            f" and {len(found.cases) - _MOST_SHOWN} more" if len(found.cases) > _MOST_SHOWN else ""
        )
        yield f"             {', '.join(found.cases[:_MOST_SHOWN])}{more}"
