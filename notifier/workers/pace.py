"""An even flow of requests by the clock: a bucket of at most half a second's worth."""

from notifier.clock import Clock
from notifier.domain.budget import Bucket


class Pace:
    """Lets `rate` turns a second through. Units: `rate` per second."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._clock = clock
        self._bucket = Bucket(rate, clock.monotonic())

    def wait_s(self) -> float:
        """Take the next turn and return how long to wait for it; nought or less is now."""
        return self._bucket.take(self._clock.monotonic())

    def due_in_s(self) -> float:
        """Return how long the next turn is off, without taking it."""
        return self._bucket.due_in_s(self._clock.monotonic())
