"""A judge called for recorded answers, by the engine and its stored answers.

A provider of its own replays the recorded answers, so that the judge sees the trials as in a run,
with their tools, traces and turns.
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
    """No options."""


def recorded_provider(answers: Sequence[tuple[Response, ...]]) -> type[Provider]:
    """Return a provider that replays these answers: those of the n-th trial, turn by turn."""

    class Recorded:
        """Replays recorded answers."""

        name: ClassVar[str] = RECORDED
        Options: ClassVar[type[Frozen]] = _NoOptions
        opaque: ClassVar[bool] = False
        recorded: ClassVar[bool] = True
        local: ClassVar[bool] = False

        def __init__(self, model: Model, context: ProviderContext) -> None:
            """Make it; nothing is needed."""

        @classmethod
        def required_env(cls, model: Model) -> tuple[str, ...]:  # noqa: ARG003 - the Protocol's
            """Return no key."""
            return ()

        def host(self) -> str | None:
            """Return no server."""
            return None

        def prepare(self) -> None:
            """Check nothing."""

        def identity(self, request: Request) -> Json:
            """Return the sample and the turn of the answer."""
            return {"sample": request.sample, "turn": request.turn}

        async def complete(self, request: Request) -> Response:
            """Replay one turn."""
            return answers[request.sample][request.turn]

        async def aclose(self) -> None:
            """Close nothing."""

    return Recorded


@dataclass(frozen=True, slots=True)
class _Finder:
    """The registry, with the provider of recorded answers added."""

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


def judge_answers(
    items: Sequence[Labelled],
    dataset: Dataset,
    judge: str,
    *,
    settings: Settings,
    store: ResponseStore | None,
    redactor: Redactor,
    min_score: float | None = None,
) -> list[TrialResult]:
    """Call a judge for recorded answers.

    Args:
        items: the answers.
        dataset: the dataset of the judge.
        judge: its name.
        settings: how the engine runs.
        store: stored answers; None keeps none.
        redactor: takes secrets out of what is stored.
        min_score: the required score, if it is not the judge's own.

    Returns:
        One result for each answer, in order, each with the judge's one score.

    Raises:
        DatasetError: the judge cannot judge some of the answers.
        SettingsError: an API key is not set, or a price is missing.
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
    """Drop `requires_certificate`: the certificate is about to be made."""
    return {
        name: {key: value for key, value in written.items() if key != "requires_certificate"}
        for name, written in judges.items()
    }


def _bare(case: Case) -> Case:
    """Return a case without its assertions and its script."""
    return case.model_copy(update={"scorers": (), "expect": None, "script": None})


def _played(model_id: str) -> Model:
    """Return the model that replays a recorded answer."""
    return Model(id=model_id, provider=RECORDED)


def _check(registry: Registry, trials: Sequence[Trial]) -> None:
    """Check that the judge can judge the answers, before the first call.

    Raises:
        DatasetError: the problems of the answers.
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
    """Open the stored answers; None if none are stored."""
    from pytest_evals.responses.sqlite import SqliteResponseStore

    return None if mode == "off" else SqliteResponseStore(path)


_CALL_FAILURES = frozenset(
    {
        *("not_run", "stale", "rate_limit", "overloaded", "timeout", "connection", "deadline"),
        *("unauthorized", "model_not_found", "provider", "target", "internal"),
    }
)
"""Errors that say nothing about the judge. While there are any, nothing is measured."""


def call_failures(results: Sequence[TrialResult]) -> list[str]:
    """Return the messages of failed calls, which say nothing about the judge."""
    return [
        exchange.error.message
        for result in results
        for exchange in result.exchanges
        if exchange.role != "answer"
        and exchange.error is not None
        and exchange.error.type in _CALL_FAILURES
    ]
