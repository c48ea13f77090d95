"""Rejudge: a judge is asked about recorded answers, by the engine and its stored answers.

The recorded answers are played by a provider of their own, so that a judge sees the trials just as
it did, or would have done, in a run: with their tools, traces and turns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_evals.calibration.label_join import Labelled
from pytest_evals.case import Case, ScorerSpec
from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.engine import Engine, EngineDeps
from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import DatasetError, Position, Problem
from pytest_evals.ground.redaction import Redactor
from pytest_evals.matrix import Trial
from pytest_evals.model import Model
from pytest_evals.providers.base import Provider, ProviderContext
from pytest_evals.providers.transport import HttpClientPool
from pytest_evals.registry import Registry
from pytest_evals.responses.base import ResponseStore
from pytest_evals.result import TrialResult
from pytest_evals.scorers.bound import Bound

RECORDED = "recorded"


class _NoOptions(Frozen):
    """None."""


def recorded_provider(answers: Sequence[tuple[Response, ...]]) -> type[Provider]:
    """Return a provider that plays these answers: of the n-th trial, turn by turn."""

    class Recorded:
        """Plays recorded answers."""

        name: ClassVar[str] = RECORDED
        Options: ClassVar[type[Frozen]] = _NoOptions
        opaque: ClassVar[bool] = False
        recorded: ClassVar[bool] = True
        local: ClassVar[bool] = False

        def __init__(self, model: Model, context: ProviderContext) -> None:
            """Nothing is needed."""

        @classmethod
        def required_env(cls, model: Model) -> tuple[str, ...]:  # noqa: ARG003 - the Protocol's
            """No key."""
            return ()

        def host(self) -> str | None:
            """No server."""
            return None

        def prepare(self) -> None:
            """Nothing to check."""

        def identity(self, request: Request) -> Json:
            """Return which answer it is."""
            return {"sample": request.sample, "turn": request.turn}

        async def complete(self, request: Request) -> Response:
            """Play one turn."""
            return answers[request.sample][request.turn]

        async def aclose(self) -> None:
            """Nothing is held."""

    return Recorded


@dataclass(frozen=True, slots=True)
class _Finder:
    """The registry, with the provider of recorded answers."""

    registry: Registry
    recorded: type[Provider]

    def provider(self, name: str) -> type[Provider] | None:
        """Return a provider's class."""
        return self.recorded if name == RECORDED else self.registry.provider(name)

    def parse_model(self, written: str) -> Model:
        """Make a model of ``provider:model``."""
        return self.registry.parse_model(written)

    def scorers_of(self, dataset: Dataset, case: Case) -> tuple[Bound, ...]:
        """Return the scorers of a case."""
        return self.registry.scorers_of(dataset, case)


def rejudge(
    items: Sequence[Labelled],
    dataset: Dataset,
    judge: str,
    *,
    settings: Settings,
    store: ResponseStore | None,
    redactor: Redactor,
    min_score: float | None = None,
) -> list[TrialResult]:
    """Ask a judge about recorded answers.

    Args:
        items: the answers.
        dataset: whose judge it is.
        judge: its name.
        settings: how the engine runs.
        store: stored answers; None keeps none.
        redactor: takes secrets out of what is stored.
        min_score: the bar, where it is not the judge's own.

    Returns:
        One result for each answer, in order, each with the judge's one score.

    Raises:
        DatasetError: the judge cannot judge some of them.
        SettingsError: a key is not set, or a price is missing.
    """
    options = {"use": judge} | ({} if min_score is None else {"min_score": min_score})
    only = dataset.model_copy(
        update={
            "scorers": (ScorerSpec(type="judge", options=options),),
            "judges": _voting(dataset.judges),
            "prompt": None,
            "gates": (),
        }
    )
    trials = [
        Trial(only, _bare(item.case), _played(item.model), i, len(items) + 1)
        for i, item in enumerate(items)
    ]
    registry = Registry.installed()
    _check(registry, trials)
    finder = _Finder(registry, recorded_provider([item.responses for item in items]))
    tools = EngineDeps(registry=finder, http=HttpClientPool, store=store, redactor=redactor)
    engine = Engine(settings, tools)
    engine.prepare(trials)
    engine.start()
    try:
        engine.expect(trials)
        return [engine.result(trial) for trial in trials]
    finally:
        engine.stop()


def _voting(judges: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Let judges speak without the certificate that is about to be made."""
    return {
        name: {key: value for key, value in written.items() if key != "requires_certificate"}
        for name, written in judges.items()
    }


def _bare(case: Case) -> Case:
    """Leave out what a case asserts and plays back by itself."""
    return case.model_copy(update={"scorers": (), "expect": None, "script": None})


def _played(model_id: str) -> Model:
    """Return the model of a recorded answer."""
    return Model(id=model_id, provider=RECORDED)


def _check(registry: Registry, trials: Sequence[Trial]) -> None:
    """Refuse answers that the judge cannot judge, before anything is asked.

    Raises:
        DatasetError: what each of them lacks.
    """
    problems: list[Problem] = []
    for trial in trials:
        for bound in registry.scorers_of(trial.dataset, trial.case):
            source = trial.case.source
            where = Position(source.path, source.line) if source else Position(trial.dataset.path)
            problems.extend(
                Problem(where, f"case {trial.case.id!r}: {message}")
                for message in bound.check(trial.dataset, trial.case)
            )
    if problems:
        raise DatasetError(problems)


def open_responses(path: Path, mode: str) -> ResponseStore | None:
    """Open the stored answers; None where none are kept."""
    from pytest_evals.responses.sqlite import SqliteResponseStore

    return None if mode == "off" else SqliteResponseStore(path)


CALL_FAILURES = frozenset(
    {
        *("not_run", "stale", "rate_limit", "overloaded", "timeout", "connection", "deadline"),
        *("unauthorized", "model_not_found", "provider", "target", "internal"),
    }
)
"""Errors that say nothing of the judge: nothing is measured while there are any."""
