"""Replays, from the row of the job to the parcels a receiver gets."""

from dataclasses import replace

import msgspec
import pytest

from notifier.domain.delivery import DeliveryState, Outcome, Reason, Verdict
from notifier.domain.event import Event, EventId
from notifier.domain.order import parse_order_id
from notifier.domain.replay import Replay, Replayable, ReplayState
from notifier.domain.snapshot import Order, Snapshot, Source, Subject
from notifier.domain.subscription import Condition, Op, SubscriptionState
from notifier.storage.records import Lanes
from notifier.storage.replaying import count_matches, range_of, replay_since
from notifier.storage.telling import delivery_ids, tell
from notifier.workers.recording import Telling
from notifier.workers.replayer import Replayer
from support.fakes import ACCEPTED, READER, UNAVAILABLE

REFUSED = Outcome(verdict=Verdict.REFUSED, reason=Reason.TARGET_FORBIDDEN)


@pytest.fixture
def replayer(house):
    telling = Telling(expires_after_s=285_120, lanes=Lanes(), new_id=delivery_ids(), livemode=lambda _: False)
    return Replayer(storage=house.storage, clock=house.clock, metrics=house.metrics, telling=telling)


async def happen(house, *names, order_id="OW1", event_type="order.charged", amount=None):
    """Tell one event for each name, of one order."""
    async with house.storage.writing() as tx:
        now = house.clock.now()
        for name in names:
            watch = await tx.watch("shop", order_id.lower())
            order = Order(status="CHARGED", amount=amount)
            snapshot = Snapshot(source=Source.ORDER, reader=READER, order=order)
            version = await tx.add_snapshot(watch, snapshot, observed_at=now, not_before=None)
            event = Event(
                id=EventId(f"evt_{name}"),
                type=event_type,
                account="shop",
                livemode=False,
                subject=Subject.ORDER,
                subject_id=None,
                observed_at=now,
                order_id=parse_order_id(order_id),
                order_key=watch.order_key,
                order_version=version,
            )
            await tell(
                tx,
                [event],
                watch=watch,
                snapshot=snapshot,
                now=now,
                expires_after_s=1000,
                lanes=house.lanes,
                new_id=delivery_ids(),
            )


async def asked(house, subscription, since=0, until=None, name="one", **members):
    async with house.storage.reading() as tx:
        last = await tx.last_sequence("shop")
    replay = Replay(
        id=f"rpl_{name}",
        account="shop",
        subscription_id=subscription.id,
        created_at=house.clock.now(),
        **range_of(since, until, last=last),
        **members,
    )
    matched = await count_matches(house.storage, replay, subscription)
    async with house.storage.writing() as tx:
        await tx.add_replay(replace(replay, matched=matched))
    return matched


async def shown(house, name="one"):
    async with house.storage.reading() as tx:
        return await tx.replay("shop", f"rpl_{name}"), await tx.made_by(f"rpl_{name}")


def told(house):
    return [parcel.event_id.removeprefix("evt_") for parcel in house.channel.parcels]


async def test_what_failed_is_sent_again_with_its_number_its_body_and_the_replay(house, replayer):
    hook = await house.subscribe("order.*")
    await house.watch("OW1")
    house.channel.outcomes.extend([ACCEPTED, REFUSED])
    await happen(house, "a", "b")
    async with house.running(house.deliverer(), replayer):
        await house.pass_time(1)
        assert told(house) == ["a", "b"]
        assert await asked(house, hook, states=(Replayable.FAILED,)) == 1
        await house.pass_time(3)
    first, again = house.channel.parcels[1:]
    assert (again.event_id, again.sequence, again.body) == ("evt_b", first.sequence, first.body)
    assert (again.replay_id, again.attempt, first.replay_id) == ("rpl_one", 1, None)
    replay, made = await shown(house)
    assert (replay.state, replay.made, made.states) == (ReplayState.DONE, 1, {DeliveryState.DELIVERED: 1})


