"""What the upstream grants, spent where it saves most delay: a bucket of turns, the rate it bears, the price that fits.

A request costs as much as so many seconds of delay. While the budget has room the price is the configured one; when
it binds, the price rises until what is asked for fits, and whoever has waited worst goes first. Nothing here follows
the length of a backlog: prices that do collapse after a step.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, log, log2, sqrt
from operator import itemgetter
from typing import Generic, TypeVar

T = TypeVar("T")

BURST_S = 0.5
_HAIR_S = 1e-6
"""What sums of floats may be off by: a turn that is due must not seem to be a billionth of a second away."""
_HIGHEST_PRICE_S = 1e9
_EXACT = 0.001
_PER_OCTAVE = 8
_SHORTEST_S = 1e-3
_LEAST_SHARE = 1 / 64
_STEP_UP = 0.1
_CALM_S = 60.0
_SLOW = 3.0
_SLOW_S = 1.0
_QUICK, _SLUGGISH = 0.1, 0.005
_SAMPLES = 50


class Bucket:
    """An even flow of turns. Units: `rate` per second, instants in seconds.

    Whole turns of at most `burst_s` are saved up; with half a second no ten
    seconds see more than a twentieth above their own.
    """

    def __init__(self, rate: float, now_s: float, *, burst_s: float = BURST_S) -> None:
        self._burst_s = burst_s
        self.rate = rate
        self._free_at_s = now_s - self._saved_s - self._gap_s

    @property
    def rate(self) -> float:
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = rate
        self._gap_s = 1.0 / rate
        self._saved_s = int(self._burst_s * rate) * self._gap_s + _HAIR_S

    def take(self, now_s: float) -> float:
        """Take the next turn and return how long to wait for it; nought or less is now."""
        self._free_at_s = self._next_s(now_s)
        return _off_s(self._free_at_s, now_s)

    def due_in_s(self, now_s: float) -> float:
        """Return how long the next turn is off, without taking it."""
        return _off_s(self._next_s(now_s), now_s)

    def turns(self, now_s: float, within_s: float) -> int:
        """Return how many turns begin within so many seconds."""
        return max(0, int((now_s + within_s - self._next_s(now_s)) / self._gap_s + 1.0))

    def rest(self, until_s: float) -> None:
        """Let nothing go before an instant, and no more at once afterwards."""
        self._free_at_s = max(self._free_at_s, until_s - self._gap_s)

    def _next_s(self, now_s: float) -> float:
        return max(self._free_at_s + self._gap_s, now_s - self._saved_s)


def _off_s(at_s: float, now_s: float) -> float:
    off_s = at_s - now_s
    return 0.0 if 0 < off_s <= _HAIR_S else off_s


class Throttle:
    """The rate that the upstream bears, never above what it grants: less when it says so, slowly more in calm.

    Half after a refusal (429), three quarters when answers take three times as long as they used to; a tenth of what
    is granted more after each minute without either. Units: requests per second; instants and durations in seconds.
    """

    def __init__(self, granted: float, now_s: float) -> None:
        self.granted = granted
        self.rate = granted
        self._changed_at_s = now_s
        self._recent_s = self._usual_s = 0.0
        self._samples = 0

    def refused(self, started_s: float, now_s: float) -> bool:
        """Take a 429 into account; of several requests under way at once only the first counts."""
        if started_s < self._changed_at_s and self.rate < self.granted:
            return False
        self._slow_down(0.5, now_s)
        return True

    def answered(self, lasted_s: float, now_s: float) -> bool:
        """Take the time of an answer into account; return whether the rate changed."""
        self._samples += 1
        if self._samples == 1:
            self._recent_s = self._usual_s = lasted_s
        self._recent_s += _QUICK * (lasted_s - self._recent_s)
        self._usual_s += _SLUGGISH * (lasted_s - self._usual_s)
        if now_s - self._changed_at_s < _CALM_S or self._samples < _SAMPLES:
            return False
        if self._recent_s > max(_SLOW_S, _SLOW * self._usual_s):
            self._slow_down(0.75, now_s)
            return True
        if self.rate < self.granted:
            self.rate = min(self.granted, self.rate + _STEP_UP * self.granted)
            self._changed_at_s = now_s
            return True
        return False

    def _slow_down(self, share: float, now_s: float) -> None:
        self.rate = max(self.rate * share, self.granted * _LEAST_SHARE)
        self._changed_at_s = now_s


@dataclass(frozen=True, slots=True)
class Load:
    """So many looks that are alike. Units: seconds; `interval_s` is what they would be given at a price of 1 s."""

    count: int
    interval_s: float
    floor_s: float
    ceiling_s: float


def pace_of(interval_s: float, price_s: float) -> int:
    """Return how often a look asks to be made: its interval at a price of 1 s, in eighths of octaves."""
    return round(_PER_OCTAVE * log2(max(interval_s, _SHORTEST_S) / sqrt(price_s)))


def load_of(pace: int, count: int, *, floor_s: float, ceilings_s: tuple[float, float]) -> Load:
    """Return so many looks of a pace; one that is past the first ceiling is of the class that has the second."""
    interval_s = 2.0 ** (pace / _PER_OCTAVE)
    first_s, last_s = ceilings_s
    return Load(count, interval_s, floor_s, first_s if interval_s <= first_s else last_s)


@dataclass(frozen=True, slots=True)
class Fit:
    """The price at which demand fits. `stretch` is 1 unless even the ceilings ask for more than there is."""

    price_s: float
    stretch: float = 1.0


def demand(loads: Iterable[Load], price_s: float) -> float:
    """Return the requests per second asked for at a price: for constant hazards an interval grows as its root."""
    root = sqrt(price_s)
    return sum(each.count / min(max(each.interval_s * root, each.floor_s), each.ceiling_s) for each in loads)


def price_that_fits(loads: Sequence[Load], *, rate: float, base_price_s: float) -> Fit:
    """Return the least price from the base on whose demand is within the rate, by bisection on its logarithm.

    When even the ceilings ask for more, all intervals are to be stretched by one factor.
    """
    if demand(loads, base_price_s) <= rate:
        return Fit(base_price_s)
    if (least := demand(loads, _HIGHEST_PRICE_S)) > rate:
        return Fit(_dearest(loads, base_price_s), least / rate)
    low, high = log(base_price_s), log(_HIGHEST_PRICE_S)
    while high - low > _EXACT:
        middle = (low + high) / 2
        if demand(loads, exp(middle)) > rate:
            low = middle
        else:
            high = middle
    return Fit(exp(high))


def _dearest(loads: Sequence[Load], base_price_s: float) -> float:
    """Return the price from which every interval is at its ceiling."""
    prices = [(each.ceiling_s / each.interval_s) ** 2 for each in loads if each.interval_s < inf]
    return max([base_price_s, *prices])


@dataclass(frozen=True, slots=True)
class Served(Generic[T]):
    """Who of those whose time has come goes now, worst first, and who is to wait until its regret is `level_s`."""

    now: list[T]
    later: list[T]
    level_s: float


def serve(ready: Iterable[tuple[float, T]], room: int, *, price_s: float) -> Served[T]:
    """Divide those who are ready, each with its regret, by descending regret; equals keep their order.

    Who is left out waits until its regret is the price, or that of the last who goes, whichever is more: so they are
    not weighed again before they stand a chance, and the next in line are seen.
    """
    ranked = sorted(ready, key=itemgetter(0), reverse=True)
    now, later = ranked[:room], ranked[room:]
    marginal_s = now[-1][0] if now and isfinite(now[-1][0]) else 0.0
    return Served([each for _, each in now], [each for _, each in later], max(price_s, marginal_s))
