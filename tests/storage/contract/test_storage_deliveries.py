from dataclasses import replace

import pytest
from given import (
    LANES,
    attempted,
    begun,
    claimed,
    due,
    due_events,
    outcome,
    recorded,
    states,
    subscribed,
    told,
    watched,
)
from msgspec import structs

from notifier.domain.delivery import DeliveryId, Reason, Verdict, advance
from notifier.domain.order import OrderKey
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import Ordering, SubscriptionState
from notifier.errors import Conflict, NotFound


@pytest.fixture
async def watch(storage):
    return await watched(storage)


@pytest.fixture
async def hook(storage):
    return await subscribed(storage)


async def next_at(storage):
    async with storage.reading() as tx:
        return await tx.next_delivery_at()


async def amend(storage, subscription, now, **members):
    changed = replace(subscription, **members)
    async with storage.writing() as tx:
        await tx.amend_subscription(changed, None, now=now)
    return changed


async def view(storage, delivery_id):
    async with storage.reading() as tx:
        return await tx.delivery("main", DeliveryId(delivery_id))


async def test_owed_once_attempted_once_done(storage, watch, hook, at):
    bell = storage.signals.deliveries.listener()
    await told(storage, hook, watch, "a")
    assert bell.is_set()
    [found] = await due(storage, at())
    assert (found.subscription, found.sequence, found.body, found.is_lapsed) == (hook, None, None, False)
    assert (found.behind, found.skipped, found.replay_id) == ((), (), None)
    assert found.secrets.target.reveal() == "https://example.com/hook"
    assert await claimed(storage, found, until=at(30)) == {found.delivery.id: 1}
    assert await due(storage, at(1)) == []
    await recorded(storage, found, Verdict.ACCEPTED, now=at(2), answer=b"x" * 9000)
    assert await states(storage) == {"a": "delivered"}
    async with storage.reading() as tx:
        [attempt] = await tx.attempts(found.delivery.id)
    assert (attempt.number, attempt.http_status, attempt.duration_ms, attempt.retry_after_s) == (
        1,
        200,
        12,
        1.5,
    )
    assert attempt.answer == b"x" * 4096
    assert await next_at(storage) is None


async def test_the_same_pair_is_owed_once(storage, watch, hook):
    await told(storage, hook, watch, "a")
    with pytest.raises(Conflict):
        await told(storage, hook, watch, "a")


async def test_a_claim_that_nobody_ended_comes_due_again_with_its_first_body(storage, watch, hook, at):
    await told(storage, hook, watch, "a")
    [found] = await due(storage, at())
    await claimed(storage, found, until=at(30), body=b"first")
    assert await next_at(storage) == at(30)
    [again] = await due(storage, at(30))
    assert (again.is_lapsed, again.body, again.sequence, again.delivery.attempts) == (True, b"first", 1, 1)


async def test_only_one_wins_a_claim(storage, clock, watch, hook, at):
    await told(storage, hook, watch, "a")
    [found] = await due(storage, at())
    assert await claimed(storage, found, until=at(30), token="mine")
    assert await claimed(storage, found, until=at(30), token="theirs") == {}
    again = structs.replace(found, delivery=begun(found), sequence=1)
    assert await claimed(storage, again, until=at(60), token="theirs") == {}
    await clock.advance(30)
    assert await claimed(storage, again, until=at(60), token="theirs") == {found.delivery.id: 1}


async def test_a_late_record_of_a_lost_claim_is_ignored(storage, clock, watch, hook, at):
    await told(storage, hook, watch, "a")
    [found] = await due(storage, at())
    await claimed(storage, found, until=at(30), token="mine")
    await clock.advance(31)
    [again] = await due(storage, at(31))
    await claimed(storage, again, until=at(60), token="theirs")
    await recorded(storage, found, Verdict.ACCEPTED, now=at(32), token="mine")
    assert await states(storage) == {"a": "pending"}
    async with storage.reading() as tx:
        assert await tx.attempts(found.delivery.id) == []


