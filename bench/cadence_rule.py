"""The odds rule alone: what it costs under a law that it knows, to the best that can be done under that law.

The window's end is no end here. Were it one, the optimum would plan for looks that cost nothing past it, of which the
rule knows nothing: up to two per cent of the cost, and no virtue of the optimum's. So whoever is unchanged at the end
still has the cost of waiting on at a constant hazard, the same for both sides, and what is common is taken off again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import expm1, log

import numpy as np

from notifier.domain.cadence.ages import BINS, EDGES
from notifier.domain.cadence.law import Law as KnownLaw
from notifier.domain.order import Phase, phase_of
from notifier.simulation.lives import Life
from notifier.simulation.optimal import Floats, Law, Laws, exact
from notifier.simulation.world import LONGEST_S, SHORTEST_S, WINDOW_S

_OFTEN = 200
_LEAST = 1e-9
_TAIL_S = 3600.0
_LOWEST_PER_S = 1e-7
_AGES = np.unique(
    np.concatenate(
        (
            np.arange(0, 600, 0.5),
            np.arange(600, 3600, 2.0),
            np.arange(3600, WINDOW_S + LONGEST_S + 1, 10.0),
        )
    )
)


def rule_to_optimum(told: Sequence[Life], price_s: float) -> float:
    """Return the cost of the rule to that of the optimum, over single changes of orders under way."""
    laws = Laws(exact(told), window_s=WINDOW_S)
    visits = Counter(each.sight for each in exact(told))
    rule = best = 0.0
    for sight, count in visits.items():
        if count >= _OFTEN and phase_of(sight.status) is Phase.OPEN:
            waiting = _Waiting.under(laws.of(sight), price_s)
            rule += count * waiting.of_rule()
            best += count * waiting.of_optimum()
    return rule / best


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One law, as the daemon knows it and by the grid, and the cost of waiting on past the window, in seconds."""

    known: KnownLaw
    law: Law
    price_s: float
    late_s: float

    @classmethod
    def under(cls, law: Law, price_s: float) -> "_Waiting":
        tail = _hazard(law, WINDOW_S - _TAIL_S, WINDOW_S)
        known = KnownLaw(
            [
                _hazard(law, start, end) if end <= WINDOW_S else max(tail, _LOWEST_PER_S)
                for start, end in pairwise(EDGES)
            ]
        )
        middles = [(start + end) / 2 for start, end in pairwise(_AGES)]
        on_grid = Law.of(_AGES, np.array([known.hazard(middle) for middle in middles]))
        return cls(known, on_grid, price_s, _constant(max(tail, _LOWEST_PER_S), price_s))

    def of_rule(self) -> float:
        """Return price and delays until the change is seen, when the rule says when to look."""
        cost = age_s = 0.0
        while age_s < WINDOW_S:
            next_s = max(self.known.next_age(age_s, self.price_s, LONGEST_S), age_s + SHORTEST_S)
            share, next_share = self._at(self.law.share, age_s), self._at(self.law.share, next_s)
            waited = self._at(self.law.integral, next_s) - self._at(self.law.integral, age_s)
            cost += self.price_s * (1.0 - share) + waited - share * (next_s - age_s)
            age_s, left = next_s, 1.0 - next_share
        return cost + (left - self._left) * self.late_s

    def of_optimum(self) -> float:
        """Return the least there can be, by going back from the window's end."""
        ages, share, integral = self.law.ages, self.law.share, self.law.integral
        values = (1.0 - share) * self.late_s
        for here in range(int(np.searchsorted(ages, WINDOW_S)) - 1, -1, -1):
            first = int(np.searchsorted(ages, ages[here] + SHORTEST_S - _LEAST))
            reach = slice(first, max(int(np.searchsorted(ages, ages[here] + LONGEST_S, "right")), first + 1))
            costs = integral[reach] - share[here] * (ages[reach] - ages[here]) + values[reach]
            values[here] = self.price_s * (1.0 - share[here]) + float(costs.min()) - integral[here]
        return float(values[0]) - self._left * self.late_s

    @property
    def _left(self) -> float:
        return 1.0 - self._at(self.law.share, WINDOW_S)

    def _at(self, values: Floats, age_s: float) -> float:
        return float(np.interp(age_s, self.law.ages, values))


def _hazard(law: Law, start_s: float, end_s: float) -> float:
    before, after = (
        max(1.0 - float(np.interp(age_s, law.ages, law.share)), _LEAST) for age_s in (start_s, end_s)
    )
    return log(before / after) / (end_s - start_s)


def _constant(hazard: float, price_s: float) -> float:
    """Return the least cost of waiting for a change under a constant hazard, where the rule is the optimum."""
    wait_s = max(KnownLaw([hazard] * BINS).next_age(0.0, price_s, LONGEST_S), SHORTEST_S)
    happens = -expm1(-hazard * wait_s)
    return (price_s + wait_s) / happens - 1.0 / hazard
