import asyncio
from dataclasses import replace

import pytest
from given import LANES, SECRETS, event, snapshot, subscribed, subscription, watched

from notifier.domain.event import EventId
from notifier.domain.order import OrderKey
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import Condition, Mode, Op, SubscriptionId, SubscriptionState
from notifier.errors import Conflict, NotFound
from notifier.storage.telling import delivery_ids, tell


async def log(storage, *events, watch_id=None):
    async with storage.writing() as tx:
        sequences = await tx.next_sequences(events[0].account, len(events))
        await tx.add_events(list(zip(events, sequences, strict=True)), watch_id)
    return sequences


async def test_sequences_run_without_a_gap_for_each_account(storage):
    assert list(await log(storage, event("a"), event("b"))) == [1, 2]
    assert list(await log(storage, event("c", account="other"))) == [1]
    assert list(await log(storage, event("d"))) == [3]


async def test_a_sequence_taken_in_a_failed_transaction_is_given_again(storage):
    async def fail():
        async with storage.writing() as tx:
            await tx.next_sequences("main", 5)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert list(await log(storage, event("a"))) == [1]


async def test_a_reader_never_sees_a_sequence_before_the_one_below_it(storage):
    async def write(number):
        async with storage.writing() as tx:
            sequences = await tx.next_sequences("main", 2)
            await asyncio.sleep(0)
            told = [event(f"{number}_{place}") for place in range(2)]
            await tx.add_events(list(zip(told, sequences, strict=True)), None)

    writing = asyncio.gather(*(write(number) for number in range(100)))
    sights = []
    while not writing.done():
        async with storage.reading() as tx:
            sights.append([logged.sequence for logged in await tx.events("main", limit=500)])
    await writing
    assert all(sight == list(range(1, len(sight) + 1)) for sight in sights)
    assert any(0 < len(sight) < 200 for sight in sights)


async def test_events_are_read_in_sequence_by_order_and_type(storage):
    await log(storage, event("a"), event("b", order_id="OW2"), event("c", type="order.stuck"))
    async with storage.reading() as tx:
        assert [e.sequence for e in await tx.events("main", after=1)] == [2, 3]
        assert [e.event.id for e in await tx.events("main", order_key=OrderKey("ow2"))] == ["evt_b"]
        assert [e.event.id for e in await tx.events("main", event_type="order.stuck")] == ["evt_c"]
        assert await tx.events("other") == []
        with pytest.raises(NotFound):
            await tx.event(EventId("evt_none"))


async def test_an_event_reads_back_whole_with_the_snapshot_it_speaks_of(storage, at):
    watch = await watched(storage)
    written = event(
        "a", order_version=1, previous="NEW", current="CHARGED", not_before=at(), observed_at=at(0.123)
    )
    async with storage.writing() as tx:
        await tx.add_snapshot(watch, snapshot(), observed_at=at(), not_before=None)
    await log(storage, written, watch_id=watch.id)
    async with storage.reading() as tx:
        logged = await tx.event(written.id)
    assert (logged.event, logged.snapshot, logged.watch_id, logged.sequence) == (
        written,
        snapshot(),
        watch.id,
        1,
    )


async def test_an_event_told_twice_is_a_conflict(storage):
    await log(storage, event("a"))
    with pytest.raises(Conflict):
        await log(storage, event("a"))


async def test_counters_rise_by_subject(storage):
    async with storage.writing() as tx:
        assert await tx.raise_counter("main", "watch", "ow1") == 1
        assert await tx.raise_counter("main", "watch", "ow1") == 2
        assert await tx.raise_counter("main", "watch", "ow2") == 1


async def test_a_subscription_reads_back_with_its_secrets(storage, at):
    given = subscription(
        conditions=(Condition(path="data.order.amount", op=Op.IN, value=["1", 2, None]),),
        tags=("vip",),
        schedule=(1.0, 2.5),
        order_key=OrderKey("ow1"),
        mode=Mode.LATEST,
    )
    async with storage.writing() as tx:
        await tx.add_subscription(given, SECRETS, now=at())
        assert await tx.subscription("main", given.id) == given
        assert await tx.subscription_by_name("main", "hook") == given
        assert await tx.secrets(given.id) == SECRETS
        with pytest.raises(NotFound):
            await tx.subscription("other", given.id)


async def test_a_name_is_taken_until_its_subscription_is_deleted(storage, at):
    old = await subscribed(storage)
    with pytest.raises(Conflict):
        async with storage.writing() as tx:
            await tx.add_subscription(replace(subscription(), id=SubscriptionId("sub_x")), SECRETS, now=at())
    async with storage.writing() as tx:
        await tx.remove_subscription("main", old.id, now=at())
        assert await tx.subscription_by_name("main", "hook") is None
        with pytest.raises(NotFound):
            await tx.secrets(old.id)
        with pytest.raises(NotFound):
            await tx.remove_subscription("main", old.id, now=at())
        new = replace(subscription(), id=SubscriptionId("sub_new"))
        await tx.add_subscription(new, SECRETS, now=at())
        assert await tx.subscriptions("main") == [new]


