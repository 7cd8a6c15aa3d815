"""What goes wrong around a poll, and that the poller goes on."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from notifier.domain.delivery import DeliveryState, Reason
from notifier.domain.order import WatchState, order_key
from notifier.domain.snapshot import Reader
from notifier.errors import StorageError
from notifier.source.contract import Failure, FailureReason
from support.fakes import READER


class _Failing:
    """A storage whose transactions fail while told to."""

    def __init__(self, storage):
        self._storage = storage
        self.signals = storage.signals
        self.broken = set()

    @asynccontextmanager
    async def reading(self):
        if "reading" in self.broken:
            raise StorageError("the disk is gone")
        async with self._storage.reading() as tx:
            yield tx

    @asynccontextmanager
    async def writing(self):
        if "writing" in self.broken:
            raise StorageError("the disk is full")
        async with self._storage.writing() as tx:
            yield tx


@pytest.fixture
def failing(house):
    storage, house.storage = house.storage, _Failing(house.storage)
    house.storage._doors = storage._doors
    return house.storage


async def test_a_storage_that_fails_for_a_while_is_waited_for(house, failing):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    async with house.running(house.poller()):
        failing.broken = {"reading", "writing"}
        await house.clock.advance(30)
        failing.broken = set()
        house.source.put("OW1", "CHARGED")
        await house.pass_time(10)
    assert await house.types() == ["order.pending_vbv", "order.charged"]


async def test_an_answer_is_not_lost_while_the_disk_is_full(house, failing):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    failing.broken = {"writing"}
    async with house.running(house.poller()):
        await house.clock.advance(5)
        assert len(house.source.asked) == 1
        failing.broken = set()
        await house.pass_time(3)
        assert await house.types() == ["order.pending_vbv"]


async def test_a_poller_that_broke_polls_again_when_it_is_run_again(house):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    poller = house.poller()
    house.source.gate = asyncio.Event()
    broken = asyncio.create_task(poller.run(asyncio.Event()))
    await house.quiet()
    broken.cancel()
    await asyncio.wait([broken])
    house.source.gate = None
    async with house.running(poller):
        await house.pass_time(1)
    assert await house.types() == ["order.pending_vbv"]


async def test_one_order_that_is_refused_does_not_stop_the_others(house):
    house.source.refused = {"OW0"}
    for number in range(5):
        house.source.put(f"OW{number}", "PENDING_VBV")
        await house.watch(f"OW{number}")
    async with house.running(house.poller()):
        await house.pass_time(60, step=5)
    types = await house.types()
    assert types.count("order.pending_vbv") == 4
    assert "source.refused" not in types


async def test_a_probe_asks_for_another_order_each_time(house):
    house.source.refuses = True
    for number in range(5):
        house.source.put(f"OW{number}", "PENDING_VBV")
        await house.watch(f"OW{number}")
    async with house.running(house.poller()):
        await house.pass_time(1)
        house.source.refuses = False
        house.source.refused = {house.source.asked[0]}
        await house.pass_time(200, step=5)
    assert (await house.types()).count("order.pending_vbv") == 4


async def test_an_order_just_committed_is_not_claimed_from_an_older_read(house):
    for number in range(60):
        house.source.put(f"OW{number}", "PENDING_VBV")
        await house.watch(f"OW{number}")
    async with house.running(house.poller(concurrency=8)):
        await house.pass_time(1, step=0.25)
    assert sorted(house.source.asked) == sorted(set(house.source.asked))


async def test_the_first_change_under_a_new_version_date_is_told(house):
    house.source.put("OW1", "CHARGED")
    await house.watch("OW1")
    async with house.running(house.poller()):
        pass
    house.source.reader = Reader(schema=READER.schema, version="2024-05-01")
    house.source.put("OW1", "CHARGED")
    async with house.running(house.poller()):
        await house.pass_time(120, step=10)
        house.source.put("OW1", "CHARGED", gateway="RAZORPAY")
        await house.ask("OW1")
        await house.pass_time(30, step=10)
        house.source.put("OW1", "AUTO_REFUNDED", gateway="RAZORPAY")
        await house.ask("OW1")
        await house.pass_time(30, step=10)
    assert await house.types() == ["order.charged", "order.auto_refunded"]


async def test_a_watch_that_rises_from_its_tombstone_gets_a_life_of_its_own(house):
    house.source.put("OW1", "CHARGED")
    await house.watch("OW1")
    async with house.running(house.poller()):
        pass
    async with house.storage.writing() as tx:
        await tx.remove_watch("shop", order_key("OW1"))
    await house.clock.advance(timedelta(days=20).total_seconds())
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(300, step=30)
    assert await house.types() == ["order.charged"]
    assert (await house.watched("OW1")).state is WatchState.ACTIVE


async def test_asking_for_an_order_that_was_not_found_begins_a_new_grace(house):
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(420, step=10)
        assert (await house.watched("OW1")).state is WatchState.NOT_FOUND
        async with house.storage.writing() as tx:
            await tx.ask("shop", order_key("OW1"), now=house.clock.now())
        await house.pass_time(5)
        house.source.put("OW1", "CHARGED")
        await house.pass_time(60, step=5)
    assert await house.types() == ["watch.not_found", "order.charged"]


async def test_a_stray_404_does_not_park_an_order_that_was_seen(house):
    house.source.put("OW1", "AUTHORIZATION_FAILED")
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(90_000, step=3000)
        house.source.failures.append(Failure(reason=FailureReason.NOT_FOUND, http_status=404))
        async with house.storage.writing() as tx:
            await tx.ask("shop", order_key("OW1"), now=house.clock.now())
        await house.pass_time(60, step=5)
    assert await house.types() == ["order.authorization_failed", "watch.settled"]
    assert (await house.watched("OW1")).state is WatchState.ACTIVE


async def test_asked_during_the_look_that_would_settle_it_an_order_lives_on(house):
    house.source.put("OW1", "AUTHORIZATION_FAILED")
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(80_000, step=4000)
        house.source.gate = asyncio.Event()
        await house.pass_time(10_000, step=2000)
        await house.clock.advance(1)
        async with house.storage.writing() as tx:
            await tx.ask("shop", order_key("OW1"), now=house.clock.now())
        asked = len(house.source.asked)
        house.source.put("OW1", "CHARGED")
        house.source.gate.set()
        await house.pass_time(5)
        assert len(house.source.asked) > asked
    assert "order.charged" in await house.types()


@pytest.mark.parametrize("outage_s", [20, 120, 900])
async def test_an_attempt_is_not_made_again_because_the_disk_was_full_for_long(house, failing, outage_s):
    """Its outcome was once dropped after half a minute of tries, so that the lease ran out and it went again."""
    await house.subscribe("order.*")
    house.source.put("OW1", "CHARGED")
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.quiet()
    house.channel.gate = asyncio.Event()
    async with house.running(house.deliverer()):
        assert len(house.channel.parcels) == 1
        failing.broken = {"writing"}
        house.channel.gate.set()
        await house.pass_time(outage_s, step=5)
        failing.broken = set()
        await house.pass_time(900, step=5)
    assert len(house.channel.parcels) == 1
    async with house.storage.reading() as tx:
        (view,), _ = await tx.deliveries("shop")
        (attempt,) = await tx.attempts(view.delivery.id)
    assert (view.delivery.state, attempt.reason) == (DeliveryState.DELIVERED, Reason.ACCEPTED)