async def test_who_claimed_nothing_may_not_end_another_ones_claim(storage, watch, hook, at):
    await told(storage, hook, watch, "a")
    [found] = await due(storage, at())
    ended = advance(begun(found), outcome(Verdict.REFUSED), now=at(1), schedule=(), roll=0.5)
    await claimed(storage, found, until=at(30))
    async with storage.writing() as tx:
        await tx.record_attempts([(found, None, ended, None)], now=at(1), lanes=LANES)
    assert await states(storage) == {"a": "pending"}
    async with storage.writing() as tx:
        await tx.record_attempts([(found, None, ended, None)], now=at(31), lanes=LANES)
    assert await states(storage) == {"a": "failed"}


async def test_sequences_are_given_at_the_first_attempt_and_kept(storage, hook, at):
    for name in "abc":
        await told(storage, hook, await watched(storage, name), name)
    found = await due(storage, at())
    won = await claimed(storage, *found[:2], until=at(30))
    assert sorted(won.values()) == [1, 2]
    await recorded(storage, found[0], Verdict.RETRY, now=at(1))
    third, again = await due(storage, at(31), limit=1), await due(storage, at(31))
    assert await claimed(storage, third[0], until=at(60)) == {third[0].delivery.id: 3}
    assert next(d.sequence for d in again if d.delivery.id == found[0].delivery.id) == 1


async def test_after_a_restart_claims_are_given_back(storage, watch, hook, at):
    await told(storage, hook, watch, "a")
    [found] = await due(storage, at())
    await claimed(storage, found, until=at(300))
    async with storage.writing() as tx:
        assert await tx.release_claims(now=at(5)) == 1
        assert await tx.release_claims(now=at(5)) == 0
    [again] = await due(storage, at(5))
    assert again.is_lapsed


async def test_busy_subscriptions_are_left_out(storage, watch, hook, at):
    other = await subscribed(storage, "other")
    await told(storage, hook, watch, "a")
    await told(storage, other, await watched(storage, "x"), "b")
    assert await due_events(storage, at(), busy=[hook.id]) == ["b"]
    async with storage.reading() as tx:
        assert await tx.next_delivery_at(busy=[hook.id, other.id]) is None


async def test_while_one_is_busy_the_others_share_what_is_asked_for(storage, at):
    names = ("a", "b", "c")
    for name in names:
        listener = await subscribed(storage, name)
        await told(storage, listener, None, *(f"{name}{n}" for n in range(4)))
    async with storage.reading() as tx:
        everything = await tx.due_deliveries(now=at(), limit=50, lanes=LANES)
    busy = everything[0].subscription.id
    free = await due(storage, at(), busy=[busy], limit=4)
    shares = [each.subscription.id for each in free]
    assert len(shares) == 4
    assert {shares.count(of) for of in shares} == {2}
    assert busy not in shares
    assert len(await due(storage, at(), busy=[busy], limit=1)) == 1
    assert len(await due(storage, at(), busy=[busy])) == 8


async def test_sequences_of_many_subscriptions_are_given_in_one_claim(storage, at):
    for name in ("a", "b"):
        listener = await subscribed(storage, name)
        await told(storage, listener, None, f"{name}1", f"{name}2")
    found = await due(storage, at())
    won = await claimed(storage, *reversed(found), until=at(30))
    assert {each.logged.event.id: won[each.delivery.id] for each in found} == {
        "evt_a1": 1, "evt_a2": 2, "evt_b1": 1, "evt_b2": 2
    }  # fmt: skip


async def test_a_later_event_waits_for_the_earlier_one(storage, watch, hook, at):
    await told(storage, hook, watch, "a", "b", "c")
    assert await due_events(storage, at()) == ["a"]
    [first] = await due(storage, at())
    await attempted(storage, first, Verdict.ACCEPTED, now=at(1), until=at(30))
    assert await next_at(storage) == at(1)
    assert await due_events(storage, at(1)) == ["b"]


