"""``pytest-evals calibrate DATASET --judge NAME --labels FILE``: does a judge agree with people?"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_evals.cli.options import add_calls, add_json, add_store
from pytest_evals.cli.output import color, say, say_json
from pytest_evals.cli.stores import STORE, open_runs, store_path

if TYPE_CHECKING:
    from pytest_evals.calibration.agreement import Judged
    from pytest_evals.calibration.label_join import Labelled
    from pytest_evals.certificate import Certificate
    from pytest_evals.dataset import Dataset
    from pytest_evals.registry import Registry
    from pytest_evals.result import TrialResult
    from pytest_evals.scorers.judge.base import Judge
    from pytest_evals.storage.labels import LabelRow

_EPILOG = """\
examples:
  pytest-evals calibrate support.evals.yaml --judge helpful --run latest
  pytest-evals calibrate support.evals.yaml --judge helpful --labels people.csv

exit status: 0 when the judge reaches its thresholds, 1 when it does not; 4
for usage."""


class CalibrateCommand:
    """The command ``pytest-evals calibrate``."""

    name = "calibrate"
    help = "compare a judge with people's labels and write its certificate"
    description = (
        "Call a judge for answers that people have labelled, show how it agrees with them, and "
        "write its certificate to certificates/<dataset>/<judge>.json beside the dataset. Exits "
        "with 0 when the judge reaches its thresholds (`requires_certificate`, else the standard "
        "ones), with 1 when it does not."
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
            help="the run with the labelled answers; without --labels, its labels of "
            "`pytest-evals score` are used",
        )
        add_store(parser)
        parser.add_argument(
            "--min-score",
            type=_required_score,
            metavar="X",
            help="the required score, if the judge has none",
        )
        parser.add_argument(
            "--responses",
            choices=RESPONSE_MODES,
            default="auto",
            help="stored answers of the judge, as with --evals-responses (default: auto)",
        )
        add_calls(parser)
        parser.add_argument(
            "--rootdir", type=Path, metavar="DIR", help="the folder that included files stay below"
        )
        parser.add_argument("--no-write", action="store_true", help="write no certificate")
        add_json(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Calibrate; 1 if the judge misses a threshold."""
        from pytest_evals.calibration.agreement import agreement_of, judged_answer
        from pytest_evals.calibration.certify import describe_labels, make_certificate
        from pytest_evals.certificate import CertificateThresholds, unmet_thresholds
        from pytest_evals.registry import Registry
        from pytest_evals.registry.datasets import find_root, load_dataset
        from pytest_evals.storage.certificates import write_certificate

        registry = Registry.installed()
        rootdir = (args.rootdir or find_root(args.dataset)).absolute()
        dataset = load_dataset(args.dataset, registry, rootdir=rootdir)
        folder = args.dataset.absolute().parent
        judge = _judge(dataset, args)
        rows, answers = _labelled_answers(dataset, judge, args)
        results = _call_judge(answers, dataset, rootdir, registry, args)
        judged = [
            judged_answer(answer, result) for answer, result in zip(answers, results, strict=True)
        ]
        labels = describe_labels(rows, answers, file=args.labels, folder=folder)
        certificate = make_certificate(args.judge, judge, dataset, labels, agreement_of(judged))
        thresholds = judge.required_agreement or CertificateThresholds.model_validate(True)
        unmet = unmet_thresholds(thresholds, certificate)
        path = None if args.no_write else write_certificate(folder, certificate)
        if args.json:
            say_json(
                {
                    "schema": 1,
                    "certified": not unmet,
                    "missed": list(unmet),
                    "bars": thresholds.model_dump(mode="json", exclude_none=True),
                    "certificate": certificate.model_dump(mode="json"),
                    "errors": _errors(judged),
                }
            )
        else:
            _print(certificate, judge, unmet, judged, path)
        return 1 if unmet else 0


def _required_score(text: str) -> float:
    """Parse a required score."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, at most 1, found {text!r}")
    return value


def _judge(dataset: "Dataset", args: argparse.Namespace) -> "Judge":
    """Return the judge, with the required score of the command line.

    Raises:
        DatasetError: the judge is not defined, or not valid.
        SettingsError: the judge and the command line require different scores.
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


