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
        ...

    def monotonic(self) -> float:
        """Return seconds that never step back, for durations."""
        ...

    def roll(self) -> float:
        """Return a number in [0, 1) for jitter."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        """Return True once the event is set, False when the time is over first."""
        ...


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


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(at: datetime) -> int:
    """Return the instant as whole milliseconds since the epoch."""
    return (at - EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    """Return the aware UTC instant of so many milliseconds since the epoch."""
    return EPOCH + timedelta(milliseconds=ms)


def seconds(s: float) -> timedelta:
    """Return a duration, for readable arithmetic with instants."""
    return timedelta(seconds=s)


def iso(at: datetime) -> str:
    """Return the instant as RFC 3339 text with milliseconds and Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
