"""What is normal: slowly forgotten counts of each slice, drawn to those of its parents, and the hour of the day."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any

from notifier.domain.alert.report import Place
from notifier.domain.alert.slices import parents_of

STEP = 15
"""Minutes that are learned at once."""
DRAWN = 200.0
"""Orders with which a slice's parents speak for it."""
_SPREAD = 0.05
"""How unlike its parents a slice may be, as a correlation: what is not known of a new slice is taken for noise."""
_FIRST_RATE = 0.12
_LEAST_RATE, _MOST_RATE = 0.01, 0.9
_DAY = 1440
_HOURS = 24
_SEASON_AFTER = 3 * _DAY // STEP
_SEASON_DRAWN = 200.0


@dataclass(slots=True)
class Memory:
    """Counts that are forgotten by half every `half_life` minutes, one a slice."""

    half_life: int
    orders: list[float]
    failed: list[float]

    def learn(self, at: int, orders: float, failed: float) -> None:
        keep = 0.5 ** (STEP / self.half_life)
        self.orders[at] = self.orders[at] * keep + orders
        self.failed[at] = self.failed[at] * keep + failed


@dataclass(slots=True)
class Normal:
    """What is to be expected of each slice now: its rate, and how unsure of that we are (as a correlation)."""

    rates: list[float]
    unsure: list[float]


class Baseline:
    """The learned normal of every slice; `day` is for the fast tiers, `week` for the slow one."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        self._parents = _numbered_parents(self.places)
        nothing = [0.0] * len(self.places)
        self.day = Memory(_DAY, [*nothing], [*nothing])
        self.week = Memory(7 * _DAY, [*nothing], [*nothing])
        self._seen = [0.0] * _HOURS
        self._failed = [0.0] * _HOURS
        self._expected = [0.0] * _HOURS
        self._steps = 0

    def learn(self, minute: int, orders: Sequence[int], failed: Sequence[int], skip: Collection[int]) -> None:
        """Take the counts of the STEP minutes up to `minute`, but for the slices to skip.

        Failures are counted as they would be at the day's mean hour, so that the baseline itself has no season.
        """
        shift = self.season(minute - STEP // 2)
        flat = self.normal(self.day, 0.0).rates
        for at, seen in enumerate(orders):
            if at in skip:
                continue
            level = flat[at] / shifted(flat[at], shift)
            self.day.learn(at, seen, failed[at] * level)
            self.week.learn(at, seen, failed[at] * level)
        if 0 not in skip:
            self._learn_hour(minute, orders[0], failed[0], flat[0])

    def _learn_hour(self, minute: int, seen: int, failed: int, flat: float) -> None:
        hour, keep = _hour(minute), 0.5 ** (1 / (7 * 60 / STEP))
        self._seen[hour] = self._seen[hour] * keep + seen
        self._failed[hour] = self._failed[hour] * keep + failed
        self._expected[hour] = self._expected[hour] * keep + seen * flat
        self._steps += 1

    def season(self, minute: int) -> float:
        """Return how the hour shifts every slice, in log odds; nothing before three days were seen."""
        if self._steps < _SEASON_AFTER:
            return 0.0
        hour, part = divmod((minute % _DAY) / 60 - 0.5, 1.0)
        first = self._smooth(int(hour) % _HOURS)
        return first + part * (self._smooth(int(hour + 1) % _HOURS) - first)

    def _smooth(self, hour: int) -> float:
        around = (hour - 1, hour, (hour + 1) % _HOURS)
        seen, failed, expected = (
            sum(share * values[each] for each, share in zip(around, (0.25, 0.5, 0.25), strict=True))
            for values in (self._seen, self._failed, self._expected)
        )
        rate = min(max(expected / seen, _LEAST_RATE), _MOST_RATE) if seen else _FIRST_RATE
        drawn = (failed + _SEASON_DRAWN * rate) / (seen + _SEASON_DRAWN)
        return logit(min(max(drawn, _LEAST_RATE / 2), _MOST_RATE)) - logit(rate)

    def normal(self, memory: Memory, shift: float) -> Normal:
        """Return what to expect of each slice in an hour that shifts it by so many log odds."""
        flat: list[float] = []
        unsure: list[float] = []
        for at, parents in enumerate(self._parents):
            rate, doubt = _of_parents(parents, flat, unsure)
            weight = memory.orders[at]
            drawn = DRAWN / (weight + DRAWN)
            flat.append(_clamped((1 - drawn) * memory.failed[at] / max(weight, 1.0) + drawn * rate))
            unsure.append(drawn * drawn * (_SPREAD + doubt) + (1 - drawn) ** 2 / max(weight, 1.0))
        return Normal([shifted(rate, shift) for rate in flat], unsure)

    def accept(self, at: int, orders: float, failed: float) -> None:
        """Take what is seen now for the new normal of a slice and forget what was."""
        for memory in (self.day, self.week):
            memory.orders[at], memory.failed[at] = orders, failed

    def rearrange(self, places: Sequence[Place]) -> "Baseline":
        """Return what is known, for other places."""
        moved = Baseline(places)
        was = {place: at for at, place in enumerate(self.places)}
        for old, new in ((self.day, moved.day), (self.week, moved.week)):
            for at, place in enumerate(places):
                if place in was:
                    new.orders[at], new.failed[at] = old.orders[was[place]], old.failed[was[place]]
        moved._seen, moved._failed, moved._expected = self._seen, self._failed, self._expected
        moved._steps = self._steps
        return moved

    def document(self) -> dict[str, Any]:
        """Return it as JSON, the slices in the order of `places`."""
        memories = {
            name: [[round(value, 3) for value in values] for values in (memory.orders, memory.failed)]
            for name, memory in (("day", self.day), ("week", self.week))
        }
        return {**memories, "hours": [self._seen, self._failed, self._expected], "steps": self._steps}

    @classmethod
    def from_document(cls, places: Sequence[Place], document: dict[str, Any]) -> "Baseline":
        """Take up what `document` said of the same places."""
        known = cls(places)
        for name, memory in (("day", known.day), ("week", known.week)):
            memory.orders, memory.failed = ([*values] for values in document[name])
        known._seen, known._failed, known._expected = ([*values] for values in document["hours"])
        known._steps = document["steps"]
        return known


def logit(rate: float) -> float:
    """Return the log odds of a rate in (0, 1)."""
    return log(rate / (1.0 - rate))


def shifted(rate: float, shift: float) -> float:
    """Return the rate at odds that are e^shift times as high, within the bounds of a normal rate."""
    return _clamped(1.0 / (1.0 + exp(-logit(rate) - shift))) if shift else rate


def _clamped(rate: float) -> float:
    return min(max(rate, _LEAST_RATE), _MOST_RATE)


def _hour(minute: int) -> int:
    return minute % _DAY // 60


def _numbered_parents(places: Sequence[Place]) -> list[tuple[int, ...]]:
    """Return the numbers of the parents that are alive, else that of the whole; they come before their children."""
    number = {place: at for at, place in enumerate(places)}
    return [
        tuple(sorted({number.get(parent, 0) for parent in parents_of(place)})) if place else ()
        for place in places
    ]


def _of_parents(
    parents: Sequence[int], rates: Sequence[float], unsure: Sequence[float]
) -> tuple[float, float]:
    """Return the rate that the parents speak for: what both shift the whole by, taken together."""
    if not parents:
        return _FIRST_RATE, 0.0
    whole = logit(rates[0])
    total = whole + sum(logit(rates[each]) - whole for each in parents)
    return _clamped(1.0 / (1.0 + exp(-total))), max(unsure[each] for each in parents)
