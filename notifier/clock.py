"""The one place that tells the time, waits, and rolls dice."""

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as the workers see it; tests hand in one that they move by hand."""

    def now(self) -> datetime:
        """Return the present instant, aware UTC, in whole milliseconds so that every store keeps it exactly."""

    def monotonic(self) -> float:
        """Return seconds that never step back, for durations."""

    def roll(self) -> float:
        """Return a number in [0, 1) for jitter."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        """Return True once the event is set, False when the time is over first."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)

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
