"""When targets are left in peace, and when subscriptions count as failing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.delivery import Outcome, Reason, Verdict
from notifier.domain.health import (
    HEARD,
    WELL,
    ListenerHealth,
    News,
    TargetHealth,
    listener_after,
    target_after,
)

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ACCEPTED = Outcome(verdict=Verdict.ACCEPTED, reason=Reason.ACCEPTED, http_status=200)
DOWN = Outcome(verdict=Verdict.RETRY, reason=Reason.CONNECTION)
ERROR = Outcome(verdict=Verdict.RETRY, reason=Reason.HTTP_STATUS, http_status=500)
MISSING = Outcome(verdict=Verdict.RETRY, reason=Reason.HTTP_STATUS, http_status=404)
UNAUTHORIZED = Outcome(verdict=Verdict.RETRY, reason=Reason.UNAUTHORIZED, http_status=401)
OURS = Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT)
UNSENT = Outcome(verdict=Verdict.OUTDATED, reason=Reason.NEWER_STATE)
GONE = Outcome(verdict=Verdict.GONE, reason=Reason.GONE, http_status=410)
BUSY = Outcome(verdict=Verdict.RETRY, reason=Reason.RATE_LIMITED, http_status=429, retry_after_s=120)
DAYS_S = 432_000.0


def after(*outcomes: Outcome, apart_s: float = 0.0, health: TargetHealth = WELL) -> TargetHealth:
    for number, outcome in enumerate(outcomes):
        health = target_after(health, outcome, now=at(number * apart_s))
    return health


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("outcome", [DOWN, ERROR])
def test_five_failures_in_a_row_rest_a_target(outcome):
    assert not after(*[outcome] * 4).rests(NOW)
    tripped = after(*[outcome] * 5)
    assert (tripped.trips, tripped.rests_until) == (1, at(30))
    assert not tripped.rests(at(30))


@pytest.mark.parametrize("outcome", [MISSING, UNAUTHORIZED, GONE, OURS, UNSENT])
def test_what_is_no_fault_of_the_target_does_not_rest_it(outcome):
    assert after(*[outcome] * 20) == WELL


def test_one_answer_makes_a_target_well():
    assert after(*[DOWN] * 5, ACCEPTED) == WELL
    assert after(*[DOWN] * 4, UNAUTHORIZED, *[DOWN] * 4).trips == 0


def test_those_in_flight_when_it_trips_do_not_lengthen_the_rest():
    assert after(*[DOWN] * 12).rests_until == at(30)


def test_rests_double_up_to_ten_minutes():
    health, now, rests = after(*[DOWN] * 5), NOW, []
    for _ in range(7):
        rests.append((health.rests_until - now).total_seconds())
        now = health.rests_until
        health = target_after(health, DOWN, now=now)
    assert rests == [30, 60, 120, 240, 480, 600, 600]


def test_a_try_that_failed_by_our_own_fault_is_made_again_soon():
    tripped = after(*[DOWN] * 5)
    again = target_after(tripped, OURS, now=at(40))
    assert (again.trips, again.rests_until) == (1, at(70))


def test_what_was_not_sent_says_nothing_of_a_target_that_is_down():
    tripped = after(*[DOWN] * 5)
    assert target_after(tripped, UNSENT, now=at(40)).trips == 1


def test_retry_after_rests_the_whole_target():
    assert after(BUSY).rests_until == at(120)
    assert after(BUSY, ACCEPTED).rests_until == at(120)
    assert target_after(after(BUSY), ACCEPTED, now=at(120)) == WELL


def test_a_wish_beyond_a_day_is_not_granted():
    forever = Outcome(verdict=Verdict.RETRY, reason=Reason.RATE_LIMITED, http_status=429, retry_after_s=1e12)
    assert after(forever).rests_until == at(86_400)


@given(st.lists(st.sampled_from([ACCEPTED, DOWN, ERROR, UNAUTHORIZED, OURS, BUSY]), max_size=40))
def test_no_target_rests_longer_than_ten_minutes_unless_it_asked(outcomes):
    health = WELL
    for number, outcome in enumerate(outcomes):
        now = at(number * 700)
        health = target_after(health, outcome, now=now)
        assert health.rests_until is None or health.rests_until <= now + timedelta(seconds=600)
        assert outcome is not ACCEPTED or health == WELL


def heard(*outcomes: Outcome, apart_s: float = 60.0) -> tuple[ListenerHealth, list[News | None]]:
    health, told = HEARD, []
    for number, outcome in enumerate(outcomes):
        health, news = listener_after(health, outcome, now=at(number * apart_s), disable_after_s=DAYS_S)
        told.append(news)
    return health, told


@pytest.mark.parametrize("outcome", [DOWN, ERROR, MISSING, UNAUTHORIZED])
def test_the_fourth_failure_is_told_once_and_the_recovery_once(outcome):
    health, told = heard(*[outcome] * 6, ACCEPTED, ACCEPTED)
    assert told == [None, None, None, News.FAILING, None, None, News.RECOVERED, None]
    assert health == HEARD


def test_three_failures_are_nobodys_business():
    assert heard(DOWN, DOWN, DOWN, ACCEPTED) == (HEARD, [None] * 4)


@pytest.mark.parametrize("outcome", [OURS, BUSY, UNSENT])
def test_own_faults_and_a_wish_to_wait_do_not_count(outcome):
    assert heard(*[outcome] * 9) == (HEARD, [None] * 9)


def test_gone_disables_at_once():
    assert heard(GONE) == (HEARD, [News.DISABLED])


def test_days_without_anything_accepted_disable():
    health, told = heard(*[UNAUTHORIZED] * 6, apart_s=86_400)
    assert told == [None, None, None, News.FAILING, None, News.DISABLED]
    assert health == HEARD


def test_a_few_failures_days_apart_do_not_disable():
    assert heard(DOWN, DOWN, apart_s=864_000)[1] == [None, None]