def _labelled_answers(
    dataset: "Dataset", judge: "Judge", args: argparse.Namespace
) -> "tuple[Sequence[LabelRow], list[Labelled]]":
    """Return the labels, and the answers that they are about.

    Raises:
        SettingsError: no labels are named, or they cannot be compared with the judge.
        DatasetError: a label is not valid, or its answer is missing.
        StoreError: there is no such run.
    """
    from pytest_evals.calibration.label_join import Sources, labelled_answers, rows_of_store
    from pytest_evals.ground.errors import SettingsError
    from pytest_evals.storage.labels import read_labels

    if args.labels is None and args.run_id is None:
        raise SettingsError("name people's labels (--labels FILE) or the run they scored (--run)")
    rows = [] if args.labels is None else list(read_labels(args.labels))
    results: dict[str, TrialResult] = {}
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
    answers = labelled_answers(rows, sources)
    if not answers:
        raise SettingsError(f"{source}: no label is for judge {args.judge!r}")
    labels = [label for answer in answers for label in answer.people.values()]
    if not judge.votes and any(label.passed is not None for label in labels):
        raise SettingsError(
            f"judge {args.judge!r} has no `min_score`, so it passes and fails nothing that could "
            "be compared with people's pass and fail; give it one, or try one with --min-score"
        )
    return rows, answers


def _call_judge(
    answers: "Sequence[Labelled]",
    dataset: "Dataset",
    rootdir: Path,
    registry: "Registry",
    args: argparse.Namespace,
) -> "list[TrialResult]":
    """Call the judge for all answers.

    Raises:
        EvalsError: a call failed; the verdicts of the others are stored.
    """
    from pytest_evals.calibration.judge_calls import call_failures, judge_answers, open_responses
    from pytest_evals.cli.redaction import environment_redactor
    from pytest_evals.config import Settings
    from pytest_evals.ground.errors import EvalsError
    from pytest_evals.session.redaction import add_dataset_secrets

    redactor = environment_redactor(registry)
    add_dataset_secrets(redactor, dataset)
    settings = Settings(
        rootdir=rootdir,
        responses=args.responses,
        concurrency=max(1, args.concurrency),
        max_cost=args.max_cost,
        trial_timeout=1800.0,
    )
    store = open_responses(_store_file(rootdir, args), args.responses)
    try:
        results = judge_answers(
            answers,
            dataset,
            args.judge,
            settings=settings,
            store=store,
            redactor=redactor,
            min_score=args.min_score,
        )
    finally:
        if store is not None:
            store.close()
    failures = call_failures(results)
    if failures:
        raise EvalsError(
            f"the judge gave no answer {len(failures)} times, so there is no certificate: "
            f"{failures[0]}. Its other answers are stored; run the same command again"
        )
    return results


def _store_file(rootdir: Path, args: argparse.Namespace) -> Path:
    """Return the store's file: the named one, the nearest one, or that of the project."""
    path = store_path(args.store)
    return path if args.store or args.run_id or path.is_file() else rootdir / STORE


def _errors(judged: "Sequence[Judged]") -> list[str]:
    """Return why answers got no verdict."""
    return [answer.error for answer in judged if answer.error is not None]


def _print(
    certificate: "Certificate",
    judge: "Judge",
    unmet: Sequence[str],
    judged: "Sequence[Judged]",
    path: Path | None,
) -> None:
    """Print the report, and whether the judge reaches its thresholds."""
    from pytest_evals.calibration.report_text import report_lines
    from pytest_evals.ground.plain_text import neutral

    for line in report_lines(certificate, judge.type, _errors(judged)):
        say(neutral(line))
    if path is not None:
        say(neutral(f"certificate  {path}"))
    if not unmet:
        say(color("CERTIFIED: the judge's verdicts count", "green"))
        return
    say(color(neutral(f"NOT CERTIFIED: {'; '.join(unmet)}"), "red"))
    print(  # noqa: T201 - the command's error output
        "Until then a judge with `requires_certificate` is advisory: shown, but not counted.",
        file=sys.stderr,
    )
