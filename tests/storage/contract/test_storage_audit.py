"""What the audit finds, and what it lets be."""

from dataclasses import replace

import pytest
from given import LANES, SECRETS, event, subscribed, watched

from notifier.domain.subscription import Condition, Op, SubscriptionState
from notifier.storage.auditing import audit
from notifier.storage.records import Check, Sign
from notifier.storage.telling import delivery_ids, tell, tell_only


async def tells(storage, watch, *names, now, **members):
    events = [event(name, order_id=watch.order_id, observed_at=now, **members) for name in names]
    async with storage.writing() as tx:
        await tell(
            tx,
            events,
            watch=watch,
            snapshot=None,
            now=now,
            expires_after_s=10_000,
            lanes=LANES,
            new_id=delivery_ids(),
        )


async def found(storage, at, accounts=("main",)):
    return {
        finding.check: (finding.count, finding.rows)
        for finding in await audit(storage, accounts=accounts, at=at)
    }


async def by_hand(storage, *statements):
    async with storage.writing() as tx:
        await tx._connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for statement in statements:
            await tx._connection.exec_driver_sql(statement)


@pytest.fixture
async def watch(storage):
    return await watched(storage)


async def test_a_sound_database_has_nothing_to_find(storage, watch, at):
    assert await found(storage, at()) == {}
    hook = await subscribed(storage)
    await subscribed(storage, "refunds", events=("refund.*",))
    await subscribed(storage, "bound", order_key="ow1")
    await subscribed(storage, "paused", state=SubscriptionState.PAUSED)
    await subscribed(storage, "tagged", tags=("vip",))
    await subscribed(storage, "choosy", conditions=(Condition(path="type", op=Op.EQ, value="x"),))
    await tells(storage, watch, "a", "b", now=at())
    other = await watched(storage, "OW2")
    await tells(storage, other, "c", now=at())
    async with storage.writing() as tx:
        ping = event("ping", order_id=None, type="test.ping", subject="test", subject_id=hook.id)
        await tell_only(tx, ping, hook, now=at(), expires_after_s=1000, lanes=LANES, new_id=delivery_ids())
    await subscribed(storage, "late")
    async with storage.writing() as tx:
        await tx.remove_subscription("main", "sub_bound", now=at())
    assert await found(storage, at(299)) == {}


async def test_a_lost_delivery_is_found_by_its_event_and_its_subscription(storage, watch, at):
    await subscribed(storage)
    await subscribed(storage, "other")
    await tells(storage, watch, "a", "b", now=at())
    await by_hand(
        storage, "DELETE FROM deliveries WHERE event_id = 'evt_b' AND subscription_id = 'sub_other'"
    )
    seen = await found(storage, at())
    common = {
        "account": "main",
        "event_id": "evt_b",
        "type": "order.charged",
        "order_id": "OW1",
        "sequence": 2,
    }
    assert seen == {
        Check.DELIVERY_LOST: (1, (common | {"owed": 2, "kept": 1},)),
        Check.DELIVERY_MISSING: (1, (common | {"subscription_id": "sub_other"},)),
    }


async def test_an_event_that_was_owed_to_nobody_who_listened_is_found(storage, watch, at):
    await subscribed(storage, "bound", order_key="ow1")
    await tells(storage, watch, "a", now=at())
    await by_hand(storage, "DELETE FROM deliveries", "UPDATE events SET owed = 0")
    assert await found(storage, at()) == {
        Check.DELIVERY_MISSING: (
            1,
            (
                {
                    "account": "main",
                    "subscription_id": "sub_bound",
                    "event_id": "evt_a",
                    "type": "order.charged",
                    "order_id": "OW1",
                    "sequence": 1,
                },
            ),
        )
    }


async def test_who_changed_what_it_listens_to_is_asked_from_then_on(storage, watch, at):
    hook = await subscribed(storage, events=("refund.*",))
    await tells(storage, watch, "a", now=at())
    async with storage.writing() as tx:
        await tx.amend_subscription(replace(hook, events=("order.*",)), None, now=at())
    assert await found(storage, at()) == {}
    await tells(storage, watch, "b", now=at())
    async with storage.writing() as tx:
        await tx.amend_subscription(replace(hook, events=("order.*",), rate_per_s=5), SECRETS, now=at())
    await by_hand(storage, "DELETE FROM deliveries", "UPDATE events SET owed = NULL")
    assert [row["event_id"] for row in (await found(storage, at()))[Check.DELIVERY_MISSING][1]] == ["evt_b"]