async def test_a_replayed_delivery_leaves_its_first_one_as_history(house, replayer):
    hook = await house.subscribe("order.*")
    await house.watch("OW1")
    house.channel.outcomes.append(REFUSED)
    await happen(house, "a")
    async with house.running(house.deliverer(), replayer):
        await asked(house, hook)
        await house.pass_time(3)
    async with house.storage.reading() as tx:
        views, _ = await tx.deliveries("shop")
    assert [(view.replay_id, view.delivery.state) for view in views] == [
        ("rpl_one", "delivered"),
        (None, "failed"),
    ]


async def test_what_is_missing_is_made_by_the_present_patterns(house, replayer):
    await house.watch("OW1")
    await happen(house, "before")
    await happen(house, "other", event_type="order.stuck")
    hook = await house.subscribe("order.charged")
    await happen(house, "live")
    async with house.running(house.deliverer(), replayer):
        assert await asked(house, hook, states=(Replayable.MISSING,)) == 1
        await house.pass_time(3)
    assert sorted(told(house)) == ["before", "live"]
    (parcel,) = [each for each in house.channel.parcels if each.event_id == "evt_before"]
    assert msgspec.json.decode(parcel.body)["data"]["order"]["status"] == "CHARGED"


async def test_what_is_still_owed_is_not_sent_twice(house, replayer):
    hook = await house.subscribe("order.*")
    await house.watch("OW1")
    house.channel.usual = UNAVAILABLE
    await happen(house, "a")
    async with house.running(house.deliverer()):
        await house.pass_time(1)
    assert await asked(house, hook) == 0
    await replayer.take_turn()
    async with house.storage.reading() as tx:
        assert len((await tx.deliveries("shop"))[0]) == 1


async def test_a_range_is_narrowed_by_time_sequence_and_type(house):
    hook = await house.subscribe("order.*")
    await house.watch("OW1")
    begin = house.clock.now()
    for name in "abcd":
        await happen(house, name, event_type="order.stuck" if name == "c" else "order.charged")
        await house.clock.advance(10)
    async with house.storage.writing() as tx:
        await tx.amend_subscription(
            replace(hook, state=SubscriptionState.PAUSED), None, now=house.clock.now()
        )
        await tx.drop_held(hook.id, now=house.clock.now())

    async def count(since, until=None, **members):
        return await asked(house, hook, since, until, name=f"{since}-{until}-{members}", **members)

    def at(seconds):
        return begin.replace(second=begin.second + seconds)

    assert await count(at(10)) == 3
    assert await count(at(10), at(20)) == 1
    assert await count(2, 3) == 2
    assert await count(0, types=("order.stuck",)) == 1
    assert await count(0, states=(Replayable.DELIVERED,)) == 0
    assert await count(0, states=(Replayable.CANCELLED,)) == 4


async def test_a_filter_is_judged_by_the_snapshot_of_then(house, replayer):
    await house.watch("OW1")
    await happen(house, "a")
    condition = Condition(path="data.order.status", op=Op.EQ, value="CHARGED")
    hook = await house.subscribe("order.*", conditions=(condition,))
    other = await house.subscribe(
        "order.*", name="other", conditions=(Condition(path="data.order.status", op=Op.EQ, value="NEW"),)
    )
    assert (await asked(house, hook), await asked(house, other, name="two")) == (1, 0)


async def test_a_new_subscription_begins_in_the_past_without_a_gap_or_a_repeat(house, replayer):
    await house.watch("OW1")
    await happen(house, "a", "b")
    hook = await house.subscribe("order.*")
    async with house.storage.writing() as tx:
        await replay_since(tx, hook, 2, now=house.clock.now())
    await happen(house, "c")
    async with house.running(house.deliverer(), replayer):
        await house.pass_time(3)
    assert sorted(told(house)) == ["b", "c"]
    replay, _ = await shown(house, "shop")
    assert (replay.state, replay.matched, replay.made) == (ReplayState.DONE, None, 1)


