"""Runner: the plugin object where items run (the only process, or each xdist worker).

It collects datasets, starts the engine for the length of the test loop, and puts each trial's
record on its report, as one JSON text that crosses to the recorder.
"""

import gc
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from pytest_evals.engine import capture
from pytest_evals.ground.canonical import to_json
from pytest_evals.ground.errors import SettingsError, StoreError
from pytest_evals.matrix import Trial
from pytest_evals.plugin.collect import EvalFile, EvalItem, trial_of
from pytest_evals.plugin.failure import brief, headline, stale
from pytest_evals.plugin.printed import apart
from pytest_evals.plugin.session import Evals, has_bars
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run import DatasetInfo

GARBAGE = 50_000
"""Objects made, less those let go, between two looks for garbage: some fifty trials' worth."""


class Runner:
    """Runs trials as pytest items."""

    def __init__(self, evals: Evals) -> None:
        self._evals = evals
        self._patterns: tuple[str, ...] = tuple(evals.config.getini("evals_files"))
        self._told = False
        self._gated: set[str] = set()
        self._known: tuple[DatasetInfo, ...] = ()
        self._infos = ""
        self._items: dict[str, pytest.Item] = {}
        self._taken: tuple[TrialResult, str] | None = None

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        """Collect a dataset: one that is named on the command line, or matches ``evals_files``."""
        name = file_path.name
        matches = any(fnmatch(name, pattern) for pattern in self._patterns)
        if not matches and not (
            file_path.suffix.lower() in self._evals.registry.suffixes()
            and parent.session.isinitpath(file_path)
        ):
            return None
        return EvalFile.from_parent(parent, path=file_path)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Collect without looking for garbage: what is made here stays, and there is much of it."""
        enabled = gc.isenabled()
        gc.disable()
        try:
            return (yield)
        finally:
            gc.freeze()  # nor need it be looked through later; `begin` sees to the thawing
            if enabled:
                gc.enable()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave out the cases of other shards; tests that are no evals run in the first one."""
        shard = self._evals.settings.shard
        if shard is None or not self._evals.matrices:
            return
        try:
            mine = {path: self._evals.sharded(path) for path in self._evals.matrices}
        except (SettingsError, StoreError) as error:
            raise pytest.UsageError(str(error)) from None
        kept: list[pytest.Item] = []
        left: list[pytest.Item] = []
        for item in items:
            trial = trial_of(item)
            here = shard.number == 1 if trial is None else trial.case.id in mine[trial.group]
            (kept if here else left).append(item)
        if left:
            config.hook.pytest_deselected(items=left)
            items[:] = kept

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what was selected."""
        selected: dict[str, int] = {}
        for item in session.items:
            trial = trial_of(item)
            if trial is not None:
                self._items[item.nodeid] = item
                selected[trial.group] = selected.get(trial.group, 0) + 1
        if self._evals.matrices and not session.config.option.collectonly:
            infos = self._evals.infos(selected)
            self._known = infos
            if self._evals.worker is not None:
                from pytest_evals.plugin.infos import INFOS

                self._infos = INFOS.dump_json(infos).decode()
            recorder = self._evals.config.pluginmanager.getplugin("evals-recorder")
            if recorder is not None:
                recorder.expect(infos, list(self._items))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run the engine around the test loop."""
        trials = [trial for item in session.items if (trial := trial_of(item)) is not None]
        if not trials or session.config.option.collectonly:
            return (yield)
        try:
            self._find_baselines()
            engine = self._evals.open_engine()
            engine.prepare(trials)
        except (SettingsError, StoreError) as error:
            if self._evals.worker is None:
                raise pytest.UsageError(str(error)) from None
            engine = self._evals.refusing_engine(str(error))
        try:
            with apart(session.config), _seldom_collected():
                engine.start()
                if self._evals.worker is None:
                    self._begin(_ahead(session.items))
                return (yield)
        finally:
            engine.stop()
            if self._evals.worker is not None:
                output: dict[str, Any] = getattr(self._evals.config, "workeroutput", {})
                output["evals_notes"] = [*engine.notes, *self._evals.notes]

    def _begin(self, trials: list[Trial]) -> None:
        """Let the trials begin, where there is no controller to say which."""
        recorder = self._evals.config.pluginmanager.getplugin("evals-recorder")
        if recorder is not None:
            recorder.begin()
        self._evals.open_engine().expect(trials)

    def _find_baselines(self) -> None:
        """Read what the datasets are compared with, before anything is spent.

        Raises:
            StoreError: a baseline is missing or not right.
        """
        for info in self._known:
            if info.selected and has_bars(self._evals.settings, info):
                from pytest_evals.plugin.compare import find

                found = find(self._evals.settings, info, self._evals.run_id)
                self._evals.compared[info.path] = found
                if info.selected == self._evals.expected(info) and found.gates:
                    self._gated.add(info.path)

    def _tolerated(self, item: pytest.Item, result: TrialResult, report: Any) -> TrialResult:
        """Report a failed trial as tolerated where the gates answer for it."""
        if not report.failed or not self._answered_for(item, result):
            return result
        path, line, _ = item.reportinfo()
        report.outcome = "skipped"
        reason = f"tolerated, the gates decide: {headline(result)}"
        report.longrepr = (str(path), (line or 0) + 1, reason)
        report.evals_word = "tolerated"
        return result.model_copy(update={"tolerated": True})

    def _answered_for(self, item: pytest.Item, result: TrialResult) -> bool:
        """Whether the gates answer for a wrong answer; of a narrowed dataset none is judged."""
        trial = trial_of(item)
        if result.outcome is not Outcome.FAILED or trial is None or trial.group not in self._gated:
            return False
        from pytest_evals.metrics.summarize import summarize_trial
        from pytest_evals.verdict.gate.coverage import gates_cover, is_compared

        compared, one = self._evals.compared[trial.group], summarize_trial(result)
        return gates_cover(compared.gates, one, compared=is_compared(compared.baseline, one))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """On a worker, look at what it will be given next."""
        if self._evals.worker is not None and trial_of(item) is not None:
            self._look_ahead(item, nextitem)
        try:
            return (yield)
        finally:
            if isinstance(item, EvalItem) and not isinstance(nextitem, EvalItem):
                self._evals.open_engine().release()

    def _look_ahead(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Tell the engine which trials this worker holds in its queue."""
        from pytest_evals.plugin.xdist import queued_items

        engine = self._evals.open_engine()
        ahead = queued_items(item.session)
        if ahead is None:
            ahead = []
        coming = [item, *([nextitem] if nextitem is not None else []), *ahead]
        engine.expect_only(_ahead(coming))

    def take(self, item: EvalItem) -> TrialResult:
        """Wait for an item's result and note what its report has to say."""
        result = self._clean(self.wait(item.trial, hold=True))
        if self._evals.settings.junit_properties:
            item.user_properties[:] = properties(result, self._evals.run_id)
        return result

    def wait(self, trial: Trial, *, hold: bool = False) -> TrialResult:
        """Wait for the engine's result of a trial, as it is.

        Args:
            trial: the trial.
            hold: whether what comes next is a report and no code of the user's.
        """
        capture.install()
        progress = self._evals.config.pluginmanager.getplugin("evals-progress")
        tick = None if progress is None else progress.tick
        result = self._evals.open_engine().result(trial, tick=tick, hold=hold)
        if progress is not None:
            progress.clear()
        return result

    def _clean(self, result: TrialResult) -> TrialResult:
        """Take secrets out of a result, before anything is shown or written of it."""
        result, record = to_json(result)
        clean = self._evals.redactor.redact_json(record)
        if clean != record:
            result = TrialResult.model_validate_json(clean)
        self._taken = (result, clean)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the trial's record on the report of the phase that ends it."""
        report = yield
        capture.install()
        trial = trial_of(item)
        if trial is not None and not self._told:
            self._told = True
            told: Any = report
            told.evals_infos = self._infos
        if isinstance(item, EvalItem):
            self._mark(item, report)
        elif trial is not None:
            from pytest_evals.plugin.python.report import mark

            mark(self, item, call, report)
        return report

    def _mark(self, item: EvalItem, marked: Any) -> None:
        """Say on a report what the session must know of its trial."""
        if item.result is None:
            return
        if marked.when == "teardown":
            item.result = None  # it is recorded: items live as long as the session
            return
        result = item.result
        ends = marked.when == ("setup" if result.outcome in _IN_SETUP else "call")
        if not ends:
            if marked.when == "setup":
                marked.duration = 0.0
            return
        marked.duration = result.duration_s
        self._attach(item, result, marked)

    def end(self, item: pytest.Item, result: TrialResult, marked: Any) -> TrialResult:
        """Put the record of a marked test on the report that ends it; return it without secrets.

        Args:
            item: the test.
            result: its trial.
            marked: the report.
        """
        result = self._clean(result)
        if self._evals.settings.junit_properties:
            known = dict(properties(result, self._evals.run_id))
            others = [pair for pair in item.user_properties if pair[0] not in known]
            item.user_properties[:] = marked.user_properties = [*others, *known.items()]
        self._attach(item, result, marked)
        return result

    def _attach(self, item: pytest.Item, result: TrialResult, marked: Any) -> None:
        """Put the record on a report, with what the terminal says of it."""
        result = self._tolerated(item, result, marked)
        taken, record = self._taken or (None, "")
        marked.evals_record = record if result is taken else to_json(result)[1]
        if self._evals.worker is None:
            self._evals.fresh = result
        marked.evals_brief = brief(result)
        if word := _word(result):
            marked.evals_word = word
        if result.output:
            marked.sections.append(("Captured output of the trial", result.output))


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for garbage less often while trials run: nearly all that is made of a trial is kept."""
    usual = gc.get_threshold()
    if usual[0]:
        gc.set_threshold(max(usual[0], GARBAGE), *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _ahead(items: Iterable[pytest.Item]) -> list[Trial]:
    """Return the trials that the engine may run ahead of pytest, in order."""
    found: list[Trial] = []
    for item in items:
        if isinstance(item, EvalItem):
            found.append(item.trial)
        elif (trial := trial_of(item)) is not None and not trial.answered_by_code:
            from pytest_evals.plugin.python.report import may_be_skipped

            if not may_be_skipped(item):
                found.append(trial)
    return found


_IN_SETUP = frozenset({Outcome.SKIPPED, Outcome.ERRORED})


def _word(result: TrialResult) -> str:
    """Return our own word for what became of a trial; empty where pytest's says it."""
    if result.outcome is Outcome.SKIPPED:
        return "not needed" if result.unneeded else "not run"
    if stale(result):
        return "stale"
    return "revised" if result.revised else ""


def properties(result: TrialResult, run_id: str) -> list[tuple[str, object]]:
    """Return the flat properties that reach JUnit."""
    found: list[tuple[str, object]] = [
        ("model", result.model_id),
        ("case", result.case_id),
        ("sample", str(result.sample)),
        ("outcome", str(result.outcome)),
        ("run", run_id),
    ]
    if result.revisions:
        found.append(("revisions", str(result.revisions)))
    if result.score is not None:
        found.append(("score", f"{result.score:.4g}"))
    for score in result.scores:
        value = getattr(score, "value", None)
        if value is None:
            passed = getattr(score, "passed", None)
            value = None if passed is None else float(passed)
        if value is not None:
            found.append((f"score.{score.name}", f"{value:.4g}"))
    if result.latency_s is not None:
        found.append(("latency_s", f"{result.latency_s:.3f}"))
    if result.usage.total_tokens is not None:
        found.append(("tokens", str(result.usage.total_tokens)))
    if result.cost_usd is not None:
        found.append(("cost_usd", f"{result.cost_usd:.6g}"))
    return found
