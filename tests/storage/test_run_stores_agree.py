"""One state machine: every run store does the same."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from pytest_evals.exchange import Exchange, Request, Response, Usage
from pytest_evals.ground.errors import StoreError
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import DatasetInfo, Run, RunStatus
from pytest_evals.score import Score, ScoreError
from pytest_evals.storage.base import HumanScore
from pytest_evals.storage.memory import MemoryRunStore
from pytest_evals.storage.sqlite import SqliteRunStore

pytestmark = pytest.mark.heavy

RUN_IDS = st.sampled_from(["20260101-000000-aaaa", "20260101-000000-aabb", "20251231-235959-ffff"])
ASKED = st.one_of(RUN_IDS, st.sampled_from(["latest", "2026", "2025", "2", "", "nothing", "%"]))
TRIALS = st.sampled_from(["d.yaml::a[m]", "d.yaml::b[m]", "e.yaml::ünï [m-0]"])
NUMBERS = st.none() | st.sampled_from([0.0, 0.25, 1.0, 2.5])


@st.composite
def results(draw: st.DrawFn) -> TrialResult:
    """Return any trial."""
    exchanges = st.builds(
        Exchange,
        request=st.just(Request(messages=())),
        response=st.none()
        | st.builds(
            Response,
            text=st.text(max_size=5),
            usage=st.builds(Usage, input_tokens=st.none() | st.integers(0, 9)),
            latency_s=NUMBERS,
        ),
        cost_usd=NUMBERS,
    )
    scores = st.sampled_from(
        [
            Score(name="tone", type="contains", value=0.5, passed=True, label="fine"),
            Score(name="tone", type="contains", passed=False),
            ScoreError(name="judge", type="judge", message="no verdict"),
        ]
    )
    return TrialResult(
        id=draw(TRIALS),
        dataset=draw(st.sampled_from("de")),
        case_id="a",
        model_id="m",
        sample=0,
        outcome=draw(st.sampled_from(Outcome)),
        exchanges=tuple(draw(st.lists(exchanges, max_size=2))),
        scores=tuple(draw(st.lists(scores, max_size=3))),
        score=draw(NUMBERS),
        tolerated=draw(st.booleans()),
    )


class RunStores(RuleBasedStateMachine):
    """Does the same to a store in memory and to one in a file."""

    begun = Bundle("begun")

    @initialize()
    def open(self) -> None:
        """Open both, and the file a second time as another reader would."""
        self.folder = Path(tempfile.mkdtemp())
        path = self.folder / ".evals" / "evals.sqlite"
        self.memory = MemoryRunStore()
        self.file = SqliteRunStore(path)
        self.reader = SqliteRunStore(path, write=False)

    def teardown(self) -> None:
        """Close what was opened."""
        if hasattr(self, "folder"):
            self.file.close()
            self.reader.close()
            shutil.rmtree(self.folder)

    def both(self, name: str, *values: object, **options: object) -> object:
        """Call a method of both stores and compare what comes of it."""

        def call(store: object) -> object:
            try:
                value = getattr(store, name)(*values, **options)
                return list(value) if name in {"results", "rows"} else value
            except StoreError as error:
                text = str(error).replace(str(self.file.path), "memory")
                return f"StoreError: {text}"

        expected = call(self.memory)
        actual = call(self.file)
        assert expected == actual
        if name not in {"begin", "append", "append_all", "seal", "label"}:
            assert expected == call(self.reader)
        return expected

    @rule(
        target=begun,
        run_id=RUN_IDS,
        datasets=st.lists(st.sampled_from("de"), max_size=2, unique=True),
        started=st.sampled_from([0.0, 5.0, 2e9]),
    )
    def begin(self, run_id: str, datasets: list[str], started: float) -> Run:
        """Begin a run; the clock goes as it likes."""
        infos = tuple(DatasetInfo(name=name, path=f"{name}.yaml", digest="x") for name in datasets)
        run = Run(id=run_id, started_at=started, datasets=infos)
        self.both("begin", run)
        return run

    @rule(run_id=RUN_IDS, result=results())
    def append(self, run_id: str, result: TrialResult) -> None:
        """Append a trial, perhaps for the second time, perhaps to a run that is not open."""
        self.both("append", run_id, result.model_dump_json(exclude_defaults=True), result)

    @rule(run_id=RUN_IDS, trials=st.lists(results(), max_size=4))
    def append_all(self, run_id: str, trials: list[TrialResult]) -> None:
        """Append several at once, a trial perhaps twice among them."""
        told = [(one.model_dump_json(exclude_defaults=True), one) for one in trials]
        self.both("append_all", run_id, told)

    @rule(run=begun, status=st.sampled_from(RunStatus))
    def seal(self, run: Run, status: RunStatus) -> None:
        """Seal a run, perhaps for the second time."""
        self.both("seal", run.model_copy(update={"status": status, "tokens": 7}))

    @rule(
        run_id=ASKED,
        trial=TRIALS,
        at=st.sampled_from([0.0, 1.0, 2.0]),
        rater=st.sampled_from(["ann", "bob"]),
    )
    def label(self, run_id: str, trial: str, at: float, rater: str) -> None:
        """Let a person say something."""
        self.both("label", run_id, trial, HumanScore(rater=rater, name="tone", label="good", at=at))

    @rule(run_id=ASKED, trial=TRIALS)
    def read_one(self, run_id: str, trial: str) -> None:
        """Read a run in every way."""
        for name in ("run", "results", "rows", "labels"):
            self.both(name, run_id)
        self.both("attempts", run_id, trial)

    @rule(
        dataset=st.none() | st.sampled_from("dex"),
        status=st.none() | st.sampled_from(RunStatus),
        limit=st.none() | st.integers(0, 3),
        offset=st.integers(0, 3),
    )
    def read_some(
        self, dataset: str | None, status: RunStatus | None, limit: int | None, offset: int
    ) -> None:
        """Choose among the runs."""
        self.both("runs", dataset=dataset, status=status, limit=limit, offset=offset)
        self.both("count", dataset=dataset, status=status)

    @invariant()
    def same_runs(self) -> None:
        """Whatever was done, both list the same runs."""
        if hasattr(self, "folder"):
            self.both("runs")


RunStores.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, derandomize=True
)
TestRunStoresAgree = RunStores.TestCase