async def test_events_of_other_orders_and_of_no_order_do_not_wait(storage, watch, hook, at):
    await told(storage, hook, watch, "a")
    await told(storage, hook, await watched(storage, "other"), "b")
    await told(storage, hook, None, "c", "d")
    assert sorted(await due_events(storage, at())) == ["a", "b", "c", "d"]


async def test_hold_lets_go_after_three_attempts_and_says_so(storage, watch, hook, at):
    await told(storage, hook, watch, "a", "b")
    now = 0
    for attempt in range(3):
        [found] = await due(storage, at(now))
        assert found.logged.event.id == "evt_a", attempt
        await attempted(storage, found, Verdict.RETRY, now=at(now), until=at(now + 15))
        now += 31
    [second] = [d for d in await due(storage, at(now - 31)) if d.logged.event.id == "evt_b"]
    assert second.behind == ("evt_a",)


async def test_the_third_attempt_in_flight_still_holds(storage, watch, hook, at):
    await told(storage, hook, watch, "a", "b")
    await told(storage, hook, watch, "c", collapse=True)
    for now in (0, 31):
        [found] = await due(storage, at(now))
        await attempted(storage, found, Verdict.RETRY, now=at(now), until=at(now + 15))
    [third] = await due(storage, at(62))
    await claimed(storage, third, until=at(80))
    await told(
        storage, hook, watch, "d", now=at(63), collapse=True
    )  # ends "c", so the lane is looked at again
    assert (await states(storage))["c"] == "superseded"
    assert await due_events(storage, at(63)) == []


async def test_hold_lets_go_by_age(storage, watch, hook, at):
    await told(storage, hook, watch, "a", "b")
    [first] = await due(storage, at())
    await claimed(storage, first, until=at(9_999))
    assert await next_at(storage) == at(600)
    assert await due(storage, at(599.999)) == []
    [second] = await due(storage, at(600))
    assert second.behind == ("evt_a",)


async def test_strict_waits_to_the_end(storage, watch, at):
    strict = await subscribed(storage, ordering=Ordering.STRICT)
    await told(storage, strict, watch, "a", "b", expires_after_s=5_000)
    now = 0
    for _ in range(4):
        [found] = await due(storage, at(now))
        assert found.logged.event.id == "evt_a"
        await attempted(storage, found, Verdict.RETRY, now=at(now), until=at(now + 15))
        now += 700
    [found] = await due(storage, at(now))
    await attempted(storage, found, Verdict.REFUSED, now=at(now), until=at(now + 15))
    assert await due_events(storage, at(now)) == ["b"]


async def test_one_record_lets_go_in_many_lanes(storage, hook, at):
    for order in ("x", "y", "z"):
        await told(storage, hook, await watched(storage, order), f"{order}1", f"{order}2")
    heads = await due(storage, at())
    await claimed(storage, *heads, until=at(30))
    accepted = outcome(Verdict.ACCEPTED)
    done = [
        (each, None, advance(begun(each), accepted, now=at(1), schedule=(), roll=0.5), "t") for each in heads
    ]
    async with storage.writing() as tx:
        await tx.record_attempts(done, now=at(1), lanes=LANES)
    assert sorted(await due_events(storage, at(1))) == ["x2", "y2", "z2"]


async def test_many_lanes_expire_at_once(storage, at):
    strict = await subscribed(storage, ordering=Ordering.STRICT)
    for order in ("x", "y"):
        lane = await watched(storage, order)
        await told(storage, strict, lane, f"{order}1", expires_after_s=100)
        await told(storage, strict, lane, f"{order}2", expires_after_s=500)
    async with storage.writing() as tx:
        assert len(await tx.expire_deliveries(now=at(100), lanes=LANES)) == 2
    assert sorted(await due_events(storage, at(100))) == ["x2", "y2"]


