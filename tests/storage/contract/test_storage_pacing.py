"""Who comes first, who is put off, what was learned, who listens."""

from dataclasses import replace
from datetime import timedelta

from notifier.domain.cadence.plan import Why
from notifier.domain.cadence.situation import parts_of
from notifier.domain.instant import to_ms
from notifier.domain.order import Source
from notifier.storage.looking import LookOutcome
from notifier.storage.pacing import PutOff
from storage.given import snapshot, subscribed, watched
from support.clock import START

SOON = START + timedelta(seconds=10)


async def looks(storage, now=START, limit=10):
    async with storage.reading() as tx:
        return await tx.due_looks("main", now=now, limit=limit)


async def record(storage, look, at, *, why=Why.CADENCE, pace=None):
    outcome = LookOutcome(
        look_id=look.id,
        started_ms=to_ms(START),
        next_poll_ms=to_ms(at),
        why=why,
        last_polled_ms=to_ms(START),
        pace=pace,
    )
    async with storage.writing() as tx:
        await tx.record_looks([outcome], now=START)


async def test_the_parts_of_a_look_come_back_with_it(storage):
    await watched(storage)
    (look,) = await looks(storage)
    assert look.parts is None
    parts = parts_of(snapshot("PENDING_VBV"), account="main", seen_at=START)
    async with storage.writing() as tx:
        state = (await tx.footings([look.id]))[look.id].state
        await tx.save_look_state(replace(state, parts=parts))
    (look,) = await looks(storage)
    assert look.parts == parts
    assert len(parts) == 2
    async with storage.reading() as tx:
        assert (await tx.footings([look.id]))[look.id].state.parts == parts


async def test_who_is_put_off_is_due_later_unless_somebody_asked_meanwhile(storage):
    for order_id in ("OW1", "OW2", "OW3"):
        await watched(storage, order_id)
    first, second, third = await looks(storage)
    async with storage.writing() as tx:
        await tx.ask("main", "ow2", now=START)
        await tx.put_off(
            [
                PutOff(first.id, first.next_poll_at, SOON),
                PutOff(second.id, second.next_poll_at, SOON),
                PutOff(third.id, SOON, SOON),
            ]
        )
    assert [look.id for look in await looks(storage)] == [second.id, third.id]
    async with storage.reading() as tx:
        (late,) = await tx.looks_put_off("main", now=START, limit=10)
        assert (late.id, late.next_poll_at) == (first.id, SOON)
        assert (await tx.watch("main", "ow1")).next_poll_why is Why.BUDGET


async def test_asked_and_attended_looks_are_urgent_while_they_last(storage):
    for order_id in ("OW1", "OW2", "OW3"):
        await watched(storage, order_id)
    for look in await looks(storage):
        await record(storage, look, SOON)
    until = START + timedelta(seconds=60)
    async with storage.writing() as tx:
        await tx.ask("main", "ow1", now=START)
        assert await tx.attend("main", ["ow2", "ow9"], until=until, now=START) == 1

    async def urgent(now):
        async with storage.reading() as tx:
            return [look.order_id for look in await tx.urgent_looks("main", now=now, limit=10)]

    assert sorted(await urgent(START)) == ["OW1", "OW2"]
    assert await urgent(until) == ["OW1"]
    async with storage.reading() as tx:
        assert (await tx.watch("main", "ow2")).next_poll_why is Why.SUSPECTED


async def test_attention_wakes_nobody_who_is_not_watched(storage):
    watch = await watched(storage)
    async with storage.writing() as tx:
        await tx.remove_watch("main", watch.order_key)
        assert await tx.attend("main", ["ow1"], until=SOON, now=START) == 0
    assert await looks(storage) == []


async def test_only_what_the_cadence_put_later_is_brought_forward(storage):
    for order_id in ("OW1", "OW2"):
        await watched(storage, order_id)
    first, second = await looks(storage)
    await record(storage, first, SOON)
    await record(storage, second, SOON, why=Why.SOURCE_ERROR)
    async with storage.writing() as tx:
        assert await tx.bring_forward("main", now=START) == 1
    assert [look.id for look in await looks(storage)] == [first.id]


async def test_paces_are_counted_and_kept_by_what_has_none(storage):
    for order_id in ("OW1", "OW2", "OW3"):
        await watched(storage, order_id)
    first, second, _ = await looks(storage)
    await record(storage, first, SOON, pace=7)
    await record(storage, second, SOON, pace=7)
    await record(storage, second, SOON)
    async with storage.reading() as tx:
        assert await tx.paces("main") == {7: 2, None: 1}
        assert await tx.paces("other") == {}


async def test_what_was_learned_is_kept_whole(storage):
    async with storage.writing() as tx:
        assert await tx.learned("hazards") is None
        await tx.keep_learned("hazards", {"schema": 1, "situations": []}, now=START)
        await tx.keep_learned("hazards", {"schema": 2, "situations": [{"path": ["a"]}]}, now=SOON)
    async with storage.reading() as tx:
        assert await tx.learned("hazards") == {"schema": 2, "situations": [{"path": ["a"]}]}


async def test_the_patterns_listened_to_are_those_of_live_subscriptions(storage):
    await subscribed(storage, "one", events=("order.*", "refund.failure"))
    gone = await subscribed(storage, "two", events=("loan.*",))
    await subscribed(storage, "three", account="other", events=("*",))
    async with storage.writing() as tx:
        await tx.remove_subscription("main", gone.id, now=START)
    async with storage.reading() as tx:
        assert await tx.patterns_listened_to("main") == {"order.*", "refund.failure"}


async def test_other_sources_are_left_out_of_what_is_put_off(storage):
    await watched(storage)
    (look,) = await looks(storage)
    await record(storage, look, SOON, why=Why.BUDGET)
    async with storage.reading() as tx:
        none = await tx.looks_put_off("main", now=START, limit=10, sources=[Source.MANDATE])
        assert none == []
        assert await tx.looks_put_off("main", now=START, limit=10, in_flight=[look.id]) == []
