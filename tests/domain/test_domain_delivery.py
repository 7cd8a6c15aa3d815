from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.delivery import (
    Delivery,
    DeliveryId,
    DeliveryState,
    Outcome,
    Reason,
    Verdict,
    advance,
    expire,
    owed,
)
from notifier.domain.subscription import SubscriptionState
from support.builders import NOW, a_delivery, at

SCHEDULE = (5.0, 60.0)
PENDING, HELD = DeliveryState.PENDING, DeliveryState.HELD
DELIVERED, FAILED = DeliveryState.DELIVERED, DeliveryState.FAILED
FINAL = [state for state in DeliveryState if state.is_final]
REASON_OF = {
    Verdict.ACCEPTED: Reason.ACCEPTED,
    Verdict.RETRY: Reason.HTTP_STATUS,
    Verdict.REFUSED: Reason.REFUSED_BY_SERVICE,
    Verdict.GONE: Reason.GONE,
    Verdict.OWN_FAULT: Reason.OWN_FAULT,
    Verdict.OUTDATED: Reason.NEWER_STATE,
}


def after(delivery: Delivery, verdict: Verdict, *, now: datetime = NOW, **members) -> Delivery:
    outcome = Outcome(verdict=verdict, reason=REASON_OF[verdict], **members)
    return advance(delivery, outcome, now=now, schedule=SCHEDULE, roll=0.5)


def test_only_pending_and_held_are_owed():
    assert set(DeliveryState) - set(FINAL) == {PENDING, HELD}


@pytest.mark.parametrize(
    ("subscription", "state", "reason", "due_at"),
    [
        (SubscriptionState.ACTIVE, PENDING, Reason.NEW, NOW),
        (SubscriptionState.PAUSED, HELD, Reason.SUBSCRIPTION_PAUSED, None),
        (SubscriptionState.DISABLED, HELD, Reason.SUBSCRIPTION_DISABLED, None),
    ],
)
def test_what_is_owed_begins_by_the_state_of_its_subscription(subscription, state, reason, due_at):
    delivery = owed(DeliveryId("dlv_1"), subscription, now=NOW, expires_after_s=60)
    assert delivery == Delivery(
        id=DeliveryId("dlv_1"),
        state=state,
        reason=reason,
        attempts=0,
        due_at=due_at,
        created_at=NOW,
        expires_at=at(60),
    )


@pytest.mark.parametrize("state", [PENDING, HELD])
@pytest.mark.parametrize(
    ("verdict", "attempts", "expected", "reason"),
    [
        (Verdict.ACCEPTED, 1, DELIVERED, Reason.ACCEPTED),
        (Verdict.REFUSED, 1, FAILED, Reason.REFUSED_BY_SERVICE),
        (Verdict.GONE, 1, FAILED, Reason.GONE),
        (Verdict.OUTDATED, 1, DeliveryState.SUPERSEDED, Reason.NEWER_STATE),
        (Verdict.RETRY, 1, None, Reason.HTTP_STATUS),
        (Verdict.RETRY, 2, None, Reason.HTTP_STATUS),
        (Verdict.RETRY, 3, FAILED, Reason.EXHAUSTED),
        (Verdict.OWN_FAULT, 3, None, Reason.OWN_FAULT),
    ],
)
def test_a_verdict_moves_a_delivery(state, verdict, attempts, expected, reason):
    moved = after(a_delivery(state=state, attempts=attempts), verdict, now=at(1))
    assert (moved.state, moved.reason) == (expected or state, reason)
    if expected is not None:
        assert (moved.due_at, moved.finished_at) == (None, at(1))
    elif state is HELD:
        assert (moved.due_at, moved.finished_at) == (None, None)
    else:
        assert moved.due_at is not None
        assert moved.due_at > at(1)
        assert moved.finished_at is None


@pytest.mark.parametrize("state", FINAL)
@pytest.mark.parametrize("verdict", Verdict)
def test_a_final_delivery_stays_as_it_is(state, verdict):
    ended = a_delivery(state=state, attempts=1, due_at=None, finished_at=NOW)
    assert after(ended, verdict, now=at(7)) == ended
    assert expire(ended, now=at(10**9)) == ended


def test_waits_follow_the_schedule():
    assert after(a_delivery(attempts=1), Verdict.RETRY).due_at == at(5)
    assert after(a_delivery(attempts=2), Verdict.RETRY).due_at == at(60)


