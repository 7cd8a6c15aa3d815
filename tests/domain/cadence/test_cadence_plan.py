from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from notifier.domain.backoff import growing, jittered, wait_before_attempt
from notifier.domain.cadence.plan import (
    Plan,
    Why,
    after_asked,
    after_error,
    after_not_found,
    next_poll,
    second_look,
)
from notifier.domain.order import Phase
from notifier.domain.polling import PollingPolicy
from support.builders import NOW, at

POLICY = PollingPolicy()
HIGHEST_ROLL = 1 - 2**-53
phases = st.sampled_from(Phase)
rolls = st.floats(0, HIGHEST_ROLL)
silences = st.floats(-3600, 30 * 86_400)
policies = st.tuples(st.floats(0.5, 60), st.floats(60, 86_400)).map(
    lambda bounds: PollingPolicy(min_interval_s=bounds[0], max_interval_s=bounds[1])
)


def plan_of(
    phase: Phase, silence_s: float, roll: float, *, deadline_s: float | None = None, policy=POLICY
) -> Plan:
    return next_poll(
        phase,
        last_changed_at=NOW - timedelta(seconds=silence_s),
        deadline_at=None if deadline_s is None else at(deadline_s),
        now=NOW,
        roll=roll,
        policy=policy,
    )


def wait_s(phase: Phase, silence_s: float, roll: float = 0.5) -> float:
    return (plan_of(phase, silence_s, roll).at - NOW).total_seconds()


@given(phases, silences, rolls, policies)
def test_the_next_look_keeps_the_bounds(phase, silence_s, roll, policy):
    plan = plan_of(phase, silence_s, roll, policy=policy)
    assert plan.at > NOW
    # instants are counted in microseconds
    assert policy.min_interval_s - 1e-6 <= (plan.at - NOW).total_seconds() <= policy.max_interval_s + 1e-6
    assert plan.why is Why.CADENCE


@given(phases, silences, rolls, policies, st.floats(-86_400, 86_400))
def test_no_look_is_past_a_deadline_that_can_be_met(phase, silence_s, roll, policy, deadline_s):
    free = plan_of(phase, silence_s, roll, policy=policy)
    plan = plan_of(phase, silence_s, roll, deadline_s=deadline_s, policy=policy)
    soonest = NOW + timedelta(seconds=policy.min_interval_s)
    assert plan.at == min(free.at, max(soonest, at(deadline_s)))
    if plan.at != free.at:
        assert plan.why is Why.DEADLINE


@given(phases, silences, rolls)
def test_dice_move_a_look_by_at_most_a_fifth(phase, silence_s, roll):
    middle = wait_s(phase, silence_s)
    assert abs(wait_s(phase, silence_s, roll) - middle) <= 0.2 * middle


@given(rolls)
def test_an_open_order_is_looked_at_every_few_seconds_in_its_first_half_minute(roll):
    silence_s = 0.0
    while silence_s <= 30:
        interval_s = wait_s(Phase.OPEN, silence_s, roll)
        assert interval_s <= 5
        silence_s += interval_s


@given(phases, st.floats(0, 86_400), st.floats(1, 86_400), rolls)
def test_waits_grow_with_silence_until_their_ceiling(phase, silence_s, more_s, roll):
    shorter, longer = wait_s(phase, silence_s, roll), wait_s(phase, silence_s + more_s, roll)
    assert longer > shorter or longer == POLICY.max_interval_s


@given(phases, st.floats(60, 86_400), rolls)
def test_a_change_brings_the_next_look_near_again(phase, silence_s, roll):
    assert wait_s(phase, 0, roll) < wait_s(phase, silence_s, roll)


@given(st.sampled_from([Phase.FAILED, Phase.SUCCEEDED, Phase.REFUNDED, Phase.UNKNOWN]), silences, rolls)
def test_an_order_that_is_not_open_is_looked_at_less_often(phase, silence_s, roll):
    assume(wait_s(Phase.OPEN, silence_s, roll) < POLICY.max_interval_s)
    assert wait_s(phase, silence_s, roll) > wait_s(Phase.OPEN, silence_s, roll)


