"""What is claimed and cannot be sent is given back: nothing is sent twice, and no attempt is burnt."""

import asyncio
from collections import Counter
from dataclasses import replace

from test_deliverer import _deliveries, _seen

from notifier.config.secret import Secret
from notifier.domain.delivery import DeliveryState, Reason
from notifier.domain.subscription import SubscriptionState
from notifier.storage.records import SubscriptionSecrets
from notifier.workers.pace import Rate


async def test_a_restart_costs_what_waits_in_line_no_attempt(house):
    await house.subscribe("order.*")
    for number in range(8):
        await _seen(house, f"OW{number}", "CHARGED")
    house.channel.gate = asyncio.Event()
    deliverer = house.deliverer(concurrency=16)
    stop = asyncio.Event()
    running = asyncio.create_task(deliverer.run(stop))
    await house.quiet()
    assert len(house.channel.parcels) == 1
    stop.set()
    house.channel.gate.set()
    await asyncio.wait([running])
    running.result()
    waiting = [view for view in await _deliveries(house) if view.delivery.state is DeliveryState.PENDING]
    assert [view.delivery.attempts for view in waiting] == [0] * len(waiting)
    house.channel.gate = None
    async with house.running(house.deliverer()):
        await house.pass_time(1)
    assert [parcel.attempt for parcel in house.channel.parcels] == [1] * 8
    assert sorted(parcel.sequence for parcel in house.channel.parcels) == list(range(1, 9))


async def test_a_slow_rate_never_sends_twice_what_waits_longer_than_a_lease(house):
    await house.subscribe("order.*", rate_per_s=0.02)
    for number in range(6):
        await _seen(house, f"OW{number}", "CHARGED")
    async with house.running(house.deliverer()):
        await house.pass_time(600, step=5)
    ids = [parcel.event_id for parcel in house.channel.parcels]
    assert len(ids) == len(set(ids)) == 6
    assert all(view.delivery.reason is Reason.ACCEPTED for view in await _deliveries(house))


async def test_a_rate_slower_than_a_lease_burns_no_attempts(house):
    """A turn further off than the lease once ended deliveries as exhausted of attempts that were never made."""
    await house.subscribe("order.*", rate_per_s=0.004)
    for number in range(3):
        await _seen(house, f"OW{number}", "CHARGED")
    async with house.running(house.deliverer()):
        await house.pass_time(800, step=5)
    assert [parcel.attempt for parcel in house.channel.parcels] == [1] * 3
    assert [view.delivery.state for view in await _deliveries(house)] == [DeliveryState.DELIVERED] * 3


async def test_the_backlog_of_a_rated_subscription_starves_nobody(house):
    """Its line, shorter than others for its rate, once never counted as full: its rows alone were claimed, in vain."""
    await house.subscribe("order.*", name="slow", rate_per_s=0.1)
    for number in range(100):
        await _seen(house, f"OW{number}", "CHARGED")
    await house.subscribe("order.*", name="quick")
    await _seen(house, "OW100", "CHARGED")
    async with house.running(house.deliverer(concurrency=16)):
        await house.pass_time(3)
    quick = [parcel for parcel in house.channel.parcels if parcel.subscription_id != "sub_slow"]
    assert [parcel.order_id for parcel in quick] == ["OW100"]


async def test_what_waits_for_its_rate_goes_where_its_subscription_points_by_then(house):
    """What rested until its turn once went to the address as of its claim, and after a deletion, too."""
    subscription = await house.subscribe("order.*", rate_per_s=0.1)
    for number in range(8):
        await _seen(house, f"OW{number}", "CHARGED")
    async with house.running(house.deliverer(concurrency=64)):
        await house.pass_time(3)
        sent = len(house.channel.parcels)
        moved = SubscriptionSecrets(target=Secret("https://new.example/"))
        async with house.storage.writing() as tx:
            await tx.amend_subscription(subscription, moved, now=house.clock.now())
        await house.pass_time(40)
        later = house.channel.parcels[sent:]
        assert {parcel.address.target.reveal() for parcel in later} == {"https://new.example/"}
        async with house.storage.writing() as tx:
            await tx.remove_subscription("shop", subscription.id, now=house.clock.now())
        await house.pass_time(60)
        assert len(house.channel.parcels) == sent + len(later)


async def test_the_first_send_of_a_rated_subscription_does_not_wait(house):
    await house.subscribe("order.*", rate_per_s=0.1)
    await _seen(house, "OW1", "CHARGED")
    async with house.running(house.deliverer()):
        assert len(house.channel.parcels) == 1


async def test_a_rate_holds_over_lines_that_run_empty(house):
    await house.subscribe("order.*", rate_per_s=1.0)
    async with house.running(house.deliverer()):
        for number in range(6):
            await _seen(house, f"OW{number}", "CHARGED")
            await house.quiet()
        assert len(house.channel.parcels) <= 2


async def test_a_channel_has_a_pace_with_a_few_at_once_unless_a_subscription_has_its_own(house):
    await house.subscribe("order.*", name="paced")
    await house.subscribe("order.*", name="own", rate_per_s=1000.0)
    for number in range(6):
        await _seen(house, f"OW{number}", "CHARGED")
    sent = []
    async with house.running(house.deliverer(rates={"webhook": Rate(1.0, burst_s=2.0)})):
        for _ in range(3):
            sent.append(Counter(parcel.subscription_id for parcel in house.channel.parcels)["sub_paced"])
            await house.pass_time(1)
    assert sent == [3, 4, 5]
    assert Counter(parcel.subscription_id for parcel in house.channel.parcels)["sub_own"] == 6


