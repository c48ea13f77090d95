"""Rescue: ends a run whose process died or holds its interpreter. The watchdog starts it.

What was recorded is stored, evaluated and reported, as at the end of a session.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import time
from typing import Any
from xml.etree import ElementTree as ET

from pytest_evals.exchange import ErrorInfo
from pytest_evals.ground.errors import EvalsError, StoreError
from pytest_evals.ground.plain_text import neutral
from pytest_evals.registry.builtin import REPORTERS
from pytest_evals.report import Report
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import Run
from pytest_evals.session.evaluation import DatasetEvaluation, RunEvaluation
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.tables import TrialTables
from pytest_evals.session.verdicts import evaluate_recorded
from pytest_evals.session.watched_run import PLAN, RECORDS, sentence
from pytest_evals.storage.certificates import certificates_of
from pytest_evals.storage.sqlite import SqliteRunStore

EXIT_STATUS = 2
"""The exit status in the run's record: it was interrupted."""
LOCKED = 75
"""The exit status of the rescue while the process holds a lock of the store."""


def main(folder: str) -> int:
    """End the run of a folder; what happened is on standard input.

    It can be called twice: while the process holds a lock of the store, all but the store is
    written, so that the reports are there when the process is ended; then the store.

    Args:
        folder: the files of `WatchedRun`.
    """
    ending = json.load(sys.stdin)
    plan = json.loads(Path(folder, PLAN).read_text(encoding="utf-8"))
    note = sentence(ending, plan["timeout_s"])
    is_first = not ending["again"]
    if is_first:
        _say(f"\nevals: {note}")
    results = _records(Path(folder, RECORDS))
    recorded = len(results)
    results |= {result.id: result for result in _errors(plan, results, ending, note)}
    report = _report(plan, results, note)
    if is_first:
        _say(f"evals: {recorded} of {len(plan['trials'])} trials were recorded before")
        for line in _write_reports(plan, report):
            _say(f"evals: {line}")
    try:
        if plan["store"] is not None:
            _store(Path(plan["store"]), report.run, results, patient=ending["patient"])
            _say(f"evals: run saved: pytest-evals show {report.run.id}")
    except StoreError as error:
        if not ending["patient"]:
            return LOCKED
        _say(f"evals: this run is not saved: {error}")
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _say(line: str) -> None:
    """Write a line to the terminal."""
    with suppress(OSError):
        print(neutral(line), flush=True)  # noqa: T201 - the session's terminal has ended


def _records(path: Path) -> dict[str, TrialResult]:
    """Return the recorded trials by id; of several records of one the last counts."""
    results = {}
    for line in path.read_bytes().splitlines():
        with suppress(ValueError):  # the last one may be cut off
            result = TrialResult.model_validate_json(line)
            results[result.id] = result
    return results


def _report(plan: dict[str, Any], results: dict[str, TrialResult], note: str) -> Report:
    """Evaluate the trials; return the sealed run as a report."""
    run = Run.model_validate_json(plan["run"])
    ledger, tables, evaluation = Ledger(), TrialTables(), RunEvaluation()
    ledger.open(run)
    ledger.expect(run.datasets, [trial[0] for trial in plan["trials"]])
    for result in results.values():
        ledger.record(result)
        tables.add(result)
    infos = [info for info in run.datasets if len(tables.of(info.name))]
    evaluations = evaluate_recorded(
        run.model_copy(update={"datasets": tuple(infos)}),
        {info.name: tables.of(info.name) for info in infos},
        {},
        strict=run.strict,
    )
    for name, each in evaluations.items():
        evaluation.add(name, DatasetEvaluation(each))
    evaluation.decide(ledger)
    sealed = ledger.seal(
        ended_at=time(), exit_status=EXIT_STATUS, notes=(note,), **evaluation.as_run_fields()
    )
    planned = set(ledger.planned)
    order = [*ledger.planned, *(trial for trial in results if trial not in planned)]
    ordered = [results[trial] for trial in order if trial in results]
    certificates = certificates_of(run, Path(plan["rootdir"]))
    return Report(sealed, evaluations, lambda: ordered, certificates)


