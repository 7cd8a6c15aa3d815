"""How likely a change is at each age, and how long it therefore pays not to look.

The odds rule: with L the hazard cumulated since the last look, the odds of an unseen change are e^L - 1. We look when
their integral, the regret in seconds, reaches the price of a request. For a constant hazard this is exactly optimal.
"""

from collections.abc import Iterator, Sequence
from math import exp, expm1, inf, log1p, sqrt

from notifier.domain.cadence.ages import EDGES, WIDTHS, bin_of

_LOWEST_PER_S = 1e-9
_HIGHEST_PER_S = 20.0
_LARGEST_EXPONENT = 700.0
_CLOSE = 1e-6
_STEPS = 50


class Law:
    """A hazard for each bin of ages. Units: 1/s, kept between once in thirty years and twenty a second."""

    __slots__ = ("_growth", "_hazards", "_weight")

    def __init__(self, hazards_per_s: Sequence[float]) -> None:
        self._hazards = [min(max(each, _LOWEST_PER_S), _HIGHEST_PER_S) for each in hazards_per_s]
        exponents = [min(h * w, _LARGEST_EXPONENT) for h, w in zip(self._hazards, WIDTHS, strict=True)]
        self._growth = [exp(each) for each in exponents]
        self._weight = [expm1(each) / h for h, each in zip(self._hazards, exponents, strict=True)]

    def hazard(self, age_s: float) -> float:
        """Return the hazard at an age, in 1/s."""
        return self._hazards[bin_of(age_s)]

    def cumulated(self, since_age_s: float, age_s: float) -> float:
        """Return the integral of the hazard between two ages, the second not before the first."""
        return sum(self._hazards[number] * width_s for number, width_s in _pieces(since_age_s, age_s))

    def survival(self, since_age_s: float, age_s: float) -> float:
        """Return how likely nothing changes up to an age when nothing had at an earlier one."""
        return exp(-self.cumulated(since_age_s, age_s))

    def odds(self, since_age_s: float, age_s: float) -> float:
        """Return the odds that something changed unseen."""
        return expm1(min(self.cumulated(since_age_s, age_s), _LARGEST_EXPONENT))

    def regret_s(self, since_age_s: float, age_s: float) -> float:
        """Return the odds of an unseen change integrated since the last look, in seconds."""
        return self.regret_and_odds(since_age_s, age_s)[0]

    def regret_and_odds(self, since_age_s: float, age_s: float) -> tuple[float, float]:
        """Return the regret and the odds, which are its slope."""
        growth, total_s = 1.0, 0.0
        first, last = bin_of(since_age_s), bin_of(age_s)
        for number, width_s in _pieces(since_age_s, age_s):
            if first < number < last:
                total_s += growth * self._weight[number] - width_s
                growth *= self._growth[number]
            else:
                exponent = min(self._hazards[number] * width_s, _LARGEST_EXPONENT)
                total_s += growth * expm1(exponent) / self._hazards[number] - width_s
                growth *= exp(exponent)
        return total_s, growth - 1

    def next_age(self, since_age_s: float, price_s: float, longest_s: float = inf) -> float:
        """Return the first age at which the regret reaches the price, or the longest wait is over."""
        hazards, weights, growths = self._hazards, self._weight, self._growth
        end_s = since_age_s + longest_s
        number, start_s = bin_of(since_age_s), since_age_s
        growth, rest_s = 1.0, price_s
        last = len(WIDTHS) - 1
        width_s = EDGES[number + 1] - start_s
        exponent = min(hazards[number] * width_s, _LARGEST_EXPONENT)
        weight, bin_growth = expm1(exponent) / hazards[number], exp(exponent)
        while number < last and (part_s := growth * weight - width_s) < rest_s:
            rest_s -= part_s
            growth *= bin_growth
            number += 1
            start_s = EDGES[number]
            if start_s >= end_s:
                return end_s
            width_s, weight, bin_growth = WIDTHS[number], weights[number], growths[number]
        hazard, left_s = hazards[number], end_s - start_s
        # Most waits end at the longest, which is told sooner than the instant is found.
        if (
            hazard * left_s < _LARGEST_EXPONENT
            and growth * expm1(hazard * left_s) / hazard - left_s <= rest_s
        ):
            return end_s
        return min(start_s + _solved(hazard, growth, rest_s), end_s)

    def spread(self, since_age_s: float, age_s: float) -> list[tuple[int, float, float]]:
        """Spread a change that happened somewhere between two ages over their bins.

        Returns: for each bin the probability that it happened there, and the seconds that it is expected to have
        been awaited there. The former sum to 1, the latter to the expected wait.
        """
        end = exp(-self.cumulated(since_age_s, age_s))
        happened = -expm1(-self.cumulated(since_age_s, age_s))
        alive, shares = 1.0, []
        for number, width_s in _pieces(since_age_s, age_s):
            gone = -expm1(-self._hazards[number] * width_s) * alive
            awaited_s = gone / self._hazards[number] - end * width_s
            shares.append((number, gone / happened, min(max(awaited_s / happened, 0.0), width_s)))
            alive -= gone
        return shares


def wait_s(aged: Sequence[tuple[Law, float, float]], price_s: float, longest_s: float) -> float:
    """Return how long to wait until the weighted regrets of several parts sum to the price.

    Args: for each part its law, its age at the last look, and what a second of its delay weighs.
    The sum is convex, so Newton's steps from a wait that is too long never overshoot.
    """
    weighed = [(law, age_s, weight) for law, age_s, weight in aged if weight > 0]
    alone = [wait_alone_s(law, age_s, weight, price_s, longest_s) for law, age_s, weight in weighed]
    found_s = min(alone, default=longest_s)
    if len(weighed) <= 1:
        return found_s
    for _ in range(_STEPS):
        over_s, slope = -price_s, 0.0
        for law, age_s, weight in weighed:
            regret_s, odds = law.regret_and_odds(age_s, age_s + found_s)
            over_s += weight * regret_s
            slope += weight * odds
        if over_s <= _CLOSE * price_s:
            break
        found_s -= over_s / slope
    return found_s


def wait_alone_s(law: Law, age_s: float, weight: float, price_s: float, longest_s: float) -> float:
    """Return how long to wait for a part that has no other beside it, or none that weighs anything."""
    return law.next_age(age_s, price_s / weight, longest_s) - age_s if weight > 0 else longest_s


def _pieces(since_age_s: float, age_s: float) -> Iterator[tuple[int, float]]:
    """Return the bins between two ages with the seconds spent in each."""
    first, last = bin_of(since_age_s), bin_of(age_s)
    for number in range(first, last + 1):
        start_s = since_age_s if number == first else EDGES[number]
        end_s = age_s if number == last else EDGES[number + 1]
        yield number, end_s - start_s


def _solved(hazard: float, growth: float, rest_s: float) -> float:
    """Return x with growth * (e^(hazard x) - 1) / hazard - x = rest_s, by Newton from above."""
    rest = hazard * rest_s
    more = growth - 1
    y = 2 * rest / (more + sqrt(more * more + 2 * growth * rest)) if rest > 0 else 0.0
    y = min(y, log1p((rest + y) / growth))
    for _ in range(_STEPS):
        slope = growth * exp(y) - 1
        if slope <= 0:
            break
        step = (growth * expm1(y) - y - rest) / slope
        y -= step
        if step <= _CLOSE * y:
            break
    return y / hazard