async def test_two_subscriptions_to_one_target_share_its_pace(house):
    for name in ("one", "other"):
        await house.subscribe("order.*", name=name, target="https://chat.example/hook")
    await house.subscribe("order.*", name="elsewhere")
    for number in range(3):
        await _seen(house, f"OW{number}", "CHARGED")
    sent = []
    async with house.running(house.deliverer(rates={"webhook": Rate(1.0, burst_s=2.0)})):
        for _ in range(4):
            by_name = Counter(parcel.subscription_id for parcel in house.channel.parcels)
            sent.append((by_name["sub_one"] + by_name["sub_other"], by_name["sub_elsewhere"]))
            await house.pass_time(1)
    assert sent == [(3, 3), (4, 3), (5, 3), (6, 3)]


async def test_a_stop_does_not_wait_for_a_rate(house):
    await house.subscribe("order.*", rate_per_s=0.01)
    for number in range(3):
        await _seen(house, f"OW{number}", "CHARGED")
    async with house.running(house.deliverer()):
        assert len(house.channel.parcels) == 1
    pending = [view for view in await _deliveries(house) if view.delivery.state is DeliveryState.PENDING]
    assert [view.delivery.attempts for view in pending] == [0, 0]


async def test_nothing_that_waits_is_sent_once_its_subscription_is_deleted(house):
    subscription = await house.subscribe("order.*")
    for number in range(8):
        await _seen(house, f"OW{number}", "CHARGED")
    house.channel.gate = asyncio.Event()
    async with house.running(house.deliverer(concurrency=16)):
        sent = len(house.channel.parcels)
        async with house.storage.writing() as tx:
            await tx.remove_subscription("shop", subscription.id, now=house.clock.now())
        house.channel.gate.set()
        await house.pass_time(2)
    assert len(house.channel.parcels) == sent


async def test_what_waits_while_its_subscription_is_paused_goes_when_it_is_resumed(house):
    subscription = await house.subscribe("order.*")
    for number in range(6):
        await _seen(house, f"OW{number}", "CHARGED")
    house.channel.gate = asyncio.Event()
    async with house.running(house.deliverer(concurrency=16)):
        sent = len(house.channel.parcels)
        async with house.storage.writing() as tx:
            paused = replace(subscription, state=SubscriptionState.PAUSED)
            await tx.amend_subscription(paused, None, now=house.clock.now())
        house.channel.gate.set()
        await house.pass_time(5)
        assert len(house.channel.parcels) == sent
        async with house.storage.writing() as tx:
            await tx.amend_subscription(subscription, None, now=house.clock.now())
        await house.pass_time(2)
    assert sorted(parcel.attempt for parcel in house.channel.parcels) == [1] * 6


async def test_what_is_in_our_hands_is_not_taken_up_again_when_its_lease_runs_out(house):
    """An outage of the database longer than a lease: the outcome is known here, and nobody else could record it."""
    await house.subscribe("order.*")
    await _seen(house, "OW1", "CHARGED")
    house.channel.gate = asyncio.Event()
    deliverer = house.deliverer(concurrency=16)
    async with house.running(deliverer):
        await house.pass_time(deliverer._limits.lease_s + 60, step=10)
        under_way = len(house.channel.parcels)
        house.channel.gate.set()
    assert under_way == 1
    (view,) = await _deliveries(house)
    assert (view.delivery.state, view.delivery.attempts) == (DeliveryState.DELIVERED, 1)


async def test_a_line_that_grows_wider_is_filled_at_once(house):
    """What a narrow line had no room for once lay until the next bell rang, for up to half a minute."""
    await house.subscribe("order.*")
    for number in range(15):
        await _seen(house, f"OW{number}", "CHARGED")
    async with house.running(house.deliverer()):
        await house.pass_time(1, step=0.1)
        assert len(house.channel.parcels) == 15


async def test_the_backlogs_of_many_slow_subscriptions_leave_room_for_the_claims_of_others(house):
    """What waited for its pace once was all that might be claimed, for as long as the slowest took."""
    for number in range(40):
        await house.subscribe("order.*", name=f"slow{number}", rate_per_s=0.2)
    for number in range(12):
        await _seen(house, f"OW{number}", "CHARGED")
    async with house.running(house.deliverer()):
        await house.subscribe("order.*", name="quick")
        for number in range(12, 32):
            await _seen(house, f"OW{number}", "CHARGED")
        await house.pass_time(3)
    by_name = Counter(parcel.subscription_id for parcel in house.channel.parcels)
    assert by_name["sub_quick"] == 20
    assert {by_name[f"sub_slow{number}"] for number in range(40)} == {1}


async def test_lines_that_share_a_pace_take_turns(house):
    """Whoever had just sent once had its next turn before those that had waited longer."""
    for name in ("one", "two", "three"):
        await house.subscribe("order.*", name=name, target="https://chat.example/hook")
    for number in range(4):
        await _seen(house, f"OW{number}", "CHARGED")
    async with house.running(house.deliverer(rates={"webhook": Rate(1.0, burst_s=0.0)})):
        await house.pass_time(12)
    sent = [parcel.subscription_id for parcel in house.channel.parcels]
    assert [len(set(sent[at : at + 3])) for at in range(0, 12, 3)] == [3] * 4
