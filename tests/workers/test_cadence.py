"""What a high price must not hide, and what a subscription or an alert brings back."""

from datetime import timedelta

import pytest

from notifier.domain.budget import Fit
from notifier.domain.cadence.plan import Why
from notifier.domain.cadence.situation import Kind, Part, Situation
from notifier.domain.instant import to_ms
from notifier.domain.order import Phase, Source, parse_order_id
from notifier.domain.polling import PollingPolicy
from notifier.storage.looking import Look
from notifier.workers.cadence import Cadence
from support.clock import FakeClock
from support.fakes import READER

VERY_DEAR = Fit(1e6)


def aged(clock, age_s, word="PENDING_VBV"):
    situation = Situation(Source.ORDER, Kind.ORDER, word, "UPI_INTENT", "shop")
    return (Part(situation, "", "", clock.now().timestamp() - age_s),)


def a_look(clock, *, reader, last_polled_at=None, parts=None):
    """Build an open order of `shop` that is due now."""
    now_ms = to_ms(clock.now())
    return Look(
        id=1,
        watch_id=1,
        account="shop",
        source=Source.ORDER,
        order_id=parse_order_id("OW1"),
        routing_id=None,
        phase=Phase.OPEN,
        digest=None,
        reader=reader,
        registered_ms=now_ms,
        last_polled_ms=None if last_polled_at is None else to_ms(last_polled_at),
        last_changed_ms=now_ms,
        next_poll_ms=now_ms,
        failures=0,
        deadline_ms=None,
        asked_ms=None,
        doubted_ms=None,
        mandate_id=None,
        parts=parts,
        attended_until_ms=None,
    )


def planned(cadence, clock, parts):
    return cadence.plan("shop", parts, now_ms=clock.now_ms(), deadline_ms=None)


def test_a_look_that_the_price_drives_to_its_ceiling_may_be_made_early():
    clock = FakeClock()
    cadence = Cadence(policy=PollingPolicy(), clock=clock)
    cadence.set_price("shop", VERY_DEAR)
    plan, _ = planned(cadence, clock, aged(clock, 20))
    assert plan.in_s == 3600
    assert plan.why is Why.BUDGET


def test_a_look_that_is_at_its_ceiling_at_any_price_does_not_wait_for_the_budget():
    clock = FakeClock()
    cadence = Cadence(policy=PollingPolicy(max_interval_s=5), clock=clock)
    cadence.set_price("shop", VERY_DEAR)
    plan, _ = planned(cadence, clock, aged(clock, 86_400))
    assert plan.why is Why.CADENCE


def test_a_pace_taken_at_its_ceiling_does_not_keep_the_price_high():
    clock = FakeClock()
    cadence = Cadence(policy=PollingPolicy(), clock=clock)
    for parts in (aged(clock, 20), aged(clock, 1_000_000, "CHARGED")):
        _, usual = planned(cadence, clock, parts)
        cadence.set_price("shop", VERY_DEAR)
        _, dear = planned(cadence, clock, parts)
        cadence.set_price("shop", Fit(cadence.policy.price_s))
        assert dear == usual


def test_a_new_order_is_worth_the_configured_price_at_once_and_no_more_in_a_dear_time():
    clock = FakeClock()
    cadence = Cadence(policy=PollingPolicy(price_s=3), clock=clock)
    cadence.set_price("shop", Fit(50.0))
    new = a_look(clock, reader=None)
    assert cadence.regret_s(new, clock.now()) == 3
    last_polled_at, parts = clock.now() - timedelta(seconds=60), aged(clock, 80)
    waited = a_look(clock, reader=READER, last_polled_at=last_polled_at, parts=parts)
    assert cadence.regret_s(waited, clock.now()) > 30
    assert cadence.regret_s(new, clock.now() + timedelta(seconds=60)) > 30


def test_a_new_order_that_gives_way_is_due_once_its_regret_has_grown_to_the_level():
    """What it is worth at once was left out, so that it waited longer than all whose regret was no greater."""
    clock = FakeClock()
    cadence = Cadence(policy=PollingPolicy(price_s=3), clock=clock)
    cadence.set_price("shop", Fit(10.0))
    new = a_look(clock, reader=None)
    for level_s in (4.0, 10.0):
        due_at = cadence.put_off_until(new, level_s, clock.now())
        assert cadence.regret_s(new, due_at) == pytest.approx(level_s, rel=0.01)
