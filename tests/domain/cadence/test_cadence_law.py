from math import expm1, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.cadence.ages import BINS, EDGES, WIDTHS, bin_of, middle_s
from notifier.domain.cadence.law import Law, wait_s

hazards = st.floats(1e-8, 2)
laws = st.lists(hazards, min_size=1, max_size=9).map(
    lambda few: Law([few[number % len(few)] for number in range(BINS)])
)
ages = st.floats(0, 40 * 86_400)
prices = st.floats(0.05, 300)
short = st.floats(0.001, 60)


def test_bins_are_fine_where_a_status_is_young_and_reach_past_thirty_days():
    assert min(WIDTHS) == 1.0
    assert EDGES[-2] >= 30 * 86_400
    assert all(wide / start <= 0.08 + 1e-9 for start, wide in zip(EDGES[13:-2], WIDTHS[13:-1], strict=True))


@given(st.floats(-10, 1e9))
def test_an_age_lies_in_its_bin(age_s):
    number = bin_of(age_s)
    assert EDGES[number] <= max(age_s, 0) < EDGES[number + 1]


@given(st.integers(0, BINS - 1))
def test_the_middle_of_a_bin_lies_in_it(number):
    assert bin_of(middle_s(number)) == number


@given(hazards, ages, prices)
def test_under_a_constant_hazard_the_look_is_where_it_is_exactly_optimal(hazard, age_s, price_s):
    wait = Law([hazard] * BINS).next_age(age_s, price_s) - age_s
    assert expm1(hazard * wait) / hazard - wait == pytest.approx(price_s, rel=1e-3)


@given(laws, ages, prices)
def test_the_look_is_where_the_regret_reaches_the_price(law, age_s, price_s):
    assert law.regret_s(age_s, law.next_age(age_s, price_s)) == pytest.approx(price_s, rel=1e-3)


@given(laws, ages, prices, st.floats(1, 10))
def test_a_dearer_request_is_a_later_look(law, age_s, price_s, factor):
    assert law.next_age(age_s, price_s * factor) >= law.next_age(age_s, price_s)


@given(laws, ages, prices, st.floats(0, 1e5))
def test_a_look_is_never_past_the_longest_wait(law, age_s, price_s, longest_s):
    free = law.next_age(age_s, price_s)
    bounded = law.next_age(age_s, price_s, longest_s)
    assert bounded == pytest.approx(min(free, age_s + longest_s), rel=1e-9)


@given(laws, ages, short, short)
def test_regret_grows_and_the_odds_of_its_parts_compound(law, age_s, one_s, more_s):
    middle, end = age_s + one_s, age_s + one_s + more_s
    odds = law.odds(age_s, middle)
    rest_s = law.regret_s(middle, end)
    whole_s = law.regret_s(age_s, middle) + rest_s * (1 + odds) + odds * more_s
    assert law.regret_s(age_s, end) == pytest.approx(whole_s, rel=1e-6, abs=1e-6)
    assert law.regret_s(age_s, end) >= law.regret_s(age_s, middle)


@given(laws, ages, short, short)
def test_survival_multiplies_over_intervals(law, age_s, one_s, more_s):
    middle, end = age_s + one_s, age_s + one_s + more_s
    assert law.survival(age_s, end) == pytest.approx(
        law.survival(age_s, middle) * law.survival(middle, end), rel=1e-6
    )


@given(laws, st.floats(0, EDGES[-2]), st.floats(0.001, 5000))
def test_the_shares_of_a_change_sum_to_one(law, age_s, width_s):
    shares = law.spread(age_s, age_s + width_s)
    assert sum(share for _, share, _ in shares) == pytest.approx(1)
    assert all(share >= 0 for _, share, _ in shares)
    assert 0 <= sum(awaited_s for _, _, awaited_s in shares) <= width_s * (1 + 1e-9)


@given(st.floats(1e-8, 1e-6), ages, st.floats(0.1, 60))
def test_a_change_nothing_is_known_of_is_expected_in_the_middle(hazard, age_s, width_s):
    shares = Law([hazard] * BINS).spread(age_s, age_s + width_s)
    assert sum(awaited_s for _, _, awaited_s in shares) == pytest.approx(width_s / 2, rel=1e-3)


@given(laws, laws, ages, ages, prices)
def test_two_parts_are_looked_at_when_their_regrets_sum_to_the_price(one, other, age_s, its_age_s, price_s):
    wait = wait_s([(one, age_s, 1.0), (other, its_age_s, 0.2)], price_s, inf)
    total = one.regret_s(age_s, age_s + wait) + 0.2 * other.regret_s(its_age_s, its_age_s + wait)
    assert total == pytest.approx(price_s, rel=1e-3)


@given(laws, laws, ages, prices)
def test_a_part_that_weighs_nothing_changes_nothing(law, other, age_s, price_s):
    alone = wait_s([(law, age_s, 1.0)], price_s, 3600)
    assert wait_s([(law, age_s, 1.0), (other, 0.0, 0.0)], price_s, 3600) == alone
    assert wait_s([(other, 0.0, 0.0)], price_s, 3600) == 3600
