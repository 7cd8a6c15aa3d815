"""An even flow of requests by the clock: a bucket of at most half a second's worth, unless more is asked for."""

from typing import NamedTuple

from notifier.clock import Clock
from notifier.domain.budget import BURST_S, Bucket


class Rate(NamedTuple):
    """So many turns a second, and how many seconds' worth of them may come at once after a rest."""

    per_s: float
    burst_s: float = BURST_S


class Pace:
    """Lets turns through at a rate."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._clock = clock
        self._bucket = Bucket(rate.per_s, clock.monotonic(), burst_s=rate.burst_s)

    def wait_s(self) -> float:
        """Take the next turn and return how long to wait for it; nought or less is now."""
        return self._bucket.take(self._clock.monotonic())

    def due_in_s(self) -> float:
        """Return how long the next turn is off, without taking it."""
        return self._bucket.due_in_s(self._clock.monotonic())
