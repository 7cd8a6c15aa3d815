import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.alert.tail import log_mass, poisson_interval, poisson_lower_tail, run_length, upper_tail

rates = st.floats(0.01, 0.9)
noises = st.sampled_from([0.0, 0.0005, 0.01, 0.02, 0.2])


@given(orders=st.integers(0, 400), rate=rates, noise=noises)
def test_the_probabilities_of_all_numbers_of_failures_add_up_to_one(orders, rate, noise):
    total = math.fsum(
        math.exp(log_mass(failed, orders, rate=rate, noise=noise)) for failed in range(orders + 1)
    )
    assert total == pytest.approx(1.0, abs=1e-9)


@given(orders=st.integers(1, 300), rate=rates, noise=noises)
def test_a_tail_is_a_probability_and_falls_with_every_failure_more(orders, rate, noise):
    tails = [upper_tail(failed, orders, rate=rate, noise=noise) for failed in range(orders + 2)]
    assert tails[0] == 1.0
    assert tails[-1] == 0.0
    assert all(0.0 <= tail <= 1.0 for tail in tails)
    assert all(fewer >= more - 1e-12 for fewer, more in pairwise(tails))


@given(orders=st.integers(1, 300), share=st.floats(0, 1), rate=rates, noise=noises)
def test_a_tail_is_the_sum_of_its_probabilities(orders, share, rate, noise):
    failed = round(share * orders)
    summed = math.fsum(
        math.exp(log_mass(each, orders, rate=rate, noise=noise)) for each in range(failed, orders + 1)
    )
    assert upper_tail(failed, orders, rate=rate, noise=noise) == pytest.approx(summed, rel=1e-6, abs=1e-11)


def test_noise_makes_the_same_count_less_surprising():
    quiet, noisy = (upper_tail(60, 200, rate=0.12, noise=noise) for noise in (0.0, 0.02))
    assert quiet < 1e-6 < noisy


# Sources of the figures: scipy.stats betabinom.sf, binom.sf and poisson.cdf.
def test_tails_are_those_that_others_compute():
    assert upper_tail(30, 100, rate=0.12, noise=0.0) == pytest.approx(1.2985e-06, rel=1e-3)
    assert upper_tail(30, 100, rate=0.12, noise=0.01) == pytest.approx(8.1593e-04, rel=1e-3)
    assert poisson_lower_tail(3, 20.0) == pytest.approx(3.2037e-06, rel=1e-3)


@given(seen=st.integers(0, 500), expected=st.floats(0.1, 400))
def test_little_traffic_has_a_probability_that_grows_with_traffic(seen, expected):
    fewer, more = poisson_lower_tail(seen, expected), poisson_lower_tail(seen + 1, expected)
    assert 0.0 <= fewer <= more + 1e-12 <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ("seen", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (100, 81.36, 121.63)]
)
def test_the_interval_of_a_count_is_the_exact_one(seen, low, high):
    assert poisson_interval(seen) == pytest.approx((low, high), rel=2e-3)


def test_a_run_is_seven_at_twelve_percent_and_one_order_a_minute():
    assert run_length(rate=0.12, noise=1e-6, orders_a_day=1440, false_a_day=5.6e-4) == 7


@given(rate=st.floats(0.01, 0.5), noise=st.floats(1e-6, 0.1))
def test_a_run_is_longer_where_more_fails_anyway(rate, noise):
    lengths = [
        run_length(rate=each, noise=noise, orders_a_day=1440, false_a_day=5.6e-4)
        for each in (rate, rate + 0.2)
    ]
    assert lengths[0] <= lengths[1]
