"""The ways to models: a provider behind its limits, made once for all datasets that name it."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_evals.config import Settings
from pytest_evals.dataset import Dataset
from pytest_evals.engine.budget import Breaker
from pytest_evals.engine.deps import EngineDeps
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.model_call import Line, ModelCaller
from pytest_evals.engine.retry import RetryPolicy
from pytest_evals.engine.threads import DaemonPool, UserLoop
from pytest_evals.engine.worker_share import Turns
from pytest_evals.ground.errors import AnswerError, SettingsError
from pytest_evals.matrix import Trial
from pytest_evals.model import RECORD_OPTIONS, Model
from pytest_evals.providers.base import HttpClients, Provider, ProviderContext

if TYPE_CHECKING:
    from pytest_evals.engine.call_recording import CallRecorder


class ModelRoutes:
    """Finds and makes the way to each model.

    Args:
        settings: the session's settings.
        deps: what the host provides.
        caller: whom recordings of user code ask.
        pool: where blocking code runs.
        user_loop: where coroutines of user code run.
    """

    def __init__(
        self,
        settings: Settings,
        deps: EngineDeps,
        caller: ModelCaller,
        pool: DaemonPool,
        user_loop: UserLoop,
    ) -> None:
        self._settings = settings
        self._deps = deps
        self._caller = caller
        self._pool = pool
        self._user_loop = user_loop
        self._lines: dict[str, Line] = {}
        self._hosts: dict[str, Limiter] = {}
        self._by_trial: dict[_Mark, Line] = {}
        self._http: HttpClients | None = None
        self._recordings: CallRecorder | None = None
        self._turns = deps.share.turns("session", settings.concurrency)

    def to(self, trial: Trial, judge: str | Model | None) -> Line:
        """Return the way to a trial's model, or to the model a judge asks."""
        mark = _mark(trial, judge)
        line = self._by_trial.get(mark)
        if line is None:
            model = trial.model if judge is None else self._model_of(trial.dataset, judge)
            kind = self._deps.registry.provider(model.provider)
            if kind is None:
                raise SettingsError(f"no provider is called {model.provider!r}")
            folder = (self._settings.rootdir / trial.dataset.path).parent
            text = model.model_dump_json()
            # Models on one server share their limits, wherever the datasets that name them lie.
            key = f"{folder}:{text}" if kind.local else text
            records = not RECORD_OPTIONS.isdisjoint(model.options)
            if records:  # what its calls cost stands in its own dataset
                key = f"{trial.dataset.path}:{key}"
            line = self._lines.get(key)
            if line is None:
                line = self._new_line(model, kind, folder)
                line = self._lines[key] = (
                    self._recorder().of(line, trial.dataset) if records else line
                )
            self._by_trial[mark] = line
        return line

    def own(self, trial: Trial, make: Callable[[ProviderContext], Provider]) -> Line:
        """Return the way to user code that answers in the place of a trial's model.

        Args:
            trial: the trial.
            make: makes the provider, one for each trial; limits and the breaker are those of all
                trials of its dataset and model.
        """
        key = f"{trial.dataset.path}:{trial.model.id}"
        folder = (self._settings.rootdir / trial.dataset.path).parent
        provider = make(self._context(folder))
        line = self._lines.get(key)
        if line is None:
            line = self._way(trial.model, provider)
            if not RECORD_OPTIONS.isdisjoint(trial.model.options):
                line = self._recorder().of(line, trial.dataset)
            self._lines[key] = line
        if line.code is not None:
            return self._recorder().again(line, provider)
        return replace(line, provider=provider)

    def prepare(self, trials: Iterable[Trial]) -> None:
        """Check all that can be checked before the first call, and say everything at once.

        Raises:
            SettingsError: keys that are not set, prices that a cap needs, targets that cannot be
                imported, programs that do not exist.
        """
        lines: dict[int, Line] = {}
        seen: set[_Mark] = set()
        for trial in trials:
            played = trial.dataset.name in self._deps.replays
            wanted: list[str | Model | None] = [] if played or trial.answered_by_code else [None]
            for bound in self._deps.registry.scorers_of(trial.dataset, trial.case):
                wanted.extend(bound.scorer.models(trial.dataset))
            for name in wanted:
                mark = _mark(trial, name)
                if mark not in seen:
                    seen.add(mark)
                    line = self.to(trial, name)
                    lines[id(line)] = line
        problems = [*self._missing_keys(lines.values()), *self._missing_prices(lines.values())]
        for line in lines.values():
            played = line.provider.recorded or line.code is not None
            if self._settings.responses == "replay" and not played:
                continue  # it is not called, so its code need not even be here
            try:
                line.provider.prepare()
            except AnswerError as error:
                problems.append(f"model {line.model.id!r}: {error}")
        if problems:
            raise SettingsError("\n".join(problems))

    def _missing_keys(self, lines: Iterable[Line]) -> list[str]:
        """Name every environment variable that is not set, with the models that need it."""
        if self._settings.responses == "replay":
            return []
        missing: dict[str, list[str]] = {}
        for line in lines:
            for name in type(line.code or line.provider).required_env(line.model):
                if not self._deps.environ.get(name):
                    missing.setdefault(name, []).append(line.model.id)
        if not missing:
            return []
        needed = "; ".join(
            f"{name} (for {', '.join(sorted(set(ids)))})" for name, ids in sorted(missing.items())
        )
        told = f"environment variables with keys are not set: {needed}. "
        return [told + "Set them, or leave the models out with --evals-model"]

    def _missing_prices(self, lines: Iterable[Line]) -> list[str]:
        """Name every model without a price, where there is a cap on cost."""
        if self._settings.max_cost is None or self._settings.responses == "replay":
            return []
        unpriced = sorted(
            {line.model.id for line in lines if line.model.price is None and not line.priced}
            - {line.model.id for line in lines if line.provider.recorded}
        )
        if not unpriced:
            return []
        told = f"--evals-max-cost cannot be kept: no price is known for {', '.join(unpriced)}. "
        return [
            told + "Give each a `price: {input: ..., output: ...}` in USD per million tokens "
            "(0 where it is free, or where the application reports its own cost_usd)"
        ]

    async def aclose(self) -> None:
        """Close every provider."""
        for line in self._lines.values():
            with suppress(Exception):
                await line.provider.aclose()
        if self._recordings is not None:
            await self._recordings.aclose()
        if self._http is not None:
            await self._http.aclose()

    def undo(self) -> None:
        """Take back what recordings have changed in this process."""
        if self._recordings is not None:
            self._recordings.undo()

    def _recorder(self) -> "CallRecorder":
        """Return what records the calls of user code, made when first needed."""
        if self._recordings is None:
            from pytest_evals.engine.call_recording import CallRecorder

            http = _LateClients(self._clients)
            self._recordings = CallRecorder(self._caller, http, self._limiter_at)
        return self._recordings

    def _limiter_at(self, url: str) -> Limiter:
        """Return the limit of the server at an address."""
        shared = self._host_limiter(url)
        if shared is not None:
            return shared
        name = urlsplit(url).netloc
        if name not in self._hosts:
            self._hosts[name] = Limiter(self._deps.share.part(self._settings.concurrency))
        return self._hosts[name]

    def _model_of(self, dataset: Dataset, name: str | Model) -> Model:
        """Return the model a judge names or writes out."""
        if isinstance(name, Model):
            return name
        for model in dataset.models:
            if model.id == name:
                return model
        return self._deps.registry.parse_model(name)

    def _new_line(self, model: Model, kind: type[Provider], folder: Path) -> Line:
        """Make the way to a model."""
        return self._way(model, kind(model, self._context(folder)))

    def _context(self, folder: Path) -> ProviderContext:
        """Return what a provider is given."""
        return ProviderContext(
            rootdir=self._settings.rootdir,
            environ=self._deps.environ,
            http=_LateClients(self._clients),
            run_sync=self._pool.run,
            run_async=self._user_loop.run,
            folder=folder,
        )

    def _way(self, model: Model, provider: Provider) -> Line:
        """Put a provider behind its limits."""
        share, host = self._deps.share, provider.host()
        turns = share.turns(model.model_dump_json(), model.concurrency or share.workers)
        most = model.concurrency or self._settings.concurrency
        most = min(most, getattr(provider, "most", None) or most)
        reuse = model.stored if model.stored is not None else not provider.opaque
        return Line(
            model=model,
            provider=provider,
            limiter=Limiter(
                share.part(most),
                requests_per_minute=share.rate(model.requests_per_minute),
                tokens_per_minute=share.rate(model.tokens_per_minute),
            ),
            breaker=Breaker(model.id, self._settings.breaker),
            policy=RetryPolicy(
                self._settings.max_retries if model.max_retries is None else model.max_retries
            ),
            attempt_timeout_s=self._settings.attempt_timeout,
            host=self._host_limiter(host),
            turns=(*turns, *self._host_turns(host), *self._turns),
            chain=None if reuse else self._deps.chain,
        )

    def _host_limiter(self, host: str | None) -> Limiter | None:
        """Return the limit that models on one server share."""
        most = self._settings.host_concurrency
        if host is None or most is None:
            return None
        name = urlsplit(host).netloc or host
        if name not in self._hosts:
            self._hosts[name] = Limiter(self._deps.share.part(most))
        return self._hosts[name]

    def _host_turns(self, host: str | None) -> tuple[Turns, ...]:
        """Return how that limit is kept where it cannot be divided."""
        most = self._settings.host_concurrency
        if host is None or most is None:
            return ()
        return self._deps.share.turns(urlsplit(host).netloc or host, most)

    def _clients(self) -> HttpClients:
        """Return the HTTP clients, made when first needed."""
        if self._http is None:
            self._http = self._deps.http()
        return self._http


class _LateClients:
    """Makes the HTTP clients when the first one is lent."""

    def __init__(self, make: Callable[[], HttpClients]) -> None:
        self._make = make

    def client(self) -> Any:
        """Lend a client."""
        return self._make().client()

    async def aclose(self) -> None:
        """Nothing: the engine closes what was made."""


_Mark = tuple[int, int | str]
"""A dataset, and the model or the judge's model that it asks."""


def _mark(trial: Trial, judge: str | Model | None) -> _Mark:
    """Return under what the way to a model is found again."""
    if isinstance(judge, Model):
        return id(trial.dataset), judge.model_dump_json()
    return id(trial.dataset), id(trial.model) if judge is None else judge
