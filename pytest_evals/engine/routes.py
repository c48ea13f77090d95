"""ModelRoutes: makes the route to each model, once for all datasets that name it."""

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
from pytest_evals.engine.model_call import ModelCaller
from pytest_evals.engine.retry import RetryPolicy
from pytest_evals.engine.route import ModelRoute, RecordedCodeRoute, Route, RouteLimits
from pytest_evals.engine.threads import DaemonPool
from pytest_evals.engine.worker_share import ProcessLimit
from pytest_evals.ground.errors import AnswerError, SettingsError
from pytest_evals.ground.user_loop import UserLoop
from pytest_evals.matrix import Trial
from pytest_evals.model import RECORD_OPTIONS, Model
from pytest_evals.providers.base import HttpClients, Provider, ProviderContext

if TYPE_CHECKING:
    from pytest_evals.engine.call_recording import CallRecorder


class ModelRoutes:
    """Makes and caches routes.

    Args:
        settings: the session's settings.
        deps: what the host provides.
        caller: makes the calls of recorded user code.
        pool: runs blocking code.
        user_loop: runs coroutines of user code.
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
        self._routes: dict[str, Route] = {}
        self._hosts: dict[str, Limiter] = {}
        self._by_trial: dict[_TrialKey, Route] = {}
        self._keyed: list[tuple[Dataset, Model]] = []
        """The objects whose identity is in a key: while they live, no other object has it."""
        self._http: HttpClients | None = None
        self._recorder: CallRecorder | None = None
        self._session_limits = deps.share.process_limits("session", settings.concurrency)

    def route(self, trial: Trial, judge: str | Model | None) -> Route:
        """Return the route to a trial's model, or to the model of a judge.

        Raises:
            SettingsError: no provider has the model's provider name.
        """
        trial_key = _trial_key(trial, judge)
        route = self._by_trial.get(trial_key)
        if route is None:
            model = trial.model if judge is None else self._judge_model(trial.dataset, judge)
            route = self._by_trial[trial_key] = self._shared_route(model, trial.dataset)
            self._keyed.append((trial.dataset, trial.model))
        return route

    def _shared_route(self, model: Model, dataset: Dataset) -> Route:
        """Return the route to a model, which all trials that call it share."""
        provider_class = self._deps.registry.provider(model.provider)
        if provider_class is None:
            raise SettingsError(f"no provider is called {model.provider!r}")
        folder = self._folder_of(dataset)
        # Models on one server share their limits, whatever folder their datasets are in.
        key = model.model_dump_json()
        if provider_class.local:
            key = f"{folder}:{key}"
        if _records(model):  # the prices of its calls are those of its dataset
            key = f"{dataset.path}:{key}"
        route = self._routes.get(key)
        if route is None:
            provider = provider_class(model, self._context(folder))
            route = self._routes[key] = self._new_route(model, provider, dataset)
        return route

    def code_route(self, trial: Trial, make: Callable[[ProviderContext], Provider]) -> Route:
        """Return the route to user code that answers for a trial's model.

        Args:
            trial: the trial.
            make: makes the trial's provider; limits and circuit breaker are shared by all trials
                of one dataset and model.
        """
        key = f"{trial.dataset.path}:{trial.model.id}"
        provider = make(self._context(self._folder_of(trial.dataset)))
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = self._new_route(trial.model, provider, trial.dataset)
        if isinstance(route, RecordedCodeRoute):
            return self._call_recorder().with_code(route, provider)
        return replace(route, provider=provider)

    def prepare(self, trials: Iterable[Trial]) -> None:
        """Check everything that can be checked before the first call, and report it at once.

        Raises:
            SettingsError: missing API keys, missing prices that a budget needs, targets that
                cannot be imported, programs that do not exist.
        """
        routes = self._routes_of(trials)
        self._register_keys(routes)
        problems = [*self._missing_keys(routes), *self._missing_prices(routes)]
        for route in routes:
            runs_in_replay = route.provider.recorded or not route.is_stored
            if self._settings.responses == "replay" and not runs_in_replay:
                continue  # it is not called, so its code need not be installed
            try:
                route.provider.prepare()
            except AnswerError as error:
                problems.append(f"model {route.model.id!r}: {error}")
        if problems:
            raise SettingsError("\n".join(problems))

    def _routes_of(self, trials: Iterable[Trial]) -> list[Route]:
        """Return the routes that trials and their judges use, each once."""
        routes: dict[int, Route] = {}
        seen: set[_TrialKey] = set()
        for trial in trials:
            is_replayed = trial.dataset.name in self._deps.replays
            judges: list[str | Model | None] = (
                [] if is_replayed or trial.answered_by_code else [None]
            )
            for bound in self._deps.registry.scorers_of(trial.dataset, trial.case):
                judges.extend(bound.scorer.models(trial.dataset))
            for judge in judges:
                trial_key = _trial_key(trial, judge)
                if trial_key not in seen:
                    seen.add(trial_key)
                    route = self.route(trial, judge)
                    routes[id(route)] = route
        return list(routes.values())

    def _register_keys(self, routes: Iterable[Route]) -> None:
        """Register the API keys of all routes for redaction, before any call can return one."""
        names = sorted({name for route in routes for name in route.required_env})
        keys = [self._deps.environ[name] for name in names if name in self._deps.environ]
        if keys:
            self._deps.redactor.add_secrets(keys, ())

    def _missing_keys(self, routes: Iterable[Route]) -> list[str]:
        """Name every environment variable that is not set, with the models that need it."""
        if self._settings.responses == "replay":
            return []
        missing: dict[str, list[str]] = {}
        for route in routes:
            for name in route.required_env:
                if not self._deps.environ.get(name):
                    missing.setdefault(name, []).append(route.model.id)
        if not missing:
            return []
        needed = "; ".join(
            f"{name} (for {', '.join(sorted(set(ids)))})" for name, ids in sorted(missing.items())
        )
        keys = "API key" if len(missing) == 1 else "API keys"
        return [f"missing {keys}: set {needed}, or leave the models out with --evals-model"]

    def _missing_prices(self, routes: Iterable[Route]) -> list[str]:
        """Name every model without a price, where there is a budget in USD."""
        if self._settings.max_cost is None or self._settings.responses == "replay":
            return []
        unpriced = sorted(
            {r.model.id for r in routes if r.model.price is None and not r.has_call_prices}
            - {r.model.id for r in routes if r.provider.recorded}
        )
        if not unpriced:
            return []
        message = (
            f"--evals-max-cost cannot be kept: no price is known for {', '.join(unpriced)}. "
            "Give each a `price: {input: ..., output: ...}` in USD per million tokens "
            "(0 where it is free, or where the application reports its own cost_usd)"
        )
        return [message]

    async def aclose(self) -> None:
        """Close every provider."""
        for route in self._routes.values():
            with suppress(Exception):
                await route.provider.aclose()
        if self._recorder is not None:
            await self._recorder.aclose()
        if self._http is not None:
            await self._http.aclose()

    def undo(self) -> None:
        """Undo what call recording has changed in this process."""
        if self._recorder is not None:
            self._recorder.undo()

    def _call_recorder(self) -> "CallRecorder":
        """Return the recorder of user code's calls, made when first needed."""
        if self._recorder is None:
            from pytest_evals.engine.call_recording import CallRecorder

            http = _LazyClients(self._clients)
            self._recorder = CallRecorder(self._caller, http, self._server_limiter)
        return self._recorder

    def _server_limiter(self, url: str) -> Limiter:
        """Return the limit of the server at an address."""
        shared = self._host_limiter(url)
        if shared is not None:
            return shared
        name = urlsplit(url).netloc
        if name not in self._hosts:
            self._hosts[name] = Limiter(self._deps.share.part(self._settings.concurrency))
        return self._hosts[name]

    def _judge_model(self, dataset: Dataset, judge: str | Model) -> Model:
        """Return the model that a judge names or defines."""
        if isinstance(judge, Model):
            return judge
        for model in dataset.models:
            if model.id == judge:
                return model
        return self._deps.registry.parse_model(judge)

    def _folder_of(self, dataset: Dataset) -> Path:
        """Return the folder of a dataset's file."""
        return (self._settings.rootdir / dataset.path).parent

    def _context(self, folder: Path) -> ProviderContext:
        """Return what a provider is given."""
        return ProviderContext(
            rootdir=self._settings.rootdir,
            environ=self._deps.environ,
            http=_LazyClients(self._clients),
            run_sync=self._pool.run,
            run_async=self._user_loop.run,
            folder=folder,
        )

    def _new_route(self, model: Model, provider: Provider, dataset: Dataset) -> Route:
        """Put a provider behind its limits; record the calls of its code if the model says so."""
        retries = self._settings.max_retries if model.max_retries is None else model.max_retries
        is_reusable = model.stored if model.stored is not None else not provider.opaque
        route = ModelRoute(
            model=model,
            provider=provider,
            limits=self._limits(model, provider),
            breaker=Breaker(model.id, self._settings.breaker),
            retry=RetryPolicy(retries),
            attempt_timeout_s=self._settings.attempt_timeout,
            chain=None if is_reusable else self._deps.chain,
        )
        return self._call_recorder().recorded(route, dataset) if _records(model) else route

    def _limits(self, model: Model, provider: Provider) -> RouteLimits:
        """Return the limits of a model and of its server."""
        share, host = self._deps.share, provider.host()
        limit = model.concurrency or self._settings.concurrency
        limit = min(limit, getattr(provider, "most", None) or limit)
        limiter = Limiter(
            share.part(limit),
            requests_per_minute=share.rate(model.requests_per_minute),
            tokens_per_minute=share.rate(model.tokens_per_minute),
        )
        limits = share.process_limits(model.model_dump_json(), model.concurrency or share.workers)
        processes = (*limits, *self._host_process_limits(host), *self._session_limits)
        return RouteLimits(model=limiter, host=self._host_limiter(host), processes=processes)

    def _host_limiter(self, host: str | None) -> Limiter | None:
        """Return the limit that the models on one server share."""
        limit = self._settings.host_concurrency
        if host is None or limit is None:
            return None
        name = urlsplit(host).netloc or host
        if name not in self._hosts:
            self._hosts[name] = Limiter(self._deps.share.part(limit))
        return self._hosts[name]

    def _host_process_limits(self, host: str | None) -> tuple[ProcessLimit, ...]:
        """Return that limit over all processes, where it cannot be divided among them."""
        limit = self._settings.host_concurrency
        if host is None or limit is None:
            return ()
        return self._deps.share.process_limits(urlsplit(host).netloc or host, limit)

    def _clients(self) -> HttpClients:
        """Return the HTTP clients, made when first needed."""
        if self._http is None:
            self._http = self._deps.http()
        return self._http


class _LazyClients:
    """Makes the HTTP clients when the first one is used."""

    def __init__(self, make: Callable[[], HttpClients]) -> None:
        self._make = make

    def client(self) -> Any:
        """Return a client."""
        return self._make().client()

    async def aclose(self) -> None:
        """Do nothing: `ModelRoutes` closes the clients."""


def _records(model: Model) -> bool:
    """Whether the calls of a model's code are recorded."""
    return not RECORD_OPTIONS.isdisjoint(model.options)


_TrialKey = tuple[int, int | str]
"""A dataset, and the trial's model or a judge's."""


def _trial_key(trial: Trial, judge: str | Model | None) -> _TrialKey:
    """Return the key under which a trial's route is cached: cheap, unlike the model's JSON."""
    if isinstance(judge, Model):
        return id(trial.dataset), judge.model_dump_json()
    return id(trial.dataset), id(trial.model) if judge is None else judge
