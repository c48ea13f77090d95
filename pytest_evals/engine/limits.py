"""Limits on calls: how many at once, how many a minute, and what a server's pushback does to them.

One `Limiter` stands before each model. It lets at most `most` calls run at once, halves that when
the server pushes back (429, 503, overloaded) and lets it grow again by one for every round of
successes: additive increase, multiplicative decrease, as TCP does (Chiu and Jain, 1989). Waiting
here costs a trial none of its own time.
"""

import asyncio
from collections import deque
from time import monotonic


class Limiter:
    """Lets calls through to one model.

    Args:
        most: calls at once, at the most.
        requests_per_minute: None is unlimited.
        tokens_per_minute: None is unlimited; a call is booked with an estimate, and corrected.
    """

    def __init__(
        self,
        most: int,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        self.most = most
        self.limit = float(most)
        self.active = 0
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self._paused_until = 0.0
        self._wake: asyncio.TimerHandle | None = None
        self._last_cut = 0.0
        self._request_pace = Pace(requests_per_minute)
        self._token_pace = Pace(tokens_per_minute)

    def slot(self, tokens: float = 0.0) -> "Slot":
        """Hold one place for the length of a call: ``async with limiter.slot():``.

        Args:
            tokens: what the call is expected to use.
        """
        return Slot(self, tokens)

    async def enter(self, tokens: float) -> None:
        """Wait for a place and take it."""
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
        """Give a place back."""
        self.active -= 1
        if self._waiting:
            self._admit()

    def _open(self) -> bool:
        """Whether a call may begin now."""
        if self.active >= max(1, int(self.limit)):
            return False
        return self._delay() <= 0

    def _delay(self) -> float:
        """Return the seconds until time allows another call."""
        now = monotonic()
        return max(
            self._paused_until - now,
            self._request_pace.delay(now),
            self._token_pace.delay(now),
        )

    def _take(self, tokens: float) -> None:
        """Book a place."""
        now = monotonic()
        self.active += 1
        self._request_pace.book(now, 1)
        self._token_pace.book(now, tokens)

    def _admit(self) -> None:
        """Let those in who may come in; come back when time alone holds the next one."""
        while self._waiting and self._open():
            future, tokens = self._waiting.popleft()
            if not future.done():
                self._take(tokens)
                future.set_result(None)
        if self._waiting and self._wake is None and self.active < max(1, int(self.limit)):
            loop = asyncio.get_running_loop()
            self._wake = loop.call_later(max(0.001, self._delay()), self._woken)

    def _woken(self) -> None:
        """Look again after a pause."""
        self._wake = None
        self._admit()

    def succeeded(self, tokens: int | None = None, expected: float = 0.0) -> None:
        """Count a success: the limit grows by one for every round of them.

        Args:
            tokens: what the call really used; None is unknown.
            expected: what was booked for it.
        """
        if self.limit < self.most:
            self.limit = min(self.most, self.limit + 1 / max(1.0, self.limit))
        if tokens is not None:
            self._token_pace.correct(tokens - expected)

    def pushed_back(self, started: float, retry_after_s: float | None) -> None:
        """Halve the limit, once for all calls that were under way; wait as the server asks.

        Args:
            started: when the refused call began, by `time.monotonic`.
            retry_after_s: seconds the server asked us to wait; None where it did not say.
        """
        now = monotonic()
        if started >= self._last_cut:
            self.limit = max(1.0, self.limit / 2)
            self._last_cut = now
        if retry_after_s:
            self.pause(retry_after_s)

    def pause(self, seconds: float) -> None:
        """Let nothing through for so many seconds."""
        self._paused_until = max(self._paused_until, monotonic() + seconds)


class Slot:
    """One place at a limiter, held while a call runs."""

    __slots__ = ("_limiter", "_tokens")

    def __init__(self, limiter: Limiter, tokens: float) -> None:
        self._limiter = limiter
        self._tokens = tokens

    async def __aenter__(self) -> None:
        await self._limiter.enter(self._tokens)

    async def __aexit__(self, *_: object) -> None:
        self._limiter.leave()


class Pace:
    """A rate a minute, kept by spacing: each booking moves the moment of the next one.

    Args:
        per_minute: how much a minute; None is unlimited.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._per_second = None if per_minute is None else per_minute / 60
        self._free_at = 0.0

    def delay(self, now: float) -> float:
        """Return the seconds until something may be booked."""
        return 0.0 if self._per_second is None else self._free_at - now

    def book(self, now: float, amount: float) -> None:
        """Book an amount."""
        if self._per_second is not None:
            self._free_at = max(self._free_at, now) + amount / self._per_second

    def correct(self, amount: float) -> None:
        """Add what a booking turned out to be more; a negative amount gives back."""
        if self._per_second is not None:
            self._free_at += amount / self._per_second