async def test_a_hole_in_the_log_is_found_at_its_beginning_inside_and_at_its_end(storage, watch, at):
    await tells(storage, watch, *"abcdef", now=at())
    await by_hand(storage, "DELETE FROM events WHERE id IN ('evt_a', 'evt_c', 'evt_d', 'evt_f')")
    count, rows = (await found(storage, at()))[Check.EVENT_LOST]
    assert count == 3
    assert sorted((row["first_sequence"], row["last_sequence"]) for row in rows) == [(1, 1), (3, 4), (6, 6)]


async def test_what_retention_took_is_not_lost(storage, watch, at):
    hook = await subscribed(storage)
    await subscribed(storage, "other", state=SubscriptionState.PAUSED)
    await tells(storage, watch, "a", "b", now=at())
    async with storage.writing() as tx:
        await tx.remove_subscription("main", hook.id, now=at(5))
    await tells(storage, watch, "c", now=at(2000))
    async with storage.writing() as tx:
        assert await tx.prune(before=at(1000), answers_before=at(1000), now=at(2000))
    assert await found(storage, at(2000), accounts=()) == {}


async def test_what_waits_without_a_time_or_past_it_is_found(storage, watch, at):
    await subscribed(storage)
    await tells(storage, watch, "a", "b", now=at())
    await watched(storage, "OW2")
    assert await found(storage, at(300)) == {}
    late = await found(storage, at(301))
    assert {check: count for check, (count, _) in late.items()} == {
        Check.DELIVERY_OVERDUE: 1,  # the other one waits in its lane
        Check.WATCH_OVERDUE: 2,
    }
    assert await found(storage, at(301), accounts=()) == {}
    await by_hand(
        storage,
        "UPDATE deliveries SET due_at = NULL WHERE event_id = 'evt_a'",
        "UPDATE looks SET next_poll_at = NULL WHERE watch_id = 1",
    )
    timeless = await found(storage, at())
    assert {check: count for check, (count, _) in timeless.items()} == {
        Check.DELIVERY_WITHOUT_TIME: 1,
        Check.WATCH_WITHOUT_TIME: 1,
    }
    assert timeless[Check.WATCH_WITHOUT_TIME][1] == ({"account": "main", "watch_id": 1, "order_id": "OW1"},)


async def test_what_nobody_will_ever_send_is_found(storage, watch, at):
    await subscribed(storage)
    await tells(storage, watch, "a", now=at())
    await by_hand(storage, "UPDATE deliveries SET state = 'held', due_at = NULL")
    count, (row,) = (await found(storage, at()))[Check.DELIVERY_ASTRAY]
    assert (count, row["event_id"], row["state"]) == (1, "evt_a", "held")


async def test_replayed_deliveries_do_not_hide_a_lost_one(storage, watch, at):
    await subscribed(storage)
    await tells(storage, watch, "a", now=at())
    await by_hand(storage, "UPDATE deliveries SET replay_id = 'rpl_1'")
    assert set(await found(storage, at())) == {Check.DELIVERY_LOST, Check.DELIVERY_MISSING}


async def test_no_more_rows_are_given_than_asked_for_and_all_are_counted(storage, watch, at):
    await subscribed(storage)
    await tells(storage, watch, *"abcde", now=at())
    await by_hand(storage, "DELETE FROM deliveries")
    for check in (Check.DELIVERY_LOST, Check.DELIVERY_MISSING):
        async with storage.reading() as tx:
            finding = await tx.audit(check, accounts=("main",), overdue_before=at(), limit=2)
        assert (finding.count, len(finding.rows)) == (5, 2)


async def test_signs_are_remembered(storage, at):
    async with storage.writing() as tx:
        assert await tx.noted(Sign.ALIVE) is None
        await tx.note(Sign.ALIVE, at=at(1))
        await tx.note(Sign.ALIVE, at=at(2))
        assert (await tx.noted(Sign.ALIVE), await tx.noted(Sign.AUDITED)) == (at(2), None)
