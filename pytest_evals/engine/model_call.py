"""ModelCaller: the one path of every model call: stored answer, call, or error, as an exchange.

Models under test and judges are both called through `ModelCaller.call`, so every call is stored,
limited, counted and priced in the same way.
"""

import asyncio
from dataclasses import dataclass, field

from pytest_evals.engine.call_attempts import CallAttempts, CallCounts, provider_error
from pytest_evals.engine.route import Route
from pytest_evals.engine.stored_answers import CallIdentity, StoredAnswers
from pytest_evals.engine.trial_clock import TrialClock
from pytest_evals.exchange import ErrorInfo, Exchange, Request, Response
from pytest_evals.ground.errors import AnswerError
from pytest_evals.ground.notes import Notes


@dataclass(slots=True)
class ModelCaller:
    """Calls models."""

    answers: StoredAnswers
    attempts: CallAttempts
    refusal: str | None = None
    """Why no call at all may be made; the first trial reports it, the others were not run."""
    _refusal_reported: bool = False
    _in_flight: dict[str, "asyncio.Future[Exchange]"] = field(default_factory=dict)
    """Calls under way, by cache key: an equal call of another trial waits for the same response."""

    @property
    def counts(self) -> CallCounts:
        """The counters for the live line."""
        return self.attempts.counts

    @property
    def notes(self) -> Notes:
        """What the user must know."""
        return self.answers.notes

    async def call(
        self, route: Route, request: Request, clock: TrialClock, *, role: str = "answer"
    ) -> Exchange:
        """Make one call; the response, or why there is none, is in the exchange.

        Args:
            route: how the call reaches the model.
            request: what is sent.
            clock: the trial's time, which the call uses up.
            role: whose call it is: ``answer``, ``judge:<name>``, ...
        """
        if self.refusal is not None:
            return _failed(route, request, role, self._refused(self.refusal))
        if route.provider.recorded:
            return await _play(route, request, role)
        try:
            identity = CallIdentity.of(route, request, role)
        except AnswerError as error:
            return _failed(route, request, role, error)
        except Exception as error:  # noqa: BLE001 - a provider may be a plugin's: it is named
            return _failed(route, request, role, provider_error(route, error))
        if not self.answers.shares:
            return await self._call_once(route, request, clock, identity)
        return await self._share(route, request, clock, identity)

    async def _share(
        self, route: Route, request: Request, clock: TrialClock, identity: CallIdentity
    ) -> Exchange:
        """Wait for an equal call under way, else make the call for all that wait for it."""
        while (pending := self._in_flight.get(identity.key)) is not None:
            shared = await _shared_exchange(pending)
            if shared is not None:
                self.counts.reused += shared.response is not None
                return shared.model_copy(
                    update={
                        "request": request,
                        "role": identity.role,
                        "source": "stored",
                        "attempts": (),
                    }
                )
        future = self._in_flight[identity.key] = asyncio.get_running_loop().create_future()
        try:
            exchange = await self._call_once(route, request, clock, identity)
            future.set_result(exchange)
        except BaseException:
            future.cancel()
            raise
        finally:
            del self._in_flight[identity.key]
        return exchange

    def _refused(self, reason: str) -> AnswerError:
        """Return the refusal: an error the first time, ``not_run`` after that."""
        if self._refusal_reported:
            return AnswerError("not_run", reason)
        self._refusal_reported = True
        return AnswerError("unauthorized", reason)

    async def _call_once(
        self, route: Route, request: Request, clock: TrialClock, identity: CallIdentity
    ) -> Exchange:
        """Use the stored answer, or call and store the response."""
        answer = self.answers.find(route, identity)
        if answer is not None:
            self.counts.reused += 1
            return Exchange(
                request=request,
                response=answer.response,
                role=identity.role,
                model_id=route.model.id,
                key=identity.key,
                source="stored",
                cost_usd=answer.cost_usd,
            )
        errors: list[ErrorInfo] = []

        async def save(response: Response, cost_usd: float | None) -> None:
            await self.answers.save(route, request, identity, response, cost_usd)

        try:
            if self.answers.replays and route.is_stored:
                raise AnswerError("stale", self.answers.explain_missing(route, request, identity))
            cost_usd, response = await self.attempts.call(route, request, clock, save, errors)
        except AnswerError as error:
            exchange = _failed(route, request, identity.role, error)
            return exchange.model_copy(update={"key": identity.key, "attempts": tuple(errors)})
        only_stored = not route.is_stored and _made_only_stored_calls(response)
        return Exchange(
            request=request,
            response=response,
            role=identity.role,
            model_id=route.model.id,
            key=identity.key,
            source="stored" if only_stored else "asked",
            cost_usd=cost_usd,
            attempts=tuple(errors),
        )


async def _play(route: Route, request: Request, role: str) -> Exchange:
    """Take a response that the dataset records: no call is made, nothing is stored."""
    try:
        response = await route.provider.complete(request)
    except AnswerError as error:
        exchange = _failed(route, request, role, error)
        return exchange.model_copy(update={"source": "scripted"})
    return Exchange(
        request=request,
        response=response,
        role=role,
        model_id=route.model.id,
        source="scripted",
        cost_usd=route.cost_of(response),
    )


async def _shared_exchange(pending: "asyncio.Future[Exchange]") -> Exchange | None:
    """Wait for an equal call of another trial; None if that trial ended, not the call."""
    await asyncio.wait({pending})
    if pending.cancelled():
        return None
    exchange = pending.result()
    gave_up = exchange.error is not None and exchange.error.type == "deadline"
    return None if gave_up else exchange


def _failed(route: Route, request: Request, role: str, error: AnswerError) -> Exchange:
    """Make the exchange of a call without a response."""
    return Exchange(
        request=request,
        error=ErrorInfo.of(error),
        role=role,
        model_id=route.model.id,
        source="asked",
    )


def _made_only_stored_calls(response: Response) -> bool:
    """Whether user code ran and each of its calls had a stored answer."""
    calls = response.metadata.get("recorded_calls")
    return isinstance(calls, dict) and calls.get("asked") == 0