async def test_each_subscription_has_its_own_ordering(storage, watch, at):
    for name in ("a-strict", "b-hold", "c-strict", "d-hold"):
        ordering = Ordering.STRICT if "strict" in name else Ordering.HOLD
        listener = await subscribed(storage, name, ordering=ordering)
        other = await watched(storage, f"of-{name}")
        await told(storage, listener, other, f"{name}-1", f"{name}-2")
    for found in await due(storage, at()):
        await claimed(storage, found, until=at(9_999))
    assert await due(storage, at(599.999)) == []
    assert sorted(await due_events(storage, at(600))) == ["b-hold-2", "d-hold-2"]


async def test_what_overtook_keeps_its_own_wait_when_the_earlier_one_ends(storage, watch, hook, at):
    await told(storage, hook, watch, "a", "b")
    [first] = await due(storage, at())
    await claimed(storage, first, until=at(9_999))
    [second] = await due(storage, at(600))
    await attempted(storage, second, Verdict.RETRY, now=at(600), until=at(630))
    await recorded(storage, first, Verdict.ACCEPTED, now=at(601))
    assert await due(storage, at(629)) == []
    assert await due_events(storage, at(630)) == ["b"]


@pytest.mark.parametrize(
    ("names", "verdict", "is_rung"),
    [("a", Verdict.ACCEPTED, False), ("ab", Verdict.ACCEPTED, True), ("a", Verdict.RETRY, True)],
)
async def test_an_attempt_rings_only_where_something_stays_owed(storage, at, names, verdict, is_rung):
    await told(storage, await subscribed(storage), await watched(storage), *names)
    [found] = await due(storage, at())
    bell = storage.signals.deliveries.listener()
    await attempted(storage, found, verdict, now=at(1), until=at(30))
    assert bell.is_set() == is_rung


async def test_a_pause_holds_and_resuming_releases_in_order(storage, watch, hook, at):
    await told(storage, hook, watch, "a", "b")
    paused = await amend(storage, hook, at(1), state=SubscriptionState.PAUSED)
    assert await states(storage) == {"a": "held", "b": "held"}
    await told(storage, paused, watch, "c")
    assert await due(storage, at(99)) == []
    bell = storage.signals.deliveries.listener()
    await amend(storage, hook, at(100), state=SubscriptionState.ACTIVE)
    assert bell.is_set()
    assert await due_events(storage, at(100)) == ["a"]
    [first] = await due(storage, at(100))
    await attempted(storage, first, Verdict.ACCEPTED, now=at(101), until=at(120))
    assert await due_events(storage, at(101)) == ["b"]


@pytest.mark.parametrize("ending", [(Verdict.ACCEPTED, "delivered"), (Verdict.RETRY, "held")])
async def test_an_attempt_under_way_during_a_pause_is_recorded(storage, watch, hook, at, ending):
    verdict, state = ending
    await told(storage, hook, watch, "a")
    [found] = await due(storage, at())
    await claimed(storage, found, until=at(30))
    await amend(storage, hook, at(1), state=SubscriptionState.DISABLED)
    await recorded(storage, found, verdict, now=at(2))
    assert await states(storage) == {"a": state}
    assert (await view(storage, found.delivery.id)).delivery.attempts == 1
    assert await due(storage, at(999)) == []


async def test_what_is_held_can_be_dropped(storage, watch, hook, at):
    await told(storage, hook, watch, "a", "b")
    await amend(storage, hook, at(1), state=SubscriptionState.DISABLED)
    async with storage.writing() as tx:
        assert await tx.drop_held(hook.id, now=at(2)) == 2
    await amend(storage, hook, at(3), state=SubscriptionState.ACTIVE)
    assert await states(storage) == {"a": "cancelled", "b": "cancelled"}
    assert (await view(storage, "dlv_evt_a")).delivery.finished_at == at(2)


