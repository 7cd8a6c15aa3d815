"""Heartbeats, and what a receiver reads from them."""

import msgspec
import pytest

from notifier.domain.delivery import Outcome, Reason, Verdict
from notifier.domain.subscription import SubscriptionState
from notifier.storage.records import Lanes
from notifier.storage.telling import delivery_ids
from notifier.workers.heartbeats import Heartbeats
from notifier.workers.recording import Telling
from support.fakes import ACCEPTED, UNAVAILABLE

REFUSED = Outcome(verdict=Verdict.REFUSED, reason=Reason.TARGET_FORBIDDEN)


@pytest.fixture
def heartbeats(house):
    telling = Telling(expires_after_s=285_120, lanes=Lanes(), new_id=delivery_ids(), livemode=lambda _: False)
    return Heartbeats(
        storage=house.storage, clock=house.clock, telling=telling, accounts=("shop",), every_s=3600
    )


def beats(house):
    return [
        msgspec.json.decode(each.body)["data"]
        for each in house.channel.parcels
        if each.event_type == "heartbeat"
    ]


async def test_only_who_names_it_is_sent_a_heartbeat(house, heartbeats):
    await house.subscribe("heartbeat", "order.*")
    await house.subscribe("*", "source.*", name="heartbeat")
    await house.subscribe("heartbeat", name="paused", state=SubscriptionState.PAUSED)
    await heartbeats.beat()
    async with house.running(house.deliverer()):
        await house.pass_time(1)
    (parcel,) = house.channel.parcels
    assert (parcel.event_type, parcel.subscription_id) == ("heartbeat", "sub_shop")


async def test_one_is_told_an_interval_also_across_a_restart(house, heartbeats):
    await house.subscribe("heartbeat")
    async with house.running(house.deliverer()):
        for _ in range(3):
            await heartbeats.beat()
            await house.pass_time(1)
            assert len(beats(house)) == 1
        await house.pass_time(3600, step=600)
        await heartbeats.beat()
        await house.pass_time(1)
    first, second = house.channel.parcels
    assert (first.sequence, second.sequence) == (1, 2)
    assert first.event_id != second.event_id


async def test_a_dead_receiver_is_owed_one_heartbeat_at_most(house, heartbeats):
    await house.subscribe("heartbeat")
    house.channel.usual = UNAVAILABLE
    async with house.running(house.deliverer(schedule=(7000.0, 7000.0))):
        for _ in range(3):
            await heartbeats.beat()
            await house.pass_time(3600, step=1800)
        async with house.storage.reading() as tx:
            (view,), _ = await tx.deliveries("shop")
        assert (view.delivery.state, view.delivery.attempts) == ("pending", 2)
        house.channel.usual = ACCEPTED
        await house.pass_time(7200, step=1800)
        await heartbeats.beat()
        await house.pass_time(1)
    assert len({each.event_id for each in house.channel.parcels}) == 2


async def test_a_heartbeat_names_the_last_number_and_those_still_owed(house, heartbeats):
    await house.subscribe("order.*", "heartbeat")
    for number in range(3):
        await house.watch(f"OW{number}")
        house.source.put(f"OW{number}", "CHARGED")
    house.channel.outcomes.extend([UNAVAILABLE, REFUSED])
    async with house.running(house.poller(), house.deliverer(concurrency=1)):
        await house.pass_time(1)
        await heartbeats.beat()
        await house.pass_time(1)
    (data,) = beats(house)
    # Number 1 is tried again, 2 was given up: a receiver that lacks 2 knows it from here.
    assert data["backlog"] == {"last_sequence": 3, "owed": [1], "owed_count": 1, "unnumbered": 0}
    assert (data["subject"], data["subject_id"], data["order"]) == ("heartbeat", "sub_shop", None)


async def test_without_an_interval_there_is_no_heartbeat(house, heartbeats):
    assert (
        Heartbeats(
            storage=house.storage,
            clock=house.clock,
            telling=heartbeats.telling,
            accounts=("shop",),
            every_s=0,
        ).jobs()
        == ()
    )
    (job,) = heartbeats.jobs()
    assert job.every_s == 60


async def test_a_clock_that_is_set_back_does_not_silence_it(house, heartbeats):
    await house.subscribe("heartbeat")
    async with house.running(house.deliverer()):
        await heartbeats.beat()
        await house.pass_time(1)
        house.clock.step(-86_400)
        house.clock.follow()
        await heartbeats.beat()
        await house.pass_time(1)
    assert len(beats(house)) == 2