async def test_bound_subscriptions_hear_of_their_order_only(storage):
    free = await subscribed(storage, "free")
    bound = await subscribed(storage, "bound", order_key=OrderKey("ow1"))
    async with storage.reading() as tx:
        assert await tx.listening("main", OrderKey("ow1")) == [bound, free]
        assert await tx.listening("main", OrderKey("ow2")) == [free]
        assert await tx.listening("main", None) == [free]


async def telling(storage, watch, *events, now, snapshot_=None, never_to=None):
    ids = iter(f"dlv_{n}" for n in range(100))
    async with storage.writing() as tx:
        return await tell(
            tx,
            events,
            watch=watch,
            snapshot=snapshot_,
            now=now,
            expires_after_s=100.0,
            lanes=LANES,
            new_id=lambda: next(ids),
            never_to=never_to,
        )


async def test_telling_owes_each_event_to_whoever_wants_it(storage, at):
    watch = await watched(storage, tags=frozenset({"vip"}))
    rich = Condition(path="data.order.amount", op=Op.GT, value="100")
    await subscribed(storage, "all", events=("order.*",), tags=("vip",), expires_after_s=7.0)
    await subscribed(storage, "rich", conditions=(rich,))
    await subscribed(storage, "deaf", tags=("other",))
    await subscribed(storage, "paused", state=SubscriptionState.PAUSED)
    refund = event("b", type="refund.success", subject=Subject.REFUND, subject_id="R1")
    count = await telling(storage, watch, event("a"), refund, now=at(), snapshot_=snapshot())
    async with storage.reading() as tx:
        views, _ = await tx.deliveries("main")
    told = {(v.subscription_id, v.event_id, str(v.delivery.state)) for v in views}
    assert told == {
        ("sub_all", "evt_a", "pending"),
        ("sub_rich", "evt_a", "pending"),
        ("sub_rich", "evt_b", "pending"),
        ("sub_paused", "evt_a", "held"),
        ("sub_paused", "evt_b", "held"),
    }
    assert count == 5
    ends = {v.subscription_id: v.delivery.expires_at for v in views}
    assert (ends["sub_all"], ends["sub_rich"]) == (at(7), at(100))


async def test_telling_nobody_still_logs(storage, at):
    assert await telling(storage, None, event("a", order_id=None), now=at()) == 0
    async with storage.reading() as tx:
        assert [e.sequence for e in await tx.events("main")] == [1]


async def test_a_subscription_is_not_told_of_its_own_troubles(storage, at):
    for name in ("one", "two"):
        await subscribed(storage, name, events=("subscription.*",))
    trouble = event(
        "a", order_id=None, type="subscription.failing", subject=Subject.SUBSCRIPTION, subject_id="sub_one"
    )
    assert await telling(storage, None, trouble, now=at(), never_to="sub_one") == 1
    async with storage.reading() as tx:
        [view], _ = await tx.deliveries("main")
    assert view.subscription_id == "sub_two"


async def test_latest_never_collapses_derived_types(storage, at):
    watch = await watched(storage)
    await subscribed(storage, mode=Mode.LATEST)
    await telling(storage, watch, event("stuck", type="order.stuck"), event("old"), event("new"), now=at())
    async with storage.reading() as tx:
        views, _ = await tx.deliveries("main")
    assert {v.event_id: str(v.delivery.state) for v in views} == {
        "evt_stuck": "pending",
        "evt_old": "superseded",
        "evt_new": "pending",
    }


async def test_whoever_speaks_as_the_upstream_does_is_owed_one_event_of_a_version(storage, at):
    watch = await watched(storage)
    await subscribed(storage, "juspay", template="juspay")
    refund = event("b", type="refund.success", subject=Subject.REFUND, subject_id="R1")
    late = event("c", type="order.stuck")
    count = await telling(storage, watch, event("a"), refund, late, now=at(), snapshot_=snapshot())
    async with storage.reading() as tx:
        views, _ = await tx.deliveries("main")
    assert count == 1
    assert [(view.subscription_id, view.event_id) for view in views] == [("sub_juspay", "evt_a")]


def test_delivery_ids_of_one_run_ascend_and_those_of_two_differ():
    one, other = delivery_ids(), delivery_ids()
    made = [one() for _ in range(300)]
    assert made == sorted(set(made))
    assert not set(made) & {other() for _ in range(300)}
