"""An even flow of requests: a bucket of at most half a second's worth, unless more is asked for."""

from typing import NamedTuple

from notifier.clock import Clock

_BURST_S = 0.5


class Rate(NamedTuple):
    """So many turns a second, and how many seconds' worth of them may come at once after a rest."""

    per_s: float
    burst_s: float = _BURST_S


class Pace:
    """Lets `rate` turns a second through. Units: `rate` per second."""

    def __init__(self, rate: float, clock: Clock, *, burst_s: float = _BURST_S) -> None:
        self._gap_s = 1.0 / rate
        self._burst_s = burst_s
        self._clock = clock
        self._free_at = clock.monotonic() - burst_s - self._gap_s

    def wait_s(self) -> float:
        """Take the next turn and return how long to wait for it; nought or less is now."""
        now = self._clock.monotonic()
        self._free_at = self._next_at(now)
        return self._free_at - now

    def due_in_s(self) -> float:
        """Return how long the next turn is off, without taking it."""
        now = self._clock.monotonic()
        return self._next_at(now) - now

    def _next_at(self, now: float) -> float:
        return max(self._free_at, now - self._burst_s - self._gap_s) + self._gap_s
