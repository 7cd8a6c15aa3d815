"""The best any policy could do that knows the law of each sight: dynamic programming over ages.

V(a), the cost still to come of an order unchanged at age a, times the share S(a) of orders that come so far, is

    V(a) = min over x of  price·S(a) + integral from a to x of (F(u) - F(a)) du + V(x)

with F = 1 - S the empirical law of lives already told. Past the window a look costs nothing and a change counts
nothing. The ages it is asked about are those a daemon can know: it is never told when a change happened.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import NamedTuple

from notifier.errors import InvalidValue
from notifier.simulation.lives import Life, Sight
from notifier.simulation.world import LONGEST_S, SHORTEST_S

try:
    import numpy as np
    from numpy.typing import NDArray
except ModuleNotFoundError:
    raise InvalidValue(
        "--policy", "optimal needs numpy; install the notifier with its extra `simulate`"
    ) from None

Floats = NDArray[np.float64]
_FINE_S, _FINE_UNTIL_S = 0.5, 30.0
_RATIO = 1.03
_QUANTILES = 100
_PSEUDO_EVENTS = 1.0
_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Law:
    """When a sight ends: at `ages`, from nought to the window's end, the share that has, and its integral."""

    ages: Floats
    share: Floats
    integral: Floats

    @classmethod
    def of(cls, ages: Floats, hazards: Floats) -> "Law":
        """Return the law with these hazards, one for each cell between ages."""
        widths = np.diff(ages)
        left = np.exp(-np.concatenate(([0.0], np.cumsum(hazards * widths))))
        rate = np.where(hazards > 0, hazards, 1.0)
        stood = np.where(hazards > 0, -np.expm1(-hazards * widths) / rate, widths)
        return cls(ages, 1.0 - left, np.concatenate(([0.0], np.cumsum(widths - left[:-1] * stood))))

    def mean_age(self, before_s: float, age_s: float) -> float:
        """Return when a change between these ages is to be expected."""
        (f1, f2) = np.interp((before_s, age_s), self.ages, self.share)
        (g1, g2) = np.interp((before_s, age_s), self.ages, self.integral)
        if f2 - f1 <= _NOTHING or age_s > self.ages[-1]:
            return (before_s + age_s) / 2
        mean = (age_s * f2 - before_s * f1 - (g2 - g1)) / (f2 - f1)
        return float(min(max(mean, before_s), age_s))


@dataclass(frozen=True, slots=True)
class Programme:
    """A law solved for one price: `values` is V at each age."""

    law: Law
    price_s: float
    values: Floats

    @classmethod
    def solve(cls, law: Law, price_s: float) -> "Programme":
        """Return the solved programme."""
        ages, last = law.ages, len(law.ages) - 1
        values = np.zeros(len(ages))
        solved = cls(law, price_s, values)
        for place in range(last - 1, -1, -1):
            values[place] = solved._best(float(ages[place]))[1]
        return solved

    def next_age(self, age_s: float) -> float:
        """Return the best age for the next look."""
        if age_s + SHORTEST_S >= self.law.ages[-1]:
            return age_s + SHORTEST_S
        return min(max(self._best(age_s)[0], age_s + SHORTEST_S), age_s + LONGEST_S)

    def _best(self, age_s: float) -> tuple[float, float]:
        """Return the next look, and the cost from here times the share that comes here."""
        ages, law = self.law.ages, self.law
        share = float(np.interp(age_s, ages, law.share))
        from_ = min(int(np.searchsorted(ages, age_s + SHORTEST_S - _NOTHING)), len(ages) - 1)
        to = max(int(np.searchsorted(ages, age_s + LONGEST_S, side="right")), from_ + 1)
        costs = law.integral[from_:to] - share * (ages[from_:to] - age_s) + self.values[from_:to]
        costs[: len(ages) - 1 - from_] += self.price_s * (1.0 - share)
        best = int(np.argmin(costs))
        base = float(np.interp(age_s, ages, law.integral))
        return float(ages[from_ + best]), float(costs[best]) - base


class Belief(NamedTuple):
    """What stands, and since when: seconds since the order's creation."""

    sight: Sight
    since_s: float


@dataclass(slots=True)
class Optimal:
    """The programmes of every sight, each solved when it is first met."""

    laws: "Laws"
    price_s: float
    _solved: dict[Sight, Programme] = field(default_factory=dict)

    def begin(self, sight: Sight) -> Belief:
        return Belief(sight, 0.0)

    def look(self, belief: Belief, sight: Sight | None, *, before_s: float, now_s: float) -> Belief:
        if sight is None:
            return belief
        since_s = belief.since_s
        law = self._programme(belief.sight).law
        return Belief(sight, since_s + law.mean_age(before_s - since_s, now_s - since_s))

    def next_s(self, belief: Belief, now_s: float) -> float:
        return belief.since_s + self._programme(belief.sight).next_age(now_s - belief.since_s)

    def _programme(self, sight: Sight) -> Programme:
        if sight not in self._solved:
            self._solved[sight] = Programme.solve(self.laws.of(sight), self.price_s)
        return self._solved[sight]