def test_a_clock_that_stepped_back_does_not_stop_the_looks():
    assert plan_of(Phase.OPEN, -1e6, 0.5) == plan_of(Phase.OPEN, 0, 0.5)


def test_an_order_that_stays_open_a_quarter_of_an_hour_costs_few_looks():
    looks, silence_s = 0, 0.0
    while silence_s < 900:
        silence_s += wait_s(Phase.OPEN, silence_s)
        looks += 1
    assert looks <= 50


def test_the_looks_that_are_owed_have_fixed_waits():
    assert second_look(NOW) == Plan(at(5), Why.SECOND_LOOK)
    assert after_asked(NOW) == Plan(at(2), Why.AFTER_ASKED)


# Errors


def error_wait_s(failures: int, *, retry_after_s: float | None = None, roll: float = 0.5) -> float:
    plan = after_error(failures, now=NOW, retry_after_s=retry_after_s, roll=roll, policy=POLICY)
    assert plan.why is Why.SOURCE_ERROR
    return (plan.at - NOW).total_seconds()


def test_waits_after_errors_double_up_to_a_ceiling():
    waits = [error_wait_s(failures) for failures in range(1, 60)]
    assert waits[:4] == [2, 4, 8, 16]
    assert waits == sorted(waits)
    assert waits[-1] == 300


@pytest.mark.parametrize(
    ("min_interval_s", "max_interval_s", "longest_s"), [(1, 3600, 300), (1, 60, 60), (400, 3600, 400)]
)
def test_waits_after_errors_keep_the_bounds_and_end_at_five_minutes(
    min_interval_s, max_interval_s, longest_s
):
    policy = PollingPolicy(min_interval_s=min_interval_s, max_interval_s=max_interval_s)
    assert after_error(50, now=NOW, retry_after_s=None, roll=0.5, policy=policy).at == at(longest_s)


@given(st.integers(1, 10_000), rolls, st.none() | st.floats())
def test_an_error_never_brings_the_next_look_forward(failures, roll, retry_after_s):
    wait = error_wait_s(failures, retry_after_s=retry_after_s, roll=roll)
    assert wait >= error_wait_s(failures, roll=roll)
    assert wait <= max(86_400, error_wait_s(failures, roll=roll))


def test_the_upstream_is_given_the_time_it_asks_for_up_to_a_day():
    assert error_wait_s(1, retry_after_s=120) == 120
    assert error_wait_s(1, retry_after_s=1e9) == 86_400
    assert error_wait_s(1, retry_after_s=-5) == error_wait_s(1, retry_after_s=float("nan")) == 2


@pytest.mark.parametrize(
    ("age_s", "expected_s"), [(-10, 2), (0, 2), (100, 22), (299, 61.8), (300, None), (999, None)]
)
def test_an_order_not_found_yet_has_five_minutes_of_grace(age_s, expected_s):
    plan = after_not_found(registered_at=at(-age_s), now=NOW, roll=0.5)
    assert plan == (None if expected_s is None else Plan(at(expected_s), Why.NOT_FOUND_GRACE))


# Backoff


@given(st.floats(0, 1e6), rolls)
def test_jitter_is_a_tenth_to_either_side(seconds, roll):
    assert 0.9 * seconds * (1 - 1e-12) <= jittered(seconds, roll) <= 1.1 * seconds * (1 + 1e-12)


def test_jitter_spans_its_whole_width():
    assert (jittered(100, 0), jittered(100, 0.5), jittered(100, HIGHEST_ROLL)) == pytest.approx(
        (90, 100, 110)
    )


def test_each_attempt_but_the_last_has_a_wait_after_it():
    waits = [wait_before_attempt((5, 60), attempts, 0.5) for attempts in range(5)]
    assert waits == [None, 5, 60, None, None]


def test_growth_stops_at_its_ceiling_however_many_failures():
    assert [growing(n, first_s=2, ceiling_s=50, roll=0.5) for n in (1, 2, 5, 6, 10**6)] == [2, 4, 32, 50, 50]
