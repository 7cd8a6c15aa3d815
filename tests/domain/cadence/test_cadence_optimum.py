"""The odds rule against the optimum on one change, when the law is known: closed form, and dynamic programme."""

from itertools import accumulate, pairwise
from math import erf, expm1, log, sqrt

import pytest

from notifier.domain.cadence.ages import BINS, EDGES, bin_of
from notifier.domain.cadence.law import Law

_END_S = EDGES[bin_of(900)]
_LATE_PER_S = 1 / 600
_STEP_S = _END_S / 900
_LONGEST = 400


def closed_form(hazard: float, price_s: float) -> float:
    """Return the least cost of waiting for a change under a constant hazard."""
    wait = Law([hazard] * BINS).next_age(0, price_s)
    return min(_cycle(hazard, price_s, wait * (0.5 + step / 1000)) for step in range(1000))


def _cycle(hazard: float, price_s: float, wait_s: float) -> float:
    happened = -expm1(-hazard * wait_s)
    return (price_s + wait_s - happened / hazard) / happened


def cost_of_rule(law: Law, price_s: float, *, end_s: float, late: float) -> float:
    """Return what requests and delay cost until the change is seen; after the end the hazard is constant."""
    age_s, alive, total = 0.0, 1.0, 0.0
    while age_s < end_s:
        look_s = law.next_age(age_s, price_s)
        awaited_s = sum(seconds for _, _, seconds in law.spread(age_s, look_s))
        stays = law.survival(age_s, look_s)
        total += alive * (price_s + (1 - stays) * (look_s - age_s - awaited_s))
        alive, age_s = alive * stays, look_s
    return total + alive * late


def optimum(law: Law, price_s: float, *, end_s: float, late: float) -> float:
    """Return the least cost by going back from the end over a grid of ages."""
    count = round(end_s / _STEP_S)
    alive = [law.survival(0, number * _STEP_S) for number in range(count + _LONGEST + 1)]
    area = [0.0, *accumulate((a + b) / 2 * _STEP_S for a, b in pairwise(alive))]
    worth = [0.0] * count + [late] * (_LONGEST + 1)
    for here in range(count - 1, -1, -1):
        worth[here] = min(
            price_s
            + (
                (there - here) * _STEP_S * alive[here]
                - area[there]
                + area[here]
                + alive[there] * worth[there]
            )
            / alive[here]
            for there in range(here + 1, here + _LONGEST + 1)
        )
    return worth[0]


def a_payment(timed_out_share: float) -> Law:
    """Most customers pay within a minute or two, some run into the timeout of 300 seconds, a few linger."""

    def changed(age_s: float) -> float:
        timed_out = min(max((age_s - 300) / 5, 0.0), 1.0)
        quick = (0.95 - timed_out_share) * _lognormal(age_s, 30, 0.8)
        return quick + timed_out_share * timed_out + 0.05 * _lognormal(age_s, 600, 1.0)

    return Law(
        [
            log((1 - changed(start)) / (1 - changed(end))) / (end - start) if start < _END_S else _LATE_PER_S
            for start, end in pairwise(EDGES)
        ]
    )


def _lognormal(age_s: float, median_s: float, sigma: float) -> float:
    return 0.5 * (1 + erf(log(max(age_s, 1e-9) / median_s) / (sigma * sqrt(2))))


@pytest.mark.parametrize("price_s", [1.0, 3.0, 10.0, 30.0])
@pytest.mark.parametrize("hazard", [1e-4, 1e-2, 0.2])
def test_under_a_constant_hazard_the_rule_costs_no_more_than_the_closed_form(hazard, price_s):
    best = closed_form(hazard, price_s)
    assert cost_of_rule(Law([hazard] * BINS), price_s, end_s=8 / hazard, late=best) <= best * 1.0001


@pytest.mark.parametrize("price_s", [1.0, 3.0, 10.0, 30.0])
@pytest.mark.parametrize(("timed_out_share", "worst"), [(0.0, 1.005), (0.08, 1.02)])
def test_the_rule_costs_at_most_two_percent_more_than_the_optimum(timed_out_share, worst, price_s):
    law, late = a_payment(timed_out_share), closed_form(_LATE_PER_S, price_s)
    best = optimum(law, price_s, end_s=_END_S, late=late)
    assert best * 0.99 <= cost_of_rule(law, price_s, end_s=_END_S, late=late) <= best * worst


def test_the_optimum_by_steps_is_that_of_the_closed_form():
    best = closed_form(_LATE_PER_S, 3.0)
    law = Law([_LATE_PER_S] * BINS)
    assert optimum(law, 3.0, end_s=_END_S, late=best) == pytest.approx(best, rel=0.002)
