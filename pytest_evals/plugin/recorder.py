"""Recorder: the plugin object where the session is (never on an xdist worker).

It takes each trial's record off its report and keeps it at once, seals the run at the end, and
sees to it that what was planned and what was recorded agree.
"""

import sys
from collections.abc import Generator, Iterable
from dataclasses import replace
from functools import cache
from time import time
from typing import Any

import pytest

from pytest_evals.ground.errors import SettingsError, StoreError
from pytest_evals.ground.version import __version__
from pytest_evals.metrics.run_summary import RunSummary
from pytest_evals.plugin.checkout import GitReader
from pytest_evals.plugin.collect import trial_of
from pytest_evals.plugin.keeper import Keeper
from pytest_evals.plugin.session import Evals
from pytest_evals.plugin.signals import Interrupts, interrupts
from pytest_evals.plugin.stores import cassette_path, open_cassette, open_runs
from pytest_evals.plugin.terminal import Told, draw
from pytest_evals.report import redact_value
from pytest_evals.result import TrialResult
from pytest_evals.run import DatasetInfo, GitInfo, Run, RunStatus
from pytest_evals.storage.base import RunStore


class Recorder:
    """Keeps the run."""

    def __init__(self, evals: Evals) -> None:
        self._evals = evals
        self.run: Run | None = None
        self.summary = RunSummary()
        self.notes: list[str] = []
        self._store: RunStore | None = None
        self._keeper: Keeper | None = None
        self._git: GitReader | None = None
        self._interrupts = Interrupts()
        self._infos: tuple[DatasetInfo, ...] = ()
        self._planned: list[str] = []
        self._recorded: set[str] = set()
        self._ids: list[str] = []
        self._begun = False
        self._crashed: set[str] = set()
        self._ended = False

    def pytest_sessionstart(self) -> None:
        """Find out whether an interrupted run can be finished."""
        settings = self._evals.settings
        if self._evals.config.option.collectonly:
            return
        self._store = open_runs(self._evals, self.note)
        self._git = GitReader(settings.rootdir)
        self.run = Run(
            id=self._evals.run_id,
            started_at=time(),
            versions={
                "python": sys.version.split()[0],
                "pytest": pytest.__version__,
                "pytest-evals-matrix": __version__,
                "platform": sys.platform,
            },
            options=settings.shown(),
        )
        self._evals.chain = cache(self._chain)

    def _chain(self) -> str:
        """Return the mark under which answers of user code may be used again.

        Only to finish an interrupted run of the same code: then that run's mark goes on.
        """
        own = self._evals.run_id
        git = self._checkout()
        if self._store is None or git is None:
            return own
        for run in self._store.runs(limit=1):
            same = run.git is not None and (run.git.commit, run.git.tree) == (git.commit, git.tree)
            if same and run.status is RunStatus.INTERRUPTED and run.chain:
                return run.chain
        return own

    def _checkout(self) -> GitInfo | None:
        """Return what git says, once it has."""
        return None if self._git is None else self._git.result()

    def expect(self, infos: tuple[DatasetInfo, ...], ids: list[str]) -> None:
        """Take over what was planned and selected."""
        self._infos = infos
        self._planned = ids
        live = self._evals.config.pluginmanager.getplugin("evals-progress")
        if live is not None:
            live.expect(len(ids))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Hear Ctrl-C for certain while trials run, and SIGTERM as Ctrl-C."""
        with interrupts(self.note) as self._interrupts:
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Keep the trial that a report ends; then hear an interrupt that was lost."""
        kept = self._take(report)
        yield
        if kept:
            self._interrupts.check()
        elif report.when == "call":
            self._interrupts.forget()

    def _take(self, report: pytest.TestReport) -> bool:
        """Take a trial off a report and keep it; whether there was one."""
        if str(report.when) == "???":
            self._crashed.add(report.nodeid)
        told: Any = report.__dict__
        infos = told.pop("evals_infos", None)
        if infos and not self._infos:
            from pytest_evals.plugin.infos import INFOS

            self._infos = INFOS.validate_json(infos)
            self._planned = [i for i in self._ids if self._is_trial(i)]
        record = told.pop("evals_record", None)
        if record is None:
            if infos:
                self.begin()
            return False
        result = self._evals.fresh
        self._evals.fresh = None
        if result is None or result.id != report.nodeid:
            result = TrialResult.model_validate_json(record)
        self.begin()
        self._keep(result, record, told.get("worker_id", ""))
        return True

    def _keep(self, result: TrialResult, record: str, worker: str) -> None:
        """Add a trial to all that is told of the session, and to the store."""
        self._recorded.add(result.id)
        self.summary.add(result)
        plugin = self._evals.config.pluginmanager.getplugin
        if (gates := plugin("evals-gates")) is not None:
            gates.add(result)
        if (controller := plugin("evals-xdist")) is not None:
            controller.spent(worker, result)
        if (reports := plugin("evals-reports")) is not None:
            reports.add(result.id, record)
        if self._keeper is not None:
            self._keeper.add(record, result)

    @property
    def infos(self) -> tuple[DatasetInfo, ...]:
        """What was planned and selected; empty until the first trial is known."""
        return self._infos

    def _is_trial(self, nodeid: str) -> bool:
        """Whether a node id is a trial of one of the datasets."""
        groups = {info.path for info in self._infos}
        return nodeid.partition("::")[0] in groups or nodeid.partition("[")[0] in groups

    def collected_ids(self, ids: Iterable[str]) -> None:
        """Take over the node ids that xdist's workers have collected."""
        self._ids = list(ids)

    def begin(self) -> None:
        """Begin the run in the store: as the first trial starts (under xdist: is told of)."""
        if self._begun or self.run is None:
            return
        self._begun = True
        known = {"datasets": self._infos, "chain": self._evals.chain(), "git": self._checkout()}
        self.run = self.run.model_copy(update=known)
        if self._store is not None:
            try:
                self._store.begin(redact_value(self.run, self._evals.redactor))
                self._keeper = Keeper(self._store, self.run.id)
                self._evals.closing.insert(0, self._keeper)
            except StoreError as error:
                self.note(f"this run is not being kept: {error}")
                self._store = None

    def note(self, text: str) -> None:
        """Keep a note for the end, once."""
        if text not in self.notes:
            self.notes.append(text)

    @pytest.hookimpl(trylast=True)  # after xdist has ended its workers, before the summary
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Compare what was planned with what was recorded, and seal the run.

        Before the terminal draws its summary, which tells what was found.
        """
        self._ended = True
        if self.run is not None and self._begun:
            self._check(session, exitstatus)

    def _check(self, session: pytest.Session, exitstatus: int) -> None:
        """See to it that trials without a verdict never leave a session green."""
        missing = [i for i in self._planned if i not in self._recorded and i not in self._crashed]
        stopped = bool(session.shouldstop or session.shouldfail) or exitstatus == 2
        if missing and not stopped:
            self.note(
                f"{len(missing)} of {len(self._planned)} trials have no record, so this session "
                f"fails: {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}"
            )
        not_run = self.summary.counts.skipped
        if not_run:
            self.note(
                f"{not_run} of {len(self._planned)} trials were not run, so this session fails: "
                f"{self.summary.first_reason}"
            )
        if ((missing and not stopped) or not_run) and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._seal(session, missing=bool(missing) or bool(not_run) or bool(self._crashed))

    def _seal(self, session: pytest.Session, *, missing: bool) -> None:
        """Write the run's final record."""
        assert self.run is not None
        if self._keeper is not None:
            try:
                self._keeper.close()
            except StoreError as error:
                self.note(f"this run is not being kept any further: {error}")
                self._store = None
        self.summary.arrange((info.name, model.id) for info in self._infos for model in info.models)
        engine = self._evals.engine
        for text in (
            *self.summary.silent,
            *self._evals.notes,
            *(() if engine is None else engine.notes),
        ):
            self.note(text)
        narrowed = any(info.selected < info.planned for info in self._infos)
        status = (
            RunStatus.INTERRUPTED
            if missing
            else RunStatus.NARROWED
            if narrowed
            else RunStatus.COMPLETE
        )
        self.run = self.run.model_copy(
            update={
                "status": status,
                "ended_at": time(),
                "datasets": self._infos,
                "counts": self.summary.counts,
                "tokens": self.summary.tokens,
                "cost_usd": self.summary.cost_usd,
                "spent_usd": self.summary.spent_usd,
                "exit_status": int(session.exitstatus),
                **self._judged(),
                "notes": tuple(self.notes),
            }
        )
        self._close_cassette(whole=status is RunStatus.COMPLETE)
        if self._store is not None:
            try:
                self._store.seal(redact_value(self.run, self._evals.redactor))
            except StoreError as error:
                self.note(f"the run could not be sealed: {error}")
        self._write_reports(session)

    def _write_reports(self, session: pytest.Session) -> None:
        """Write the reports asked for; one that cannot be written fails the session."""
        manager = self._evals.config.pluginmanager
        reports, gates = manager.getplugin("evals-reports"), manager.getplugin("evals-gates")
        if reports is None or self.run is None:
            return
        judgements = {} if gates is None else gates.judgements
        for problem in reports.write(self.run, judgements, self._planned):
            self.note(problem)
            if session.exitstatus == 0:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for text in reports.wrong:
            self.note(text)

    def _judged(self) -> dict[str, Any]:
        """Return the gates' verdicts and the decision, as the run keeps them."""
        gates = self._evals.config.pluginmanager.getplugin("evals-gates")
        if gates is None or gates.decision is None:
            return {}
        return {
            "gates": tuple(one.model_dump(mode="json") for one in gates.verdicts),
            "decision": gates.decision.model_dump(mode="json"),
        }

    def _close_cassette(self, *, whole: bool) -> None:
        """Write the cassette: of a whole run without errors, what is no longer asked is dropped.

        Under xdist the workers have left journals, which are merged here.
        """
        evals = self._evals
        if evals.settings.cassette is None or evals.settings.responses in {"replay", "off"}:
            return
        try:
            if evals.cassette is None:
                names = {info.name for info in self._infos}
                path = cassette_path(evals, names)
                evals.cassette = path and open_cassette(evals, path, merge=True)
            if evals.cassette is not None:
                evals.cassette.complete = whole and not self.summary.counts.errored
                evals.cassette.close()
        except (SettingsError, StoreError) as error:
            self.note(f"the cassette could not be written: {error}")

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Draw the table of models."""
        if self.run is not None and (self._begun or self.notes):
            gates = self._evals.config.pluginmanager.getplugin("evals-gates")
            told = Told(self.run, self.summary, self.notes)
            if gates is not None:
                told = replace(
                    told,
                    judgements=gates.judgements,
                    tables=gates.tables,
                    differences=gates.told,
                )
            draw(terminalreporter, told, self._evals.settings)

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> list[str]:
        """Say what will run: cases x models x samples = trials."""
        if self._evals.config.option.verbose < 0:
            return []
        infos = self._evals.infos(selected_of(items), digests=False)
        lines = [matrix_line(info) for info in infos]
        if self._evals.config.option.collectonly:
            from pytest_evals.engine.estimate import estimate, history_of

            trials = [trial for item in items if (trial := trial_of(item)) is not None]
            past = history_of(self._evals.settings.store_path, {info.name for info in infos})
            lines += estimate(trials, past, self._evals.registry.scorers_of)
        return lines

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> Any:
        """Give trials their own words: not run, STALE; and with ``-v`` their numbers."""
        word, outcome = getattr(report, "evals_word", ""), str(report.outcome)
        known = _WORDS.get((word, outcome))
        if known is not None and word != "revised":
            return known
        told = getattr(report, "evals_brief", None)
        judged = report.when == "call" and report.outcome in {"passed", "failed"}
        if told and judged and not self._ended:
            kind, letter = (outcome, "." if report.passed else "F") if known is None else known[:2]
            color = "green" if report.passed else "red"
            return kind, letter, (f"{kind.upper()} {told}", {color: True})
        return known


_WORDS = {
    ("not run", "skipped"): ("not run", "N", ("NOT RUN", {"yellow": True})),
    ("not needed", "skipped"): ("unneeded", "n", ("UNNEEDED", {"green": True})),
    ("stale", "failed"): ("error", "S", ("STALE", {"red": True})),
    ("tolerated", "skipped"): ("tolerated", "t", ("TOLERATED", {"yellow": True})),
    ("revised", "passed"): ("revised", "R", ("REVISED", {"green": True})),
    ("inconclusive", "passed"): ("inconclusive", "i", ("INCONCLUSIVE", {"yellow": True})),
}
"""Our own words for outcomes: the category, its letter, and its word with ``-v``."""


def selected_of(items: Iterable[pytest.Item]) -> dict[str, int]:
    """Count the selected trials by their dataset's path."""
    counts: dict[str, int] = {}
    for item in items:
        trial = trial_of(item)
        if trial is not None:
            counts[trial.group] = counts.get(trial.group, 0) + 1
    return counts


def matrix_line(info: DatasetInfo) -> str:
    """Say what will run of one dataset."""
    models = ", ".join(model.id for model in info.models)
    per_cell = info.planned / (info.cases * len(info.models)) if info.cases and info.models else 0
    samples = f"{per_cell:g}" if per_cell == int(per_cell) else f"{per_cell:.1f} (mean)"
    samples = "at most 1" if per_cell < 1 else samples
    chosen = "" if info.selected == info.planned else f", {info.selected} selected"
    return (
        f"evals: {info.name}: {_count(info.cases, 'case')} x "
        f"{_count(len(info.models), 'model')} ({models}) x {samples} "
        f"{'sample' if per_cell <= 1 else 'samples'} = {_count(info.planned, 'trial')}{chosen}"
    )


def _count(number: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