async def test_deleting_a_subscription_cancels_also_what_is_under_way(storage, watch, hook, at):
    await told(storage, hook, watch, "a", "b")
    [found] = await due(storage, at())
    await claimed(storage, found, until=at(30))
    async with storage.writing() as tx:
        await tx.remove_subscription("main", hook.id, now=at(1))
    await recorded(storage, found, Verdict.RETRY, now=at(2))
    assert await states(storage) == {"a": "cancelled", "b": "cancelled"}
    assert (await view(storage, "dlv_evt_a")).delivery.reason is Reason.SUBSCRIPTION_DELETED
    assert await next_at(storage) is None


async def test_deliveries_owed_still_go_after_their_watch_is_removed(storage, watch, hook, at):
    await told(storage, hook, watch, "a")
    async with storage.writing() as tx:
        await tx.remove_watch("main", watch.order_key)
    assert await due_events(storage, at()) == ["a"]


async def test_what_expires_ends_and_lets_the_next_go(storage, watch, at):
    strict = await subscribed(storage, ordering=Ordering.STRICT)
    await told(storage, strict, watch, "a", expires_after_s=100)
    await told(storage, strict, watch, "b", expires_after_s=500)
    async with storage.writing() as tx:
        assert len(await tx.expire_deliveries(now=at(99), lanes=LANES)) == 0
        assert len(await tx.expire_deliveries(now=at(100), lanes=LANES)) == 1
    assert (await view(storage, "dlv_evt_a")).delivery.reason is Reason.EXPIRED
    assert await due_events(storage, at(100)) == ["b"]


async def test_an_attempt_under_way_does_not_expire(storage, watch, hook, at):
    await told(storage, hook, watch, "a", expires_after_s=100)
    [found] = await due(storage, at(99))
    await claimed(storage, found, until=at(120))
    async with storage.writing() as tx:
        assert len(await tx.expire_deliveries(now=at(101), lanes=LANES)) == 0
        assert len(await tx.expire_deliveries(now=at(120), lanes=LANES)) == 1


async def test_latest_collapses_what_is_owed_of_the_same_subject(storage, watch, hook, at):
    refund = {"subject": Subject.REFUND, "subject_id": "R1"}
    await told(storage, hook, watch, "a", collapse=True)
    await told(storage, hook, watch, "r1", collapse=True, **refund)
    await told(storage, hook, watch, "b", collapse=True)
    await told(storage, hook, watch, "c", collapse=True)
    assert await states(storage) == {
        "a": "superseded", "r1": "pending", "b": "superseded", "c": "pending"
    }  # fmt: skip
    assert (await view(storage, "dlv_evt_a")).delivery.reason is Reason.NEWER_STATE
    [head] = await due(storage, at())
    assert (head.logged.event.id, head.skipped) == ("evt_r1", ())
    await attempted(storage, head, Verdict.ACCEPTED, now=at(1), until=at(30))
    [last] = await due(storage, at(1))
    assert (last.logged.event.id, last.skipped) == ("evt_c", ("evt_a", "evt_b"))


async def test_latest_never_collapses_a_claimed_one(storage, watch, hook, at):
    await told(storage, hook, watch, "a", collapse=True)
    [found] = await due(storage, at())
    await claimed(storage, found, until=at(30))
    await told(storage, hook, watch, "b", collapse=True)
    assert await states(storage) == {"a": "pending", "b": "pending"}


async def test_deliveries_are_read_newest_first_in_pages(storage, hook, at):
    for name in "abcde":
        await told(storage, hook, await watched(storage, name), name)
    async with storage.reading() as tx:
        first, cursor = await tx.deliveries("main", limit=3)
        rest, end = await tx.deliveries("main", limit=3, after=cursor)
        assert [v.event_id for v in [*first, *rest]] == ["evt_e", "evt_d", "evt_c", "evt_b", "evt_a"]
        assert end is None
        one, _ = await tx.deliveries("main", order_key=OrderKey("c"), subscription_id=hook.id)
        assert [(v.event_id, v.order_id) for v in one] == [("evt_c", "c")]
        assert await tx.deliveries("other") == ([], None)
        with pytest.raises(NotFound):
            await tx.delivery("other", first[0].delivery.id)
