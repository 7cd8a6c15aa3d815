"""What the poller asks when it may not ask for everything: the worst first, and before them who is asked for."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Text, type_coerce, update

from notifier.domain.alert.alert import Alert, AlertId
from notifier.domain.cadence.plan import Why
from notifier.domain.order import order_key
from notifier.domain.polling import PollingPolicy
from notifier.errors import StorageError
from notifier.source.contract import Failure, FailureReason
from notifier.storage.repository.looks import Looks
from notifier.storage.repository.pacing import Pacing
from notifier.storage.tables import learned
from notifier.workers.cadence import Cadence
from notifier.workers.learner import Learner
from notifier.workers.poller import _LEAST_AHEAD
from support.fakes import FakeSource

PRECIOUS = PollingPolicy(price_s=0.001)
"""Delay is worth so much that the budget always binds."""


async def orders(house, count, status="PENDING_VBV"):
    for number in range(count):
        house.source.put(f"OW{number}", status)
        await house.watch(f"OW{number}")


async def test_a_budget_that_binds_is_used_whole_and_raises_the_price(house):
    house.policy = PRECIOUS
    await orders(house, 60)
    poller = house.poller(rate=4.0)
    async with house.running(poller):
        await house.pass_time(60, step=0.5)
        asked = len(house.source.asked)
        await house.pass_time(60, step=0.5)
        assert poller.budget.fit.price_s > house.policy.price_s
    used = len(house.source.asked) - asked
    assert 0.97 * 240 <= used <= 1.05 * 240 + 1
    assert (await house.watched("OW1")).next_poll_why is Why.BUDGET


async def test_nobody_starves_while_the_budget_binds(house):
    house.policy = PRECIOUS
    await orders(house, 60)
    async with house.running(house.poller(rate=4.0)):
        await house.pass_time(120, step=0.5)
    counts = Counter(house.source.asked)
    assert min(counts.values()) >= 4
    assert max(counts.values()) <= 3 * min(counts.values())


async def test_a_flood_of_one_merchant_delays_no_other(house):
    house.policy = PRECIOUS
    cadence = Cadence(policy=house.policy, clock=house.clock)
    await orders(house, 100)
    calm = FakeSource()
    calm.put("ALONE", "PENDING_VBV")
    await house.watch("ALONE", account="calm")
    flooded = house.poller(rate=2.0, cadence=cadence)
    async with house.running(flooded, house.poller("calm", calm, rate=2.0, cadence=cadence)):
        await house.pass_time(60, step=0.5)
    assert len(calm.asked) >= 40
    assert len(house.source.asked) <= 2.0 * 60 * 1.05
    assert cadence.terms("shop").price_s > house.policy.price_s == cadence.terms("calm").price_s


async def test_an_order_that_somebody_asks_for_goes_before_all_that_wait(house):
    house.policy = PRECIOUS
    await orders(house, 60)
    async with house.running(house.poller(rate=2.0, concurrency=2)):
        await house.pass_time(40, step=0.5)
        await house.ask("OW7")
        asked = len(house.source.asked)
        await house.pass_time(2, step=0.25)
        assert "OW7" in house.source.asked[asked:]


async def test_the_look_two_seconds_after_one_that_was_asked_for_does_not_wait_for_the_budget(house):
    house.policy = PRECIOUS
    house.source.put("OWN", "PENDING_VBV")
    await house.watch("OWN")
    async with house.running(house.poller(rate=2.0, concurrency=2)):
        await house.pass_time(40, step=0.5)
        await orders(house, 100)
        await house.ask("OWN")
        asked = len(house.source.asked)
        await house.pass_time(6, step=0.25, settled=True)
        assert house.source.asked[asked:].count("OWN") == 2
        await house.pass_time(300, step=1)
    async with house.storage.reading() as tx:
        looks = await tx.due_looks("shop", now=house.clock.now() + timedelta(hours=1), limit=200)
    assert len(looks) == 101
    assert not [look for look in looks if look.attended_until is not None]


async def test_orders_under_suspicion_come_first_within_the_budget(house):
    house.policy = PRECIOUS
    await orders(house, 60)
    suspects = {f"OW{number}" for number in range(50, 55)}
    async with house.running(house.poller(rate=2.0, concurrency=2)):
        await house.pass_time(40, step=0.5)
        now = house.clock.now()
        async with house.storage.writing() as tx:
            await tx.attend(
                "shop", [order_key(each) for each in suspects], until=now + timedelta(60), now=now
            )
        asked = len(house.source.asked)
        await house.pass_time(5, step=0.25)
        first = house.source.asked[asked:]
    assert suspects <= set(first)
    assert len(first) <= 12


async def test_too_many_requests_halve_the_rate_and_the_wait_asked_for_is_kept(house):
    house.policy = PRECIOUS
    await orders(house, 40)
    poller = house.poller(rate=8.0)
    async with house.running(poller):
        await house.pass_time(20, step=0.5)
        house.source.failures.append(
            Failure(reason=FailureReason.RATE_LIMITED, http_status=429, retry_after_s=30)
        )
        await house.pass_time(5, step=0.25)
        assert poller.budget.rate == 4.0
        asked = len(house.source.asked)
        await house.pass_time(20, step=0.5)
        assert len(house.source.asked) == asked
        await house.pass_time(60, step=0.5)
        assert 0 < len(house.source.asked) - asked <= 5 * 56
        await house.pass_time(300, step=2)
        assert poller.budget.rate == 8.0


async def test_a_budget_with_room_again_lets_go_what_was_put_off(house):
    await orders(house, 60)
    poller = house.poller(rate=2.0)
    async with house.running(poller):
        await house.pass_time(60, step=0.5)
        for number in range(5, 60):
            async with house.storage.writing() as tx:
                await tx.remove_watch("shop", order_key(f"OW{number}"))
        await house.pass_time(60, step=0.5)
        assert poller.budget.fit.price_s == house.policy.price_s
        assert not poller.budget.is_dear


async def test_intervals_are_stretched_when_even_the_longest_are_too_much(house):
    house.policy = PollingPolicy(price_s=0.001, max_interval_s=5.0)
    await orders(house, 60)
    cadence = Cadence(policy=house.policy, clock=house.clock)
    poller = house.poller(rate=4.0, cadence=cadence)
    async with house.running(poller):
        await house.pass_time(120, step=0.5)
        assert 2.0 < poller.budget.fit.stretch < 4.0
        assert cadence.outlook(await house.watched("OW1")).stretch == poller.budget.fit.stretch
    assert min(Counter(house.source.asked).values()) >= 4


async def test_what_was_learned_outlives_a_restart(house):
    cadence = Cadence(policy=house.policy, clock=house.clock)
    learner = Learner(cadence=cadence, storage=house.storage, clock=house.clock, metrics=house.metrics)
    await orders(house, 10, "NEW")
    async with house.running(house.poller(cadence=cadence), learner):
        await house.pass_time(5)
        for number in range(10):
            house.source.put(f"OW{number}", "PENDING_VBV")
        await house.pass_time(30)
    (situation,) = {part.situation for part in (await house.watched("OW1")).next_parts}
    learned = cadence.hazards.law(situation).hazard(1.0)
    again = Cadence(policy=house.policy, clock=house.clock)
    assert again.hazards.law(situation).hazard(1.0) != learned
    reborn = Learner(cadence=again, storage=house.storage, clock=house.clock, metrics=house.metrics)
    async with house.running(reborn):
        assert abs(again.hazards.law(situation).hazard(1.0) / learned - 1) < 0.05
    assert house.metrics.cadence_events._value.get() >= 9


async def test_what_nobody_listens_to_is_hardly_looked_at_until_somebody_does(house):
    await house.subscribe("loan.*")
    await orders(house, 3)
    async with house.running(house.poller()):
        await house.pass_time(600, step=5)
        assert len(house.source.asked) <= 6
        await house.subscribe("order.*", name="other")
        await house.pass_time(120, step=2)
    assert len(house.source.asked) > 20


async def test_an_hour_of_looks_is_learned_as_exposure_and_makes_them_rarer(house):
    await orders(house, 20)
    cadence = Cadence(policy=house.policy, clock=house.clock)
    async with house.running(house.poller(cadence=cadence)):
        await house.pass_time(3, step=0.5)
        (part,) = (await house.watched("OW1")).next_parts
        before = cadence.hazards.law(part.situation).hazard(60.0)
        await house.pass_time(120, step=2)
    assert cadence.hazards.law(part.situation).hazard(60.0) < before


async def test_what_somebody_asks_for_goes_first_when_it_is_the_upstream_that_is_slow(house):
    """There is budget left then, so what was due was once asked for as it came due."""
    await orders(house, 200)
    house.source.gate = asyncio.Event()
    async with house.running(house.poller(concurrency=1)):
        await house.ask("OW199")
        house.source.gate.set()
        await house.pass_time(1, step=0.25)
    assert house.source.asked.index("OW199") <= 2 * _LEAST_AHEAD


async def test_a_wait_that_was_asked_for_binds_requests_that_had_a_turn_before(house):
    house.policy = PRECIOUS
    await orders(house, 40)
    async with house.running(house.poller(rate=1.0, concurrency=8)):
        await house.pass_time(20, step=0.5)
        house.source.failures.append(
            Failure(reason=FailureReason.RATE_LIMITED, http_status=429, retry_after_s=60)
        )
        await house.pass_time(2, step=0.25)
        assert not house.source.failures
        asked = len(house.source.asked)
        await house.pass_time(50, step=0.5)
        assert len(house.source.asked) <= asked + 1
        await house.pass_time(60, step=0.5)
        assert len(house.source.asked) > asked + 10


async def test_a_refusal_binds_requests_that_wait_for_their_turn(house):
    house.policy = PRECIOUS
    await orders(house, 40)
    async with house.running(house.poller(rate=1.0, concurrency=8)):
        await house.pass_time(20, step=0.5)
        house.source.refuses = True
        await house.pass_time(2, step=0.25)
        asked = len(house.source.asked)
        await house.pass_time(20, step=0.5)
    assert len(house.source.asked) <= asked + 1


async def test_an_answer_that_is_written_again_and_again_is_learned_from_once(house, monkeypatch):
    cadence = Cadence(policy=house.policy, clock=house.clock)
    house.source.put("OW1", "NEW")
    await house.watch("OW1")
    poller = house.poller(cadence=cadence)
    async with house.running(poller):
        await house.pass_time(5)
        with monkeypatch.context() as patch:
            patch.setattr(Looks, "save_look_state", refused)
            house.source.put("OW1", "PENDING_VBV")
            await house.pass_time(20)
        await house.pass_time(20)
    assert (await house.watched("OW1")).status == "PENDING_VBV"
    assert cadence.hazards.events == 1


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"schema": 9, "situations": [{}]}', '{"schema": 1, "bins": 173}']
)
async def test_what_was_learned_is_learned_anew_where_it_cannot_be_read(house, text):
    async with house.storage.writing() as tx:
        await tx.keep_learned("hazards", {}, now=house.clock.now())
        await tx._connection.execute(update(learned).values(document=type_coerce(text, Text)))
    cadence = Cadence(policy=house.policy, clock=house.clock)
    await orders(house, 1)
    learner = Learner(cadence=cadence, storage=house.storage, clock=house.clock, metrics=house.metrics)
    async with house.running(house.poller(cadence=cadence), learner):
        await house.pass_time(70, step=2)
    async with house.storage.reading() as tx:
        assert (await tx.learned("hazards"))["situations"]


async def test_a_new_listener_is_heard_although_the_database_refused_once(house, monkeypatch):
    await house.subscribe("loan.*")
    await orders(house, 3)
    async with house.running(house.poller()):
        await house.pass_time(600, step=5)
        with monkeypatch.context() as patch:
            patch.setattr(Pacing, "bring_forward", refused)
            await house.subscribe("order.*", name="other")
            await house.pass_time(30)
        asked = len(house.source.asked)
        await house.pass_time(120, step=2)
    assert len(house.source.asked) > asked + 20


async def test_an_alert_looks_at_orders_that_nobody_listens_to(house):
    await house.subscribe("loan.*")
    await orders(house, 3)
    async with house.storage.writing() as tx:
        await tx.save_alert(Alert(id=AlertId("alr_1"), account="shop", name="failures"))
    async with house.running(house.poller()):
        await house.pass_time(120, step=2)
    assert len(house.source.asked) > 20


async def refused(*_args, **_members):
    raise StorageError("the disk is full")
