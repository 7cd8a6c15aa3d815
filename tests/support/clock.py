"""A clock that a test moves by hand; waiting tasks wake in the order of their instants."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from notifier.domain.instant import to_ms

START = datetime(2026, 3, 2, 6, 15, tzinfo=UTC)


class FakeClock:
    def __init__(self, start: datetime = START, roll: float = 0.5) -> None:
        self._now = start
        self._start = start
        self.next_roll = roll
        self._drift = timedelta()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[bool]]] = []
        self._count = 0

    def now(self) -> datetime:
        return self._now

    def now_ms(self) -> int:
        return to_ms(self._now)

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def roll(self) -> float:
        return self.next_roll

    def _sleeper(self, seconds: float) -> "asyncio.Future[bool]":
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), self._count, future))
        return future

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await self._sleeper(seconds)

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        if event.is_set():
            return True
        timer = self._sleeper(timeout_s)
        waiter = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({timer, waiter}, return_when=asyncio.FIRST_COMPLETED)
            return event.is_set()
        finally:
            waiter.cancel()
            timer.cancel()

    def machine_s(self, seconds: float) -> float:
        return seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock without time passing, as an operator or a resumed machine does."""
        self._drift += timedelta(seconds=seconds)

    def drift(self) -> timedelta:
        return self._drift

    def follow(self) -> None:
        self._now += self._drift
        self._start += self._drift
        # Whoever sleeps does so by the monotonic clock.
        self._sleepers = [(at + self._drift, count, future) for at, count, future in self._sleepers]
        self._drift = timedelta()

    async def advance(self, seconds: float, settled: Callable[[], Awaitable[None]] | None = None) -> None:
        """Move on, waking each sleeper at its own instant and letting it run before the next.

        What runs beyond this loop, such as a transaction, takes its own time: `settled` waits for that, too.
        """
        settled = settled or settle
        end = self._now + timedelta(seconds=seconds)
        await settled()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, future = heapq.heappop(self._sleepers)
            if future.done():
                continue
            self._now = max(self._now, at)
            future.set_result(True)
            await settled()
        self._now = end
        await settled()


async def settle(turns: int = 20) -> None:
    """Let everything that is ready run."""
    for _ in range(turns):
        await asyncio.sleep(0)
