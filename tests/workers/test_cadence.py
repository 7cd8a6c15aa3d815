"""What a high price must not hide, and what a subscription or an alert brings back."""

from notifier.domain.budget import Fit
from notifier.domain.cadence.plan import Why
from notifier.domain.cadence.situation import Kind, Part, Situation
from notifier.domain.order import Source
from notifier.domain.polling import PollingPolicy
from notifier.workers.cadence import Cadence
from support.clock import FakeClock

VERY_DEAR = Fit(1e6)


def aged(clock, age_s, word="PENDING_VBV"):
    situation = Situation(Source.ORDER, Kind.ORDER, word, "UPI_INTENT", "shop")
    return (Part(situation, "", "", clock.now().timestamp() - age_s),)


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
