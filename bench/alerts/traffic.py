"""Synthetic payment traffic with a seed: orders have one gateway, one method and one bank, so slices overlap.

The rate of failure of a combination is, in log odds, the account's level, what its gateway, method and bank add for
good, a swing by the hour that all share, and slow noise of its gateway, its method and its bank: each an AR(1) of its
own with the given standard deviation, so that a slice of one dimension has at least that much noise, a pair 1.4 times.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from notifier.domain.alert.report import Place

GATEWAYS, METHODS, BANKS = 5, 8, 25
SLICES = 119
DAY = 1440
BASE = 0.12
UNLIKE = {"gateway": 0.3, "payment_method_type": 0.5, "bank": 0.5}
"""Standard deviations, in log odds, of what the values of a dimension add for good: slices fail at 3 to 40 %."""
ZIPF = {"gateway": 0.8, "payment_method_type": 1.0, "bank": 1.1}
AFFINITY = 0.7
"""Standard deviation, in logs, of how much more or less often two values meet than their shares say."""
SWING, TRAFFIC_SWING = 0.15, 0.85
NOISE_MINUTES = 90
_NAMES = ("gateway", "payment_method_type", "bank")
_SIZES = (GATEWAYS, METHODS, BANKS)

Cells = NDArray[np.float64]
Numbers = NDArray[np.int64]
Column = tuple[list[int], list[int]]
"""Orders and failed orders of one minute, one of each a slice."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """From `minute` on (a fraction counts in part) a place fails at `rate` instead of its normal one."""

    place: Place
    minute: float
    rate: float


class World:
    """One merchant: how its orders spread, how often they fail, and in which slices it is watched."""

    def __init__(self, seed: int, *, orders_an_hour: float, noise: float) -> None:
        self._dice = np.random.default_rng([seed, 20_261_123])
        self.noise = noise
        self.shares = self._shares()
        self.base = self._base()
        self.per_minute = orders_an_hour / 60
        self._phase = self._dice.uniform(0, DAY, size=2)
        self._wobble = [self._dice.normal(0, noise, size) for size in _SIZES]
        self.places = self._places()
        self._axes = [_cells_of(place) for place in self.places]

    def _shares(self) -> Cells:
        dice = self._dice
        one, two, three = (
            np.arange(1, size + 1) ** -ZIPF[name] for name, size in zip(_NAMES, _SIZES, strict=True)
        )
        of_gateways = np.exp(dice.normal(0, AFFINITY, (GATEWAYS, METHODS)))
        of_banks = np.exp(dice.normal(0, AFFINITY, (METHODS, BANKS)))
        cells = one[:, None, None] * two[None, :, None] * three[None, None, :]
        cells = cells * of_gateways[:, :, None] * of_banks[None, :, :]
        return np.asarray(cells / cells.sum())

    def _base(self) -> Cells:
        one, two, three = (
            self._dice.normal(0, UNLIKE[name], size) for name, size in zip(_NAMES, _SIZES, strict=True)
        )
        return np.asarray(_logit(BASE) + one[:, None, None] + two[None, :, None] + three[None, None, :])

    def _places(self) -> list[Place]:
        """Return the whole, every single value, and the pairs with the most orders, as a detector would choose."""
        values = [
            [(name, f"{name[0].upper()}{at:02}") for at in range(size)]
            for name, size in zip(_NAMES, _SIZES, strict=True)
        ]
        singles: list[Place] = [(value,) for of_name in values for value in of_name]
        pairs: list[Place] = [
            (one, other)
            for first, second in ((0, 1), (0, 2), (1, 2))
            for one in values[first]
            for other in values[second]
        ]
        pairs.sort(key=lambda place: -self.share(place))
        return [(), *singles, *pairs[: SLICES - 1 - len(singles)]]

    def share(self, place: Place) -> float:
        """Return a place's part of the orders."""
        return float(self.shares[_cells_of(place)].sum())

    def rate(self, place: Place) -> float:
        """Return a place's normal rate of failure, over the day and without noise."""
        cells = _cells_of(place)
        return float((self.shares[cells] * _share(self.base[cells])).sum() / self.share(place))

    def level(self, place: Place, rate: float) -> None:
        """Move the whole account so that a place has this normal rate."""
        for _ in range(20):
            self.base += _logit(rate) - _logit(self.rate(place))

    def again(self, number: int) -> "World":
        """Return the same world with another future."""
        other = copy.copy(self)
        other._wobble = [*self._wobble]  # noqa: SLF001 - its own kind
        other._dice = np.random.default_rng([number, int(self._dice.integers(2**32))])  # noqa: SLF001 - as above
        return other

    def traffic_at(self, minute: float) -> float:
        """Return how many times its mean the traffic is, at a minute of the day."""
        return float(1 + TRAFFIC_SWING * np.sin(2 * np.pi * (minute - self._phase[0]) / DAY))

    def minutes(self, first: int, count: int, fault: Fault | None = None) -> Iterator[Column]:
        """Yield the orders and the failed orders of each slice, minute by minute, at most a day drawn at once."""
        for begin in range(first, first + count, DAY):
            failing, well = self._expected(np.arange(begin, min(begin + DAY, first + count)), fault)
            yield from zip(*self._drawn(failing, well), strict=True)

    def minutes_as_seen(
        self, first: int, count: int, fault: Fault, shares: tuple[Cells, Cells]
    ) -> Iterator[tuple[Column, ...]]:
        """Yield each minute in the parts in which it becomes known; `shares` are those of `Lateness`."""
        failing, well = self._expected(np.arange(first, first + count), fault)
        parts = [
            zip(*self._drawn(failing * late, well * others), strict=True)
            for late, others in zip(*shares, strict=True)
        ]
        yield from zip(*parts, strict=True)

    def _drawn(self, failing: Cells, well: Cells) -> tuple[list[list[int]], list[list[int]]]:
        """Draw the orders and the failed orders of each minute and slice."""
        failed = self._dice.poisson(failing)
        orders = failed + self._dice.poisson(well)
        return self._by_slice(orders).tolist(), self._by_slice(failed).tolist()

    def _expected(self, span: Numbers, fault: Fault | None) -> tuple[Cells, Cells]:
        """Return how many orders of each combination are to fail in each minute, and how many are not."""
        swing = SWING * np.sin(2 * np.pi * (span - self._phase[1]) / DAY)
        one, two, three = (self._noise(at, len(span)) for at in range(3))
        odds = self.base[None] + swing[:, None, None, None]
        odds = odds + one[:, :, None, None] + two[:, None, :, None] + three[:, None, None, :]
        rates = _share(odds)
        if fault is not None:
            self._spoil(rates, span, fault)
        traffic = self.per_minute * (1 + TRAFFIC_SWING * np.sin(2 * np.pi * (span - self._phase[0]) / DAY))
        expected = traffic[:, None, None, None] * self.shares[None]
        return expected * rates, expected * (1 - rates)

    def _spoil(self, rates: Cells, span: Numbers, fault: Fault) -> None:
        """Let more orders of a place fail, each alike, so that the place as a whole fails at the fault's rate."""
        normal = self.rate(fault.place)
        more = (fault.rate - normal) / (1 - normal)
        part = np.clip(span + 1 - fault.minute, 0, 1) * more
        cells = (slice(None), *_cells_of(fault.place))
        bad = rates[cells]
        rates[cells] = bad + (1 - bad) * part.reshape(-1, *([1] * (bad.ndim - 1)))

    def _noise(self, dimension: int, count: int) -> Cells:
        keep = np.exp(-1 / NOISE_MINUTES)
        steps = self._dice.normal(0, self.noise * np.sqrt(1 - keep**2), (count, _SIZES[dimension]))
        wobble, found = self._wobble[dimension], np.empty_like(steps)
        for at, step in enumerate(steps):
            wobble = keep * wobble + step
            found[at] = wobble
        self._wobble[dimension] = wobble
        return found

    def _by_slice(self, cells: Numbers) -> Numbers:
        """Sum the combinations into (minutes, slices)."""
        sums = {
            frozenset(kept): cells.sum(axis=tuple(1 + each for each in range(3) if each not in kept))
            for kept in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
        }
        columns = []
        for place in self.places:
            kept = frozenset(_NAMES.index(name) for name, _ in place)
            at = tuple(int(value[1:]) for _, value in place)
            columns.append(sums[kept][(slice(None), *at)])
        return np.stack(columns, axis=1)


def _cells_of(place: Place) -> tuple[int | slice, ...]:
    held = dict(place)
    return tuple(int(held[name][1:]) if name in held else slice(None) for name in _NAMES)


def _logit(rate: float) -> float:
    return float(np.log(rate / (1 - rate)))


def _share(odds: Cells) -> Cells:
    return np.asarray(1 / (1 + np.exp(-odds)))
