"""The optimum against laws whose optimum is known, and figures."""

from math import exp, inf, log

import numpy as np
import pytest

from notifier.simulation.figures import Figures, figures, requests_at
from notifier.simulation.lives import Sight
from notifier.simulation.optimal import Law, Laws, Programme, Stretch
from notifier.simulation.world import Tally

AGES = np.concatenate((np.arange(0, 600, 0.5), np.arange(600, 7201, 5.0)))


@pytest.mark.parametrize("price_s", [3, 10, 30])
@pytest.mark.parametrize("hazard", [0.004, 0.02, 0.1])
def test_the_optimum_of_a_constant_hazard_is_its_known_one(hazard, price_s):
    def cost(x_s):
        gone = 1 - exp(-hazard * x_s)
        return (price_s + x_s - gone / hazard) / gone

    exact = min((cost(x_s), x_s) for x_s in np.arange(1, 600, 0.01))
    solved = Programme.solve(Law.of(AGES, np.full(len(AGES) - 1, hazard)), price_s)
    assert solved.values[0] == pytest.approx(exact[0], rel=0.01)
    assert cost(solved.next_age(0.0)) == pytest.approx(exact[0], rel=0.01)


@pytest.mark.parametrize("price_s", [10, 60, 250])
def test_the_optimum_of_two_instants_is_a_look_at_both_or_one_at_the_last(price_s):
    first_s, last_s, share = 100.0, 400.0, 0.6
    ages = np.unique(np.concatenate((AGES, [first_s - 0.01, last_s - 0.01])))
    hazards = np.zeros(len(ages) - 1)
    hazards[ages[1:] == first_s] = -log(1 - share) / 0.01
    hazards[ages[1:] == last_s] = 2000.0
    solved = Programme.solve(Law.of(ages, hazards), price_s)
    both = price_s + (1 - share) * price_s
    only_last = price_s + share * (last_s - first_s)
    assert solved.values[0] == pytest.approx(min(both, only_last), rel=0.01)


def test_what_never_changes_is_looked_at_when_a_look_is_free_or_must_be():
    sight = Sight("CHARGED", "", "NB")
    solved = Programme.solve(Laws([Stretch(sight, 0.0, inf)] * 9, window_s=7200.0).of(sight), 5.0)
    assert solved.next_age(0.0) == 3600
    assert solved.values[0] == pytest.approx(5.0)


def test_a_change_is_dated_within_the_interval_by_what_the_law_expects():
    law = Law.of(AGES, np.where(AGES[:-1] < 300, 1e-6, 0.2))
    assert law.mean_age(200, 400) == pytest.approx(305, abs=1)
    assert law.mean_age(10, 12) == pytest.approx(11, abs=0.1)


def test_percentiles_are_of_delays_and_costs_of_orders():
    told = figures("x", Tally(orders=50, requests=200, delays=[float(n) for n in range(1, 101)]))
    assert (told.requests_per_order, told.delay_mean_s) == (4, 50.5)
    assert (told.delay_p50_s, told.delay_p95_s, told.delay_p99_s) == (50, 95, 99)
    assert told.cost(3.0) == 3 * 4 + 101
    assert figures("x", Tally(orders=2)).delay_p99_s == 0


def test_curves_are_read_straight_on_logarithmic_axes():
    def point(delay_s, requests):
        return Figures(
            policy="x",
            requests_per_order=requests,
            delay_mean_s=delay_s,
            delay_p50_s=0,
            delay_p95_s=0,
            delay_p99_s=0,
            delays_per_order_s=0,
        )

    curve = [point(40, 10), point(10, 40), point(20, 20)]
    assert requests_at(curve, 24) == pytest.approx(400 / 24)
    with pytest.raises(ValueError, match="no mean delay of 5 s"):
        requests_at(curve, 5)
