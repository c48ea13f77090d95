"""Limiter: concurrent calls, calls per minute, and how a server's pushback changes both.

One `Limiter` guards each model. At most `max_calls` run at once. Pushback (429, 503, overloaded)
halves that limit, and each round of successes raises it by one: additive increase, multiplicative
decrease, as in TCP (Chiu and Jain, 1989). Waiting here uses up none of a trial's time.
"""

import asyncio
from collections import deque
from time import monotonic


class Limiter:
    """Limits the calls to one model.

    Args:
        max_calls: the most concurrent calls.
        requests_per_minute: None is unlimited.
        tokens_per_minute: None is unlimited; a call books an estimate, which is corrected later.
    """

    def __init__(
        self,
        max_calls: int,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        self.max_calls = max_calls
        self.limit = float(max_calls)
        self.active = 0
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self._paused_until = 0.0
        self._wake: asyncio.TimerHandle | None = None
        self._last_cut = 0.0
        self._request_pace = Pace(requests_per_minute)
        self._token_pace = Pace(tokens_per_minute)

    def slot(self, tokens: float = 0.0) -> "Slot":
        """Hold a slot for the length of a call: ``async with limiter.slot():``.

        Args:
            tokens: the expected tokens of the call.
        """
        return Slot(self, tokens)

    async def enter(self, tokens: float) -> None:
        """Wait for a free slot and take it."""
        if not self._waiting and self._open():
            self._take(tokens)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (future, tokens)
        self._waiting.append(waiter)
        self._admit()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.active -= 1
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            self._admit()
            raise

    def leave(self) -> None:
        """Free a slot."""
        self.active -= 1
        if self._waiting:
            self._admit()

    def _open(self) -> bool:
        """Whether a call may start now."""
        if self.active >= max(1, int(self.limit)):
            return False
        return self._delay() <= 0

    def _delay(self) -> float:
        """Return the seconds until the pauses and rates allow another call."""
        now = monotonic()
        return max(
            self._paused_until - now,
            self._request_pace.delay(now),
            self._token_pace.delay(now),
        )

    def _take(self, tokens: float) -> None:
        """Take a slot and book the rates."""
        now = monotonic()
        self.active += 1
        self._request_pace.book(now, 1)
        self._token_pace.book(now, tokens)

    def _admit(self) -> None:
        """Admit waiting calls; set a timer if only time delays the next one."""
        while self._waiting and self._open():
            future, tokens = self._waiting.popleft()
            if not future.done():
                self._take(tokens)
                future.set_result(None)
        if self._waiting and self._wake is None and self.active < max(1, int(self.limit)):
            loop = asyncio.get_running_loop()
            self._wake = loop.call_later(max(0.001, self._delay()), self._woken)

    def _woken(self) -> None:
        """Admit waiting calls after a pause."""
        self._wake = None
        self._admit()

    def succeeded(self, tokens: int | None = None, expected: float = 0.0) -> None:
        """Count a success: each round of them raises the limit by one.

        Args:
            tokens: the tokens of the call; None if unknown.
            expected: the tokens that were booked for it.
        """
        if self.limit < self.max_calls:
            self.limit = min(self.max_calls, self.limit + 1 / max(1.0, self.limit))
        if tokens is not None:
            self._token_pace.correct(tokens - expected)

    def pushed_back(self, started: float, retry_after_s: float | None) -> None:
        """Halve the limit, once for all calls under way, and pause as the server demands.

        Args:
            started: when the refused call began, by `time.monotonic`.
            retry_after_s: the server's ``Retry-After`` in seconds; None if it sent none.
        """
        now = monotonic()
        if started >= self._last_cut:
            self.limit = max(1.0, self.limit / 2)
            self._last_cut = now
        if retry_after_s:
            self.pause(retry_after_s)

    def pause(self, seconds: float) -> None:
        """Start no call for this many seconds."""
        self._paused_until = max(self._paused_until, monotonic() + seconds)


class Slot:
    """A slot of a limiter, held while a call runs."""

    __slots__ = ("_limiter", "_tokens")

    def __init__(self, limiter: Limiter, tokens: float) -> None:
        self._limiter = limiter
        self._tokens = tokens

    async def __aenter__(self) -> None:
        await self._limiter.enter(self._tokens)

    async def __aexit__(self, *_: object) -> None:
        self._limiter.leave()


class Pace:
    """A rate per minute, kept by spacing: each booking delays the next one.

    Args:
        per_minute: the rate; None is unlimited.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._per_second = None if per_minute is None else per_minute / 60
        self._free_at = 0.0

    def delay(self, now: float) -> float:
        """Return the seconds until the next booking; not positive if it may be made now."""
        return 0.0 if self._per_second is None else self._free_at - now

    def book(self, now: float, amount: float) -> None:
        """Book an amount."""
        if self._per_second is not None:
            self._free_at = max(self._free_at, now) + amount / self._per_second

    def correct(self, amount: float) -> None:
        """Correct a booking by the difference to the real amount."""
        if self._per_second is not None:
            self._free_at += amount / self._per_second
