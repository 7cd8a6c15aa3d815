"""The odds rule alone: what it costs under a law that it knows, to the best that can be done under that law."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import log

import numpy as np

from notifier.domain.cadence.ages import EDGES
from notifier.domain.cadence.law import Law as KnownLaw
from notifier.domain.order import Phase, phase_of
from notifier.simulation.lives import Life
from notifier.simulation.optimal import Law, Laws, Programme, exact
from notifier.simulation.world import LONGEST_S, SHORTEST_S, WINDOW_S

_OFTEN = 200
_LEAST = 1e-9
_AGES = np.unique(
    np.concatenate((np.arange(0, 600, 0.5), np.arange(600, 3600, 2.0), np.arange(3600, 7201, 10.0)))
)


def rule_to_optimum(told: Sequence[Life], price_s: float) -> float:
    """Return the cost of the rule to that of the optimum, over single changes of orders under way.

    Where little ever changes the window's end decides, of which the rule knows nothing; those sights are left out.
    """
    laws = Laws(exact(told), window_s=WINDOW_S)
    visits = Counter(each.sight for each in exact(told))
    rule = best = 0.0
    for sight, count in visits.items():
        if count >= _OFTEN and phase_of(sight.status) is Phase.OPEN:
            known = _known(laws.of(sight))
            law = Law.of(_AGES, np.array([known.hazard((start + end) / 2) for start, end in pairwise(_AGES)]))
            rule += count * _cost(known, law, price_s)
            best += count * float(Programme.solve(law, price_s).values[0])
    return rule / best


def _known(law: Law) -> KnownLaw:
    """Return the law in the bins of ages that the daemon has."""
    left = np.maximum(1.0 - np.interp(EDGES, law.ages, law.share), _LEAST)
    return KnownLaw(
        [
            log(before / after) / (end - start)
            for (before, after), (start, end) in zip(pairwise(left), pairwise(EDGES), strict=True)
        ]
    )


def _cost(known: KnownLaw, law: Law, price_s: float) -> float:
    """Return price and delays until the change is seen or the window is over, when a look is free."""
    cost = age_s = share = integral = 0.0
    while age_s < WINDOW_S:
        next_s = min(max(known.next_age(age_s, price_s, LONGEST_S), age_s + SHORTEST_S), WINDOW_S)
        next_share, next_integral = (
            float(np.interp(next_s, law.ages, each)) for each in (law.share, law.integral)
        )
        cost += (
            price_s * (1.0 - share) * (next_s < WINDOW_S)
            + next_integral
            - integral
            - share * (next_s - age_s)
        )
        age_s, share, integral = next_s, next_share, next_integral
    return cost
