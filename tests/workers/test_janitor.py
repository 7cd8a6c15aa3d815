"""Housekeeping."""

import asyncio
from datetime import timedelta
from functools import partialmethod

import pytest
from test_deliverer import _seen
from test_deliverer_receivers import GONE

from notifier.domain.delivery import DeliveryState
from notifier.domain.subscription import SubscriptionId
from notifier.errors import StorageError
from notifier.storage.records import Sign
from notifier.storage.repository.health import Health
from notifier.storage.repository.outcomes import Outcomes
from notifier.workers.janitor import Janitor


@pytest.fixture
def janitor(house):
    return Janitor(
        storage=house.storage,
        clock=house.clock,
        metrics=house.metrics,
        telling=house.telling,
        retention_days=90,
        accounts=("shop",),
    )


@pytest.mark.parametrize("step_s", [-3600, 3600])
async def test_a_step_of_the_wall_clock_moves_due_times_along(house, janitor, step_s):
    house.source.put("OW1", "CHARGED")
    await house.subscribe("order.*")
    await house.watch("OW1")
    async with house.running(house.poller()):
        pass
    before = (await house.watched("OW1")).next_poll_at
    async with house.storage.reading() as tx:
        due = await tx.next_delivery_at()
    house.clock.step(step_s)
    await janitor.follow_clock()
    assert (await house.watched("OW1")).next_poll_at == before + timedelta(seconds=step_s)
    async with house.storage.reading() as tx:
        assert await tx.next_delivery_at() == due + timedelta(seconds=step_s)


@pytest.mark.parametrize("step_s", [-3600, 3600])
async def test_a_step_makes_nothing_due_and_puts_nothing_off_before_it_is_followed(house, janitor, step_s):
    """An attempt in flight once went again when the clock was set forward, and a look of that moment slept the step."""
    await house.subscribe("order.*")
    house.source.put("OW1", "AUTHORIZATION_FAILED")
    await house.watch("OW1")
    house.channel.gate = asyncio.Event()
    async with house.running(house.poller(), house.deliverer()):
        house.clock.step(step_s)
        await house.pass_time(4)
        await janitor.follow_clock()
        await house.pass_time(4)
        looks = len(house.source.asked)
        await house.pass_time(900, step=20)
        assert len(house.source.asked) > looks
        assert len(house.channel.parcels) == 1
        house.channel.gate.set()
        await house.quiet()
    assert len(house.channel.parcels) == 1
    async with house.storage.reading() as tx:
        (view,), _ = await tx.deliveries("shop")
    assert view.delivery.state is DeliveryState.DELIVERED


async def test_what_a_request_over_a_step_back_brings_is_told_at_once(house, janitor):
    """Its instants are yet to come by the new clock; it was once told then, an hour later."""
    await house.subscribe("order.*")
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    house.source.gate = asyncio.Event()
    async with house.running(house.poller(), house.deliverer()):
        house.clock.step(-3600)
        await janitor.follow_clock()
        house.source.gate.set()
        await house.pass_time(2)
        assert house.channel.types() == ["order.pending_vbv"]
        looks = len(house.source.asked)
        await house.pass_time(120, step=5)
        assert len(house.source.asked) > looks


async def test_what_was_asked_for_before_a_step_back_is_looked_at_once(house, janitor):
    """By the new clock it was asked for in an hour, so every look until then once owed another one at once."""
    house.source.put("OW1", "CHARGED")
    await house.watch("OW1")
    await house.ask("OW1")
    house.clock.step(-3600)
    await janitor.follow_clock()
    async with house.running(house.poller()):
        await house.pass_time(5, step=0.5)
    assert len(house.source.asked) <= 3


async def test_what_was_asked_for_before_a_step_back_that_nobody_saw_is_looked_at_once(house):
    house.source.put("OW1", "CHARGED")
    await house.watch("OW1")
    house.clock.step(3)
    house.clock.follow()
    await house.ask("OW1")
    house.clock.step(-3)
    house.clock.follow()
    async with house.running(house.poller()):
        await house.pass_time(1, step=0.25)
    assert len(house.source.asked) == 1


async def test_a_doubt_is_confirmed_in_seconds_although_the_clock_was_set_back(house, janitor):
    await house.subscribe("order.*")
    house.source.put("OW1", "CHARGED")
    await house.watch("OW1")
    async with house.running(house.poller(), house.deliverer()):
        house.source.put("OW1", "PENDING_VBV")
        await house.ask("OW1")
        await house.quiet()
        house.clock.step(-3600)
        await janitor.follow_clock()
        await house.pass_time(15)
    assert house.channel.types() == ["order.charged", "order.pending_vbv"]