def test_our_own_fault_gives_the_attempt_back_and_comes_again_soon():
    again = after(a_delivery(attempts=2), Verdict.OWN_FAULT)
    assert (again.attempts, again.due_at) == (1, at(30))
    assert after(a_delivery(attempts=0), Verdict.OWN_FAULT).attempts == 0


@pytest.mark.parametrize(
    ("retry_after_s", "due_s"),
    [
        (None, 5),
        (0, 5),
        (-7, 5),
        (3, 5),
        (400, 400),
        (float("nan"), 5),
        (90_000, 86_400),
        (float("inf"), 86_400),
    ],
)
def test_a_receiver_is_given_the_time_it_asks_for_up_to_a_day(retry_after_s, due_s):
    delivery = a_delivery(attempts=1, expires_at=at(3 * 86_400))
    assert after(delivery, Verdict.RETRY, retry_after_s=retry_after_s).due_at == at(due_s)


def test_the_last_call_comes_a_minute_before_the_expiry():
    delivery = a_delivery(attempts=1, expires_at=at(1000))
    assert after(delivery, Verdict.RETRY, retry_after_s=990).due_at == at(940)
    last = after(delivery, Verdict.RETRY, now=at(940))
    assert (last.state, last.reason, last.finished_at) == (FAILED, Reason.EXPIRED, at(940))


def test_a_short_life_has_a_last_call_of_its_own():
    delivery = a_delivery(attempts=1, expires_at=at(50))
    assert after(delivery, Verdict.RETRY, now=at(1), retry_after_s=60).due_at == at(45)


def test_what_is_still_owed_ends_at_its_expiry_and_not_before():
    for state in (PENDING, HELD):
        delivery = a_delivery(state=state)
        assert expire(delivery, now=at(3599.999)) == delivery
        ended = expire(delivery, now=at(3600))
        assert (ended.state, ended.reason, ended.finished_at) == (FAILED, Reason.EXPIRED, at(3600))


@dataclass(frozen=True, kw_only=True)
class Try:
    """How one attempt goes: how late it starts, how long it takes, what comes of it."""

    late_s: float
    took_s: float
    outcome: Outcome
    roll: float


tries = st.builds(
    Try,
    late_s=st.floats(0, 600) | st.just(0.0),
    took_s=st.floats(0, 40),
    outcome=st.builds(
        lambda verdict, wait: Outcome(verdict=verdict, reason=REASON_OF[verdict], retry_after_s=wait),
        st.sampled_from([Verdict.RETRY, Verdict.RETRY, Verdict.OWN_FAULT, Verdict.OWN_FAULT, *Verdict]),
        st.none() | st.floats() | st.floats(0, 7200),
    ),
    roll=st.floats(0, 1, exclude_max=True),
)


@given(
    st.lists(st.floats(0, 3600), max_size=5),
    st.lists(tries, min_size=1, max_size=30),
    st.floats(1, 7200),
    st.booleans(),
)
def test_every_delivery_ends_whatever_happens(schedule, script, expires_after_s, is_paused_meanwhile):
    delivery = owed(DeliveryId("dlv_1"), SubscriptionState.ACTIVE, now=NOW, expires_after_s=expires_after_s)
    now, counted = NOW, 0
    for step in range(10_000):
        attempt = script[step % len(script)]
        assert delivery.due_at is not None
        assert NOW <= delivery.due_at < delivery.expires_at
        now = max(now, delivery.due_at) + timedelta(seconds=attempt.late_s)
        delivery = expire(delivery, now=now)
        if delivery.state.is_final:
            break
        assert now < delivery.expires_at
        delivery = delivery._replace(attempts=delivery.attempts + 1)
        counted += attempt.outcome.verdict is not Verdict.OWN_FAULT
        if is_paused_meanwhile and step == 2:
            delivery = delivery._replace(state=HELD)
        now += timedelta(seconds=attempt.took_s)
        delivery = advance(delivery, attempt.outcome, now=now, schedule=schedule, roll=attempt.roll)
        assert delivery.attempts == counted <= len(schedule) + 1
        if delivery.state is HELD:
            assert delivery.due_at is None
            delivery = expire(delivery, now=max(now, delivery.expires_at))
        if delivery.state.is_final:
            break
    assert delivery.state.is_final
    assert delivery.due_at is None
    assert delivery.finished_at is not None
    assert expire(delivery, now=at(10**8)) == delivery