def _errors(
    plan: dict[str, Any], results: dict[str, TrialResult], ending: dict[str, Any], note: str
) -> Iterator[TrialResult]:
    """Yield the errors of the trials that were under way."""
    for trial, dataset, case, model, sample in plan["trials"]:
        if trial in ending["names"] and trial not in results:
            yield TrialResult(
                id=trial,
                dataset=dataset,
                case_id=case,
                model_id=model,
                sample=sample,
                outcome=Outcome.ERRORED,
                error=ErrorInfo(
                    type="target" if ending["reason"] == "died" else "deadline", message=note
                ),
                started_at=time(),
            )


def _store(path: Path, run: Run, results: dict[str, TrialResult], *, patient: bool) -> None:
    """Store what is missing, and seal the run.

    Raises:
        StoreError: another process holds a lock.
    """
    store = SqliteRunStore(path, timeout_s=5.0 if patient else 0.2)
    try:
        stored = {row.trial for row in store.rows(run.id)}
        missing = [
            (result.model_dump_json(exclude_defaults=True), result)
            for result in results.values()
            if result.id not in stored
        ]
        if missing:
            store.append_all(run.id, missing)
        store.seal(run)
    finally:
        store.close()


def _write_reports(plan: dict[str, Any], report: Report) -> Iterator[str]:
    """Write the built-in reports; yield a line for each that cannot be written."""
    from importlib import import_module

    outputs = dict(plan["reports"])
    for name, path in outputs.items():
        module, _, attribute = REPORTERS.get(name, "").partition(":")
        try:
            if not module:
                raise StoreError("it is a plugin's, which runs in the session only")
            getattr(import_module(module), attribute)().write(report, Path(path))
        except (EvalsError, OSError) as error:
            yield f"the {name} report was not written to {path}: {error}"
    if plan["junit"] is not None:
        with suppress(OSError):
            _write_junit(Path(plan["junit"]), list(report.trials()))
    if outputs or plan["junit"] is not None:
        names = [*outputs, *(["junit"] if plan["junit"] is not None else [])]
        yield f"reports: {', '.join(names)}"
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary and os.environ.get("GITHUB_ACTIONS") == "true":
        from pytest_evals.reporters.markdown import render_markdown

        with suppress(OSError), Path(summary).open("a", encoding="utf-8") as file:
            file.write(f"\n{render_markdown(report)}")


def _write_junit(path: Path, results: Sequence[TrialResult]) -> None:
    """Write the trials as a JUnit report, which pytest would have written at its end."""
    errors = [r for r in results if r.outcome is Outcome.ERRORED and not r.tolerated]
    failures = [r for r in results if r.outcome is Outcome.FAILED and not r.tolerated]
    skipped = [r for r in results if r.outcome is Outcome.SKIPPED or r.tolerated]
    suite = ET.Element(
        "testsuite",
        name="pytest",
        tests=str(len(results)),
        errors=str(len(errors)),
        failures=str(len(failures)),
        skipped=str(len(skipped)),
    )
    for result in results:
        classname, _, name = result.id.partition("::")
        test = ET.SubElement(
            suite,
            "testcase",
            classname=_xml(classname),
            name=_xml(name),
            time=f"{result.duration_s:.3f}",
        )
        message = "" if result.error is None else _xml(result.error.message)
        if result in errors:
            ET.SubElement(test, "error", message=message)
        elif result in failures:
            ET.SubElement(test, "failure", message="an assertion does not hold")
        elif result in skipped:
            ET.SubElement(test, "skipped", message=message)
    suites = ET.Element("testsuites")
    suites.append(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _xml(text: str) -> str:
    """Return a text without characters that XML cannot hold."""
    return "".join(c if c.isprintable() or c in "\t\n" else " " for c in neutral(text))