async def test_few_wait_at_a_time_and_live_news_goes_before_the_rest(house, replayer):
    hook = await house.subscribe("order.*", state=SubscriptionState.PAUSED)
    for number in range(50):
        await house.watch(f"OW{number}")
        await happen(house, f"old{number}", order_id=f"OW{number}")
    async with house.storage.writing() as tx:
        await tx.drop_held(hook.id, now=house.clock.now())
        active = replace(hook, state=SubscriptionState.ACTIVE)
        await tx.amend_subscription(active, None, now=house.clock.now())
    await asked(house, hook)
    for _ in range(5):
        await replayer.take_turn()
    replay, made = await shown(house)
    assert (replay.made, made.untried) == (20, 20)
    await happen(house, "live", order_id="OW0")
    async with house.running(house.deliverer(), replayer):
        await house.pass_time(5)
    assert len(told(house)) == 51
    assert told(house).index("live") <= 20


async def test_of_a_slow_subscription_no_more_wait_than_go_in_a_second(house, replayer):
    await house.watch("OW1")
    await happen(house, *(f"e{number}" for number in range(10)))
    hook = await house.subscribe("order.*", rate_per_s=3)
    await asked(house, hook)
    for _ in range(3):
        await replayer.take_turn()
    assert (await shown(house))[0].made == 3


async def test_a_sick_receiver_is_not_buried(house, replayer, monkeypatch):
    monkeypatch.setattr("notifier.workers.replayer._MOST_OWED", 25)
    hook = await house.subscribe("order.*", state=SubscriptionState.PAUSED)
    await house.watch("OW1")
    await happen(house, *(f"e{number}" for number in range(30)))
    async with house.storage.writing() as tx:
        await tx.drop_held(hook.id, now=house.clock.now())
    await asked(house, hook)
    for _ in range(5):
        await replayer.take_turn()
    replay, made = await shown(house)
    assert (replay.state, made.states) == (
        ReplayState.RUNNING,
        {DeliveryState.HELD: 25},
    )
    async with house.storage.writing() as tx:
        await tx.drop_held(hook.id, now=house.clock.now())
    assert not await replayer.take_turn()
    assert (await shown(house))[0].state is ReplayState.CANCELLED


async def test_a_replay_goes_on_where_a_crash_left_it(house, replayer):
    hook = await house.subscribe("order.*", state=SubscriptionState.PAUSED)
    await house.watch("OW1")
    names = [f"e{number}" for number in range(50)]
    await happen(house, *names)
    async with house.storage.writing() as tx:
        await tx.drop_held(hook.id, now=house.clock.now())
    await asked(house, hook)
    await replayer.take_turn()
    again = Replayer(
        storage=house.storage, clock=house.clock, metrics=house.metrics, telling=replayer._telling
    )
    while await again.take_turn():
        pass
    async with house.storage.reading() as tx:
        views, _ = await tx.deliveries("shop", limit=500)
    made = [view.event_id.removeprefix("evt_") for view in views if view.replay_id]
    assert made[::-1] == names


async def test_a_deleted_subscription_ends_its_replays(house, replayer):
    hook = await house.subscribe("order.*")
    await house.watch("OW1")
    await happen(house, "a")
    await asked(house, hook)
    async with house.storage.writing() as tx:
        await tx.remove_subscription("shop", hook.id, now=house.clock.now())
    assert not await replayer.take_turn()
    assert (await shown(house))[0].state is ReplayState.CANCELLED


async def test_the_order_of_an_orders_events_holds_within_a_replay(house, replayer):
    await house.watch("OW1")
    await happen(house, "a", "b", "c")
    hook = await house.subscribe("order.*")
    house.channel.outcomes.extend([UNAVAILABLE, UNAVAILABLE])
    await asked(house, hook)
    async with house.running(house.deliverer(), replayer):
        await house.pass_time(60)
    assert told(house) == ["a", "a", "a", "b", "c"]


