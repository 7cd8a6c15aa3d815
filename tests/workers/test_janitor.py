"""Housekeeping."""

from datetime import timedelta

import pytest

from notifier.storage.records import Sign
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
    house.source.put("OW1", "CHARGED")
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
