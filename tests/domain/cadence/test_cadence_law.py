from math import expm1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.cadence.ages import BINS, EDGES
from notifier.domain.cadence.law import Law, wait_s

hazards = st.floats(1e-8, 2)
laws = st.lists(hazards, min_size=BINS, max_size=BINS).map(Law)
ages = st.floats(0, 40 * 86_400)
prices = st.floats(0.05, 300)


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


@given(laws, st.floats(0, EDGES[-2]), st.floats(0.001, 5000))
def test_the_shares_of_a_change_sum_to_one(law, age_s, width_s):
    shares = law.spread(age_s, age_s + width_s)
    assert sum(share for _, share, _ in shares) == pytest.approx(1)
    assert 0 <= sum(awaited_s for _, _, awaited_s in shares) <= width_s * (1 + 1e-9)


@given(laws, laws, ages, ages, prices)
def test_two_parts_are_looked_at_when_their_regrets_sum_to_the_price(one, other, age_s, its_age_s, price_s):
    wait = wait_s([(one, age_s, 1.0), (other, its_age_s, 0.2)], price_s, 1e8)
    total = one.regret_s(age_s, age_s + wait) + 0.2 * other.regret_s(its_age_s, its_age_s + wait)
    assert total == pytest.approx(price_s, rel=1e-3)
