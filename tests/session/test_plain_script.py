"""A whole run in a plain script: plan, engine, ledger, verdicts, without pytest."""

import subprocess
import sys
from time import monotonic

import pytest

from pytest_evals.run_record import RunStatus
from pytest_evals.session.baselines import Baselines
from pytest_evals.session.evaluation import RunEvaluation
from pytest_evals.session.ledger import Ledger
from pytest_evals.session.recording import RunRecorder
from pytest_evals.session.resume import ResumeMark
from pytest_evals.session.session import Session
from pytest_evals.session.tables import TrialTables
from pytest_evals.session.verdicts import SessionVerdicts, evaluate_recorded
from pytest_evals.storage.sqlite import SqliteRunStore

GROUP = "support.evals.yaml"


class Seen:
    """An observer that remembers what the ledger knew when it was called."""

    def __init__(self, name: str, log: list[tuple[str, int, str]], ledger: Ledger) -> None:
        self._name = name
        self._log = log
        self._ledger = ledger

    def add(self, result, record, worker):
        """Remember a trial."""
        self._log.append((self._name, self._ledger.summary.counts.total, result.case_id))


def run(session: Session, dataset, observers=()) -> tuple[RunRecorder, RunEvaluation]:
    """Run a dataset."""
    matrix = session.plan.add_file(dataset, GROUP)
    ledger, tables, evaluation = Ledger(), TrialTables(), RunEvaluation()
    recording = RunRecorder(session, ledger, [tables, *(make(ledger) for make in observers)])
    trials = list(matrix)
    recording.open()
    infos = session.plan.infos({GROUP: len(trials)})
    ledger.expect(infos, [trial.id for trial in trials])
    session.baselines.read_all(infos)
    engine = session.engines.main()
    engine.prepare(trials)
    engine.start()
    recording.begin()
    engine.expect(trials)
    for trial in trials:
        result = engine.result(trial)
        recording.add(result, result.model_dump_json(exclude_defaults=True))
    engine.stop()
    verdicts = SessionVerdicts.of(session, ledger, announce=print)
    for info in ledger.infos:
        table = tables.of(info.name)
        evaluation.add(info.name, verdicts.evaluate(info, table, stopped=False))
    evaluation.decide(ledger)
    recording.seal(evaluation, exit_status=1)
    again = evaluate_recorded(ledger.run, tables.by_dataset, {})
    assert evaluation.gates == list(again["support"].gates), "one run has one verdict"
    return recording, evaluation


def test_a_run(make_session, dataset):
    """It is sealed with its verdicts, and the store holds the same."""
    session = make_session()
    recording, evaluation = run(session, dataset)
    sealed = recording.ledger.run
    assert (RunStatus.COMPLETE, 3, 1) == (sealed.status, sealed.counts.passed, sealed.counts.failed)
    assert {"good": "passed", "bad": "failed"} == {g.model: g.verdict for g in evaluation.gates}
    assert "reject" == evaluation.decision.decision == sealed.decision["decision"]
    store = SqliteRunStore(session.state.settings.store_path, write=False)
    assert sealed == store.run("latest")
    assert 4 == len(list(store.results(sealed.id)))
    store.close()


def test_observers_see_every_trial_in_their_order(make_session, dataset):
    """After the ledger, one after the other."""
    log: list[tuple[str, int, str]] = []
    names = ("first", "second")
    observers = [lambda ledger, name=name: Seen(name, log, ledger) for name in names]
    run(make_session(), dataset, observers)
    expected = [(name, number + 1) for number in range(4) for name in names]
    assert expected == [(name, total) for name, total, _ in log]


def test_failed_trials_are_tolerated_by_gates_of_whole_datasets(make_session, dataset):
    """Of a narrowed dataset no gate is evaluated, so nothing is tolerated."""
    session = make_session()
    tables = []

    class Keep:
        def __init__(self, ledger):
            pass

        def add(self, result, record, worker):
            tables.append(result)

    run(session, dataset, [Keep])
    (failed,) = [result for result in tables if result.outcome == "failed"]
    assert session.baselines.tolerates(GROUP, failed)
    narrowed = Baselines(session.state.settings, session.plan, session.state.run_id)
    narrowed.read_all(session.plan.infos({GROUP: 3}))
    assert not narrowed.tolerates(GROUP, failed)


def test_pytest_is_not_imported(dataset):
    """A session loads neither pytest nor the plugin."""
    modules = "session recording verdicts confirmation reports"
    code = "import sys\n" + "".join(
        f"import pytest_evals.session.{name}\n" for name in modules.split()
    )
    code += "print(sorted(m for m in sys.modules if 'pytest' in m.split('.')[0] and "
    code += "(m.startswith(('pytest_evals.plugin', '_pytest')) or m == 'pytest')))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "[]" == done.stdout.strip()


@pytest.mark.parametrize("same", [True, False])
def test_a_mark_goes_on_where_a_run_was_interrupted(same):
    """Only on the same code; and the checkout is read once."""

    class Git:
        reads = 0

        def result(self):
            Git.reads += 1
            return SameGit if same else OtherGit

    class SameGit:
        commit, tree = "c", "t"

    class OtherGit:
        commit, tree = "c", "u"

    class Store:
        def runs(self, limit):
            class Old:
                git, status, chain = SameGit, RunStatus.INTERRUPTED, "old"

            return [Old]

    mark = ResumeMark("new")
    assert "new" == mark.get()
    mark.search(Store(), Git())
    until = monotonic()
    assert ("old" if same else "new") == mark.get() == mark.get()
    assert (1, True) == (Git.reads, monotonic() >= until)