async def test_a_step_that_could_not_be_written_is_not_followed(house, janitor, monkeypatch):
    def refused():
        raise StorageError("the disk is full")

    before = house.clock.now()
    house.clock.step(3600)
    with monkeypatch.context() as patch:
        patch.setattr(house.storage, "writing", refused)
        with pytest.raises(StorageError):
            await janitor.follow_clock()
    assert house.clock.now() == before
    await janitor.follow_clock()
    assert house.clock.now() == before + timedelta(seconds=3600)


async def test_a_small_step_is_followed_and_moves_nothing(house, janitor):
    await house.watch("OW1")
    before, due_at = house.clock.now(), (await house.watched("OW1")).next_poll_at
    house.clock.step(2)
    await janitor.follow_clock()
    assert house.clock.now() == before + timedelta(seconds=2)
    assert (await house.watched("OW1")).next_poll_at == due_at


async def test_time_that_passes_moves_nothing(house, janitor):
    house.source.put("OW1", "CHARGED")
    await house.watch("OW1")
    async with house.running(house.poller()):
        pass
    before = (await house.watched("OW1")).next_poll_at
    await house.clock.advance(30)
    await janitor.follow_clock()
    assert (await house.watched("OW1")).next_poll_at == before


async def test_the_gauges_tell_watches_what_is_owed_and_how_late(house, janitor):
    house.source.put("OW1", "PENDING_VBV")
    await house.subscribe("order.*")
    await house.watch("OW1")
    async with house.running(house.poller()):
        pass
    await house.clock.advance(200)
    await janitor.gauge()
    text = house.metrics.render()[0].decode()
    assert 'notifier_watches{state="active"} 1.0' in text
    assert "notifier_deliveries_owed 1.0" in text
    assert float(text.split("\nnotifier_due_lag_seconds ")[1].split()[0]) > 100


async def test_every_end_of_a_delivery_is_counted_once_by_its_reason(house, janitor):
    await house.subscribe("order.*", name="well")
    await house.subscribe("order.*", name="gone")
    house.channel.outcomes.append(GONE)
    await _seen(house, "OW1", "CHARGED")
    async with house.running(house.deliverer()):
        await house.pass_time(1)
    await _seen(house, "OW2", "CHARGED")
    async with house.storage.writing() as tx:
        for each in ("sub_well", "sub_gone"):
            await tx.remove_subscription("shop", SubscriptionId(each), now=house.clock.now())
    for _ in range(3):
        await house.clock.advance(15)
        await janitor.gauge()
    text = house.metrics.render()[0].decode()
    ends = {line for line in text.splitlines() if line.startswith("notifier_deliveries_ended_total{")}
    assert ends == {
        'notifier_deliveries_ended_total{reason="accepted",state="delivered"} 1.0',
        'notifier_deliveries_ended_total{reason="gone",state="failed"} 1.0',
        'notifier_deliveries_ended_total{reason="subscription_deleted",state="cancelled"} 2.0',
    }


async def test_what_takes_long_to_count_is_counted_rarely(house, janitor, monkeypatch):
    """A million settled watches once cost 16 ms of every second, and nothing else did."""
    counted = []

    async def slowly(self):
        counted.append(house.clock.now())
        await house.clock.advance(0.25)
        return {}

    monkeypatch.setattr(Health, "counts", slowly)
    for _ in range(20):
        await janitor.gauge()
        await house.clock.advance(15)
    assert [(at - counted[0]).total_seconds() // 60 for at in counted] == [0, 2, 4]


async def test_old_history_goes_and_what_is_owed_stays(house, janitor):
    house.source.put("OW1", "PENDING_VBV")
    await house.subscribe("order.*")
    await house.watch("OW1")
    async with house.running(house.poller()):
        house.source.put("OW1", "CHARGED")
        await house.pass_time(5)
    await house.clock.advance(timedelta(days=100).total_seconds())
    await janitor.prune()
    assert await house.types() == ["order.pending_vbv", "order.charged"]
    await janitor.expire()
    await house.clock.advance(timedelta(days=100).total_seconds())
    await janitor.prune()
    assert await house.types() == []


async def test_the_house_leaves_a_sign_of_life(house, janitor):
    await janitor.expire()
    async with house.storage.reading() as tx:
        assert await tx.noted(Sign.ALIVE) == house.clock.now()


async def test_all_that_is_past_its_expiry_ends_however_much_it_is(house, janitor, monkeypatch):
    monkeypatch.setattr(Outcomes, "expire_deliveries", partialmethod(Outcomes.expire_deliveries, limit=2))
    await house.subscribe("order.*", expires_after_s=100.0)
    for number in range(5):
        house.source.put(f"OW{number}", "CHARGED")
        await house.watch(f"OW{number}")
    async with house.running(house.poller()):
        pass
    await house.clock.advance(101)
    await janitor.expire()
    async with house.storage.reading() as tx:
        assert (await tx.counts())["deliveries.failed"] == 5
