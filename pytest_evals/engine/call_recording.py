"""RecordingProvider: runs user code and records the HTTP calls that the code makes.

It wraps the provider that runs the code. The code runs for every trial; its calls are intercepted
(`intercept` in this process, `loopback` for programs) and answered by `RecordedCalls`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import get_ident
from typing import Any, ClassVar

from pytest_evals.dataset import Dataset
from pytest_evals.engine.limits import Limiter
from pytest_evals.engine.model_call import Line, ModelCaller
from pytest_evals.engine.recorded_calls import CallRecordingDeps, RecordedCalls, refusal
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
    """Makes the recordings of one session, and takes back what they changed in this process.

    Args:
        caller: asks the calls.
        http: sends on what comes to the loopback server.
        limiter: gives the limit of the server at an address.
    """

    def __init__(
        self, caller: ModelCaller, http: HttpClients, limiter: Callable[[str], Limiter]
    ) -> None:
        self._caller = caller
        self._limiter = limiter
        self._loopback = Loopback(http)
        self._alone = Limiter(1)
        self._made: list[RecordingProvider] = []

    def of(self, line: Line, dataset: Dataset) -> Line:
        """Return the way to a model with its calls recorded; the very same where none are."""
        options = RecordOptions.of(line.model)
        if options is None:
            return line
        prices = {
            model.model or model.id: model.price
            for model in dataset.models
            if model.price is not None and RecordOptions.of(model) is None
        }
        desk = CallRecordingDeps(
            caller=self._caller,
            limiter=self._limiter,
            prices=prices,
            loopback=self._loopback,
            timeout_s=line.attempt_timeout_s,
        )
        recording = RecordingProvider(line.provider, line.model, options, desk)
        self._made.append(recording)
        return replace(
            line,
            provider=recording,
            code=line.provider,
            priced=bool(prices),
            host=self._alone if recording.serial else line.host,
        )

    def again(self, line: Line, provider: Provider) -> Line:
        """Return the way to a model whose calls are recorded, where other code answers for it."""
        recording = line.provider
        assert isinstance(recording, RecordingProvider)
        return replace(line, provider=recording.around(provider), code=provider)

    async def aclose(self) -> None:
        """Stop serving."""
        await self._loopback.aclose()

    def undo(self) -> None:
        """Take the logs out of the way; a second time changes nothing."""
        while self._made:
            self._made.pop().undo()
        self._loopback.release()


@dataclass(slots=True)
class _State:
    """What the recordings of one model share."""

    begun: bool = False
    """Whether the log is in the way."""
    stray: Any = None
    """By what name it was put there."""
    thread: int | None = None
    """The engine's, whose calls are not the code's."""


class RecordingProvider:
    """A `Provider` that runs another one and records the HTTP calls of the code it runs.

    Args:
        inner: runs the user's code.
        model: its model.
        options: which calls are recorded.
        desk: what the session's recordings share.
        state: what it shares with the recording of other code for the same model.
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
        desk: CallRecordingDeps,
        state: _State | None = None,
    ) -> None:
        self._inner = inner
        self._model = model
        self._options = options
        self._desk = desk
        self._state = state or _State()

    @classmethod
    def required_env(cls, model: Model) -> tuple[str, ...]:  # noqa: ARG003 - the Protocol's
        """The code's own provider knows."""
        return ()

    def host(self) -> str | None:
        """The code's own provider knows."""
        return self._inner.host()

    def prepare(self) -> None:
        """Put the log in the way before the code is imported, then let the code be looked at.

        Raises:
            AnswerError: of type ``target``: it will not work.
        """
        if self._model.stored:
            raise AnswerError(
                "target",
                "`record_http` runs the code each time and stores the calls it makes; "
                "`stored: true` stores its answer in place of running it. Leave one of them out",
            )
        self._begin()
        self._inner.prepare()

    def _begin(self) -> None:
        """Put the log in the way, once."""
        if not self._state.begun:
            self._state.begun = True
            self._state.stray = self._stray
            intercept.install(self._stray)
            if self.serial:
                self._desk.loopback.take_environ(self._options.env)

    def around(self, inner: Provider) -> "RecordingProvider":
        """Return the recording of other code that answers for the same model."""
        self._begin()
        return RecordingProvider(inner, self._model, self._options, self._desk, self._state)

    @property
    def serial(self) -> bool:
        """Whether the code is led here by this process's environment, so one trial at a time."""
        return bool(self._options.env) and self._model.provider == "python"

    def identity(self, request: Request) -> Json:
        """Return what the code is given."""
        return self._inner.identity(request)

    async def complete(self, request: Request) -> Response:
        """Run the code once.

        Raises:
            AnswerError: what the code's provider raises; of type ``stale`` or ``not_run`` where
                one of its calls may not be made, whatever the code made of that.
        """
        if not self._state.begun:
            self.prepare()
        intercept.look_again()
        self._state.thread = get_ident()
        calls = RecordedCalls(self._desk, self._model, self._options, request)
        token = enter(calls)
        loopback = self._desk.loopback if self.serial else None
        try:
            if loopback is not None:
                await loopback.serve()
                loopback.lead_environ(calls)
            response = await self._inner.complete(request)
        except AnswerError as error:
            raise calls.refused or error from None
        finally:
            calls.close()
            if loopback is not None:
                loopback.lead_environ(None)
            leave(token)
        if calls.refused is not None:
            raise calls.refused
        return calls.told(response)

    def _stray(self, method: str, url: str) -> HttpAnswer | None:
        """Look at a call of no trial: it is not stored, and in a replay not made."""
        if get_ident() == self._state.thread or not self._options.wants(method, url):
            return None
        place = HttpCall(method, url, {}).place()
        told = (
            f"{self._model.id!r}: {method} {place} was called by a thread that was there before "
            "its trial, so it belongs to none"
        )
        if self._desk.caller.mode == "replay":
            self._desk.caller.note(f"{told} and was not made in this replay")
            return refusal(told)
        self._desk.caller.note(f"{told} and was not stored")
        return None

    async def aclose(self) -> None:
        """Let the code's own provider let go."""
        await self._inner.aclose()

    def undo(self) -> None:
        """Take the log out of the way."""
        if self._state.stray is not None:
            intercept.remove(self._state.stray)
            self._state = _State()
            if self.serial:
                self._desk.loopback.give_environ()
