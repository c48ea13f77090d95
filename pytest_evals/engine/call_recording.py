"""RecordingProvider: runs user code and records the HTTP calls that the code makes.

It wraps the provider that runs the code. The code runs for every trial; its calls are intercepted
(`intercept` in this process, `loopback` for programs) and answered by `RecordedCalls`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from threading import get_ident
from typing import Any, ClassVar

from pytest_evals.dataset import Dataset
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.model_call import ModelCaller
from pytest_evals.engine.recorded_calls import RecordedCalls, RecordingDeps, refusal
from pytest_evals.engine.route import RecordedCodeRoute, Route
from pytest_evals.exchange import Request, Response
from pytest_evals.ground.canonical import Frozen, Json
from pytest_evals.ground.errors import AnswerError
from pytest_evals.model import Model
from pytest_evals.providers import intercept
from pytest_evals.providers.base import HttpClients, Provider
from pytest_evals.providers.http_calls import HttpAnswer, HttpCall
from pytest_evals.providers.loopback import Loopback
from pytest_evals.providers.recording import RecordOptions, enter, leave


class CallRecorder:
    """Makes the recording providers of one session, and undoes their changes to this process.

    Args:
        caller: makes the recorded calls.
        http: forwards what reaches the loopback server.
        limiter: returns the limit of the server at an address.
    """

    def __init__(
        self, caller: ModelCaller, http: HttpClients, limiter: Callable[[str], Limiter]
    ) -> None:
        self._caller = caller
        self._limiter = limiter
        self._loopback = Loopback(http)
        self._one_trial_at_a_time = Limiter(1)
        self._providers: list[RecordingProvider] = []

    def recorded(self, route: Route, dataset: Dataset) -> Route:
        """Return the route with its code's calls recorded; the same if its model records none."""
        options = RecordOptions.of(route.model)
        if options is None:
            return route
        prices = {
            model.model or model.id: model.price
            for model in dataset.models
            if model.price is not None and RecordOptions.of(model) is None
        }
        deps = RecordingDeps(
            caller=self._caller,
            limiter=self._limiter,
            prices=prices,
            loopback=self._loopback,
            timeout_s=route.attempt_timeout_s,
        )
        provider = RecordingProvider(route.provider, route.model, options, deps)
        self._providers.append(provider)
        shared = {field.name: getattr(route, field.name) for field in fields(Route)}
        if provider.changes_environ:
            shared["limits"] = replace(route.limits, host=self._one_trial_at_a_time)
        return RecordedCodeRoute(
            **{**shared, "provider": provider}, code=route.provider, prices=prices
        )

    def with_code(self, route: RecordedCodeRoute, provider: Provider) -> RecordedCodeRoute:
        """Return the same route with other code behind it."""
        recording = route.provider
        assert isinstance(recording, RecordingProvider)
        return replace(route, provider=recording.with_code(provider), code=provider)

    async def aclose(self) -> None:
        """Stop the loopback server."""
        await self._loopback.aclose()

    def undo(self) -> None:
        """Remove the interceptors; a second time changes nothing."""
        while self._providers:
            self._providers.pop().undo()
        self._loopback.release()


@dataclass(slots=True)
class _Interception:
    """What the recording providers of one model share."""

    installed: bool = False
    """Whether the interceptor is installed."""
    handler: Any = None
    """The handler of stray calls under which it was installed."""
    engine_thread: int | None = None
    """The engine's thread, whose calls are not the code's."""


class RecordingProvider:
    """A `Provider` that runs another one and records the HTTP calls of the code behind it.

    Args:
        inner: runs the user's code.
        model: its model.
        options: which calls are recorded.
        deps: what the session provides.
        interception: shared with the provider of other code for the same model.
    """

    name: ClassVar[str] = "recording"
    Options: ClassVar[type[Frozen]] = Frozen
    opaque: ClassVar[bool] = True
    recorded: ClassVar[bool] = False
    local: ClassVar[bool] = True

    def __init__(
        self,
        inner: Provider,
        model: Model,
        options: RecordOptions,
        deps: RecordingDeps,
        interception: _Interception | None = None,
    ) -> None:
        self._inner = inner
        self._model = model
        self._options = options
        self._deps = deps
        self._interception = interception or _Interception()

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:  # noqa: ARG003 - the Protocol's
        """Return nothing: `RecordedCodeRoute` asks the code's provider."""
        return ()

    def host(self) -> str | None:
        """Return the host of the code's provider."""
        return self._inner.host()

    def prepare(self) -> None:
        """Install the interceptor before the code is imported, then prepare the code's provider.

        Raises:
            AnswerError: of type ``target``: the code will not work.
        """
        if self._model.stored:
            raise AnswerError(
                "target",
                "`record_http` runs the code each time and stores the calls it makes; "
                "`stored: true` stores its answer and does not run it. Leave one of them out",
            )
        self._install()
        self._inner.prepare()

    def _install(self) -> None:
        """Install the interceptor, once."""
        if not self._interception.installed:
            self._interception.installed = True
            self._interception.handler = self._handle_stray_call
            intercept.install(self._handle_stray_call)
            if self.changes_environ:
                self._deps.loopback.redirect_environ(self._options.env)

    def with_code(self, inner: Provider) -> "RecordingProvider":
        """Return the recording provider of other code for the same model."""
        self._install()
        return RecordingProvider(inner, self._model, self._options, self._deps, self._interception)

    @property
    def changes_environ(self) -> bool:
        """Whether this process's environment redirects the code's calls: one trial at a time."""
        return bool(self._options.env) and self._model.provider == "python"

    def identity(self, request: Request) -> Json:
        """Return the input of the code."""
        return self._inner.identity(request)

    async def complete(self, request: Request) -> Response:
        """Run the code once.

        Raises:
            AnswerError: from the code's provider; of type ``stale`` or ``not_run`` if one of its
                calls may not be made, whatever the code does about that.
        """
        if not self._interception.installed:
            self.prepare()
        intercept.look_again()
        self._interception.engine_thread = get_ident()
        calls = RecordedCalls(self._deps, self._model, self._options, request)
        token = enter(calls)
        loopback = self._deps.loopback if self.changes_environ else None
        try:
            if loopback is not None:
                await loopback.serve()
                loopback.set_log(calls)
            response = await self._inner.complete(request)
        except AnswerError as error:
            raise calls.refused or error from None
        finally:
            calls.close()
            if loopback is not None:
                loopback.set_log(None)
            leave(token)
        if calls.refused is not None:
            raise calls.refused
        return calls.complete_response(response)

    def _handle_stray_call(self, method: str, url: str) -> HttpAnswer | None:
        """Handle a call that belongs to no trial: it is not stored, and refused in a replay."""
        is_ours = get_ident() == self._interception.engine_thread
        if is_ours or not self._options.wants(method, url):
            return None
        caller, address = self._deps.caller, HttpCall(method, url, {}).public_url()
        note = (
            f"{self._model.id!r}: {method} {address} was called by a thread that was there before "
            "its trial, so it belongs to none"
        )
        if caller.answers.replays:
            caller.notes.add(f"{note} and was not made in this replay")
            return refusal(note)
        caller.notes.add(f"{note} and was not stored")
        return None

    async def aclose(self) -> None:
        """Close the code's provider."""
        await self._inner.aclose()

    def undo(self) -> None:
        """Remove the interceptor."""
        if self._interception.handler is not None:
            intercept.remove(self._interception.handler)
            self._interception = _Interception()
            if self.changes_environ:
                self._deps.loopback.restore_environ()
