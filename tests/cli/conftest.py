"""A store with runs, and the commands over it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_evals.cli import main
from pytest_evals.cli.commands.runs import RunsCommand
from pytest_evals.cli.commands.show import ShowCommand
from pytest_evals.cli.parser import make_parser
from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response, Usage
from pytest_evals.ground.errors import EvalsError
from pytest_evals.message import Message
from pytest_evals.result import Outcome, TrialResult
from pytest_evals.run_record import Counts, DatasetInfo, GitInfo, Run, RunStatus
from pytest_evals.score import Score, ScoreError
from pytest_evals.storage.base import HumanScore
from pytest_evals.storage.sqlite import SqliteRunStore
from tests.cli._stored_project import make

FIRST = "20261121-051500-3f9a"
SECOND = "20261122-060000-77aa"


def trial(name: str, outcome: Outcome, **more: object) -> TrialResult:
    """Make a trial."""
    asked = Request(messages=(Message(role="user", content="How long do I have?"),))
    response = Response(
        text=f"answer of {name}", usage=Usage(input_tokens=41, output_tokens=6), latency_s=0.85
    )
    attempts = (ErrorInfo(type="rate_limit", message="slow down", status=429),)
    exchange = Exchange(
        request=asked, response=response, model_id="gpt", cost_usd=0.0012, attempts=attempts
    )
    whole = {"exchanges": (exchange,), "score": 1.0, **more}
    return TrialResult(
        id=f"evals/d.yaml::{name}[gpt]",
        dataset="support",
        case_id=name,
        model_id="gpt",
        sample=0,
        outcome=outcome,
        **whole,
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a store with a complete and an interrupted run, and stand in its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    path = tmp_path / ".evals" / "evals.sqlite"
    kept = SqliteRunStore(path)
    info = DatasetInfo(
        name="support", path="evals/d.yaml", digest="x", cases=3, planned=3, selected=3
    )
    first = Run(
        id=FIRST,
        started_at=1_795_238_100.0,
        datasets=(info,),
        git=GitInfo(commit="0123456789abcdef", branch="main", dirty=True),
        versions={"python": "3.11.7"},
    )
    kept.begin(first)
    bad = "no \x1b[31mred\x1b[0m \u202ewords"
    results = [
        trial("refund", Outcome.PASSED),
        trial(
            "late",
            Outcome.FAILED,
            score=0.0,
            scores=(
                Score(name="contains", type="contains", passed=False, reason=bad, bar="30 days"),
                ScoreError(name="judge", type="judge", message="no verdict"),
            ),
            output="printed\x07",
        ),
        trial(
            "broken",
            Outcome.ERRORED,
            exchanges=(),
            score=None,
            error=ErrorInfo(type="timeout", message="gave up"),
        ),
    ]
    for result in [trial("refund", Outcome.FAILED, score=0.0), *results]:
        kept.append(FIRST, result.model_dump_json(exclude_defaults=True), result)
    kept.seal(
        first.model_copy(
            update={
                "status": RunStatus.COMPLETE,
                "ended_at": first.started_at + 65,
                "counts": Counts(passed=1, failed=1, errored=1),
                "cost_usd": 0.0024,
                "spent_usd": 0.0012,
                "tokens": 94,
                "notes": ("a note \x1b[0m",),
            }
        )
    )
    kept.label(
        FIRST,
        "evals/d.yaml::late[gpt]",
        HumanScore(rater="ann", name="contains", label="fine", note="said so", at=5.0),
    )
    second = Run(
        id=SECOND,
        started_at=1_795_325_000.0,
        datasets=(DatasetInfo(name="other", path="o.yaml", digest="y"),),
    )
    kept.begin(second)
    kept.close()
    return path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a command line: its status, output and error output."""

    def run(*words: str) -> tuple[int, str, str]:
        parser = make_parser((RunsCommand(), ShowCommand()))
        try:
            args = parser.parse_args(words)
            status = args.run(args)
        except EvalsError as error:
            return 1, capsys.readouterr().out, str(error)
        except SystemExit as error:
            status = int(error.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


@pytest.fixture(scope="session")
def filled_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project whose store two real sessions filled; it is only read."""
    folder = tmp_path_factory.mktemp("filled")
    make(folder)
    return folder


@pytest.fixture
def own_project(filled_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a copy of that project, which may be written to."""
    folder = tmp_path / "own"
    shutil.copytree(filled_project, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def evals_cli(
    filled_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Stand in the project; run a command line: its status, output and error output."""
    monkeypatch.chdir(filled_project)
    monkeypatch.delenv("PYTEST_EVALS_STORE", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        try:
            status = main(words)
        except SystemExit as error:
            status = int(error.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    return run