async def test_news_of_an_order_never_waits_for_its_replayed_past(house, replayer):
    await house.watch("OW1")
    await happen(house, "a")
    hook = await house.subscribe("order.*")
    await asked(house, hook)
    house.channel.outcomes.append(UNAVAILABLE)
    async with house.running(house.deliverer(), replayer):
        await house.pass_time(1)
        await happen(house, "live")
        await house.pass_time(1)
        assert told(house) == ["a", "live"]


async def test_the_body_stays_unless_it_is_to_be_rendered_anew(house, replayer):
    hook = await house.subscribe("order.*")
    await house.watch("OW1")
    await happen(house, "a")
    async with house.running(house.deliverer(), replayer):
        await house.pass_time(1)
        async with house.storage.writing() as tx:
            await tx.amend_subscription(replace(hook, template="new"), None, now=house.clock.now())
        await asked(house, hook, name="same")
        await house.pass_time(3)
        await asked(house, hook, name="anew", is_rerendered=True)
        await house.pass_time(3)
    assert [msgspec.json.decode(each.body)["template"] for each in house.channel.parcels] == [
        None,
        None,
        "new",
    ]
    assert {each.sequence for each in house.channel.parcels} == {1}


async def test_what_retention_has_left_nothing_of_is_counted_as_gone(house, replayer):
    await house.watch("OW1")
    await happen(house, "a", "b")
    hook = await house.subscribe("order.*")
    await asked(house, hook)
    async with house.storage.writing() as tx:
        # Pruning keeps a snapshot for as long as its event; only a hand leaves an event alone.
        await tx._connection.exec_driver_sql("DELETE FROM snapshots WHERE version = 1")
    await replayer.take_turn()
    replay, _ = await shown(house)
    assert (replay.matched, replay.made, replay.gone) == (2, 1, 1)


async def test_one_replay_of_a_subscription_runs_at_a_time(house, replayer):
    hook = await house.subscribe("order.*", state=SubscriptionState.PAUSED)
    await house.watch("OW1")
    await happen(house, *(f"e{number}" for number in range(30)))
    async with house.storage.writing() as tx:
        await tx.drop_held(hook.id, now=house.clock.now())
    await asked(house, hook, name="first")
    await house.clock.advance(1)
    await asked(house, hook, name="second")
    await replayer.take_turn()
    assert ((await shown(house, "first"))[0].made, (await shown(house, "second"))[0].made) == (20, 0)


async def version_of(house, order_id, *types):
    async with house.storage.writing() as tx:
        now = house.clock.now()
        watch = await tx.watch("shop", order_id.lower())
        snapshot = Snapshot(source=Source.ORDER, reader=READER, order=Order(status="CHARGED"))
        version = await tx.add_snapshot(watch, snapshot, observed_at=now, not_before=None)
        events = [
            Event(
                id=EventId(f"evt_{version}{each}"),
                type=each,
                account="shop",
                livemode=False,
                subject=Subject(each.partition(".")[0]),
                subject_id=None,
                observed_at=now,
                order_id=parse_order_id(order_id),
                order_key=watch.order_key,
                order_version=version,
            )
            for each in types
        ]
        await tell(
            tx,
            events,
            watch=watch,
            snapshot=snapshot,
            now=now,
            expires_after_s=1000,
            lanes=house.lanes,
            new_id=delivery_ids(),
        )


@pytest.mark.parametrize(
    "types", [("order.charged", "txn.charged"), ("order.charged", "txn.charged", "refund.pending")]
)
async def test_one_callback_a_version_wherever_a_page_ends(house, replayer, types):
    await house.watch("OW1")
    for _ in range(60):
        await version_of(house, "OW1", *types)
    hook = await house.subscribe("*", template="juspay")
    async with house.running(house.deliverer(), replayer):
        matched = await asked(house, hook)
        await house.pass_time(120)
    assert matched == 60
    assert len(told(house)) == 60
