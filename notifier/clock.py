"""The one place that tells the time, waits, and rolls dice."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time as the workers see it; tests hand in one that they move by hand."""

    def now(self) -> datetime:
        """Return the present instant, aware UTC, in whole milliseconds so that every store keeps it exactly."""

    def now_ms(self) -> int:
        """Return `now` as milliseconds since the epoch, for lines that run thousands of times a second."""

    def monotonic(self) -> float:
        """Return seconds that never step back, for durations."""

    def drift(self) -> timedelta:
        """Return how far the machine's wall clock has gone ahead of `now`, since somebody set it."""

    def follow(self) -> None:
        """Take the machine's wall clock for `now` again."""

    def roll(self) -> float:
        """Return a number in [0, 1) for jitter."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        """Return True once the event is set, False when the time is over first."""

    def machine_s(self, seconds: float) -> float:
        """Return how many seconds of the machine's so many of these are, for what waits by the machine itself."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def drift(self) -> timedelta:
        return timedelta()

    def follow(self) -> None:
        """There is nothing to do: `now` is the wall clock itself."""

    def monotonic(self) -> float:
        return time.monotonic()  # noqa: TID251 - this is the door

    def roll(self) -> float:
        return random.random()  # noqa: S311 - jitter, not a secret

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        return True

    def machine_s(self, seconds: float) -> float:
        return seconds


class SteadyClock(SystemClock):
    """The time that the daemon goes by: even, whatever is done to the wall clock, until it is told to follow.

    So nothing comes due, lapses or is put off by a step before what is due has been moved along.
    """

    def __init__(self) -> None:
        self.follow()

    def now_ms(self) -> int:
        return (self._ahead_ns + time.monotonic_ns()) // 1_000_000

    def drift(self) -> timedelta:
        return timedelta(microseconds=(self._wall_ns() - time.monotonic_ns() - self._ahead_ns) // 1000)

    def follow(self) -> None:
        self._ahead_ns = self._wall_ns() - time.monotonic_ns()

    def _wall_ns(self) -> int:
        return time.time_ns()


class FastClock(SystemClock):
    """Time that begins now and runs `speed` times as fast as the machine's, for shows and never for real orders."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._begun_ns = time.time_ns()
        self._since_ns = time.monotonic_ns()

    def now_ms(self) -> int:
        return (self._begun_ns + int((time.monotonic_ns() - self._since_ns) * self._speed)) // 1_000_000

    def monotonic(self) -> float:
        return super().monotonic() * self._speed

    async def sleep(self, seconds: float) -> None:
        await super().sleep(self.machine_s(seconds))

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        return await super().wait(event, self.machine_s(timeout_s))

    def machine_s(self, seconds: float) -> float:
        return seconds / self._speed