class Laws:
    """The empirical law of every sight; a rare one leans on the same sight of any method."""

    def __init__(self, stretches: Iterable["Stretch"], *, window_s: float) -> None:
        self._window_s = window_s
        self._of: dict[Sight, list[tuple[float, float, bool]]] = {}
        for each in stretches:
            end_s = min(each.until_s, window_s)
            if each.from_s < end_s:
                self._of.setdefault(each.sight, []).append((each.from_s, end_s, each.until_s <= window_s))

    def of(self, sight: Sight) -> Law:
        """Return the law of a sight; one never met stands for ever."""
        every = sight._replace(method="")
        pooled = [each for met, told in self._of.items() if met._replace(method="") == every for each in told]
        ages = _grid([until_s for _, until_s, changed in pooled if changed], self._window_s)
        events, exposure = _counted(pooled, ages)
        parent = np.divide(events, exposure, out=np.zeros_like(events), where=exposure > 0)
        events, exposure = _counted(self._of.get(sight, ()), ages)
        with np.errstate(divide="ignore"):
            return Law.of(ages, (events + _PSEUDO_EVENTS) / (exposure + _PSEUDO_EVENTS / parent))


class Stretch(NamedTuple):
    """How long a sight stood: the age at which it was first seen, and at which it changed (infinite: never)."""

    sight: Sight
    from_s: float
    until_s: float


def exact(lives: Iterable[Life]) -> Iterator[Stretch]:
    """Yield what each life would show to one who is told of every change at once."""
    for life in lives:
        for sight, (entered_s, left_s) in zip(life.sights, pairwise((0.0, *life.times, inf)), strict=True):
            yield Stretch(sight, 0.0, left_s - entered_s)


def believed(lives: Iterable[Life], policy: Optimal, *, window_s: float) -> Iterator[Stretch]:
    """Yield the same by the ages that this policy believes, which are those it will be asked about."""
    for life in lives:
        seen, now_s = 0, 0.0
        belief = policy.begin(life.sights[0])
        while now_s < window_s:
            changes_s = (*life.times[seen:], inf)[0]
            yield Stretch(belief.sight, now_s - belief.since_s, changes_s - belief.since_s)
            if changes_s >= window_s:
                break
            before_s = now_s
            while now_s < changes_s:
                before_s, now_s = now_s, policy.next_s(belief, now_s)
            seen = bisect_right(life.times, now_s, seen)
            belief = policy.look(belief, life.sights[seen], before_s=before_s, now_s=now_s)


def _grid(changes: Sequence[float], window_s: float) -> Floats:
    """Return ages: narrow early, wider later, and narrow wherever changes crowd."""
    fine = np.arange(0.0, min(_FINE_UNTIL_S, window_s), _FINE_S)
    wide = np.geomspace(
        _FINE_UNTIL_S, window_s, max(int(np.log(window_s / _FINE_UNTIL_S) / np.log(_RATIO)), 2)
    )
    crowds = np.quantile(changes, np.linspace(0, 1, _QUANTILES)) if changes else np.zeros(0)
    # Steps of the longest interval back from the end: with any other, it would take one look more to get there.
    strides = np.arange(window_s, 0.0, -LONGEST_S)
    rounded = np.ceil(np.concatenate((fine, wide, crowds, strides)) / _FINE_S) * _FINE_S
    return np.unique(np.append(rounded[rounded < window_s], window_s))


def _counted(stretches: Sequence[tuple[float, float, bool]], ages: Floats) -> tuple[Floats, Floats]:
    """Return changes and order-seconds in each cell between ages."""
    told = np.array(stretches, dtype=np.float64).reshape(-1, 3)
    events, _ = np.histogram(told[told[:, 2] > 0, 1], bins=ages)
    return events.astype(np.float64), _seconds(told[:, 1], ages) - _seconds(told[:, 0], ages)


def _seconds(stood: Floats, ages: Floats) -> Floats:
    """Return the seconds that those who stood so long spent in each cell."""
    widths = np.diff(ages)
    cells = np.clip(np.searchsorted(ages, stood, side="right") - 1, 0, len(widths) - 1)
    passed = len(stood) - np.cumsum(np.bincount(cells, minlength=len(widths)))
    inside = np.bincount(cells, weights=np.minimum(stood - ages[cells], widths[cells]), minlength=len(widths))
    return passed * widths + inside


def solved(lives: Sequence[Life], price_s: float, *, window_s: float) -> Optimal:
    """Return the optimum for the law of these lives, told in the ages that the optimum itself will believe."""
    told_all = Optimal(Laws(exact(lives), window_s=window_s), price_s)
    return Optimal(Laws(believed(lives, told_all, window_s=window_s), window_s=window_s), price_s)
